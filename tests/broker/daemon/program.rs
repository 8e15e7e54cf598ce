//! The built program as a process: its home, its log, its end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::endpoint::{ACCESS_KEY_ID, ACCESS_KEY_SECRET};
use crate::harness::cluster::{ALICE, Cluster};

/// Generous: the machine may be slow and shared, and a test that passes does not wait.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);
/// How much of the log a failed test shows.
const TAIL_LINES: usize = 60;

/// Configuration, rules, secrets and database of one daemon.
pub(crate) struct Home {
    directory: TempDir,
    /// Keys of `[kafka]`, as TOML values.
    pub(crate) kafka: BTreeMap<&'static str, String>,
    /// Everything after `[kafka]`.
    pub(crate) more: String,
    database: PathBuf,
}

impl Home {
    /// A daemon for the listener with ApsaraMQ-like certificates, as alice, without rules or account.
    pub(crate) fn new(cluster: &Cluster, topics: &[&str], group: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("openeventd-home-").tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("rules.d")).expect("writable");
        let kafka = BTreeMap::from([
            ("bootstrap_servers", format!("[\"127.0.0.1:{}\"]", cluster.ports().cloud)),
            ("topics", format!("{topics:?}")),
            ("group_id", quoted(group)),
            ("username", quoted(ALICE.0)),
            ("password", String::new()),
            ("security_protocol", quoted("sasl_ssl")),
            ("ssl_ca_location", quoted(&cluster.path("cloud-ca.pem").to_string_lossy())),
            ("ssl_endpoint_identification", quoted("none")),
            ("session_timeout", quoted("6s")),
        ]);
        let database = directory.path().join("audit.db");
        let mut home = Home { directory, kafka, more: String::new(), database };
        let password = home.secret("kafka-password", ALICE.1);
        home.kafka.insert("password", password);
        home.rules("none.toml", "");
        home
    }

    /// Calls go to `url`; `operations` are the writes that rules may call. Lost ones are left to a person, so
    /// that the endpoint sees the planned calls alone.
    pub(crate) fn account(&mut self, url: &str, operations: &[&str]) {
        self.account_with_lookups(url, operations);
        self.more.push_str("[dispatch]\nverify = false\n");
    }

    /// The same, and lost calls are looked up.
    pub(crate) fn account_with_lookups(&mut self, url: &str, operations: &[&str]) {
        let secret = self.secret("access-key", ACCESS_KEY_SECRET);
        let allow: Vec<String> =
            operations.iter().map(|name| format!("{{ operation = \"{name}\" }}")).collect();
        let _ = write!(
            self.more,
            "[account.main]\nregion = \"cn-shanghai\"\nedition = \"enterprise\"\naccess_key_id = \"{ACCESS_KEY_ID}\"\n\
             access_key_secret = {secret}\nendpoint = \"{url}\"\n[policy]\nallow = [{}]\n",
            allow.join(", ")
        );
    }

    /// Writes a rule file.
    pub(crate) fn rules(&self, name: &str, text: &str) {
        std::fs::write(self.path("rules.d").join(name), text).expect("writable");
    }

    /// Writes a secret and gives the TOML value that names it.
    pub(crate) fn secret(&self, name: &str, value: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, value).expect("writable");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
        format!("{{ file = {} }}", quoted(&path.to_string_lossy()))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.database.clone()
    }

    /// Puts the database elsewhere.
    pub(crate) fn database_at(&mut self, path: &str) {
        self.database = PathBuf::from(path);
    }

    /// Writes the configuration and starts the program.
    pub(crate) fn start(&self) -> Program {
        self.start_with(&[])
    }

    /// The same, with further variables of the environment.
    pub(crate) fn start_with(&self, variables: &[(&str, &str)]) -> Program {
        let mut text = "[kafka]\n".to_owned();
        for (key, value) in &self.kafka {
            let _ = writeln!(text, "{key} = {value}");
        }
        let _ = write!(
            text,
            "[kafka.properties]\n\"topic.metadata.refresh.interval.ms\" = \"500\"\n\"reconnect.backoff.max.ms\" = \"500\"\n\
             {}\n[monitoring]\nlisten = \"127.0.0.1:0\"\n[store]\npath = {}\ndisk_free_min = \"1MiB\"\n[log]\nformat = \"json\"\nlevel = \"debug\"\n",
            self.more,
            quoted(&self.database.to_string_lossy())
        );
        let file = self.path("openeventd.toml");
        std::fs::write(&file, text).expect("writable");
        Program::start(&file, variables)
    }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// One line of the log.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) message: String,
    /// The stable id of lines that people search for; empty where there is none.
    pub(crate) id: String,
    pub(crate) level: String,
    /// The whole line.
    pub(crate) text: String,
}

impl Line {
    fn of(text: String) -> Self {
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let field =
            |name: &str| parsed.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        let message = if parsed.is_object() { field("message") } else { text.clone() };
        Line { message, id: field("id"), level: field("level"), text }
    }
}

/// The running program.
pub(crate) struct Program {
    guard: Child,
    pid: u32,
    lines: Receiver<Line>,
    seen: Vec<Line>,
}

/// Starts the program, tells its process id and its exit code, and kills it when our pipe closes: so it
/// dies with the test process however that ends.
const GUARD: &str = r#"exec 3<&0
"$@" 2>&1 </dev/null 3<&- & pid=$!
(cat <&3; kill -9 $pid) >/dev/null 2>&1 & watch=$!
echo "pid $pid"
wait $pid
echo "exit $?"
kill $watch"#;

impl Program {
    fn start(configuration: &Path, variables: &[(&str, &str)]) -> Self {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard", env!("CARGO_BIN_EXE_openeventd"), "--config"])
            .arg(configuration)
            .arg("run")
            .env("RUST_LOG", "info,openeventd=debug")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        let output = BufReader::new(guard.stdout.take().expect("it is piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.split(b'\n') {
                let Ok(line) = line else { break };
                if sender.send(Line::of(String::from_utf8_lossy(&line).into_owned())).is_err() {
                    break;
                }
            }
        });
        let mut program = Program { guard, pid: 0, lines, seen: Vec::new() };
        let first = program.line("the process id", |line| line.text.starts_with("pid "));
        program.pid = first.text.trim_start_matches("pid ").parse().expect("a number");
        program
    }

    /// Waits for the first line, of those logged since the start, for which `wanted` holds.
    pub(crate) fn line(&mut self, what: &str, wanted: impl FnMut(&Line) -> bool) -> Line {
        self.line_after(0, what, wanted)
    }

    /// Waits for the first line after `mark` for which `wanted` holds.
    pub(crate) fn line_after(&mut self, mark: usize, what: &str, wanted: impl FnMut(&Line) -> bool) -> Line {
        self.nth_line_after(mark, 1, what, wanted)
    }

    /// Waits for the `count`th line after `mark` for which `wanted` holds.
    pub(crate) fn nth_line_after(
        &mut self,
        mark: usize,
        count: usize,
        what: &str,
        mut wanted: impl FnMut(&Line) -> bool,
    ) -> Line {
        let until = Instant::now() + DEADLINE;
        let (mut at, mut found) = (mark, 0);
        loop {
            while let Some(line) = self.seen.get(at) {
                at += 1;
                found += usize::from(wanted(line));
                if found == count {
                    return line.clone();
                }
            }
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Timeout) => panic!("waited in vain for {what}\n{}", self.tail()),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the program ended before {what}\n{}", self.tail())
                }
            }
        }
    }

    /// Where the log stands, to look only at what follows.
    pub(crate) fn mark(&mut self) -> usize {
        self.seen.extend(self.lines.try_iter());
        self.seen.len()
    }

    /// Lines so far.
    pub(crate) fn log(&mut self) -> &[Line] {
        self.mark();
        &self.seen
    }

    /// The last lines, for a failed test.
    pub(crate) fn tail(&mut self) -> String {
        self.mark();
        let from = self.seen.len().saturating_sub(TAIL_LINES);
        let lines: Vec<&str> = self.seen.iter().skip(from).map(|line| line.text.as_str()).collect();
        format!("--- the end of the daemon's log ---\n{}\n---", lines.join("\n"))
    }

    /// Sends a signal, such as `-HUP`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid.to_string()]).status().expect("kill starts");
        assert!(sent.success(), "the program is not there to be told {signal}");
    }

    /// Waits for the end and gives the exit code; 128 and more is a signal.
    pub(crate) fn exit_code(&mut self) -> i32 {
        let last = self.line("the end", |line| line.text.starts_with("exit "));
        last.text.trim_start_matches("exit ").parse().expect("a number")
    }

    /// Asks it to stop and checks that it does so in order.
    pub(crate) fn stop(mut self) -> Vec<Line> {
        self.signal("-TERM");
        let code = self.exit_code();
        assert_eq!(code, 0, "a stop is no failure\n{}", self.tail());
        self.mark();
        std::mem::take(&mut self.seen)
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.signal("-KILL");
        assert_eq!(self.exit_code(), 137, "{}", self.tail());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        if let Err(error) = self.guard.wait() {
            eprintln!("the guard of the program does not end: {error}");
        }
        if std::thread::panicking() {
            eprintln!("{}", self.tail());
        }
    }
}
