//! The built program as its surroundings see it while no broker answers: the service manager's socket, the
//! pages over HTTP, the port that is taken, the end.

pub(crate) mod daemon;

use std::path::Path;
use std::process::Command;

use self::daemon::Daemon;
use crate::exposition::{get, scrape};

fn question(database: &Path, query: &str) -> String {
    let output = Command::new("sqlite3").arg("-readonly").arg(database).arg(query).output();
    String::from_utf8(output.expect("sqlite3 is installed").stdout).expect("text").trim().to_owned()
}

#[test]
fn without_a_broker_it_is_alive_and_not_ready_and_the_service_manager_hears_why() {
    let mut daemon = Daemon::start("127.0.0.1:0");
    let address = daemon.address();
    daemon.line(|line| line["id"] == "kafka_failing");
    let (alive, ready) = (get(address, "/healthz"), get(address, "/readyz"));
    assert_eq!((alive.status, alive.body.as_str()), (200, "alive\n"));
    assert_eq!(ready.status, 503);
    assert!(ready.body.starts_with("not ready\nno partition is assigned\n"), "{}", ready.body);
    assert!(ready.body.contains("Unreachable 127.0.0.1:1: "), "{}", ready.body);
    let page = scrape(address);
    assert_eq!(page.value("openeventd_ready", &[]), Some(0.0));
    assert_eq!(page.value("openeventd_intake", &[("state", "starting")]), Some(1.0));
    assert_eq!(page.value("openeventd_alarms_total", &[("id", "kafka_failing")]), Some(1.0));
    assert_eq!(page.value("openeventd_alarm_active", &[("id", "kafka_failing")]), Some(1.0));

    let status = daemon.notification("STATUS=Unreachable 127.0.0.1:1: ");
    assert!(status.contains("WATCHDOG=1") && status.contains("waiting for partitions"), "{status}");
    daemon.signal("-HUP");
    daemon.line(|line| line["message"] == "rules reloaded");
    daemon.signal("-TERM");
    daemon.notification("STOPPING=1");
    let status = daemon.child.wait().expect("it ends");
    assert_eq!(status.code(), Some(0));
    let database = daemon.home.path().join("audit.db");
    let row = "SELECT stopped_at IS NOT NULL AND ready_at IS NULL AND reloaded_at IS NOT NULL, intake, \
               failing ->> '$[0].kind' FROM daemons";
    assert_eq!(question(&database, row), "1|starting|Unreachable");
}

#[test]
fn a_port_that_is_taken_is_an_alarm_and_the_work_goes_on() {
    let mut first = Daemon::start("127.0.0.1:0");
    let address = first.address();
    let mut second = Daemon::start(&address.to_string());
    let line = second.line(|line| line["id"] == "monitoring_failed");
    assert_eq!(line["level"], "ERROR");
    assert!(line["message"].as_str().is_some_and(|message| message.contains("monitoring.listen")), "{line}");
    second.notification("WATCHDOG=1");
    second.signal("-TERM");
    assert_eq!(second.child.wait().expect("it ends").code(), Some(0));
    assert_eq!(get(address, "/healthz").status, 200, "the first one is not disturbed");
}
