//! `openeventd init` and `openeventd tail` against real brokers, as somebody meets them who has neither
//! configuration nor rules nor a group.

#![expect(clippy::panic, reason = "a test that waits in vain says so and ends")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use openeventd::batch::RecordBatch;
use openeventd::config::{self, Environment};
use openeventd::kafka::{Begin, Polled, Tail};
use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::events::{event, instance};
use crate::harness::cluster::{ALICE, BOB, CAROL, Cluster};
use crate::harness::{admin, on_both, unique, wait_for};

const DEADLINE: Duration = Duration::from_secs(60);

/// What `init` has written.
struct Home {
    directory: TempDir,
}

impl Home {
    /// Runs `init` for the listener with certificates like ApsaraMQ's; `more` replaces or adds flags.
    fn init(cluster: &Cluster, user: (&str, &str), topics: &str, group: &str, more: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("openeventd-tail-").tempdir().expect("a directory");
        let home = Home { directory };
        home.secret("password", user.1);
        let mut flags: Vec<(String, String)> = [
            ("--bootstrap-servers", format!("127.0.0.1:{}", cluster.ports().cloud)),
            ("--topic", topics.to_owned()),
            ("--group-id", group.to_owned()),
            ("--username", user.0.to_owned()),
            ("--password-file", home.path("password").display().to_string()),
            ("--ca-file", cluster.path("cloud-ca.pem").display().to_string()),
            ("--endpoint-identification", "none".to_owned()),
        ]
        .map(|(flag, value)| (flag.to_owned(), value))
        .into();
        for pair in more.chunks(2) {
            flags.retain(|(flag, _)| flag != pair[0]);
            if pair[1] != "-" {
                flags.push((pair[0].to_owned(), pair[1].to_owned()));
            }
        }
        let arguments = flags.into_iter().flat_map(|(flag, value)| [flag, value]);
        let output = program(home.directory.path()).arg("init").args(arguments).output().expect("it runs");
        assert!(output.status.success(), "{}", said(&output));
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn secret(&self, name: &str, value: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(self.path(name), value).expect("writable");
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600))
            .expect("it is ours");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(self.directory.path());
        command.args(["tail", "--config", "openeventd.toml"]).args(arguments);
        command
    }

    /// Runs `tail` to its end.
    fn tail(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it runs")
    }

    /// Starts `tail`; gives it with its standard error, read up to where it says that it has begun.
    fn start(&self, arguments: &[&str]) -> Tailing {
        let mut command = self.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let errors = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut tailing = Tailing { child, output, errors };
        let mut line = String::new();
        while !line.contains("Ctrl-C ends") {
            line.clear();
            let read = tailing.errors.read_line(&mut line).expect("it is read");
            assert!(read > 0, "it ended before it had begun");
        }
        tailing
    }
}

/// A running `tail`.
struct Tailing {
    child: Child,
    output: BufReader<ChildStdout>,
    errors: BufReader<ChildStderr>,
}

impl Tailing {
    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).expect("it is read") > 0, "it ended");
        line.trim_end().to_owned()
    }

    /// Ends it as Ctrl-C does; gives its standard error.
    fn interrupt(mut self) -> String {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(sent.expect("kill starts").success());
        let mut errors = String::new();
        self.errors.read_to_string(&mut errors).expect("it is read");
        let status = self.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0), "{errors}");
        errors
    }
}

impl Drop for Tailing {
    fn drop(&mut self) {
        // After the end there is nothing to kill.
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

fn program(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openeventd"));
    command.current_dir(directory).env_clear().stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout))
}

fn lines(output: &Output) -> Vec<String> {
    assert_eq!(output.status.code(), Some(0), "{}", said(output));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Every group that the broker knows.
fn groups(cluster: &Cluster) -> Vec<String> {
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    let mut config = rdkafka::ClientConfig::new();
    config.set("bootstrap.servers", cluster.plaintext());
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let list = consumer.fetch_group_list(None, DEADLINE).expect("the broker answers");
    list.groups().iter().map(|group| group.name().to_owned()).collect()
}

#[test]
fn from_nothing_to_the_first_own_event_without_a_group_or_a_commit() {
    on_both(|cluster| {
        let (topic, group) = (unique("first"), unique("group"));
        admin::create_topic(cluster, &topic, 3);
        // A user who may use no group.
        let home = Home::init(cluster, CAROL, &topic, &group, &[]);
        let began = Instant::now();
        let mut tail = home.start(&[]);
        admin::produce(cluster, &topic, 3, 1, |_| event(73_910_042_265, 700_005_183_003));
        let line = tail.line();
        eprintln!("   first line {:?} after the start: {line}", began.elapsed());
        for part in [
            "Z  0:0  instance-status-changes  workspace=96384  instance=73910042265  node=700005183003",
            "Failure",
        ] {
            assert!(line.contains(part), "{line}");
        }
        assert!(!line.contains('\u{1b}'), "no colours without a terminal: {line:?}");
        let errors = tail.interrupt();
        assert_eq!(errors, "1 record seen, 1 shown, 0 undecodable\n");
        assert!(!groups(cluster).contains(&group));
        assert_eq!(admin::committed(cluster, &group, &topic, 3), [None, None, None]);
        assert!(!home.path("audit.db").exists());
    });
}

#[test]
fn what_is_there_is_shown_as_the_daemon_would_see_it_and_filtered() {
    on_both(|cluster| {
        let topic = unique("shown");
        admin::create_topic(cluster, &topic, 2);
        let payload = |n: usize| match n {
            0 => b"no JSON \x1b[2J".to_vec(),
            1 => br#"{"eventCode":"commit-file","projectId":1,"fileId":5,"operator":"o\u001b"}"#.to_vec(),
            n => scheduled(n),
        };
        admin::produce(cluster, &topic, 2, 6, payload);
        let home = Home::init(cluster, ALICE, &topic, &unique("group"), &[]);
        let everything = ["--from", "earliest", "--no-follow"];
        let with = |more: &[&'static str]| home.tail(&[&everything[..], more].concat());

        let output = with(&[]);
        let text = lines(&output);
        assert_eq!(text.len(), 6);
        let find =
            |part: &str| text.iter().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{text:?}"));
        assert!(find("undecodable, not_json").contains("  0:0  "));
        assert!(find("commit-file").contains("file=5  operator=o\\u{1b}  [no_identity]"), "{text:?}");
        assert!(find("instance=4").ends_with("Failure  -> rerun-failed (observe)"), "{text:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            errors.ends_with("6 records seen, 6 shown, 1 undecodable; would have fired: rerun-failed 4\n"),
            "{errors}"
        );

        // What could not be decoded is shown whatever is filtered.
        assert_eq!(lines(&with(&["--matched"])).len(), 5);
        assert_eq!(lines(&with(&["--rule", "rerun-failed"])).len(), 5);
        assert_eq!(lines(&with(&["--code", "commit-file"])).len(), 2);
        assert_eq!(lines(&with(&["-n", "3"])).len(), 3);
        assert_eq!(lines(&home.tail(&["--from", "1", "--no-follow"])).len(), 4);
        assert_eq!(lines(&home.tail(&["--from", "1h", "--no-follow"])).len(), 6);
        assert_eq!(lines(&home.tail(&["--from", "2100-01-01T00:00:00Z", "--no-follow"])).len(), 0);
        let output = with(&["--code", "comit-file", "--rule", "rerun"]);
        let errors = said(&output);
        assert!(errors.contains("no known event code `comit-file`; did you mean `commit-file`?"), "{errors}");
        assert!(errors.contains("no known rule `rerun`; did you mean `rerun-failed`?"), "{errors}");

        let json: Vec<Value> = lines(&with(&["--json"]))
            .iter()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect();
        let refused = json.iter().find(|line| line["quarantined"] == "not_json").expect("it is there");
        assert_eq!((&refused["partition"], &refused["offset"]), (&Value::from(0), &Value::from(0)));
        let fired = json.iter().find(|line| line["instance"] == 4).expect("it is there");
        assert_eq!(fired["rules"], serde_json::json!([{ "name": "rerun-failed", "mode": "observe" }]));
        assert_eq!(
            (&fired["topic"], &fired["status"]),
            (&Value::from(topic.as_str()), &Value::from("Failure"))
        );
        assert!(fired["kafka_at"].as_str().is_some_and(|time| time.ends_with('Z')), "{fired}");
    });
}

/// A failure of the daily schedule.
fn scheduled(n: usize) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(&event(instance(n), 7)).expect("it is JSON");
    value["data"]["dagType"] = 0.into();
    value.to_string().into_bytes()
}

#[test]
fn what_waiting_cannot_mend_ends_with_69_and_says_how_to_mend_it() {
    on_both(|cluster| {
        let topic = unique("refused");
        admin::create_topic(cluster, &topic, 1);
        let other_ca = cluster.path("other-ca.pem").display().to_string();
        let to_plaintext = cluster.plaintext();
        let cases: [(&str, (&str, &str), Vec<&str>, &str, &str); 8] = [
            (
                "wrong password",
                (ALICE.0, "wrong-secret"),
                vec![],
                "SaslCredentials: alice: ",
                "Developer Backend",
            ),
            (
                "wrong authority",
                ALICE,
                vec!["--ca-file", &other_ca],
                "TlsUntrusted: 127.0.0.1:",
                "ssl_ca_location",
            ),
            (
                "host name",
                ALICE,
                vec!["--endpoint-identification", "https"],
                "TlsHostName: 127.0.0.1:",
                "ssl_endpoint_identification",
            ),
            (
                "unknown topic",
                ALICE,
                vec!["--topic", "no-such-topic"],
                "TopicUnknown: no-such-topic: ",
                "`topics`",
            ),
            ("denied topic", BOB, vec![], "TopicDenied: refused-", "grant the user Read"),
            (
                "TLS to a plaintext port",
                ALICE,
                vec!["--bootstrap-servers", &to_plaintext],
                "TlsToPlaintext: 127.0.0.1:",
                "security_protocol",
            ),
            (
                "plaintext to a TLS port",
                ALICE,
                vec![
                    "--security-protocol",
                    "sasl_plaintext",
                    "--ca-file",
                    "-",
                    "--endpoint-identification",
                    "-",
                ],
                "PlaintextToTls: 127.0.0.1:",
                "SASL_SSL",
            ),
            (
                "mechanism",
                ALICE,
                vec!["--sasl-mechanism", "scram-sha-256"],
                "SaslMechanism: SCRAM-SHA-256: ",
                "one that the server offers",
            ),
        ];
        for (name, user, more, told, fix) in cases {
            let began = Instant::now();
            let home = Home::init(cluster, user, &topic, &unique("group"), &more);
            let output = home.tail(&[]);
            eprintln!("   {name} ({:?}): {}", began.elapsed(), said(&output).trim_end());
            assert_eq!(output.status.code(), Some(69), "{name}: {}", said(&output));
            let last = said(&output).lines().last().expect("it says why").to_owned();
            assert!(last.starts_with(&format!("openeventd: {told}")) && last.contains(fix), "{name}: {last}");
            assert!(!said(&output).contains(user.1), "the password is never shown");
        }
    });
}

#[test]
fn what_may_pass_is_shown_and_waited_out() {
    on_both(|cluster| {
        let topic = unique("waiting");
        admin::create_topic(cluster, &topic, 1);
        for (server, told) in [
            ("127.0.0.1:1", "Unreachable: 127.0.0.1:1: "),
            ("no-such-host.invalid:9093", "Dns: no-such-host.invalid"),
        ] {
            let home = Home::init(cluster, ALICE, &topic, &unique("group"), &["--bootstrap-servers", server]);
            let mut child = home.command(&[]).stderr(Stdio::piped()).spawn().expect("it runs");
            let mut line = String::new();
            BufReader::new(child.stderr.take().expect("it is piped"))
                .read_line(&mut line)
                .expect("it is read");
            assert!(line.starts_with(&format!("openeventd: {told}")), "{line}");
            assert!(line.ends_with("; waiting for it\n"), "{line}");
            assert_eq!(child.try_wait().expect("it can be asked"), None, "it waits");
            let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
            assert!(sent.expect("kill starts").success());
            assert_eq!(child.wait().expect("it ends").code(), Some(0));
        }
    });
}

#[test]
fn what_kafka_removes_under_a_slow_reader_is_told_and_passed_over() {
    on_both(|cluster| {
        let topic = unique("removed");
        admin::create_topic(cluster, &topic, 1);
        admin::produce(cluster, &topic, 1, 60_000, |n| event(instance(n), 1));
        let home = Home::init(cluster, ALICE, &topic, &unique("group"), &[]);
        let mut tail = home.start(&["--from", "earliest"]);
        assert!(tail.line().contains("  0:0  "));
        // Nobody reads: pipe, batch and queue are full long before this.
        admin::delete_before(cluster, &topic, 59_000);
        while !tail.line().contains("  0:59999  ") {}
        let errors = tail.interrupt();
        assert!(errors.contains(": Kafka no longer has offset "), "{errors}");
        assert!(errors.contains("; going on at 59000\n"), "{errors}");
    });
}

#[test]
fn partitions_that_are_added_are_read_from_their_first_record() {
    on_both(|cluster| {
        let topic = unique("grown");
        admin::create_topic(cluster, &topic, 1);
        admin::produce(cluster, &topic, 1, 3, |n| event(instance(n), 1));
        let home = Home::init(cluster, ALICE, &topic, &unique("group"), &[]);
        let (config, _) =
            config::load(&home.path("openeventd.toml"), &Environment::default()).expect("right");
        let mut tail = Tail::new(&config.kafka, Box::new(|_| {})).expect("a client");
        wait_for("the beginning", DEADLINE, || tail.try_start(Begin::Latest).expect("no error"));
        assert_eq!(tail.take_up_added().expect("no error"), []);

        admin::add_partitions(cluster, &topic, 3);
        admin::produce(cluster, &topic, 3, 6, |n| event(instance(n), 1));
        let mut added = Vec::new();
        wait_for("the new partitions", DEADLINE, || {
            added.extend(tail.take_up_added().expect("no error"));
            (added.len() == 2).then_some(())
        });
        assert!(added.iter().all(|place| place.start == 0), "{added:?}");
        let mut seen = Vec::new();
        wait_for("their records", DEADLINE, || {
            let mut batch = RecordBatch::new();
            let limits = config.ingest.batch;
            let polled = tail.poll_batch(&mut batch, &limits, Duration::from_millis(200));
            assert!(matches!(polled, Ok(Polled::Records | Polled::Idle)), "{polled:?}");
            seen.extend(batch.records().map(|record| (record.partition, record.offset)));
            (seen.len() >= 6).then_some(())
        });
        seen.sort_unstable();
        assert_eq!(seen, [(0, 3), (0, 4), (1, 0), (1, 1), (2, 0), (2, 1)], "each once");
    });
}

#[test]
fn wrong_rules_are_shown_and_a_closed_pipe_is_no_error() {
    on_both(|cluster| {
        let topic = unique("piped");
        admin::create_topic(cluster, &topic, 1);
        admin::produce(cluster, &topic, 1, 5000, |n| event(instance(n), 1));
        let home = Home::init(cluster, ALICE, &topic, &unique("group"), &[]);
        std::fs::write(home.path("rules.d/wrong.toml"), "[[rule]]\nnaem = 1\n").expect("writable");
        let mut child = home
            .command(&["--from", "earliest"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("it is read");
        assert!(line.contains("instance=0"), "{line}");
        drop(output);
        let code = wait_for("the end", DEADLINE, || child.try_wait().expect("it can be asked"));
        let mut errors = String::new();
        child.stderr.take().expect("it is piped").read_to_string(&mut errors).expect("it is read");
        assert_eq!(code.code(), Some(0), "{errors}");
        assert!(errors.contains("wrong.toml:2:1: error"), "{errors}");
        assert!(errors.contains("openeventd: the rules have errors: going on without any"), "{errors}");
    });
}
