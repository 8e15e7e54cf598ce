//! What the rules call, and which permissions they need for it.

use serde_json::json;

use super::{configured, run};

const RULES: &str = r#"
[[rule]]
name = "looks"
mode = "live"
match = { code = "commit-file" }
[[rule.steps]]
operation = "GetTaskInstance"
params = { Id = 1 }

[[rule]]
name = "stops"
mode = "approve"
match = { code = "deploy-file" }
[[rule.steps]]
operation = "StopTaskInstances"
params = { Ids = [1] }

[[rule]]
name = "looks-too"
mode = "live"
match = { code = "freeze-node" }
[[rule.steps]]
operation = "GetTaskInstance"
params = { Id = 2 }

[[rule]]
name = "observes"
match = { code = "unfreeze-node" }
[[rule.steps]]
operation = "RerunTaskInstances"
params = { Ids = [1] }

[[rule]]
name = "records"
match = { code = "kill-instance" }
"#;

const SETTINGS: &str = r#"
[dispatch]
repeat_within = "5m"
[policy]
allow = [{ operation = "StopTaskInstances" }]
[account.main]
region = "cn-shanghai"
edition = "basic"
access_key_id = "LTAI0"
access_key_secret = { env = "KEY" }
"#;

#[test]
fn check_lists_what_the_rules_call_and_what_a_repetition_does() {
    let directory = configured(&[("openeventd.toml", SETTINGS), ("rules.d/a.toml", RULES)]);
    let said = run(directory.path(), &[("KEY", "a-secret")], &["check", "--calls"], "");
    assert_eq!(said.exit, 0, "{}", said.stderr);
    assert_eq!(
        said.stdout,
        "looks      live     GetTaskInstance     2024-05-18  read   harmless
stops      approve  StopTaskInstances   2024-05-18  write  same state again: repeated for 5m
looks-too  live     GetTaskInstance     2024-05-18  read   harmless
observes   observe  RerunTaskInstances  2024-05-18  write  does it twice: a lost response is looked up or left to a person
ok: 5 rules, 1 account; 0 errors, 1 warning
"
    );
    let without = run(directory.path(), &[("KEY", "a-secret")], &["check"], "");
    assert_eq!(without.stdout, "ok: 5 rules, 1 account; 0 errors, 1 warning\n");
}

#[test]
fn the_policy_allows_what_rules_send_and_says_who_needs_it() {
    let directory = configured(&[("openeventd.toml", SETTINGS), ("rules.d/a.toml", RULES)]);
    let ram = |arguments: &[&str]| {
        let said =
            run(directory.path(), &[("KEY", "a-secret")], &[&["policy", "ram"], arguments].concat(), "");
        assert_eq!(said.exit, 0, "{}", said.stderr);
        said
    };
    let said = ram(&[]);
    let statement = |actions: &[&str]| json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    assert_eq!(
        said.json(),
        json!({"Version": "1", "Statement": [statement(&["dataworks:GetTaskInstance", "dataworks:StopTaskInstances"])]})
    );
    assert!(said.stderr.lines().all(|line| line.starts_with("# ")), "{}", said.stderr);
    for line in ["# GetTaskInstance: looks, looks-too\n", "# left out: 1 rule in mode observe", "dataworks:*"]
    {
        assert!(said.stderr.contains(line), "{}", said.stderr);
    }
    let all = ram(&["--all", "--json"]);
    assert_eq!((all.stdout.lines().count(), all.stderr.as_str()), (1, ""));
    let rerun = json!([
        "dataworks:GetTaskInstance",
        "dataworks:ListTaskInstanceOperationLogs",
        "dataworks:RerunTaskInstances",
        "dataworks:StopTaskInstances",
    ]);
    assert_eq!(all.json()["Statement"][0]["Action"], rerun);
    let told = ram(&["--all"]).stderr;
    assert!(told.contains("# GetTaskInstance: looks, looks-too, observes (look-ups)\n"), "{told}");

    let unread = SETTINGS.replace("[dispatch]", "[dispatch]\nverify = false");
    let directory = configured(&[("openeventd.toml", &unread), ("rules.d/a.toml", RULES)]);
    let said = run(directory.path(), &[("KEY", "a-secret")], &["policy", "ram", "--all", "--json"], "");
    let calls_alone =
        json!(["dataworks:GetTaskInstance", "dataworks:RerunTaskInstances", "dataworks:StopTaskInstances"]);
    assert_eq!(said.json()["Statement"][0]["Action"], calls_alone);
}

#[test]
fn rules_that_call_nothing_need_nothing_and_wrong_ones_give_no_policy() {
    let directory = configured(&[("openeventd.toml", "")]);
    let said = run(directory.path(), &[], &["policy", "ram"], "");
    assert_eq!((said.exit, said.json()), (0, json!({"Version": "1", "Statement": []})));
    std::fs::write(directory.path().join("rules.d/a.toml"), "[[rule]]\n").expect("it is written");
    let said = run(directory.path(), &[], &["policy", "ram"], "");
    assert_eq!((said.exit, said.stdout.as_str()), (78, ""));
}
