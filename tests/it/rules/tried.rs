//! Stored events through the rules of a directory, by the built program: what would be called, held, failed.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use openeventd::record::Record;
use serde_json::{Value, json};

use super::diffed::directory;
use crate::harness::{HOUR_MS, Harness, at, failure, live, waiting};

/// Settings whose secrets nobody can read, and which lack whatever else a daemon needs.
const SETTINGS: &str = "[account.main]\nregion = \"cn-shanghai\"\nedition = \"basic\"\ncalls_per_day_max = 4\n\
    access_key_id = \"LTAI-example\"\naccess_key_secret = { credential = \"absent\" }\n\
    [[policy.allow]]\noperation = \"RerunTaskInstances\"\n";

/// Reruns what fails or waits; two in an hour, if it were live.
const WIDER: &str = r#"
[[rule]]
name = "duplicates"
max_calls = 2
match = { status = ["Failure", "WaitTime"] }
[[rule.steps]]
operation = "RerunTaskInstances"
params = { Ids = ["{{ instance }}"] }
"#;

const MISTAKEN: &str = r#"
[[rule]]
name = "mistaken"
mode = "live"
match = { status = "WaitTime" }
[[rule.steps]]
operation = "GetTaskInstance"
params = { Id = "{{ data.absent }}" }

[[rule]]
name = "idle"
match = { code = "commit-file" }
"#;

struct Tried {
    exit: i32,
    out: String,
    err: String,
}

impl Tried {
    fn object(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{}{}", self.out, self.err))
    }
}

fn tried(store: &Harness, settings: &str, rules: &Path, arguments: &[&str]) -> Tried {
    let config = store.path().with_file_name("openeventd.toml");
    fs::write(&config, settings).expect("it is written");
    let output = Command::cargo_bin("openeventd")
        .expect("the program is built")
        .args(["rules", "try", "--config"])
        .arg(&config)
        .arg("--database")
        .arg(store.path())
        .arg("--rules")
        .arg(rules)
        .args(arguments)
        .env_clear()
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
    let exit = output.status.code().expect("no signal");
    Tried { exit, out: text(output.stdout), err: text(output.stderr) }
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Five failures, of which the last is hours old, and an instance that waits: events 1 to 6, all at one time.
async fn store() -> Harness {
    let store = Harness::with(&live("duplicates", "")).await;
    let accepted_at = now_ms() - HOUR_MS / 2;
    let payloads: Vec<String> = (1..5).map(|at| failure(&at.to_string(), at)).collect();
    let (waits, old) = (waiting("w"), failure("old", 9));
    let mut records: Vec<Record<'_>> = (0..).zip(&payloads).map(|(offset, text)| at(offset, text)).collect();
    records.push(at(4, &waits));
    records.push(Record { timestamp_ms: Some(accepted_at - 5 * HOUR_MS), ..at(5, &old) });
    store.accept_at(accepted_at, &records).await;
    store
}

#[tokio::test]
async fn matches_calls_and_limits_are_those_of_planning() {
    let mut store = store().await;
    let rules = directory(&[("team/a.toml", WIDER), ("b.toml", MISTAKEN)]);
    let said = tried(&store, SETTINGS, rules.path(), &["--json"]);
    assert_eq!(said.exit, 65, "a rule failed: {}{}", said.out, said.err);
    let object = said.object();
    assert_eq!(
        object["events"],
        json!({"read": 6, "retired": 0, "undecodable": 0, "undecodable_example": null})
    );
    let of = |name: &str| {
        let rules = object["rules"].as_array().expect("a list").clone();
        rules.into_iter().find(|rule| rule["name"] == name).expect(name)
    };
    let wider = of("duplicates");
    assert_eq!(
        json!([wider["path"], wider["mode"], wider["matches"], wider["calls"], wider["calls_if_live"]]),
        json!(["team/a.toml", "observe", 6, 0, 2])
    );
    assert_eq!(wider["held_if_live"], json!({"max_calls": 3, "stale": 1}));
    let mistaken = of("mistaken");
    assert_eq!(json!([mistaken["matches"], mistaken["calls"], mistaken["failed"]]), json!([1, 0, 1]));
    assert_eq!(mistaken["failure"]["event"], 5);
    assert!(
        mistaken["failure"]["message"].as_str().is_some_and(|text| text.contains("`data.absent`")),
        "{mistaken}"
    );
    assert_eq!(object["unmatched"], json!(["idle"]));

    let beside = &object["in_force"];
    assert_eq!(json!([beside["events_only_tried"], beside["events_only_in_force"]]), json!([1, 0]));
    let difference = &beside["differences"][0];
    assert_eq!(difference["name"], "duplicates");
    assert_eq!(difference["only"]["tried"], json!({"events": 1, "examples": [5]}));
    assert_eq!(difference["only"]["in_force"], json!({"events": 0, "examples": []}));
    let did = |side: &str| {
        json!([difference[side]["mode"], difference[side]["matches"], difference[side]["calls"]])
    };
    assert_eq!((did("tried"), did("in_force")), (json!(["observe", 6, 0]), json!(["live", 5, 4])));

    let account = &object["accounts"][0];
    assert_eq!(
        json!([account["account"], account["edition"], account["limit_per_day"]]),
        json!(["main", "basic", 4])
    );
    assert_eq!(account["worst_day"], Value::Null);
    assert_eq!(account["worst_day_if_live"]["calls"]["writes_if_live"], 2);
    assert_eq!(account["worst_day_in_force"]["calls"]["writes"], 4);

    assert_eq!((store.count("rule_set").await, store.count("action").await), (1, 5), "nothing was written");
    store.close().await;
}

#[tokio::test]
async fn a_person_reads_one_table_for_each_question() {
    let store = store().await;
    store.tamper("DELETE FROM event WHERE seq = 1").await;
    let live = WIDER.replace("max_calls = 2", "mode = \"live\"");
    let rules = directory(&[("a.toml", &live)]);
    let said = tried(&store, SETTINGS, rules.path(), &["--rule", "duplicates"]);
    assert_eq!(said.exit, 0, "{}{}", said.out, said.err);
    let mut rest = said.out.as_str();
    for part in [
        "5 events accepted since ",
        "1 more event of that time has left by retention",
        "RULE        MODE  MATCHES  CALLS  IF LIVE  HELD IF LIVE  FAILED\n",
        "duplicates  live  5        4      4        1 stale\n",
        "account main cn-shanghai: basic, 4 calls a day\n",
        "worst day         4 calls, 0 reads and 4 writes, from ",
        "beside the rules in force ",
        "1 event is matched only now, 0 events only by the rules in force",
        "duplicates  1         0              3 -> 4  3 -> 4   +5\n",
    ] {
        rest = rest.split_once(part).unwrap_or_else(|| panic!("no `{part}` in order in:\n{}", said.out)).1;
    }
    let narrower = SETTINGS.replace("calls_per_day_max = 4", "calls_per_day_max = 3");
    let said = tried(&store, &narrower, rules.path(), &[]);
    assert!(
        said.out.contains("4 calls, 0 reads and 4 writes, from ") && said.out.contains(": more than allowed")
    );
    store.close().await;
}

#[tokio::test]
async fn an_hour_of_calls_is_an_hour_of_accept_times() {
    let store = Harness::with("").await;
    for (hours_ago, id) in [(30, "too early"), (5, "1"), (4, "2"), (2, "3")] {
        store.accept_at(now_ms() - hours_ago * HOUR_MS, &[at(hours_ago, &failure(id, 7))]).await;
    }
    let rules = directory(&[("a.toml", &live("duplicates", "max_calls = 1"))]);
    let object = tried(&store, SETTINGS, rules.path(), &["--json", "--since", "1d"]).object();
    let rule = &object["rules"][0];
    assert_eq!(json!([rule["matches"], rule["calls"], rule["held_if_live"]]), json!([3, 3, {}]));
    let object =
        tried(&store, SETTINGS, rules.path(), &["--json", "--since", "1970-01-01T00:00:00Z"]).object();
    assert_eq!(object["rules"][0]["calls"], 4);
    store.close().await;
}

#[tokio::test]
async fn events_are_read_in_pages() {
    let store = Harness::with("").await;
    let payloads: Vec<String> =
        (0..2_500).map(|at| waiting(&at.to_string())).chain([failure("f", 1)]).collect();
    let records: Vec<Record<'_>> = (0..).zip(&payloads).map(|(offset, text)| at(offset, text)).collect();
    store.accept_at(now_ms() - 1_000, &records).await;
    let rules = directory(&[("a.toml", &live("duplicates", ""))]);
    let object = tried(&store, SETTINGS, rules.path(), &["--json"]).object();
    assert_eq!(json!([object["events"]["read"], object["rules"][0]["matches"]]), json!([2_501, 1]));
    store.close().await;
}

#[tokio::test]
async fn policy_trust_and_consent_hold_as_they_would() {
    let store = store().await;
    let elsewhere = SETTINGS.to_owned() + "workspaces = [1]\n";
    let rules = directory(&[("a.toml", &live("duplicates", ""))]);
    let object = tried(&store, &elsewhere, rules.path(), &["--json"]).object();
    assert_eq!(object["rules"][0]["held_if_live"], json!({"policy": 4, "stale": 1}));
    assert_eq!(
        object["in_force"]["differences"],
        json!([]),
        "the rules in force are judged by the same settings"
    );
    let distrustful = SETTINGS.to_owned() + "[trust]\nworkspaces = [1]\n";
    let object = tried(&store, &distrustful, rules.path(), &["--json"]).object();
    assert_eq!(json!([object["rules"][0]["untrusted"], object["rules"][0]["calls_if_live"]]), json!([5, 0]));
    let asking = directory(&[("a.toml", &live("duplicates", "").replace("\"live\"", "\"approve\""))]);
    let object = tried(&store, SETTINGS, asking.path(), &["--json"]).object();
    let rule = &object["rules"][0];
    assert_eq!(json!([rule["mode"], rule["calls"], rule["calls_if_live"]]), json!(["approve", 0, 4]));
    store.close().await;
}

#[tokio::test]
async fn what_cannot_be_tried_is_named() {
    let store = store().await;
    let rules = directory(&[("a.toml", WIDER)]);
    let said = tried(&store, SETTINGS, rules.path(), &["--rule", "duplicate"]);
    assert!(said.exit == 66 && said.err.contains("did you mean `duplicates`?"), "{}", said.err);
    let wrong = directory(&[("a.toml", "[[rule]]\nname = \"r\"\nmach = 1\n")]);
    let said = tried(&store, SETTINGS, wrong.path(), &[]);
    assert!(said.exit == 78 && said.err.contains("a.toml:3:1"), "{}", said.err);
    let said = tried(&store, SETTINGS, &rules.path().join("absent"), &[]);
    assert!(said.exit == 66 && said.err.contains("name one that exists"), "{}", said.err);
    // The live rule in force needs a permission that is gone.
    let forbidding = SETTINGS.split("[[policy").next().expect("a part");
    let said = tried(&store, forbidding, rules.path(), &[]);
    assert_eq!(said.exit, 0, "{}", said.err);
    assert!(said.out.contains("not compared with the rules in force"), "{}", said.out);
    store.tamper("UPDATE event SET payload = '[' WHERE seq = 2").await;
    let said = tried(&store, SETTINGS, rules.path(), &[]);
    assert!(said.out.contains("1 event cannot be decoded as records are now: at event 2: "), "{}", said.out);
    store.close().await;
}
