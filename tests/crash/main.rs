//! The daemon is killed with SIGKILL again and again while records and calls are on their way; then the
//! audit, the broker and the endpoint must tell one story.
//!
//! `cargo test --test crash`. The kills are driven by what the daemon was seen to do, not by time. A kill
//! counts only if it hit an attempt in flight or a batch whose offsets were not committed.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what the test needs and does not get ends it, and says so"
)]

#[path = "../broker/harness/mod.rs"]
mod harness;

#[path = "../it/endpoint.rs"]
#[allow(dead_code, reason = "the stand-in is shared, each binary uses a part of it")]
mod endpoint;

#[path = "../broker/daemon/audit.rs"]
#[allow(dead_code, reason = "shared with the broker tests, each binary uses a part of it")]
mod audit;

#[path = "../broker/daemon/calls.rs"]
#[allow(dead_code, reason = "shared with the broker tests, each binary uses a part of it")]
mod calls;

#[path = "../broker/daemon/events.rs"]
#[allow(dead_code, reason = "shared with the broker tests, each binary uses a part of it")]
mod events;

#[path = "../broker/daemon/program.rs"]
#[allow(dead_code, reason = "shared with the broker tests, each binary uses a part of it")]
mod program;

mod kill;

mod load;

mod story;

use std::time::Duration;

use audit::Audit;
use calls::Calls;
use endpoint::Reply;
use harness::{Version, admin, shared, unique};
use kill::{Broker, Hit, Stored, kill_at, moment};
use load::{Load, PARTITIONS};
use program::Home;

const KILLS: usize = 20;
/// So many kills must hit an attempt in flight or an uncommitted batch.
const HITS_MIN: usize = 10;
/// How long the endpoint thinks about a call: long enough that some are always on their way.
const ANSWER_DELAY: Duration = Duration::from_millis(300);

#[test]
fn killed_twenty_times_it_loses_no_event_and_no_call_and_repeats_only_what_may_be_repeated() {
    let Some(cluster) = shared(Version::Current) else { return };
    let topics = [unique("crash-a"), unique("crash-b")];
    for topic in &topics {
        admin::create_topic(cluster, topic, PARTITIONS);
    }
    let group = unique("crash");
    let calls = Calls::answered_by(|_| Reply::Late(ANSWER_DELAY, Box::new(Reply::success())));
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut home = Home::new(cluster, &names, &group);
    // A killed member holds its partitions for so long.
    home.kafka.insert("session_timeout", "\"2s\"".to_owned());
    home.account_with_lookups(
        calls.url(),
        &["StopTaskInstances", "RerunTaskInstances", "TestDataSourceConnectivity"],
    );
    home.rules("crash.toml", &load::rules());
    let database = home.database();
    let audit = Audit::of(&database);

    let load = Load::start(cluster.plaintext(), topics.clone());
    let broker = Broker { cluster, group: &group, topics: &topics };
    let (mut hits, mut stored): (Vec<Hit>, _) = (Vec::new(), Stored::new());
    for number in 0..KILLS {
        let mut daemon = home.start();
        kill_at(&moment(number), &mut daemon, &calls);
        daemon.kill();
        let hit = Hit::seen(&audit, &calls, &broker, &mut stored);
        eprintln!("kill {:2} at {:?}: {hit:?}", number + 1, moment(number));
        hits.push(hit);
    }
    let produced = load.stop();

    let mut daemon = home.start();
    story::wait_until_done(&mut daemon, &audit, &produced);
    daemon.stop();

    let told = story::check(&audit, &calls, &produced);
    for topic in &topics {
        let stored: Vec<_> = audit.positions(topic).into_iter().map(|(_, next)| Some(next)).collect();
        assert_eq!(admin::committed(cluster, &group, topic, PARTITIONS), stored, "offsets of {topic}");
    }
    let counted = hits.iter().filter(|hit| hit.counts()).count();
    let in_flight = hits.iter().filter(|hit| hit.attempts_in_flight > 0).count();
    let uncommitted = hits.iter().filter(|hit| hit.records_uncommitted > 0).count();
    eprintln!(
        "{KILLS} kills, {counted} hit something: {in_flight} an attempt in flight, {uncommitted} an uncommitted \
         batch; {told}"
    );
    assert!(counted >= HITS_MIN, "only {counted} of {KILLS} kills hit something: {hits:#?}");
    assert!(
        in_flight >= HITS_MIN / 2,
        "only {in_flight} of {KILLS} kills hit an attempt in flight: {hits:#?}"
    );
}
