//! Why rules fired for an event, or did not.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::{Said, openeventd, openeventd_with};
use crate::harness::{Harness, at, failure, live, waiting};

/// Rules that are less and less near to a failed instance.
const NEAR: &str = r#"
[[rule]]
name = "success"
match = { code = "instance-status-changes", status = "Success", data = { nodeId = 12 } }

[[rule]]
name = "elsewhere"
match = { workspace = 7, status = "Failure", data = { nodeId = { numeric = [">", 100] } } }

[[rule]]
name = "commits"
match = { code = "commit-file", file = { exists = true }, table = { wildcard = "ods_*" } }
"#;

async fn told() -> Harness {
    let store = Harness::with(&format!("{}{NEAR}", live("converges", ""))).await;
    store.accept(&[at(0, &failure("the-event", 101))]).await;
    store
}

fn objects(said: &Said) -> Value {
    let mut objects = said.objects();
    assert_eq!((said.exit, objects.len()), (0, 1), "{}{}", said.stdout, said.stderr);
    objects.remove(0)
}

#[tokio::test]
async fn what_fired_comes_first_and_then_what_nearly_did() {
    let store = told().await;
    for event in ["1", "the-event"] {
        let said = openeventd(&store.path(), &["explain", event]);
        said.assert(
            0,
            &[
                "event 1  instance-status-changes  workspace=96384  instance=101  node=12  Failure\n",
                "by the rule set of that day, ",
                ", 4 rules\n",
                "converges  fires  (test.toml:1, live)\n  came to planned\n",
                "success  1 of 3 conditions fails  (test.toml:",
                "  fails  status  is \"Failure\"  expected [\"Success\"]\n",
                "elsewhere  2 of 3 conditions fail  ",
                "  fails  workspace    is 96384  expected [7]\n",
                "  fails  data.nodeId  is 12     expected [{\"numeric\":[\">\",100]}]\n",
                "commits  3 of 3 conditions fail  ",
                "is missing                    expected [{\"exists\":true}]",
            ],
        );
        assert!(!said.stdout.contains("holds"), "{}", said.stdout);
    }
    let said = openeventd(&store.path(), &["explain", "1", "-n", "1"]);
    said.assert(0, &["converges", "success", "\n2 more rules, less near: --all or -n shows them\n"]);
    assert!(!said.stdout.contains("elsewhere"), "{}", said.stdout);
    openeventd(&store.path(), &["explain", "1", "--all"]).assert(0, &["commits"]);
    store.accept(&[at(1, &waiting("of-none"))]).await;
    let said = openeventd(&store.path(), &["explain", "2", "-n", "0"]);
    said.assert(0, &["4 rules\n\n4 more rules, less near"]);
    assert!(!said.stdout.contains("there is no rule"), "{}", said.stdout);
}

#[tokio::test]
async fn one_rule_is_told_with_all_its_conditions() {
    let store = told().await;
    let said = openeventd(&store.path(), &["explain", "1", "--rule", "success"]);
    said.assert(
        0,
        &[
            "success  1 of 3 conditions fails",
            "  holds  code         is \"instance-status-changes\"  expected [\"instance-status-changes\"]\n",
            "  fails  status       is \"Failure\"                  expected [\"Success\"]\n",
            "  holds  data.nodeId  is 12                         expected [12]\n",
        ],
    );
    assert!(!said.stdout.contains("converges"), "{}", said.stdout);
    let said = openeventd(&store.path(), &["explain", "1", "--rule", "sucess"]);
    assert_eq!(said.exit, 66);
    assert!(said.stderr.contains("there is no rule `sucess`"), "{}", said.stderr);
    assert!(said.stderr.contains("did you mean `success`?"), "{}", said.stderr);
}

#[tokio::test]
async fn the_rules_are_those_of_the_events_day() {
    let directory = told().await.close().await;
    let later = "[[rule]]\nname = \"later\"\nmatch = { status = \"Failure\" }\n";
    let store = Harness::open(directory, later, 0o600).await;
    store.accept(&[at(1, &failure("the-next", 102))]).await;
    openeventd(&store.path(), &["explain", "1"]).assert(0, &["4 rules", "converges  fires"]);
    openeventd(&store.path(), &["explain", "2"])
        .assert(0, &["1 rule\n", "later  fires  (test.toml:1, observes)\n  came to recorded\n"]);
    store.tamper("UPDATE batch SET rule_set = 99").await;
    let said = openeventd(&store.path(), &["explain", "1"]);
    assert_eq!(said.exit, 66);
    assert!(said.stderr.contains("name a directory of rules with --rules"), "{}", said.stderr);
}

#[tokio::test]
async fn a_held_call_says_why() {
    let store = Harness::with(&live("none", "max_event_age = \"1m\"")).await;
    let payload = failure("old", 5);
    let mut record = at(0, &payload);
    record.timestamp_ms = Some(crate::harness::NOW_MS - 3_600_000);
    store.accept(&[record]).await;
    openeventd(&store.path(), &["explain", "1"]).assert(
        0,
        &[
            "none  fires",
            "came to held (stale): its event was older than the rule's max_event_age when it arrived (60m, at most 60s); \
             what can be done: `openeventd outbox show 1`\n",
        ],
    );
    openeventd(&store.path(), &["audit", "1"]).assert(
        0,
        &["its event was older than the rule's max_event_age when it arrived (60m); what can be done"],
    );
}

/// A directory with a configuration, rules and a record.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        fs::write(directory.path().join(name), text).expect("the file is written");
    };
    fs::create_dir(directory.path().join("rules.d")).expect("the directory is made");
    write(
        "openeventd.toml",
        "[account.main]\nedition = \"basic\"\nregion = \"cn-hangzhou\"\n[trust]\nworkspaces = [96384]\n",
    );
    write(
        "rules.d/a.toml",
        "[[rule]]\nname = \"ask\"\nmode = \"approve\"\nmatch = { instance = [5, 101] }\n[[rule.steps]]\n\
         operation = \"GetTaskInstance\"\nparams = { Id = \"{{ instance }}\" }\n\
         [[rule]]\nname = \"nested\"\nmatch = { data = { tasks = { id = 1, state = [\"bad\", { prefix = \"x\" }] } } }\n\
         [[rule]]\nname = \"either\"\nmatch = { \"$or\" = [{ file = 1, table = \"t\" }, { node = 13 }] }\n\
         [[rule]]\nname = \"apart\"\n[rule.match]\n\"$or\" = [{ file = 1, table = \"t\" }, { node = 13 }]\n\
         data = { \"$or\" = [{ nodeId = 1 }, { a = 2, b = 2 }] }\n\
         [[rule]]\nname = \"together\"\n[rule.match]\n\"$or\" = [{ data.c = 1 }, { data.d = 1 }]\n\
         data = { \"$or\" = [{ nodeId = 1 }, { a = 2 }] }\n",
    );
    let tasks = r#""tasks":[{"id":2,"state":"ok"},{"id":1,"state":"ok"}],"taskId""#;
    write("event.json", &failure("from-a-file", 101).replace("\"taskId\"", tasks));
    write("broken.json", "{\"id\": 1");
    directory
}

#[tokio::test]
async fn a_record_is_looked_at_by_the_rules_of_the_configuration() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (config, file) = (path("openeventd.toml"), path("event.json"));
    let parts = [
        "ask  fires  (a.toml:1, asks a person)\n",
        "  would come to held (approve): its rule asks a person each time (mode approve)\n",
        "nested  1 of 2 conditions fails",
        "  fails  data.tasks[1].state  is \"ok\"  expected [\"bad\",{\"prefix\":\"x\"}]\n",
        "either  1 of 1 condition fails",
        "  fails  node  is 12  expected [13], in alternative 2 of 2 of $or\n",
        "apart  2 of 2 conditions fail",
        "  fails  node         is 12  expected [13], in alternative 2 of 2 of $or\n",
        "  fails  data.nodeId  is 12  expected [1], in alternative 1 of 2 of data.$or\n",
        "together  2 of 2 conditions fail",
        " of 4 of $or and data.$or\n",
    ];
    let nowhere = directory.path().join("no.db");
    openeventd(&nowhere, &["explain", &file, "--config", &config]).assert(0, &parts);
    let record = fs::read_to_string(&file).expect("it is there");
    let said = openeventd_with(&nowhere, &["explain", "-", "--config", &config], &record);
    said.assert(0, &["the record of standard input  instance-status-changes"]);
    said.assert(0, &parts);
}

#[test]
fn an_event_that_is_not_trusted_would_come_to_nothing() {
    let directory = directory();
    let config = directory.path().join("openeventd.toml").display().to_string();
    let record = failure("elsewhere", 101).replace("96384", "7");
    let said = openeventd_with(directory.path(), &["explain", "-", "--config", &config], &record);
    said.assert(
        0,
        &["ask  fires", "  would come to untrusted: [trust] does not name its workspace (7) or its account (not told): nothing is called\n"],
    );
}

#[tokio::test]
async fn a_stored_event_can_be_looked_at_by_other_rules() {
    let (store, directory) = (told().await, directory());
    let rules = directory.path().join("rules.d").display().to_string();
    let arguments = ["explain", "1", "--rules", &rules, "--config", "/nowhere.toml"];
    let said = openeventd(&store.path(), &arguments);
    said.assert(0, &["rules.d, 5 rules", "ask  fires  (a.toml:1, asks a person)\n\n", "either", "nested"]);
}

#[tokio::test]
async fn programs_get_one_document() {
    let store = told().await;
    let told = objects(&openeventd(&store.path(), &["explain", "1", "--json", "-n", "2"]));
    assert_eq!(told["event"]["seq"], 1);
    assert_eq!(told["event"]["code"], "instance-status-changes");
    assert_eq!((&told["rule_set"]["from"], &told["rule_set"]["rules"]), (&"audit".into(), &4.into()));
    assert_eq!(told["left_out"], 1);
    let rules = told["rules"].as_array().expect("a list");
    let results: Vec<_> = rules.iter().map(|rule| rule["result"].as_str().expect("text")).collect();
    assert_eq!(results, ["fires", "does_not_fire", "does_not_fire"]);
    assert_eq!((&rules[0]["came_to"], &rules[0]["would_come_to"]), (&"planned".into(), &Value::Null));
    let conditions = rules[2]["conditions"].as_array().expect("a list");
    let condition = conditions.iter().find(|condition| condition["holds"] == false).expect("one fails");
    assert_eq!(
        condition,
        &serde_json::json!({"holds": false, "path": "workspace", "expected": [7], "seen": "96384",
            "missing": false, "choice": null, "alternative": null, "alternatives": null})
    );
}

#[tokio::test]
async fn what_is_no_event_is_refused_with_what_to_do() {
    let (store, directory) = (told().await, directory());
    let broken = directory.path().join("broken.json").display().to_string();
    let config = directory.path().join("openeventd.toml").display().to_string();
    for (event, exit, part) in [
        ("2", 66, "no event has the number or id `2`, and no file is called so; `openeventd audit` lists"),
        ("unknown-id", 66, "no event has the number or id"),
        ("./gone.json", 66, "cannot read ./gone.json"),
        ("instance:101", 64, "`openeventd why instance:101`"),
        (&broken, 65, "quarantine (not_json)"),
    ] {
        let said = openeventd(&store.path(), &["explain", event, "--config", &config]);
        assert_eq!(said.exit, exit, "{event}: {}", said.stderr);
        assert!(said.stderr.contains(part) && said.stdout.is_empty(), "{event}: {}", said.stderr);
    }
    assert!(Path::new(&broken).exists());
    let nowhere = directory.path().join("nowhere").display().to_string();
    let said = openeventd(&store.path(), &["explain", "1", "--rules", &nowhere, "--config", &config]);
    assert_eq!((said.exit, said.stdout.as_str()), (66, ""), "{}", said.stderr);
    assert!(said.stderr.contains("nowhere cannot be listed: name one that exists"), "{}", said.stderr);
}

#[tokio::test]
async fn what_an_event_holds_cannot_drive_the_terminal() {
    let store = Harness::with("[[rule]]\nname = \"r\"\nmatch = { table = \"t\" }").await;
    let data = r#"{"taskId":1,"status":5,"tableName":"a\u001b[2Jb"}"#;
    let payload = failure("x", 1).replace(r#"{"taskId":1,"status":5,"nodeId":12,"projectId":96384}"#, data);
    store.accept(&[at(0, &payload)]).await;
    let said = openeventd(&store.path(), &["explain", "1"]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    assert!(!said.stdout.contains('\u{1b}'), "{}", said.stdout);
}

#[test]
fn a_status_that_nobody_knows_is_told_as_the_payload_has_it() {
    let with = |status: &str| failure("x", 1).replace("\"status\":5", status);
    let elsewhere = with("\"status\":9").replace("InstanceStatusChanges:InstanceStatusChanges", "a:b");
    let directory = directory();
    let rules = directory.path().join("rules.d");
    fs::write(rules.join("a.toml"), "[[rule]]\nname = \"r\"\nmatch = { status = \"Failure\" }")
        .expect("written");
    let arguments = ["explain", "-", "--rules", &rules.display().to_string(), "--config", "/nowhere.toml"];
    for (payload, told) in [
        (with("\"status\":9"), "is missing (data.status is 9, which is no known status)"),
        (with("\"status\":\"bad\""), "is missing (data.status is \"bad\", which is no known status)"),
        (with("\"other\":9"), "is missing  expected"),
        (with("\"status\":null"), "is missing  expected"),
        (elsewhere, "is missing  expected"),
        (
            r#"{"messageType":"instance-status-changes","messageId":"1","messageBody":{"status":5}}"#
                .to_owned(),
            "is missing  expected",
        ),
    ] {
        let said = openeventd_with(directory.path(), &arguments, &payload);
        said.assert(0, &["  fails  status  ", told]);
    }
}
