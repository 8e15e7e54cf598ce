//! `openeventd tail` at the embedded broker, as a user meets it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use openeventd::kafka::embedded::{Embedded, NewRecord, Settings};
use tempfile::TempDir;

const TOPIC: &str = "events";
const PASSWORD: &str = "correct horse battery";

/// What a pipe holds unless somebody asks for more.
const PIPE_BYTES: u64 = 64 * 1024;

/// Nothing here takes longer, or it hangs.
const DEADLINE: Duration = Duration::from_secs(30);

/// A broker whose topic holds far more than a pipe.
async fn broker() -> Embedded {
    let settings =
        Settings { topic: TOPIC.into(), partitions: 1, username: "alice".into(), password: PASSWORD.into() };
    let broker = Embedded::start(settings).await.expect("a broker");
    for number in 0..40 {
        let payload = format!(
            r#"{{"specversion":"1.0","id":"{number}","source":"s","type":"x","data":{{"filling":"{}"}}}}"#,
            "x".repeat(10_000)
        );
        let record = NewRecord { partition: 0, timestamp_ms: 1_774_425_600_000, key: "k".into(), payload };
        broker.put(&record).await.expect("the record is in the topic");
    }
    broker
}

/// A configuration for `broker`.
fn home(broker: &Embedded) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name);
    fs::write(path("ca.pem"), broker.authority()).expect("it is written");
    let mut password = fs::File::create(path("password")).expect("it is made");
    password.write_all(PASSWORD.as_bytes()).expect("it is written");
    password.set_permissions(fs::Permissions::from_mode(0o600)).expect("it is ours");
    let server = broker.address().to_string();
    let mut init = program(&directory);
    init.args(["init", "--bootstrap-servers", &server, "--topic", TOPIC, "--username", "alice"]);
    init.args(["--password-file", "password", "--ca-file", "ca.pem"]);
    let output = init.output().expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    directory
}

fn program(directory: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openeventd"));
    command.current_dir(directory).env_clear().stdin(Stdio::null());
    command
}

/// Starts `tail` with a standard output that nobody reads, and waits until that is full.
fn blocked(directory: &TempDir) -> Child {
    let mut command = program(directory);
    command.args(["tail", "--config", "openeventd.toml", "--from", "earliest", "--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let output = child.stdout.as_ref().expect("it is piped");
    let until = Instant::now() + DEADLINE;
    while rustix::io::ioctl_fionread(output).expect("the pipe is looked at") < PIPE_BYTES {
        assert!(Instant::now() < until, "the pipe was never filled");
        std::thread::yield_now();
    }
    child
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.expect("kill starts").success());
}

/// How it ended, within the deadline.
fn end(child: &mut Child) -> ExitStatus {
    let until = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().expect("it can be asked") {
            return status;
        }
        if Instant::now() > until {
            child.kill().expect("it is ours");
            panic!("it goes on after a signal");
        }
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_signal_ends_it_though_nobody_takes_its_output() {
    let broker = broker().await;
    let directory = home(&broker);
    let ended = tokio::task::spawn_blocking(move || {
        for signals in [&["-TERM"][..], &["-INT"], &["-INT", "-TERM"]] {
            let mut child = blocked(&directory);
            for signal in signals {
                send(&child, signal);
            }
            let status = end(&mut child);
            let mut errors = String::new();
            child.stderr.take().expect("it is piped").read_to_string(&mut errors).expect("it is read");
            assert_eq!(status.code(), Some(0), "{signals:?}: {status}, {errors}");
        }
    });
    ended.await.expect("no panic");
}
