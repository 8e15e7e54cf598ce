//! A file that cannot be read as an audit database is named with what it is, and with what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use super::{Said, openeventd};
use crate::harness::{Harness, at, failure};

/// Runs `openeventd` as a user who is neither root nor the owner of what root made.
fn as_nobody(path: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openeventd"));
    command.args(arguments).arg("--database").arg(path).env_clear();
    if nix::unistd::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().expect("the program runs");
    Said {
        exit: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn permit(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// A consistent copy with one event, in a directory of its own.
async fn copy() -> (tempfile::TempDir, PathBuf) {
    let store = Harness::with("").await;
    store.accept(&[at(0, &failure("1", 71))]).await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("copy.db");
    let mut connection =
        SqliteConnectOptions::new().filename(store.path()).connect().await.expect("it opens");
    let copied = sqlx::query("VACUUM INTO ?1").bind(path.display().to_string());
    copied.execute(&mut connection).await.expect("it is copied");
    (directory, path)
}

#[tokio::test]
async fn what_is_no_database_is_told_apart() {
    let (directory, copy) = copy().await;
    let write = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, bytes).expect("it is written");
        path
    };
    let whole = fs::read(&copy).expect("it is read");
    let mut broken = whole.clone();
    broken.get_mut(8_192..).expect("it is longer").fill(0x5a);
    for (path, exit, told) in [
        (directory.path().to_owned(), 66, "is a directory, not an audit database"),
        ("/dev/null".into(), 66, "is a device or pipe"),
        (write("empty.db", b""), 66, "is empty, not an audit database"),
        (write("text.db", &b"no database at all. ".repeat(500)), 66, "is no SQLite database"),
        (copy.join("x"), 66, "no directory"),
        (write("broken.db", &broken), 74, "is damaged or its disk fails"),
        (write("cut.db", whole.get(..40_000).expect("it is longer")), 74, "`sqlite3 "),
    ] {
        let said = openeventd(&path, &["audit"]);
        assert_eq!((said.exit, said.stdout.as_str()), (exit, ""), "{}", said.stderr);
        assert!(said.stderr.contains(told), "{}", said.stderr);
        assert!(said.stderr.contains(&path.display().to_string()), "{}", said.stderr);
    }
}

#[tokio::test]
async fn what_may_not_be_read_is_not_called_missing() {
    let (directory, path) = copy().await;
    permit(&path, 0o000);
    for mode in [0o755, 0o600] {
        permit(directory.path(), mode);
        let said = as_nobody(&path, &["status"]);
        assert_eq!((said.exit, said.stdout.as_str()), (77, ""), "{}", said.stderr);
        assert!(said.stderr.contains("join the group"), "{}", said.stderr);
    }
    permit(directory.path(), 0o700);
}

#[tokio::test]
async fn a_copy_is_read_where_nothing_can_be_written_beside_it() {
    let (directory, path) = copy().await;
    // A copy by SQLite's own backup keeps the mode of the log, which needs an index beside the file.
    let made = Command::new("sqlite3").arg(&path).arg("pragma journal_mode = wal").output();
    assert!(made.expect("sqlite3 runs").status.success());
    permit(&path, 0o444);
    permit(directory.path(), 0o555);
    as_nobody(&path, &["audit"]).assert(0, &["Failure, instance 71"]);

    permit(directory.path(), 0o755);
    fs::write(directory.path().join("copy.db-lock"), b"").expect("it is written");
    permit(directory.path(), 0o555);
    let said = as_nobody(&path, &["audit"]);
    assert_eq!((said.exit, said.stdout.as_str()), (77, ""), "{}", said.stderr);
    assert!(said.stderr.contains("into a directory of your own"), "{}", said.stderr);
    permit(directory.path(), 0o755);
}

#[tokio::test]
async fn a_database_that_somebody_holds_is_busy() {
    let (_directory, path) = copy().await;
    let mut holder =
        sqlx::ConnectOptions::connect(&sqlx::sqlite::SqliteConnectOptions::new().filename(&path))
            .await
            .expect("it opens");
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut holder).await.expect("it is held");
    let said = openeventd(&path, &["audit", "--time-limit", "200ms"]);
    assert_eq!((said.exit, said.stdout.as_str()), (75, ""), "{}", said.stderr);
    assert!(said.stderr.contains("try again"), "{}", said.stderr);
}
