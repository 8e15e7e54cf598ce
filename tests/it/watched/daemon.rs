//! The built program while no broker answers, with its log and what it tells the service manager.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// Generous: the machine may be slow and shared, and a test that passes does not wait.
const DEADLINE: Duration = Duration::from_mins(1);

/// A daemon whose broker is nowhere.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    log: Receiver<Value>,
    /// Lines that were read while another was wanted: two tasks of the daemon may log in either order.
    passed: Vec<Value>,
    pub(crate) home: TempDir,
    notified: UnixDatagram,
}

impl Daemon {
    pub(crate) fn start(listen: &str) -> Self {
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
    pub(crate) fn line(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
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

    pub(crate) fn address(&mut self) -> SocketAddr {
        let line = self.line(|line| line["message"] == "metrics and health are served");
        line["address"].as_str().and_then(|address| address.parse().ok()).expect("an address")
    }

    /// Waits for a notification that holds `wanted`.
    pub(crate) fn notification(&self, wanted: &str) -> String {
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

    pub(crate) fn signal(&self, signal: &str) {
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
