//! Each command of the outbox, end to end: what it shows, what it asks for, what it changes and records.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use openeventd::store::outbox::Outcome;
use serde_json::{Value, json};

use super::{approve, command, deeds, openeventd, settle_all, states, store};
use crate::dispatch::now_ms;
use crate::harness::{HOUR_MS, Harness, at, failure, live};

#[tokio::test]
async fn release_has_held_actions_sent_and_records_who_did_it() {
    let (mut store, path) = store(&approve("duplicates", ""), 3).await;
    let before = now_ms();
    let ran = openeventd(&path, &["outbox", "release", "1", "2", "--yes", "--reason", "checked"]).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.starts_with("release: 2 actions\n  2  held (approve)  duplicates  RerunTaskInstances\n"));
    assert!(ran.out.ends_with("released 2 actions\n"), "{}", ran.out);
    assert_eq!(
        states(&mut store).await,
        [json!(["planned", null]), json!(["planned", null]), json!(["held", "approve"])]
    );
    let due = store.count(&format!("action WHERE state = 'planned' AND due_at >= {before}")).await;
    let fresh = format!("action WHERE state = 'planned' AND expires_at >= {}", before + HOUR_MS / 2);
    assert_eq!((due, store.count(&fresh).await), (2, 2));
    assert_eq!(deeds(&mut store).await, [json!(["release", "checked", 2, [1, 2]])]);
    let recorded = store.rows("who, target", "operator_actions").await;
    assert_ne!(recorded[0][0], "");
    assert_eq!(recorded[0][1], "actions 1 2: 2 held (approve)");
    assert_eq!(store.claim(9, now_ms()).await.len(), 2);
}

#[tokio::test]
async fn cancel_is_final_and_leaves_what_is_being_sent_alone() {
    let rules = format!("{}{}", live("duplicates", ""), approve("converges", ""));
    let (mut store, path) = store(&rules, 1).await;
    store.claim(9, now_ms()).await;
    let ran = openeventd(&path, &["outbox", "cancel", "--all", "--yes", "--reason", "no"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.contains("left alone:\n  1  in_flight  duplicates  RerunTaskInstances  it is being sent"),
        "{}",
        ran.out
    );
    let mut expected = states(&mut store).await;
    expected.sort_by_key(Value::to_string);
    assert_eq!(expected, [json!(["cancelled", null]), json!(["in_flight", null])]);
    for verb in ["release", "requeue", "cancel"] {
        let ran = openeventd(&path, &["outbox", verb, "2", "--yes", "--reason", "no"]).await;
        assert_eq!(ran.code, 66, "{}{}", ran.out, ran.err);
    }
    assert_eq!(deeds(&mut store).await.len(), 1, "what changes nothing is not recorded");
}

#[tokio::test]
async fn requeue_sends_dead_actions_again_and_asks_twice_for_what_may_be_done() {
    let rules = format!("{}{}", live("duplicates", ""), live("converges", ""));
    let (mut store, path) = store(&rules, 1).await;
    assert_eq!(settle_all(&store, Outcome::Unresolved, "lost").await, 2);
    let act = ["outbox", "requeue", "--all", "--yes", "--reason", "looked"];
    let ran = openeventd(&path, &act).await;
    assert!(ran.out.contains("1 of them may have been executed by DataWorks"), "{}", ran.out);
    assert!(ran.out.contains("DataWorks may have executed it: look there first"), "{}", ran.out);
    let state = |name: &str| format!("action WHERE rule = 'duplicates' AND state = '{name}'");
    assert_eq!(store.count(&state("unresolved")).await, 1);
    assert_eq!(store.count("action WHERE rule = 'converges' AND state = 'planned'").await, 1);
    let ran = openeventd(&path, &[&act[..], &["--even-if-done"]].concat()).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(store.count(&state("planned")).await, 1);
    assert_eq!(settle_all(&store, Outcome::Dead, "rejected").await, 2);
    let ran = openeventd(&path, &act).await;
    assert!(ran.out.ends_with("requeued 2 actions\n"), "{}", ran.out);
    assert_eq!(deeds(&mut store).await.len(), 3);
}

#[tokio::test]
async fn requeue_leaves_alone_what_died_after_a_part_of_it_was_done() {
    const TWO: &str = "UPDATE action SET params = '{\"Ids\": [1, 2]}'";
    // Class, for several things at once, and how many of (duplicates, converges) are requeued unwarned.
    let cases = [
        ("partial_failure", true, 0),
        ("failed_in_body", true, 0),
        ("failed_in_body", false, 2),
        ("rejected", true, 2),
        ("lost", false, 0),
        ("unavailable", false, 0),
    ];
    for (class, several, unwarned) in cases {
        let rules = format!("{}{}", live("duplicates", ""), live("converges", ""));
        let (mut store, path) = store(&rules, 1).await;
        if several {
            store.tamper(TWO).await;
        }
        assert_eq!(settle_all(&store, Outcome::Dead, class).await, 2);
        let act = ["outbox", "requeue", "--state", "dead", "--yes", "--reason", "r"];
        let ran = openeventd(&path, &act).await;
        assert_eq!(ran.code, 0, "{class}: {}", ran.err);
        let warned = ran.out.contains("1 of them may have been executed by DataWorks");
        assert_eq!(warned, unwarned == 0, "{class}: {}", ran.out);
        let left = ran.out.contains("DataWorks may have executed a part of it: look there first");
        assert_eq!(left, unwarned == 0, "{class}: {}", ran.out);
        assert_eq!(store.count("action WHERE state = 'planned'").await, if left { 1 } else { 2 }, "{class}");
        if left {
            let shown = openeventd(&path, &["outbox", "list", "--state", "dead", "--json"]).await;
            let action: Value = serde_json::from_str(&shown.out).expect("one object");
            let number = action["number"].to_string();
            let shown = openeventd(&path, &["outbox", "show", &number]).await;
            let does =
                format!("outbox requeue {number}  does nothing: DataWorks may have executed a part of it");
            assert!(shown.out.contains(&does), "{}", shown.out);
            let ran = openeventd(&path, &[&act[..], &["--even-if-done"]].concat()).await;
            assert!(ran.out.contains("1 of them may have been executed by DataWorks"), "{}", ran.out);
            assert_eq!(store.count("action WHERE state = 'planned'").await, 2, "{class}");
            // In its new life nothing of it was done yet.
            settle_all(&store, Outcome::Dead, "rejected").await;
            let ran = openeventd(&path, &act).await;
            assert!(!ran.out.contains("may have been executed"), "{}", ran.out);
        }
    }
}

#[tokio::test]
async fn nothing_is_done_without_consent_a_reason_and_a_choice() {
    let (mut store, path) = store(&approve("none", ""), 2).await;
    let cases: [(&[&str], i32, &str); 8] = [
        (&["release", "--all", "--reason", "r"], 64, "give --yes to agree beforehand"),
        (&["release", "--all", "--yes"], 64, "--reason"),
        (&["release", "--yes", "--reason", "r"], 64, "nothing is chosen"),
        (&["release", "--all", "--dry-run"], 0, ""),
        (&["release", "--all", "--yes", "--reason", " "], 64, "some words"),
        (&["cancel", "77", "--yes", "--reason", "r"], 66, "there is no action number 77"),
        (&["cancel", "x", "--yes", "--reason", "r"], 64, "expected a number"),
        (&["requeue", "--all", "--yes", "--reason", "r"], 0, ""),
    ];
    for (arguments, code, told) in cases {
        let ran = openeventd(&path, &[&["outbox"], arguments].concat()).await;
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(told), "{arguments:?}: {}", ran.err);
    }
    assert_eq!(states(&mut store).await, vec![json!(["held", "approve"]); 2]);
    assert_eq!(deeds(&mut store).await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_number_that_no_action_has_is_never_the_beginning_of_an_id() {
    let (mut store, path) = store(&approve("none", ""), 2).await;
    let id = "30350000000000000000000000000000";
    store.tamper("UPDATE action SET id = '30350000000000000000000000000000' WHERE number = 1").await;
    store.tamper("UPDATE action SET id = '2a' || substr(id, 3) WHERE number = 2").await;
    for number in ["3035", "30350000", "0", "99999999999999999999"] {
        let ran = openeventd(&path, &["outbox", "cancel", number, "--yes", "--reason", "r"]).await;
        assert_eq!(ran.code, 66, "{number}: {}", ran.out);
        assert!(ran.err.contains(&format!("there is no action number {number}")), "{}", ran.err);
    }
    assert_eq!(states(&mut store).await, vec![json!(["held", "approve"]); 2]);
    let ran = openeventd(&path, &["outbox", "cancel", id, "--yes", "--reason", "r"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(states(&mut store).await, [json!(["cancelled", null]), json!(["held", "approve"])]);
}

#[tokio::test]
async fn a_choice_is_narrowed_by_each_of_its_kinds() {
    let store = Harness::with(&format!("{}{}", approve("duplicates", ""), live("none", ""))).await;
    let (now, old) = (now_ms(), now_ms() - 5 * HOUR_MS);
    store.accept_at(old, &[at(0, &failure("1", 1))]).await;
    store.accept_at(now, &[at(1, &failure("2", 2))]).await;
    let id: String = {
        let mut store = store;
        let id = store.rows("id", "action WHERE number = 3").await[0][0].as_str().expect("text").to_owned();
        let path = store.path();
        let cases: [(&[&str], &[i64]); 14] = [
            (&[], &[3, 1, 4, 2]),
            (&["--rule", "none"], &[4, 2]),
            (&["--rule", "none", "--rule", "duplicates"], &[3, 1, 4, 2]),
            (&["--state", "held"], &[3, 1]),
            (&["--state", "held,planned"], &[3, 1, 4, 2]),
            (&["--held-reason", "approve"], &[3, 1]),
            (&["--held-reason", "stale"], &[]),
            (&["--operation", "GetTaskInstance", "--newer-than", "1h"], &[4]),
            (&["--older-than", "1h"], &[1, 2]),
            (&["--workspace", "96384", "-n", "1"], &[3]),
            (&["--workspace", "7"], &[]),
            (&["--account", "other"], &[]),
            (&["2", "3"], &[3, 2]),
            (&[&id[..20]], &[3]),
        ];
        for (arguments, expected) in cases {
            let ran = openeventd(&path, &[&["outbox", "list", "--json"], arguments].concat()).await;
            assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
            let rows = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
            let numbers: Vec<_> = rows.filter_map(|row| row["number"].as_i64()).collect();
            assert_eq!(numbers, expected, "{arguments:?}");
        }
        id
    };
    assert_eq!(id.len(), 32);
}

#[tokio::test]
async fn list_and_show_tell_what_waits_and_which_command_would_do_what() {
    let rules = format!("{}{}", approve("duplicates", ""), live("none", "").replace("live", "observe"));
    let (_store, path) = store(&rules, 1).await;
    let ran = openeventd(&path, &["outbox", "list"]).await;
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 2, "what is observed does not wait: {}", ran.out);
    assert!(lines[0].starts_with("NUMBER  ID "), "{}", lines[0]);
    assert!(lines[1].contains("held (approve)  duplicates  RerunTaskInstances  96384"), "{}", lines[1]);
    let ran = openeventd(&path, &["outbox", "show", "1"]).await;
    for told in [
        "action 1 held\n",
        "approve: its rule asks a person each time",
        "Ids = [100]",
        "outbox release 1  it is sent",
        "outbox requeue 1  does nothing: it is held",
        "outbox cancel 1   it is never sent",
    ] {
        assert!(ran.out.contains(told), "{told}: {}", ran.out);
    }
    let ran = openeventd(&path, &["outbox", "show", "2"]).await;
    assert!(ran.out.contains("outbox release 2  does nothing: its rule is in mode observe"), "{}", ran.out);
    let ran = openeventd(&path, &["outbox", "show", "1", "--json"]).await;
    let story: Value = serde_json::from_str(&ran.out).expect("one object");
    assert_eq!((&story["params"], &story["attempted"]), (&json!({"Ids": [100]}), &json!([])));
}

#[tokio::test]
async fn who_may_only_read_may_look_and_not_act() {
    let (store, path) = store(&approve("none", ""), 1).await;
    let (directory, mut store) = (path.parent().expect("it has one").to_owned(), store);
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).expect("it is ours");
    for file in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        fs::set_permissions(directory.join(file), fs::Permissions::from_mode(0o444)).expect("it is ours");
    }
    let act = ["outbox", "release", "--all", "--yes", "--reason", "r"];
    for (arguments, code) in [(&["outbox", "list"][..], 0), (&act[..], 77)] {
        let mut command = command(&path, arguments);
        if nix::unistd::geteuid().is_root() {
            // Root may do anything; nobody may not.
            command.uid(65_534).gid(65_534);
        }
        let output = command.output().expect("the program runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(code == 0 || told.contains("act as its owner"), "{told}");
    }
    assert_eq!(states(&mut store).await, [json!(["held", "approve"])]);
    let ran = openeventd(&directory.join("absent.db"), &act).await;
    assert_eq!(ran.code, 66, "{}", ran.err);
}
