//! Writes that fail for longer than a while: what the daemon tells, and that it lives on.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::daemon::Daemon;
use crate::exposition::{get, scrape};

/// A program that keeps the database for itself, until it is dropped.
struct Holding(Child);

impl Holding {
    fn of(database: &Path) -> Self {
        let mut child = Command::new("sqlite3")
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sqlite3 is installed");
        let mut input = child.stdin.as_ref().expect("it is piped");
        input
            .write_all(b".timeout 20000\nBEGIN IMMEDIATE;\nSELECT 'held';\n")
            .expect("it takes the statements");
        let mut answer = String::new();
        let output = child.stdout.as_mut().expect("it is piped");
        BufReader::new(output).read_line(&mut answer).expect("it answers");
        assert_eq!(answer.trim(), "held");
        Holding(child)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn writes_that_fail_are_one_alarm_that_ends_and_the_daemon_is_not_restarted_for_them() {
    let mut daemon = Daemon::start("127.0.0.1:0");
    let address = daemon.address();
    let holding = Holding::of(&daemon.home.path().join("audit.db"));
    let begun = daemon.line(|line| line["id"] == "store_write_failed");
    assert_eq!(begun["level"], "ERROR");
    assert!(begun["message"].as_str().is_some_and(|message| message.contains("locked")), "{begun}");
    let again = "a write still fails and is tried again";
    // Each of them waits for the lock first: this is longer than it takes to stand still.
    for _ in 0..4 {
        daemon.line(|line| line["message"] == again && line["work"] == "upkeep");
    }
    let ready = get(address, "/readyz");
    assert!(ready.body.contains("store_write_failed: "), "{}", ready.body);
    assert_eq!(get(address, "/healthz").status, 200);
    let page = scrape(address);
    assert_eq!(page.value("openeventd_intake", &[("state", "stalled")]), Some(1.0));
    assert_eq!(page.value("openeventd_alarms_total", &[("id", "store_write_failed")]), Some(1.0));
    let status = daemon.notification("store_write_failed");
    assert!(status.contains("WATCHDOG=1"), "{status}");
    drop(holding);
    let over = daemon.line(|line| line["id"] == "store_write_failed");
    assert_eq!(over["level"], "INFO");
    let page = scrape(address);
    assert_eq!(page.value("openeventd_alarm_active", &[("id", "store_write_failed")]), Some(0.0));
    assert_eq!(page.value("openeventd_intake", &[("state", "stalled")]), Some(0.0));
}
