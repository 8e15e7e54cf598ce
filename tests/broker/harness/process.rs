//! Processes that die with the test process, however it ends.
//!
//! A shell holds the reading end of a pipe whose writing end is ours: when we end, even by SIGKILL, the
//! pipe closes and the shell kills its child.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::wait_for;

/// A guarded process.
pub(crate) struct Guarded {
    shell: Child,
    pid: u32,
}

const GUARD: &str =
    r#"log=$1; shift; "$@" >>"$log" 2>&1 </dev/null & echo $!; cat >/dev/null; kill -9 $! 2>/dev/null; wait"#;

impl Guarded {
    /// Starts `program` with its output in `log`.
    pub(crate) fn start(log: &Path, program: &str, arguments: &[String]) -> Self {
        let mut shell = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(log)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let mut first = String::new();
        BufReader::new(shell.stdout.take().expect("it is piped"))
            .read_line(&mut first)
            .expect("the guard tells the process id");
        Guarded { shell, pid: first.trim().parse().expect("a process id") }
    }

    /// Whether the process lives.
    pub(crate) fn lives(&self) -> bool {
        // The guard reaps its child only at its own end: a zombie is dead.
        std::fs::read_to_string(format!("/proc/{}/stat", self.pid))
            .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end(mut self, signal: &str, deadline: Duration) {
        let _gone_already = Command::new("kill").args([signal, &self.pid.to_string()]).status();
        wait_for("a process to end", deadline, || (!self.lives()).then_some(()));
        drop(self.shell.stdin.take());
        self.shell.wait().expect("the guard ends");
    }
}

/// A directory that is removed when the test process ends, however it ends.
pub(crate) struct Directory {
    path: PathBuf,
    _janitor: Child,
}

impl Directory {
    /// A new one below the system's temporary directory.
    pub(crate) fn new() -> Self {
        let path = tempfile::Builder::new()
            .prefix("openeventd-broker-")
            .tempdir()
            .expect("a temporary directory")
            .keep();
        let janitor = Command::new("sh")
            .args([
                "-c",
                r#"cat >/dev/null; for i in 1 2 3 4 5; do rm -rf "$1" && break; sleep 1; done"#,
                "janitor",
            ])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        Directory { path, _janitor: janitor }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Runs a program to its end.
///
/// # Panics
///
/// When it fails; its output is in the panic.
pub(crate) fn run(directory: &Path, program: &str, arguments: &[&str]) {
    let log = directory.join("run.log");
    let output = File::create(&log).expect("the log can be written");
    let status = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a second handle"))
        .stderr(output)
        .status()
        .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    assert!(status.success(), "{program} {arguments:?} failed: {said}");
}
