//! The file: who may open it, what is promised of it, and its write-ahead log.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use openeventd::store::wal::{self, WalSize};
use openeventd::store::{Settings, Store, StoreError};
use serde_json::json;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::harness::{Harness, at, opened, waiting};

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.into();
    name.push(suffix);
    name.into()
}

async fn refused(path: &Path) -> StoreError {
    let before = fs::read(path).ok();
    let error =
        Store::open(&Settings { path: path.into(), file_mode: 0o600 }).await.expect_err("it is refused");
    assert!(fs::read(path).ok() == before, "the file is untouched");
    error
}

#[tokio::test]
async fn the_live_writer_keeps_every_commit_through_a_power_cut() {
    let mut store = Harness::with("").await;
    let durability = store.writer.durability().await.expect("it answers");
    assert_eq!((durability.journal_mode.as_str(), durability.synchronous), ("wal", 2));
    assert_eq!(store.rows("page_size", "pragma_page_size").await, [json!([8192])]);
    assert_eq!(store.rows("auto_vacuum", "pragma_auto_vacuum").await, [json!([2])]);
    assert_eq!(store.rows("application_id", "pragma_application_id").await, [json!([0x4f45_7664])]);
}

#[tokio::test]
async fn a_second_daemon_on_the_same_database_is_refused() {
    let store = Harness::with("").await;
    let error = refused(&store.path()).await;
    assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains("in use by another openeventd"), "{error}");
    let path = store.path();
    let directory = store.close().await;
    opened(&Settings { path, file_mode: 0o600 }).await;
    drop(directory);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let store = Harness::with("").await;
    let path = store.path();
    let directory = store.close().await;
    let options = SqliteConnectOptions::new().filename(&path);
    let mut connection = SqliteConnection::connect_with(&options).await.expect("it opens");
    sqlx::query("INSERT INTO _sqlx_migrations SELECT 9001, 'later', installed_on, success, checksum, 0 FROM _sqlx_migrations LIMIT 1")
        .execute(&mut connection)
        .await
        .expect("it writes");
    connection.close().await.expect("it closes");
    let error = refused(&path).await;
    assert!(matches!(error, StoreError::Newer { version: 9001, .. }), "{error:?}");
    assert!(error.to_string().contains("newer openeventd (schema version 9001)"), "{error}");
    drop(directory);
}

#[tokio::test]
async fn a_file_of_another_program_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("other.db");
    run(Command::new("sqlite3").arg(&path).arg("CREATE TABLE t (a); PRAGMA application_id = 7"));
    let error = refused(&path).await;
    assert!(matches!(error, StoreError::Foreign { found: 7, .. }), "{error:?}");
    let text = directory.path().join("notes.txt");
    fs::write(&text, "not a database, and long enough to be taken for one".repeat(20)).expect("it writes");
    assert!(matches!(refused(&text).await, StoreError::Open { .. }));
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    fs::write(&file, "").expect("it writes");
    for path in [directory.path().join("missing/audit.db"), file.join("audit.db"), "/proc/audit.db".into()] {
        let error = refused(&path).await;
        assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
        assert!(
            error.to_string().contains("check that the directory exists and that this user may write it")
        );
    }
}

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the program is installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

#[tokio::test]
async fn log_and_index_stay_after_the_close_with_the_mode_of_the_database() {
    for mode in [0o600, 0o640] {
        let store = Harness::open(tempfile::tempdir().expect("a directory"), "", mode).await;
        store.accept(&[at(0, &waiting("1"))]).await;
        let path = store.path();
        let directory = store.close().await;
        for suffix in ["", "-wal", "-shm"] {
            let metadata = fs::metadata(beside(&path, suffix)).expect(suffix);
            assert_eq!(metadata.mode() & 0o777, mode, "{suffix}");
        }
        drop(directory);
    }
}

#[tokio::test]
async fn a_member_of_the_group_can_query_while_the_daemon_is_stopped() {
    const GROUP: u32 = 61_234;
    let store = Harness::open(tempfile::tempdir().expect("a directory"), "", 0o640).await;
    store.accept(&[at(0, &waiting("1")), at(1, "{")]).await;
    let path = store.path();
    let directory = store.close().await;
    if chown(directory.path(), None, Some(GROUP)).is_err() {
        assert!(
            std::env::var_os("CI").is_none(),
            "changing groups needs root, and under CI this test must run"
        );
        eprintln!("SKIPPED a_member_of_the_group_can_query: changing a file's group needs root");
        return;
    }
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o750)).expect("root may");
    for suffix in ["", "-wal", "-shm"] {
        chown(beside(&path, suffix), None, Some(GROUP)).expect("root may");
    }
    let ask = |group: u32, question: &str| {
        let identity =
            [format!("--reuid={}", GROUP + 1), format!("--regid={group}"), "--clear-groups".into()];
        Command::new("setpriv")
            .args(identity)
            .arg("sqlite3")
            .arg(&path)
            .arg(question)
            .output()
            .expect("setpriv runs")
    };
    let answer = ask(GROUP, "SELECT id, code FROM events; SELECT reason FROM quarantined");
    assert_eq!(
        String::from_utf8_lossy(&answer.stdout),
        "1|instance-status-changes\nnot_json\n",
        "{answer:?}"
    );
    assert!(!ask(GROUP, "DELETE FROM event").status.success(), "a member only reads");
    assert!(!ask(GROUP + 7, "SELECT * FROM events").status.success(), "a stranger does not");
    let mut store = Harness::open(directory, "", 0o640).await;
    assert_eq!(store.count("event").await, 1);
}

fn wal_bytes(path: &Path) -> u64 {
    match wal::measure(path, u64::MAX) {
        WalSize::Normal { bytes } | WalSize::Alarming { bytes } => bytes,
    }
}

/// Looks every 100 ms, while the periodic work goes on as it does in the daemon, for at most 20 seconds.
async fn until_the_log_is_empty(store: &Harness) {
    let mut look = tokio::time::interval(Duration::from_millis(100));
    let emptied = async {
        while wal_bytes(&store.path()) > 0 {
            look.tick().await;
            store.claim(1, crate::harness::NOW_MS).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), emptied).await.expect("the log is emptied");
}

#[tokio::test]
async fn the_log_grows_only_while_somebody_reads_an_old_state_and_is_emptied_when_nothing_changes() {
    const BYTES_MAX: u64 = 24 << 20;
    let store = Harness::with("").await;
    let filler = "x".repeat(4_000);
    let accept = async |from: i64| {
        for batch in 0..20 {
            let first = from + batch * 400;
            let payloads: Vec<String> =
                (first..first + 400).map(|id| waiting(&format!("{id}{filler}"))).collect();
            let records: Vec<_> =
                payloads.iter().zip(first..).map(|(payload, offset)| at(offset, payload)).collect();
            store.accept(&records).await;
        }
    };
    accept(0).await;
    assert!(matches!(wal::measure(&store.path(), BYTES_MAX), WalSize::Normal { .. }));

    let options = SqliteConnectOptions::new().filename(store.path()).read_only(true);
    let mut reader = SqliteConnection::connect_with(&options).await.expect("a reader");
    let mut reading = reader.begin().await.expect("a transaction");
    let seen: i64 =
        sqlx::query_scalar("SELECT count(*) FROM event").fetch_one(&mut *reading).await.expect("rows");
    accept(8_000).await;
    assert!(matches!(wal::measure(&store.path(), BYTES_MAX), WalSize::Alarming { .. }));
    reading.rollback().await.expect("it ends");
    assert_eq!(seen, 8_000);

    until_the_log_is_empty(&store).await;
}
