//! The built program as its surroundings see it while no broker answers: the service manager's socket, the
//! pages over HTTP, the port that is taken, the end.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::exposition::{get, scrape};

/// Generous: the machine may be slow and shared, and a test that passes does not wait.
const DEADLINE: Duration = Duration::from_mins(1);

/// A daemon whose broker is nowhere.
struct Daemon {
    child: Child,
    log: Receiver<Value>,
    /// Lines that were read while another was wanted: two tasks of the daemon may log in either order.
    passed: Vec<Value>,
    home: TempDir,
    notified: UnixDatagram,
}

impl Daemon {
    fn start(listen: &str) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let settings = format!(
            "[kafka]\nbootstrap_servers = [\"127.0.0.1:1\"]\ntopics = [\"events\"]\ngroup_id = \"group\"\n\
             security_protocol = \"plaintext\"\n[store]\npath = \"audit.db\"\n[monitoring]\nlisten = \"{listen}\"\n\
             [log]\nformat = \"json\"\n"
        );
        std::fs::write(home.path().join("openeventd.toml"), settings).expect("the settings are written");
        std::fs::create_dir(home.path().join("rules.d")).expect("the directory is made");
        let socket = home.path().join("notify");
        let notified = UnixDatagram::bind(&socket).expect("a socket");
        notified.set_read_timeout(Some(DEADLINE)).expect("a limit");
        let mut child = Command::new(env!("CARGO_BIN_EXE_openeventd"))
            .args(["run", "--config"])
            .arg(home.path().join("openeventd.toml"))
            .env("NOTIFY_SOCKET", &socket)
            .env("WATCHDOG_USEC", "3000000")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || {
            let parsed =
                lines.map_while(Result::ok).map(|line| serde_json::from_str(&line).unwrap_or_default());
            // The test has ended when nobody wants another line.
            parsed.map(|line| sender.send(line)).take_while(Result::is_ok).for_each(drop);
        });
        Daemon { child, log, passed: Vec::new(), home, notified }
    }

    /// A line of the log for which `wanted` holds.
    fn line(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.passed.iter().position(&wanted) {
            return self.passed.swap_remove(at);
        }
        loop {
            let line = self.log.recv_timeout(DEADLINE).expect("the line comes in time");
            if wanted(&line) {
                return line;
            }
            self.passed.push(line);
        }
    }

    fn address(&mut self) -> SocketAddr {
        let line = self.line(|line| line["message"] == "metrics and health are served");
        line["address"].as_str().and_then(|address| address.parse().ok()).expect("an address")
    }

    /// Waits for a notification that holds `wanted`.
    fn notification(&self, wanted: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let length = self.notified.recv(&mut buffer).expect("a notification in time");
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            assert!(!text.contains("READY=1"), "no partition was assigned: {text}");
            if text.contains(wanted) {
                return text;
            }
        }
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill starts").success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
