//! Lists of events and of actions.

use openeventd::store::outbox::Outcome;
use serde_json::Value;

use super::{Said, openeventd};
use crate::harness::{Harness, NOW_MS, at, failure, live, waiting};

const COMMIT: &str = r#"{"data":{"eventCode":"commit-file","fileId":504,"projectId":"96384"},"id":"commit","source":"acs.dataworks","specversion":"1.0","type":"dataworks:FileChange:CommitFile"}"#;

/// Four events: waiting, failed, committed, failed long ago.
async fn four() -> Harness {
    let store = Harness::with(&format!("{}{}", live("none", ""), live("duplicates", ""))).await;
    let (first, second) = (waiting("w"), failure("f", 71));
    let mut late = failure("late", 72);
    late.pop();
    late.push_str(",\"aliyunpublishtime\":\"2026-03-01T00:00:00Z\"}");
    store.accept(&[at(0, &first), at(1, &second), at(2, COMMIT), at(3, &late)]).await;
    store
}

/// The numbers of the events in a list.
fn events(said: &Said) -> Vec<i64> {
    let first = |line: &str| line.split(' ').next().and_then(|number| number.parse().ok());
    said.stdout.lines().filter_map(first).collect()
}

#[tokio::test]
async fn the_last_events_are_listed_the_newest_at_the_end() {
    let store = four().await;
    let said = openeventd(&store.path(), &["audit"]);
    said.assert(
        0,
        &[
            "EVENT  ACCEPTED (UTC)",
            "1      2026-03-25 08:00:00",
            "WaitTime, instance 5, node 12, workspace 96384",
            "-\n",
            "2      2026-03-25 08:00:00",
            "Failure, instance 71",
            "none: planned, duplicates: planned",
            "file 504",
            "none: held (stale), duplicates: held (stale)",
        ],
    );
    assert_eq!(events(&said), [1, 2, 3, 4]);
}

#[tokio::test]
async fn lists_are_narrowed() {
    let store = four().await;
    for (arguments, expected) in [
        (&["-n", "2"][..], &[3, 4][..]),
        (&["--matched"], &[2, 4]),
        (&["--matched", "--code", "commit-file"], &[]),
        (&["--code", "commit-file"], &[3]),
        (&["--rule", "none"], &[2, 4]),
        (&["--rule", "none", "-n", "1"], &[4]),
        (&["--rule", "absent"], &[]),
        (&["--since", "1d"], &[]),
        (&["--since", "4000d"], &[1, 2, 3, 4]),
        (&["--since", "2026-03-25T08:00:00Z"], &[1, 2, 3, 4]),
        (&["--since", "2026-03-25T16:00:00.001+08:00"], &[]),
        (&["instance:71"], &[2]),
        (&["node:12"], &[2, 4]),
        (&["node:12", "-n", "1"], &[4]),
        (&["workspace:96384", "--since", "4000d"], &[2, 4]),
        (&["node:12", "--all", "--since", "4000d"], &[1, 2, 4]),
        (&["file:504", "--all", "--since", "4000d"], &[3]),
        (&["workspace:96384", "--all", "--since", "4000d"], &[1, 2, 3, 4]),
    ] {
        let arguments = [&["audit"], arguments].concat();
        let said = openeventd(&store.path(), &arguments);
        assert_eq!((said.exit, events(&said)), (0, expected.to_vec()), "{arguments:?}: {}", said.stderr);
        let json = openeventd(&store.path(), &[&arguments[..], &["--json"]].concat()).objects();
        let numbers: Vec<i64> = json.iter().filter_map(|event| event["seq"].as_i64()).collect();
        assert_eq!(numbers, expected, "{arguments:?}");
    }
}

#[tokio::test]
async fn a_list_says_what_it_leaves_out() {
    let store = four().await;
    for (arguments, told) in [
        (&["audit", "-n", "2"][..], "the newest 2; there are more"),
        (&["audit", "--rule", "absent"], "may find some; no rule in force is called `absent`)"),
        (&["audit", "--rule", "nnone"], "no rule in force is called `nnone` (did you mean `none`?))"),
        (&["audit", "--rule", "none", "--since", "1d"], "a longer --since may find some)"),
        (&["audit", "--code", "comit-file"], "has the code `comit-file` (did you mean `commit-file`?))"),
        (&["audit", "--code", "freeze-node"], "a longer --since may find some)"),
        (
            &["audit", "--actions", "held", "--rule", "nnone"],
            "stand where; no rule in force is called `nnone`",
        ),
        (&["audit", "--code", "commit-file"], "the last 100000 events were looked at"),
        (&["audit", "instance:71"], "only events that a rule matched"),
        (&["audit", "--actions", "cancelled"], "no such action"),
    ] {
        let said = openeventd(&store.path(), arguments);
        assert_eq!(said.exit, 0);
        assert!(said.stderr.contains(told), "{arguments:?}: {}", said.stderr);
    }
}

#[tokio::test]
async fn programs_get_events_with_their_decisions() {
    let store = four().await;
    let objects = openeventd(&store.path(), &["audit", "--json"]).objects();
    assert_eq!(objects[0]["decisions"], Value::Array(vec![]));
    assert_eq!(objects[1]["decisions"][0]["rule"], "none");
    assert_eq!(objects[3]["decisions"][1]["held_reason"], "stale");
    assert_eq!(objects[2]["file"], 504);
}

#[tokio::test]
async fn actions_are_counted_and_listed_by_state() {
    let store = four().await;
    let claimed = store.claim(1, NOW_MS).await;
    store.settle(claimed[0].attempt, Outcome::Unresolved, NOW_MS + 1).await;
    openeventd(&store.path(), &["audit", "--actions"]).assert(
        0,
        &["Not done\n", "held (stale)  2", "planned       1", "unresolved    1", "nothing was planned"],
    );
    openeventd(&store.path(), &["audit", "--actions", "--since", "4000d"])
        .assert(0, &["Planned in the last 4000d", "held (stale)  2"]);
    openeventd(&store.path(), &["audit", "--actions", "unresolved,held"]).assert(
        0,
        &["ACTION", "unresolved", "none", "GetTaskInstance", "lost", "held (stale)", "held (stale)"],
    );
    let json = openeventd(&store.path(), &["audit", "--actions", "--rule", "duplicates", "--json"]).objects();
    let states: Vec<_> = json.iter().map(|action| action["state"].as_str().unwrap_or_default()).collect();
    assert_eq!(states, ["planned", "held"]);
    let said = openeventd(&store.path(), &["audit", "--actions", "hold"]);
    assert_eq!(said.exit, 64);
}

#[tokio::test]
async fn an_empty_database_has_nothing_to_list() {
    let store = Harness::with("").await;
    let said = openeventd(&store.path(), &["audit"]);
    assert_eq!((said.exit, said.stdout.as_str()), (0, ""));
    openeventd(&store.path(), &["audit", "--actions"]).assert(0, &["nothing waits", "nothing was planned"]);
}

#[tokio::test]
async fn what_the_memory_has_no_room_for_is_the_oldest() {
    let store = four().await;
    store.tamper("UPDATE event SET id = printf('%.*c', 20000000, 'x')").await;
    let said = openeventd(&store.path(), &["audit", "--json"]);
    let numbers: Vec<_> = said.objects().iter().filter_map(|event| event["seq"].as_i64()).collect();
    assert_eq!(numbers, [2, 3, 4]);
    assert!(said.stderr.contains("the newest 3; there are more, cut since"), "{}", said.stderr);

    store.tamper("UPDATE action SET params = printf('\"%.*c\"', 20000000, 'x')").await;
    let said = openeventd(&store.path(), &["audit", "--actions", "planned,held", "--json"]);
    let numbers: Vec<_> = said.objects().iter().filter_map(|action| action["number"].as_i64()).collect();
    assert_eq!(numbers, [2, 3, 4]);
    assert!(said.stderr.contains("the newest 3; there are more, cut since"), "{}", said.stderr);
}

#[tokio::test]
async fn a_long_text_from_an_event_neither_ends_the_program_nor_widens_every_line() {
    let store = four().await;
    store.tamper("UPDATE origin SET code = printf('%.*c', 70000, 'c')").await;
    for arguments in [&["audit"][..], &["status"], &["audit", "1"], &["sql", "select code, 1 from events"]] {
        let said = openeventd(&store.path(), arguments);
        assert!([0, 69].contains(&said.exit), "{arguments:?}: {}", said.stderr);
        let widest = said.stdout.lines().map(|line| line.chars().count()).max();
        assert!(said.stdout.contains('…') && widest.is_some_and(|width| width < 500), "{arguments:?}");
    }
}
