//! The demonstration as a person runs it: the built program, to its end and not.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

/// What the README promises.
const WITHIN: Duration = Duration::from_secs(30);

/// The program with nothing of our environment, but settings of a real installation that it must not heed.
fn program(directory: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_openeventd"));
    program.arg("demo").current_dir(directory).env_clear();
    program.env("OPENEVENTD__KAFKA__BOOTSTRAP_SERVERS", "broker.example.com:9093");
    program.env("OPENEVENTD__STORE__PATH", directory.join("real.db"));
    program.env("RUST_LOG", "bad[[");
    program
}

async fn audit(directory: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(directory.join("audit.db")).read_only(true);
    options.connect().await.expect("the audit opens")
}

/// `select kind, count(*)` as a map.
async fn counts(audit: &mut SqliteConnection, question: &'static str) -> BTreeMap<String, i64> {
    let rows: Vec<(String, i64)> = sqlx::query_as(question).fetch_all(audit).await.expect("an answer");
    rows.into_iter().collect()
}

fn run(mut program: Command) -> Output {
    program.stdin(Stdio::null()).output().expect("the program runs")
}

/// All files below `directory`.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn the_demonstration_comes_to_its_end_and_its_audit_adds_up() {
    let parent = tempfile::tempdir().expect("a directory");
    let directory = parent.path().join("a new one");
    let begun = Instant::now();
    let mut demo = program(parent.path());
    demo.arg("--dir").arg(&directory);
    let output = run(demo);
    let elapsed = begun.elapsed();
    let stdout = String::from_utf8(output.stdout).expect("text");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(elapsed < WITHIN, "{elapsed:?}");
    assert_eq!(stderr, "");
    assert!(!stdout.contains('\u{1b}'), "colours without a terminal: {stdout}");
    assert!(stdout.contains("Nothing missing"), "{stdout}");

    let mut audit = audit(&directory).await;
    let (records, sum, gaps): (i64, i64, i64) = sqlx::query_as(
        "SELECT sum(records), sum(events + duplicates + quarantined), (SELECT count(*) FROM gaps) FROM batches",
    )
    .fetch_one(&mut audit)
    .await
    .expect("sums");
    assert!(records >= 40 && records == sum && gaps == 0, "{records} {sum} {gaps}");
    let actions =
        counts(&mut audit, "SELECT coalesce(held_reason, state), count(*) FROM actions GROUP BY 1").await;
    let expected = ["approve", "dead", "observed", "stale", "succeeded", "unresolved"];
    assert_eq!(actions.keys().map(String::as_str).collect::<Vec<_>>(), expected, "{actions:?}");
    let calls = counts(&mut audit, "SELECT class, count(*) FROM attempts GROUP BY 1").await;
    let expected = ["forbidden", "lost", "success", "throttled", "unavailable"];
    assert_eq!(calls.keys().map(String::as_str).collect::<Vec<_>>(), expected, "{calls:?}");
    let lookups = counts(&mut audit, "SELECT class, count(*) FROM lookups GROUP BY 1").await;
    assert_eq!(lookups.keys().map(String::as_str).collect::<Vec<_>>(), ["success", "unavailable"]);
    let all = calls.values().chain(lookups.values()).sum::<i64>();
    for sum in
        [format!("the signatures of {all} calls."), format!("{all} calls counted for the account today")]
    {
        assert!(stdout.contains(&sum), "{sum}: {stdout}");
    }
    what_is_new_is_told(&mut audit, &stdout).await;
    let decisions = counts(&mut audit, "SELECT outcome, count(*) FROM decisions GROUP BY 1").await;
    assert_eq!(
        decisions.keys().map(String::as_str).collect::<Vec<_>>(),
        ["planned", "recorded", "untrusted"]
    );
    let envelopes = counts(&mut audit, "SELECT envelope, count(*) FROM events GROUP BY 1").await;
    assert!(envelopes["cloudevents"] > 10 && envelopes["kafka"] > 5, "{envelopes:?}");
    let unknown: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE flags <> '[]' OR code IS NULL")
        .fetch_one(&mut audit)
        .await
        .expect("a count");
    assert_eq!(unknown, 0, "every event is one of the catalogue, and told without doubt");

    let log = std::fs::read_to_string(directory.join("openeventd.log")).expect("the log");
    let errors: Vec<&str> = log.lines().filter(|line| line.contains(" ERROR ")).collect();
    assert!(errors.len() == 1 && errors[0].contains("calls_parked"), "{errors:?}");
    assert!(log.contains("started") && !log.contains("kafka_failing"), "{log}");
    secrets_are_kept(&directory, &stdout);
    let wal = std::fs::metadata(directory.join("audit.db-wal")).map_or(0, |metadata| metadata.len());
    assert_eq!(wal, 0, "the audit is whole in its file");
    assert!(!parent.path().join("real.db").exists());

    printed_commands_work(&stdout, parent.path());

    let mut check = Command::new(env!("CARGO_BIN_EXE_openeventd"));
    check.args(["check", "--config"]).arg(directory.join("openeventd.toml")).env_clear();
    let checked = run(check);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));

    let mut again = program(parent.path());
    again.arg("--dir").arg(&directory);
    let refused = run(again);
    assert_eq!(refused.status.code(), Some(73), "the directory is taken");
}

/// Of the lost reruns one was executed, one remains for a person; what is forbidden is parked.
async fn what_is_new_is_told(audit: &mut SqliteConnection, stdout: &str) {
    let verdicts: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT a.state, t.verdict, t.verdict_reason FROM attempts t JOIN actions a ON a.id = t.action \
        WHERE t.verdict IS NOT NULL ORDER BY a.state",
    )
    .fetch_all(&mut *audit)
    .await
    .expect("the verdicts");
    let states: Vec<_> = verdicts.iter().map(|it| (it.0.as_str(), it.1.as_str())).collect();
    assert_eq!(states, [("succeeded", "happened"), ("unresolved", "ambiguous")]);
    assert!(verdicts[0].2.starts_with("RunNumber of ") && verdicts[0].2.ends_with(" went from 1 to 2"));
    for (reason, follows) in [(&verdicts[0].2, "it was executed"), (&verdicts[1].2, "still unresolved")] {
        let told = format!("looked up: {reason}: {follows}");
        assert!(stdout.contains(&told), "{told}: {stdout}");
    }
    let parked: Vec<(String, i64, String)> =
        sqlx::query_as("SELECT operation, workspace, reason FROM parkings")
            .fetch_all(audit)
            .await
            .expect("rows");
    assert_eq!(parked, [("UpdateTaskInstances".into(), 96_384, "forbidden".into())]);
    assert!(
        stdout.contains("UpdateTaskInstances in workspace 96384: forbidden, nothing is tried"),
        "{stdout}"
    );
}

/// Each of the four commands, as a shell takes it, answers with something telling.
fn printed_commands_work(stdout: &str, parent: &Path) {
    let (_, commands) = stdout.split_once("Now ask the audit:").expect("the commands");
    let (setting, commands) = commands.trim_start().split_once('\n').expect("more than one line");
    assert!(setting.starts_with("export OPENEVENTD_CONFIG="), "{setting}");
    let commands: Vec<&str> =
        commands.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    for (command, telling) in
        commands.into_iter().zip(["instance:", "held (approve)", "SPENT BY", "went from 1 to 2"])
    {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{setting}\n{command}")]).current_dir(parent).env_clear();
        let output = run(shell);
        let answer = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(answer.contains(telling), "{command}: {answer}");
    }
}

/// The ports of 127.0.0.1 on which `process` listens.
fn listening(process: u32) -> Vec<u16> {
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{process}/fd"))
        .expect("its files")
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = std::fs::read_to_string(format!("/proc/{process}/net/tcp")).expect("the table");
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| {
        row.get(3) == Some(&"0A") && row.get(9).is_some_and(|it| sockets.iter().any(|s| s == it))
    })
    .filter_map(|row| u16::from_str_radix(row.get(1)?.split_once(':')?.1, 16).ok())
    .collect()
}

/// The running demonstration, and the lines that it prints.
fn started(parent: &Path) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut demo = program(parent)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let lines = BufReader::new(demo.stdout.take().expect("a pipe")).lines();
    (demo, lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_others_are_told_and_spoil_nothing() {
    let parent = tempfile::tempdir().expect("a directory");
    let (demo, mut lines) = started(parent.path());
    let mut told = String::new();
    for line in lines.by_ref() {
        told += &line.expect("text");
        if told.contains("#1 ") {
            break;
        }
    }
    let is_told = |port: &u16| told.contains(&format!("127.0.0.1:{port}"));
    let inner: Vec<u16> = listening(demo.id()).into_iter().filter(|port| !is_told(port)).collect();
    assert_eq!(inner.len(), 1, "the mock broker's own port: {inner:?}");
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", format!("127.0.0.1:{}", inner[0]))
        .create()
        .expect("a producer");
    let record =
        FutureRecord::<str, str>::to("dataworks-openevent").partition(0).payload("{\"by\":\"anybody\"}");
    producer.send(record, WITHIN).await.expect("the mock broker takes it");
    let rest: Vec<String> = lines.map(|line| line.expect("text")).collect();
    let output = demo.wait_with_output().expect("it ends");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{rest:?} {stderr}");
    assert!(rest.iter().any(|line| line.starts_with("1 of the records came from elsewhere")), "{rest:?}");
}

fn secrets_are_kept(directory: &Path, stdout: &str) {
    let kept = files(&directory.join("secrets"));
    assert_eq!(kept.len(), 2);
    for secret in kept {
        let value = std::fs::read(&secret).expect("a secret");
        assert!(value.len() >= 32);
        let finder = memchr::memmem::Finder::new(&value);
        assert!(finder.find(stdout.as_bytes()).is_none(), "{}", secret.display());
        for file in files(directory).iter().filter(|file| !file.starts_with(directory.join("secrets"))) {
            let bytes = std::fs::read(file).expect("a file");
            assert!(finder.find(&bytes).is_none(), "{} in {}", secret.display(), file.display());
        }
    }
}

#[tokio::test]
async fn an_interrupt_ends_it_in_order_and_it_says_so() {
    let parent = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(parent.path().join("openeventd-demo")).expect("an earlier one");
    let (demo, mut lines) = started(parent.path());
    lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("#1 "))).expect("a line").expect("text");
    let interrupt = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().expect("kill runs");
    assert!(interrupt.success());
    let rest: Vec<String> = lines.map(|line| line.expect("text")).collect();
    let output = demo.wait_with_output().expect("it ends");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(75), "{rest:?} {stderr}");
    assert!(stderr.contains("stopped before its end"), "{stderr}");
    let directory = parent.path().join("openeventd-demo-2");
    let in_flight: i64 = sqlx::query_scalar("SELECT count(*) FROM actions WHERE state = 'in_flight'")
        .fetch_one(&mut audit(&directory).await)
        .await
        .expect("a count");
    assert_eq!(in_flight, 0);
    assert_eq!(std::fs::read_dir(parent.path().join("openeventd-demo")).expect("kept").count(), 0);
}

#[test]
fn whoever_has_seen_enough_may_close_the_pipe() {
    let parent = tempfile::tempdir().expect("a directory");
    let (demo, mut lines) = started(parent.path());
    lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("#1 "))).expect("a line").expect("text");
    drop(lines);
    let output = demo.wait_with_output().expect("it ends");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
}
