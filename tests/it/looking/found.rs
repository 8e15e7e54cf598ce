//! What a person names is found, or said not to be there.

use super::openeventd;
use crate::harness::{Harness, NOW_MS, at, failure, live, waiting};

/// An event of an older envelope: without type, under an id of its own.
fn generation_1(id: &str) -> String {
    format!(r#"{{"messageId":"{id}","messageType":"OTHER","messageBody":{{}}}}"#)
}

#[tokio::test]
async fn an_event_is_found_by_its_number_its_id_and_its_action() {
    let mut store = Harness::with(&live("none", "")).await;
    store.accept(&[at(0, &waiting("first")), at(1, &failure("second", 71))]).await;
    let action = store.rows("id", "action").await[0][0].as_str().expect("text").to_owned();
    for target in ["2", "second", &action, &action.to_uppercase()] {
        openeventd(&store.path(), &["audit", target]).assert(0, &["event 2", "second", "rule none"]);
    }
    openeventd(&store.path(), &["audit", "first"]).assert(0, &["event 1", "first", "no rule matched"]);
}

#[tokio::test]
async fn what_looks_like_a_number_or_an_action_may_be_the_id_of_an_event() {
    let store = Harness::with("").await;
    let hex = "0123456789abcdef0123456789abcdef";
    store.accept(&[at(0, &waiting("4711")), at(1, &waiting(hex))]).await;
    openeventd(&store.path(), &["audit", "4711"]).assert(0, &["event 1"]);
    openeventd(&store.path(), &["audit", hex]).assert(0, &["event 2"]);
}

#[tokio::test]
async fn of_several_events_with_one_id_the_newest_is_shown_and_the_others_are_named() {
    let store = Harness::with("").await;
    store.accept(&[at(0, &waiting("twice")), at(1, &generation_1("twice"))]).await;
    let said = openeventd(&store.path(), &["audit", "twice"]);
    said.assert(0, &["event 2"]);
    assert!(said.stderr.contains("event 1 has the same id"), "{}", said.stderr);
}

#[tokio::test]
async fn what_is_not_there_ends_with_66_and_says_what_to_try() {
    let store = Harness::with("").await;
    store.accept(&[at(0, &waiting("gone"))]).await;
    store.tamper("DELETE FROM event").await;
    for (target, told) in [
        ("gone", "has left by retention"),
        ("absent", "`openeventd audit` lists the last events"),
        ("12", "`openeventd audit` lists the last events"),
        ("12", "as in `instance:12`"),
        ("Node:12", "as in `node:12`"),
        ("0123456789abcdef0123456789abcdef", "no action the id"),
        ("instance:71", "`openeventd audit instance:71 --all --since 1d`"),
    ] {
        let said = openeventd(&store.path(), &["audit", target]);
        assert_eq!((said.exit, said.stdout.as_str()), (66, ""), "{target}");
        assert!(said.stderr.contains(told), "{target}: {}", said.stderr);
    }
}

#[tokio::test]
async fn an_identity_of_a_replayed_topic_leads_to_its_first_acceptance() {
    let store = Harness::with("").await;
    store.accept(&[at(0, &waiting("a"))]).await;
    store.accept_at(NOW_MS + 1, &[at(5, &waiting("a"))]).await;
    openeventd(&store.path(), &["audit", "a"]).assert(0, &["event 1", "events/0 offset 0"]);
}

#[test]
fn a_database_that_is_not_there_ends_with_66() {
    let directory = tempfile::tempdir().expect("a directory");
    for command in ["audit", "status"] {
        let said = openeventd(&directory.path().join("absent.db"), &[command]);
        assert_eq!(said.exit, 66);
        assert!(said.stderr.contains("there is no audit database"), "{}", said.stderr);
    }
}

#[tokio::test]
async fn what_only_begins_with_an_id_is_refused_instead_of_answered_for_another_object() {
    let store = Harness::with("").await;
    store.accept(&[at(0, &failure("1", 71))]).await;
    for target in ["instance:71-typo", "instance:"] {
        let said = openeventd(&store.path(), &["audit", target, "--all", "--since", "4000d"]);
        assert_eq!((said.exit, said.stdout.as_str()), (64, ""), "{target}");
        assert!(said.stderr.contains(&format!("`{target}` names no instance")), "{}", said.stderr);
    }
}
