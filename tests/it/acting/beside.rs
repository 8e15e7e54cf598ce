//! Commands beside a daemon at work: both get on.

use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use openeventd::quota::Edition;
use serde_json::json;

use super::{approve, openeventd, states, store};
use crate::dispatch::{Dispatching, now_ms, until_worked_off};
use crate::endpoint::DataWorksDouble;
use crate::harness::{Harness, at, policy, waiting};

#[tokio::test]
async fn the_daemon_sends_what_was_released_within_moments() {
    let (mut store, path) = store(&approve("duplicates", ""), 2).await;
    let double = DataWorksDouble::replying([]).await;
    let dispatching = Dispatching::start(&store, &double, Edition::Enterprise, policy());
    let ran = openeventd(&path, &["outbox", "release", "--all", "--yes", "--reason", "now"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let released = Instant::now();
    until_worked_off(&mut store).await;
    assert!(released.elapsed() < Duration::from_secs(5), "{:?}", released.elapsed());
    dispatching.stop().await;
    assert_eq!(states(&mut store).await, vec![json!(["succeeded", null]); 2]);
    assert_eq!(double.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_and_a_writer_that_never_rests_both_get_on() {
    let (store, path) = store(&approve("none", ""), 6).await;
    let (store, stop, offset) =
        (Arc::new(store), Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(100)));
    let busy = {
        let (store, stop, offset) = (Arc::clone(&store), Arc::clone(&stop), Arc::clone(&offset));
        tokio::spawn(async move {
            let mut longest = Duration::ZERO;
            while !stop.load(Ordering::Acquire) {
                let at_offset = offset.fetch_add(1, Ordering::AcqRel);
                let payload = waiting(&format!("busy-{at_offset}"));
                let begun = Instant::now();
                store.accept_at(now_ms(), &[at(at_offset, &payload)]).await;
                longest = longest.max(begun.elapsed());
            }
            longest
        })
    };
    for number in ["1", "2", "3", "4", "5", "6"] {
        let before = offset.load(Ordering::Acquire);
        let ran = openeventd(&path, &["outbox", "cancel", number, "--yes", "--reason", "r"]).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(offset.load(Ordering::Acquire) > before, "the writer stood still");
    }
    stop.store(true, Ordering::Release);
    let longest = busy.await.expect("no panic");
    assert!(longest < Duration::from_secs(5), "a commit took {longest:?}");
    let mut store: Harness = Arc::into_inner(store).expect("nobody else has it");
    assert_eq!(store.count("action WHERE state = 'cancelled'").await, 6);
    assert_eq!(store.count("operator_targets").await, 6);
    // The writer's own numbering and identities stand.
    let mut store = store.reopen().await;
    let accepted =
        store.accept_at(now_ms(), &[at(1, &waiting("busy-100")), at(9_999_999, &waiting("last"))]).await;
    assert_eq!((accepted.events, accepted.duplicates), (1, 1));
    assert_eq!(store.count("pragma_integrity_check WHERE integrity_check <> 'ok'").await, 0);
}

#[tokio::test]
async fn commands_work_without_a_daemon_and_leave_the_files_as_they_are() {
    let (store, path) = store(&approve("none", ""), 1).await;
    let directory = store.close().await;
    let files = || -> Vec<String> {
        let names = std::fs::read_dir(directory.path()).expect("it is listed");
        let mut names: Vec<_> =
            names.map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let before = files();
    let ran = openeventd(&path, &["outbox", "cancel", "--all", "--yes", "--reason", "r"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(files(), before);
    let mut store = Harness::open(directory, &approve("none", ""), 0o600).await;
    assert_eq!(states(&mut store).await, [json!(["cancelled", null])]);
}

#[tokio::test]
async fn files_that_root_makes_belong_to_the_owner_of_the_database() {
    let (store, path) = store(&approve("none", ""), 1).await;
    store.tamper("INSERT INTO quarantined_record (id, stream, \"offset\", batch, quarantined_at, reason, message, payload) \
                  VALUES (1, 1, 99, 1, 1, 'not_json', '', x'7b')").await;
    let directory = store.close().await;
    // Root makes files for others; anybody else can make them for nobody but themselves.
    let owner = if nix::unistd::geteuid().is_root() { 65_534 } else { nix::unistd::geteuid().as_raw() };
    for entry in std::fs::read_dir(directory.path()).expect("it is listed") {
        let file = entry.expect("a file").path();
        if file == path {
            std::os::unix::fs::chown(&file, Some(owner), Some(owner)).expect("it is given away");
        } else {
            std::fs::remove_file(&file).expect("it is removed");
        }
    }
    let config = directory.path().join("openeventd.toml");
    let kafka = "bootstrap_servers = [\"127.0.0.1:1\"]\ntopics = [\"t\"]\ngroup_id = \"g\"\nsecurity_protocol = \"plaintext\"";
    std::fs::write(&config, format!("[kafka]\n{kafka}\n[store]\npath = \"audit.db\"\n"))
        .expect("it is written");
    let config = config.to_str().expect("text");
    for (arguments, code) in [(["outbox", "cancel"], 0), (["quarantine", "replay"], 65)] {
        let how = ["--all", "--yes", "--reason", "r", "--config", config];
        let ran = openeventd(&path, &[&arguments[..], &how].concat()).await;
        assert_eq!(ran.code, code, "{}", ran.err);
        for name in ["audit.db", "audit.db-wal", "audit.db-shm", "audit.db-lock"] {
            let file = directory.path().join(name);
            let Ok(metadata) = std::fs::metadata(&file) else { continue };
            assert_eq!(metadata.uid(), owner, "{name} after {arguments:?}");
        }
    }
    assert!(directory.path().join("audit.db-lock").exists());
}
