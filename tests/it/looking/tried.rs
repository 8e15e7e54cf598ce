//! Stored events run through other rules, beside the rules in force.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Said, openeventd};
use crate::harness::{HOUR_MS, Harness, NOW_MS, at, failure, live, waiting};

const SETTINGS: &str = r#"
[account.main]
region = "cn-shanghai"
edition = "basic"
access_key_id = { env = "NOT_READ" }
access_key_secret = { env = "NOT_READ" }

[[policy.allow]]
operation = "StopTaskInstances"
"#;

/// Tries `rules` on all events of the store.
fn try_rules(store: &Harness, rules: &str, more: &[&str]) -> Said {
    let directory = store.path().with_file_name("tried");
    fs::create_dir_all(&directory).expect("the directory is made");
    fs::write(directory.join("tried.toml"), rules).expect("the rules are written");
    try_in(store, &directory, more)
}

fn try_in(store: &Harness, directory: &Path, more: &[&str]) -> Said {
    let settings = store.path().with_file_name("openeventd.toml");
    fs::write(&settings, SETTINGS).expect("the settings are written");
    let text = |path: &Path| path.display().to_string();
    let (settings, directory) = (text(&settings), text(directory));
    let mut arguments =
        vec!["rules", "try", "--config", &settings, "--rules", &directory, "--since", "5000d"];
    arguments.extend(more);
    openeventd(&store.path(), &arguments)
}

fn object(said: &Said) -> Value {
    assert_eq!(said.exit, 0, "{}\n{}", said.stdout, said.stderr);
    said.objects().remove(0)
}

/// Three failures and an instance that waits, decided by a rule that wants failures.
async fn stored() -> Harness {
    let store = Harness::with(&live("none", "")).await;
    let (first, second, third) = (failure("a", 101), failure("b", 102), failure("c", 103));
    store.accept(&[at(0, &first), at(1, &second), at(2, &waiting("w")), at(3, &third)]).await;
    store
}

/// A live rule for what waits and for failures of one instance.
const OTHER: &str = r#"
[[rule]]
name = "converges"
mode = "live"
match = { status = ["WaitTime"] }
[[rule.steps]]
operation = "StopTaskInstances"
params = { Ids = ["{{ instance }}"] }

[[rule]]
name = "none"
mode = "live"
match = { status = "Failure", instance = 102 }
[[rule.steps]]
operation = "GetTaskInstance"
params = { Id = "{{ instance }}" }

[[rule]]
name = "quiet"
match = { status = "Success" }
"#;

#[tokio::test]
async fn what_other_rules_would_have_made_is_shown_beside_the_rules_in_force() {
    let mut store = stored().await;
    let before = store.rows("*", "pragma_data_version").await;
    try_rules(&store, OTHER, &[]).assert(
        0,
        &[
            "Tried     3 rules, ",
            "In force  1 rule, ",
            "since 2026-03-25 08:00:00.000 UTC",
            "Events    4 run, 2 matched\n",
            "RULE       MODE  MATCHES  CAME TO  IN FORCE",
            "converges  live  1        1 call   -",
            "none       live  1        1 call   live, 3: 3 calls",
            "1 rule matched nothing: quiet",
            "Differs from the rules in force",
            "any rule   matches only here      1 event: 3\n",
            "any rule   matches only in force  2 events: 1, 4\n",
            "converges  matches only here      1 event: 3\n",
            "none       matches only in force  2 events: 1, 4\n",
            "Calls in a day",
            "main     2        1      1       2026-03-25 00:00 +08:00  3         100\n",
        ],
    );
    assert_eq!(store.rows("*", "pragma_data_version").await, before, "nothing was written");
    assert_eq!(store.count("rule_set").await, 1);
}

#[tokio::test]
async fn programs_get_everything_in_one_object() {
    let store = stored().await;
    let told = object(&try_rules(&store, OTHER, &["--json"]));
    assert_eq!(told["events"]["run"], 4);
    assert_eq!(told["only_running"], json!({ "events": 2, "examples": [1, 4] }));
    assert_eq!(told["rules"]["none"]["tried"]["calls"], 1);
    assert_eq!(told["rules"]["none"]["running"]["calls"], 3);
    assert_eq!(told["rules"]["converges"]["running"], Value::Null);
    assert_eq!(told["cost"][0]["account"], "main");
    assert_eq!(told["cost"][0]["day_limit"], 100);
    assert_eq!(
        told["cost"][0]["largest_day"],
        json!({ "begins_at": "2026-03-25 00:00 +08:00", "calls": 2, "reads": 1, "writes": 1 })
    );
    let one = object(&try_rules(&store, OTHER, &["--json", "--rule", "none"]));
    assert_eq!(one["rules"].as_object().map(serde_json::Map::len), Some(1));
    assert_eq!(one["cost"][0]["largest_day"]["calls"], 1);
}

#[tokio::test]
async fn limits_hold_as_if_the_events_came_when_they_came() {
    let store = Harness::with("").await;
    for hour in 0..3 {
        let now_ms = NOW_MS + hour * HOUR_MS / 2;
        let (one, two) = (failure(&format!("{hour} a"), 101), failure(&format!("{hour} b"), 102));
        let mut late = at(hour * 2 + 1, &two);
        late.timestamp_ms = Some(now_ms - HOUR_MS);
        store.accept_at(now_ms, &[at(hour * 2, &one), late]).await;
    }
    let limited = live("converges", "max_calls = 1\nmax_event_age = \"30m\"");
    let told = object(&try_rules(&store, &limited, &["--json"]));
    let came = &told["rules"]["converges"]["tried"];
    // The first and the third are an hour apart; the second comes within the hour.
    assert_eq!((&came["calls"], &came["held"]), (&json!(2), &json!({ "max_calls": 1, "stale": 3 })));
    // The hour before what is counted is planned as well.
    let told = object(&try_rules(&store, &limited, &["--json", "--limit", "4"]));
    let came = &told["rules"]["converges"]["tried"];
    assert_eq!((&came["calls"], &came["held"]), (&json!(1), &json!({ "max_calls": 1, "stale": 2 })));
    assert_eq!((&told["events"]["run"], &told["events"]["left_out"]), (&json!(4), &json!(2)));
}

#[tokio::test]
async fn what_cannot_be_rendered_is_told_with_the_first_event() {
    let store = stored().await;
    let mistaken = r#"
[[rule]]
name = "mistaken"
match = { status = "Failure" }
[[rule.steps]]
operation = "GetTaskInstance"
params = { Id = "{{ data.absent }}" }
"#;
    try_rules(&store, mistaken, &[]).assert(
        0,
        &[
            "mistaken  observe  3        3 failed  -",
            "none      gone     -",
            "live, 3: 3 calls",
            "Failed\n",
            "mistaken  3 times  event 1: steps[0].params.Id: the event has no `data.absent`",
        ],
    );
}

#[tokio::test]
async fn rules_that_observe_can_be_tried_as_if_they_were_live() {
    let store = stored().await;
    let observing = live("converges", "").replace("mode = \"live\"", "mode = \"observe\"");
    try_rules(&store, &observing, &[]).assert(0, &["converges  observe  3        3 observed", "nothing would be sent"]);
    try_rules(&store, &observing, &["--as-live"]).assert(0, &["converges  live  3        3 calls"]);
}

#[tokio::test]
async fn a_spent_budget_is_said() {
    let store = Harness::with("").await;
    let payloads: Vec<String> = (0..120).map(|number| failure(&format!("event {number}"), 71)).collect();
    let records: Vec<_> = (0..).zip(&payloads).map(|(offset, payload)| at(offset, payload)).collect();
    store.accept(&records).await;
    try_rules(&store, &live("none", "max_calls = 1000"), &[])
        .assert(0, &["main     120      120    0 ", "100, 20 too few\n"]);
}

#[tokio::test]
async fn events_that_have_left_are_counted() {
    let store = stored().await;
    store.tamper("DELETE FROM event WHERE seq <= 2").await;
    try_rules(&store, OTHER, &[])
        .assert(0, &["Events    2 run, 1 matched; 2 of that time have left by retention"]);
}

#[tokio::test]
async fn what_is_wrong_ends_with_a_code_that_says_so() {
    let store = stored().await;
    let nowhere = try_in(&store, &store.path().with_file_name("nowhere"), &[]);
    assert_eq!(nowhere.exit, 66, "{}", nowhere.stderr);
    assert!(nowhere.stderr.contains("there is no rule directory"), "{}", nowhere.stderr);
    let wrong = try_rules(&store, "[[rule]]\nname = \"x\"\nmatchh = {}\n", &[]);
    assert_eq!(wrong.exit, 78, "{}", wrong.stderr);
    assert!(wrong.stderr.contains("tried.toml:3:1: error: matchh"), "{}", wrong.stderr);
    let unknown = try_rules(&store, OTHER, &["--rule", "quite"]);
    assert_eq!(unknown.exit, 66, "{}", unknown.stderr);
    assert!(unknown.stderr.contains("did you mean `quiet`?"), "{}", unknown.stderr);
    // Without settings, what they would say is not known, and that is said.
    let directory = store.path().with_file_name("observing");
    fs::create_dir(&directory).expect("the directory is made");
    fs::write(directory.join("a.toml"), "[[rule]]\nname = \"a\"\nmatch = { status = \"Failure\" }\n")
        .expect("the rules are written");
    let path = directory.display().to_string();
    let arguments = ["rules", "try", "--config", "/nowhere.toml", "--rules", &path, "--since", "5000d"];
    let said = openeventd(&store.path(), &arguments);
    said.assert(
        0,
        &["not compared: the rules in force do not pass here: ", "a     observe  3        3 recorded"],
    );
    assert!(said.stderr.contains("there are no settings in /nowhere.toml"), "{}", said.stderr);
}
