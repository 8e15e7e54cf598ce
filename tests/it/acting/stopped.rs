//! Stops: what they keep from being called, beside a dispatch at work, and how they end.

use openeventd::quota::Edition;
use serde_json::{Value, json};

use super::{approve, deeds, openeventd, states, store};
use crate::dispatch::{Dispatching, now_ms, plan, until_worked_off};
use crate::endpoint::DataWorksDouble;
use crate::harness::{Harness, at, live, policy};

/// A failed instance of workspace 7, told by `id`.
fn elsewhere(id: &str) -> String {
    crate::harness::failure(id, 900).replace("96384", "7")
}

fn both() -> String {
    format!("{}{}", live("none", ""), live("converges", ""))
}

async fn until_states(store: &mut Harness, rule: &str) -> Vec<Value> {
    until_worked_off(store).await;
    store.rows("state, held_reason", &format!("action WHERE rule = '{rule}' ORDER BY number")).await
}

#[tokio::test]
async fn a_stop_takes_effect_survives_a_restart_and_ends_by_the_same_words() {
    let mut store = Harness::with(&both()).await;
    let path = store.path();
    let double = DataWorksDouble::replying([]).await;
    let dispatching = Dispatching::start(&store, &double, Edition::Enterprise, policy());
    let ran = openeventd(&path, &["stop-calls", "--rule", "none", "--reason", "it looks too often"]).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.starts_with("stopped: calls of rule none\n"), "{}", ran.out);
    assert!(ran.out.contains("openeventd resume-calls --rule none --reason TEXT\n"), "{}", ran.out);
    assert!(
        ran.out.contains("openeventd outbox release --held-reason stopped --rule none --rate"),
        "{}",
        ran.out
    );
    plan(&store, 0..3).await;
    let (held, sent) = (json!(["held", "stopped"]), json!(["succeeded", null]));
    assert_eq!(until_states(&mut store, "none").await, vec![held.clone(); 3]);
    assert_eq!(until_states(&mut store, "converges").await, vec![sent.clone(); 3], "others go on");
    assert_eq!(double.received().len(), 3);
    dispatching.stop().await;

    let mut store = store.reopen().await;
    let dispatching = Dispatching::start(&store, &double, Edition::Enterprise, policy());
    plan(&store, 3..5).await;
    assert_eq!(until_states(&mut store, "none").await, vec![held.clone(); 5]);
    assert_eq!(store.count("event").await, 5, "intake goes on");
    assert_eq!(store.count("attempt").await, 5);

    let ran = openeventd(&path, &["resume-calls", "--rule", "none", "--yes", "--reason", "mended"]).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.contains("resumed: calls of rule none\n5 actions that were held"), "{}", ran.out);
    plan(&store, 5..6).await;
    let expected = [vec![held; 5], vec![sent.clone()]].concat();
    assert_eq!(until_states(&mut store, "none").await, expected, "what was held waits for a person");
    let release = ["outbox", "release", "--held-reason", "stopped", "--yes", "--reason", "over"];
    assert_eq!(openeventd(&path, &release).await.code, 0);
    assert_eq!(until_states(&mut store, "none").await, vec![sent; 6]);
    dispatching.stop().await;
    let done = deeds(&mut store).await;
    assert_eq!(done[..2], [json!(["stop", "it looks too often", 1, []]), json!(["resume", "mended", 1, []])]);
    let row = store.rows("rule, workspace, operation, reason, resumed_at IS NOT NULL", "stops").await;
    assert_eq!(row, [json!(["none", null, null, "it looks too often", 1])]);
}

#[tokio::test]
async fn what_is_stopped_is_what_every_selector_is_for() {
    // Actions: 1 none and 2 converges of workspace 96384, 3 none and 4 converges of workspace 7.
    let cases: [(&[&str], &[i64]); 7] = [
        (&["--all"], &[]),
        (&["--workspace", "7"], &[1, 2]),
        (&["--operation", "StopTaskInstances"], &[1, 3]),
        (&["--rule", "converges"], &[1, 3]),
        (&["--rule", "none", "--workspace", "7"], &[1, 2, 4]),
        (&["--rule", "none", "--operation", "StopTaskInstances"], &[1, 2, 3, 4]),
        (&["--rule", "converges", "--operation", "StopTaskInstances", "--workspace", "96384"], &[1, 3, 4]),
    ];
    for (selectors, go_on) in cases {
        let (store, path) = store(&both(), 1).await;
        store.accept_at(now_ms(), &[at(50, &elsewhere("x"))]).await;
        let ran = openeventd(&path, &[&["stop-calls", "--reason", "r"], selectors].concat()).await;
        assert_eq!(ran.code, 0, "{selectors:?}: {}", ran.err);
        let mut claimed: Vec<i64> = store.claim(9, now_ms()).await.iter().map(|it| it.action).collect();
        claimed.sort_unstable();
        assert_eq!(claimed, go_on, "{selectors:?}");
    }
}

#[tokio::test]
async fn what_is_planned_for_later_is_held_by_upkeep() {
    let (mut store, path) = store(&live("none", ""), 2).await;
    store.tamper("UPDATE action SET due_at = due_at + 3600000").await;
    let ran = openeventd(&path, &["stop-calls", "--all", "--reason", "r"]).await;
    assert!(ran.out.contains("  2 actions planned: held by the daemon"), "{}", ran.out);
    assert_eq!(store.writer.hold_stopped(now_ms()).await.expect("it is kept"), 2);
    assert_eq!(states(&mut store).await, vec![json!(["held", "stopped"]); 2]);
}

#[tokio::test]
async fn stopping_twice_stops_once_and_others_stay_stopped_after_a_resume() {
    let (mut store, path) = store(&both(), 1).await;
    for (arguments, told) in [
        (&["--all", "--yes"][..], "stopped: all calls\n"),
        (&["--all"], "stopped already: all calls\n"),
        (&["--rule", "none", "--workspace", "7"], "stopped: calls of rule none for workspace 7\n"),
    ] {
        let ran = openeventd(&path, &[&["stop-calls", "--reason", "why not"], arguments].concat()).await;
        assert!(ran.code == 0 && ran.out.starts_with(told), "{}{}", ran.out, ran.err);
    }
    assert_eq!(store.count("stop").await, 2);
    assert_eq!(deeds(&mut store).await.len(), 2);

    let listed = openeventd(&path, &["stop-calls", "--list"]).await;
    assert!(listed.out.contains("all calls") && listed.out.contains("why not"), "{}", listed.out);
    assert!(listed.out.contains("openeventd resume-calls --rule none --workspace 7"), "{}", listed.out);
    let listed = openeventd(&path, &["stop-calls", "--list", "--json"]).await;
    let rows: Vec<Value> =
        listed.out.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert_eq!((rows.len(), &rows[1]["rule"], &rows[1]["workspace"]), (2, &json!("none"), &json!(7)));

    let end = |arguments: &[&'static str]| [&["resume-calls", "--reason", "r"], arguments].concat();
    let ran = openeventd(&path, &end(&["--rule", "none", "--yes"])).await;
    assert_eq!(ran.code, 66, "{}", ran.err);
    assert!(ran.err.contains("no stop of calls of rule none is in force"), "{}", ran.err);
    assert!(ran.out.contains("still stopped:") && ran.out.contains("all calls"), "{}", ran.out);
    let ran = openeventd(&path, &end(&["--all"])).await;
    assert_eq!(ran.code, 64, "nobody is there to ask: {}", ran.err);
    let ran = openeventd(&path, &["resume-calls", "--all", "--dry-run"]).await;
    assert!(ran.code == 0 && ran.out.contains("nothing was done"), "{}", ran.err);
    assert_eq!(store.count("stop WHERE resumed_at IS NULL").await, 2);
    let ran = openeventd(&path, &end(&["--all", "--yes"])).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("still stopped:"), "{}", ran.out);
    assert!(ran.out.contains("calls of rule none for workspace 7"), "{}", ran.out);
    assert_eq!(store.count("stop WHERE resumed_at IS NULL").await, 1);
    // The same may be stopped anew.
    openeventd(&path, &["stop-calls", "--all", "--reason", "again"]).await;
    assert_eq!(store.count("stop").await, 3);
}

#[tokio::test]
async fn what_would_stop_nothing_is_refused_with_what_was_meant() {
    let (mut store, path) = store(&both(), 1).await;
    let cases: [(&[&str], i32, &str); 8] = [
        (
            &["--rule", "convergs", "--reason", "r"],
            66,
            "rule `convergs` is not known, did you mean `converges`?",
        ),
        (&["--operation", "StopTaskInstance", "--reason", "r"], 66, "did you mean `StopTaskInstances`?"),
        (&["--rule", "zzz", "--reason", "r"], 66, "--even-if-unknown"),
        (&["--reason", "r"], 64, "or say --all"),
        (&["--all"], 64, "--reason"),
        (&["--all", "--reason", " "], 64, "some words"),
        (&["--all", "--rule", "none", "--reason", "r"], 64, "cannot be used with"),
        (&["--all", "--dry-run"], 0, ""),
    ];
    for (arguments, code, told) in cases {
        let ran = openeventd(&path, &[&["stop-calls"], arguments].concat()).await;
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(told), "{arguments:?}: {}", ran.err);
    }
    assert_eq!(store.count("stop").await, 0);
    let ran = openeventd(&path, &["stop-calls", "--rule", "zzz", "--even-if-unknown", "--reason", "r"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(store.count("stop").await, 1);
}

#[tokio::test]
async fn a_release_and_a_look_tell_of_the_stop_that_holds_again() {
    let (store, path) = store(&approve("duplicates", ""), 2).await;
    openeventd(&path, &["stop-calls", "--operation", "RerunTaskInstances", "--reason", "migration"]).await;
    let ran = openeventd(&path, &["outbox", "release", "--all", "--dry-run"]).await;
    assert!(ran.out.contains("2 of them are stopped: until that ends"), "{}", ran.out);
    let shown = openeventd(&path, &["outbox", "show", "1"]).await;
    assert!(shown.out.contains("calls to RerunTaskInstances by "), "{}", shown.out);
    let shown = openeventd(&path, &["outbox", "show", "1", "--json"]).await;
    let object: Value = serde_json::from_str(&shown.out).expect("one object");
    assert_eq!(object["stops"][0]["reason"], "migration");
    store.close().await;
}
