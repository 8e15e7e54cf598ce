//! Real brokers for tests: one of today and one of the version that DataWorks runs.
//!
//! Each is started when a test first asks for it, is shared by all tests of the process, and dies with the
//! process however that ends. Without Java or Maven a test says loudly that it was skipped and why; under
//! CI (`CI=true`) it fails instead. Every wait here has a deadline.
//!
//! Other test binaries and benches include this module with `#[path]`.

#![allow(dead_code, reason = "each binary that includes the harness uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a harness that does not work ends the test, and says so"
)]

pub(crate) mod acl;
pub(crate) mod admin;
pub(crate) mod certificates;
pub(crate) mod cluster;
pub(crate) mod process;
pub(crate) mod wire;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use cluster::Cluster;

/// Which Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// A broker of today, without `ZooKeeper`.
    Current,
    /// The version that DataWorks runs, with `ZooKeeper`.
    Legacy,
}

/// The shared broker of that version; `None` if this machine cannot run it.
pub(crate) fn shared(version: Version) -> Option<&'static Cluster> {
    static CURRENT: OnceLock<Option<Cluster>> = OnceLock::new();
    static LEGACY: OnceLock<Option<Cluster>> = OnceLock::new();
    let slot = match version {
        Version::Current => &CURRENT,
        Version::Legacy => &LEGACY,
    };
    let cluster = slot.get_or_init(|| jars(version).map(|libs| Cluster::start(version, &libs))).as_ref();
    if cluster.is_none() {
        skipped(version, "see the message above");
    }
    cluster
}

/// A broker of one's own, to be stopped and killed; `None` if this machine cannot run it.
pub(crate) fn own(version: Version) -> Option<Cluster> {
    jars(version).map(|libs| Cluster::start(version, &libs))
}

/// Runs a test against the shared brokers of both versions.
pub(crate) fn on_both(test: impl Fn(&Cluster)) {
    for version in [Version::Current, Version::Legacy] {
        if let Some(cluster) = shared(version) {
            eprintln!("-- against {version:?}");
            test(cluster);
        }
    }
}

/// Waits until `ready` gives something, looking every few milliseconds.
///
/// # Panics
///
/// When it did not within `deadline`.
pub(crate) fn wait_for<T>(what: &str, deadline: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + deadline;
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(Instant::now() < until, "waited {deadline:?} in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A name that no other test uses.
pub(crate) fn unique(prefix: &str) -> String {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("{prefix}-{}-{count}", std::process::id())
}

fn jars(version: Version) -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broker/kafka.sh");
    let argument = match version {
        Version::Current => "current",
        Version::Legacy => "legacy",
    };
    let output = Command::new(&script).arg(argument).output().expect("the project's script runs");
    if output.status.success() {
        return Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    skipped(version, String::from_utf8_lossy(&output.stderr).trim());
    None
}

fn skipped(version: Version, reason: &str) {
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true" && ci != "1"),
        "the tests against a real broker must run under CI: {reason}"
    );
    eprintln!("\n*** SKIPPED: no {version:?} Kafka broker for this test: {reason} ***\n");
}
