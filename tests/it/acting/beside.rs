//! Commands beside a daemon at work: both get on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use openeventd::openapi::Edition;
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
