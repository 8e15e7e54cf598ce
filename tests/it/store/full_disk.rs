//! A full disk: a small file system of its own, so this needs root.

use std::process::{Command, Stdio};

use openeventd::store::StoreError;
use serde_json::json;

use crate::harness::{Harness, NOW_MS, at, waiting};

/// A file system in memory, gone with this value.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn of(options: &str) -> Option<Self> {
        let place = tempfile::tempdir().expect("a directory");
        mount(&["-t", "tmpfs", "-o", options, "tmpfs"], &place).then_some(Mounted(place))
    }

    fn resize(&self, options: &str) {
        assert!(mount(&["-o", options], &self.0), "the file system grows");
    }
}

fn mount(arguments: &[&str], place: &tempfile::TempDir) -> bool {
    Command::new("mount")
        .args(arguments)
        .arg(place.path())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "the file system goes");
    }
}

#[tokio::test]
async fn a_full_disk_is_told_loses_nothing_and_accepting_goes_on_with_room() {
    let Some(disk) = Mounted::of("size=3m") else {
        assert!(std::env::var_os("CI").is_none(), "mounting needs root, and under CI this test must run");
        eprintln!("SKIPPED a_full_disk_is_told: mounting a small file system needs root");
        return;
    };
    let directory = tempfile::tempdir_in(disk.0.path()).expect("a directory");
    let mut store = Harness::open(directory, "", 0o600).await;
    let payloads: Vec<String> = (0..4_000).map(|id| waiting(&format!("{id}-{}", "x".repeat(700)))).collect();
    let records: Vec<_> = payloads.iter().zip(0..).map(|(payload, offset)| at(offset, payload)).collect();
    let mut parts = records.chunks(200);
    let (refused, error) = loop {
        let part = parts.next().expect("the disk is smaller than the records");
        if let Err(error) = store.try_accept(part, NOW_MS).await {
            break (part, error);
        }
    };
    assert!(matches!(error, StoreError::DiskFull), "{error:?}");
    assert!(error.is_passing());
    assert!(error.to_string().contains("full"), "{error}");
    let before = store.count("event").await;
    assert_eq!(store.rows("sum(events)", "batch").await, [json!([before])]);
    assert!(matches!(store.try_accept(refused, NOW_MS).await, Err(StoreError::DiskFull)), "and once more");

    disk.resize("remount,size=32m");
    for part in std::iter::once(refused).chain(parts) {
        store.accept(part).await;
    }
    assert_eq!(
        (store.count("event").await, store.rows("sum(records)", "batch").await),
        (4_000, vec![json!([4_000])])
    );
    assert_eq!(store.rows("integrity_check", "pragma_integrity_check").await, [json!(["ok"])]);
    drop(store.close().await);
}
