//! Whether audit and endpoint tell the same story, and whether it is a good one.

use std::collections::BTreeMap;
use std::fmt;

use sqlx::Row as _;

use crate::audit::Audit;
use crate::calls::Calls;
use crate::load::{OPERATIONS, Produced};
use crate::program::Program;

/// Waits until every event is in the audit and nothing is left to do.
pub(crate) fn wait_until_done(daemon: &mut Program, audit: &Audit<'_>, produced: &Produced) {
    daemon.line("the last start", |line| line.message == "started");
    audit.until("SELECT count(*) FROM events", produced.events);
    audit.until("SELECT count(*) FROM quarantined", produced.garbage);
    audit.until("SELECT count(*) FROM actions WHERE state IN ('planned', 'waiting', 'in_flight')", 0);
}

/// What lost reruns are looked up by.
const READS: [&str; 2] = ["GetTaskInstance", "ListTaskInstanceOperationLogs"];

/// The figures of a story without a fault.
#[derive(Debug, Default)]
pub(crate) struct Told {
    events: i64,
    actions: usize,
    interrupted: i64,
    repeated: usize,
    unresolved: usize,
    unresolved_received: usize,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told { events, actions, interrupted, repeated, unresolved, unresolved_received } = self;
        write!(
            f,
            "{events} events, each once; {actions} calls planned, {interrupted} attempts interrupted, {repeated} \
             calls received more than once (all of them repeatable), {unresolved} unresolved ({unresolved_received} \
             of them received once), none lost"
        )
    }
}

/// Checks every event, batch and call.
pub(crate) fn check(audit: &Audit<'_>, calls: &Calls, produced: &Produced) -> Told {
    check_events(audit, produced);
    let mut received = calls.by_object();
    let mut told = Told {
        events: produced.events,
        interrupted: audit.number("SELECT count(*) FROM attempts WHERE outcome = 'interrupted'"),
        ..Told::default()
    };
    let mut actions = actions(audit);
    for (place, (effect, operation, _)) in (0..).zip(OPERATIONS) {
        for instance in produced.instances_of(place) {
            let object = (operation.to_owned(), instance);
            let action = actions.remove(&object).unwrap_or_else(|| panic!("{object:?} was never planned"));
            assert_eq!(action.effect, effect, "{object:?}");
            let times = received.remove(&object).unwrap_or(0);
            check_call(&object, &action, times);
            told.actions += 1;
            told.repeated += usize::from(times > 1);
            if action.state == "unresolved" {
                told.unresolved += 1;
                told.unresolved_received += times;
            }
        }
    }
    assert!(actions.is_empty(), "planned for no event: {actions:?}");
    // What is left are the reads that lost calls are looked up by, each of which was on disk before it left.
    let looked_up: usize = received
        .extract_if(.., |(operation, _), _| READS.contains(&operation.as_str()))
        .map(|(_, times)| times)
        .sum();
    let begun = audit.number("SELECT count(*) FROM lookups");
    assert!(i64::try_from(looked_up).expect("a count") <= begun, "{looked_up} reads, {begun} begun");
    assert!(received.is_empty(), "received and never planned: {received:?}");
    told
}

fn check_events(audit: &Audit<'_>, produced: &Produced) {
    assert_eq!(audit.number("SELECT count(*) FROM events"), produced.events);
    assert_eq!(audit.number("SELECT count(DISTINCT instance) FROM events"), produced.events);
    assert_eq!(audit.number("SELECT max(instance) + 1 FROM events"), produced.events);
    assert_eq!(audit.number("SELECT sum(events) FROM batches"), produced.events, "the batches' events");
    assert_eq!(
        audit.number("SELECT sum(quarantined) FROM batches"),
        produced.garbage,
        "the batches' quarantined"
    );
    assert!(
        audit.number("SELECT sum(duplicates) FROM batches") >= produced.repeats,
        "the repeats are recognised"
    );
    assert_eq!(
        audit.number("SELECT count(*) FROM batches WHERE events + duplicates + quarantined <> records"),
        0
    );
    assert_eq!(audit.number("SELECT count(*) FROM duplicates"), 0, "every repeat is confirmed");
    assert_eq!(audit.number("SELECT count(*) FROM gaps"), 0);
}

/// A call as the audit tells it.
#[derive(Debug)]
struct Action {
    effect: String,
    state: String,
    attempts: usize,
    interrupted: usize,
}

fn actions(audit: &Audit<'_>) -> BTreeMap<(String, i64), Action> {
    let rows = audit.rows(
        "SELECT a.operation, e.instance, a.repeat_effect, a.state, a.attempts, \
         (SELECT count(*) FROM attempts t WHERE t.action = a.id AND t.outcome = 'interrupted') \
         FROM actions a JOIN events e ON e.seq = a.event",
    );
    let count = |number: i64| usize::try_from(number).expect("a count");
    let mut actions = BTreeMap::new();
    for row in rows {
        let object = (row.get(0), row.get(1));
        let action = Action {
            effect: row.get(2),
            state: row.get(3),
            attempts: count(row.get(4)),
            interrupted: count(row.get(5)),
        };
        let earlier = actions.insert(object, action);
        assert!(earlier.is_none(), "planned twice: {earlier:?}");
    }
    actions
}

/// What was received must be what the audit says was tried.
fn check_call(object: &(String, i64), action: &Action, times: usize) {
    let told = || format!("{object:?}: {action:?}, received {times} times");
    // Every attempt that was not interrupted had its request answered; an interrupted one may have arrived.
    let certain = action.attempts - action.interrupted;
    assert!((certain..=action.attempts).contains(&times), "{}", told());
    match (action.effect.as_str(), action.state.as_str()) {
        ("none" | "converges", "succeeded") => assert!(times >= 1, "{}", told()),
        ("duplicates" | "unknown", "succeeded") => assert_eq!((times, action.attempts), (1, 1), "{}", told()),
        ("duplicates" | "unknown", "unresolved") => {
            assert_eq!((action.attempts, action.interrupted), (1, 1), "{}", told());
        }
        _ => panic!("{}", told()),
    }
}
