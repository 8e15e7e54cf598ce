//! A rule directory beside the rules in force, through the built program.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use openeventd::rule::RuleFile;
use openeventd::rule::parse::{FILE_BYTES_MAX, Surroundings, parse};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Harness, NOW_MS, policy};

const KEPT: &str = "# Nobody is called.\n[[rule]]\nname = \"kept\"\nmatch = { code = \"a\" }\n";
const CHANGED: &str = "[[rule]]\nname = \"changed\"\nmax_calls = 100\nmatch = { code = \"a\" }\n";
const GONE: &str = "[[rule]]\nname = \"gone\"\nmatch = { code = \"b\" }\n";

/// A database whose newest rules are these files.
pub(crate) async fn kept(files: &[(&str, &str)]) -> Harness {
    let store = Harness::with("").await;
    let files = files.iter().map(|(path, text)| RuleFile { path: (*path).into(), text: (*text).into() });
    let surroundings = Surroundings { accounts: &[], policy: &policy() };
    let (rules, _) = parse(files.collect(), &surroundings).expect("the rules are right");
    store.writer.remember_rules(&rules, NOW_MS + 1).await.expect("they are kept");
    store
}

pub(crate) fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (path, text) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("it is made");
        fs::write(path, text).expect("it is written");
    }
    directory
}

/// Exit code, standard output and standard error.
fn diff(database: &Path, rules: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("openeventd")
        .expect("the program is built")
        .args(["rules", "diff", "--database"])
        .arg(database)
        .arg("--rules")
        .arg(rules)
        .args(arguments)
        .env_clear()
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn what_differs_is_told_by_rule_and_by_line() {
    let store = kept(&[("a.toml", &[KEPT, CHANGED, GONE].concat())]).await;
    let changed =
        "[[rule]]\nname = \"changed\"\nmode = \"approve\"\nmax_calls = 7\nmatch = { code = [\"a\"] }\n";
    let new = "[[rule]]\nname = \"new\"\nmatch = { code = \"c\" }\n";
    let now = directory(&[("a.toml", &["\n\n", changed, new].concat()), ("team/b.toml", KEPT)]);
    let (exit, out, err) = diff(&store.path(), now.path(), &[]);
    assert_eq!(exit, 65, "{out}{err}");
    let body = out.split_once('\n').expect("a first line").1;
    assert_eq!(
        body,
        "\
removed gone  a.toml:9
added new  a.toml:8
changed changed  a.toml:3: mode, match, limits
      [[rule]]
      name = \"changed\"
    - max_calls = 100
    - match = { code = \"a\" }
    + mode = \"approve\"
    + max_calls = 7
    + match = { code = [\"a\"] }
moved kept  a.toml -> team/b.toml:1
1 added, 1 removed, 1 changed, 1 moved; 0 rules unchanged
"
    );
    let (exit, out, _) = diff(&store.path(), now.path(), &["--json"]);
    let object: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((exit, &object["same"]), (65, &json!(false)));
    assert_eq!(object["added"], json!([{"name": "new", "path": "a.toml", "line": 8}]));
    assert_eq!(object["removed"][0]["name"], "gone");
    assert_eq!(object["changed"][0]["parts"], json!(["mode", "match", "limits"]));
    assert_eq!(
        (&object["moved"][0]["path_before"], &object["moved"][0]["path"]),
        (&json!("a.toml"), &json!("team/b.toml"))
    );
    assert_eq!(object["running"]["in_force"], false, "no daemon has said anything");
    store.close().await;
}

#[tokio::test]
async fn the_same_rules_are_the_same_wherever_they_stand_in_their_file() {
    let store = kept(&[("a.toml", &[KEPT, CHANGED].concat())]).await;
    let same = directory(&[("a.toml", &[CHANGED, "\n", KEPT, "\n"].concat())]);
    let (exit, out, err) = diff(&store.path(), same.path(), &[]);
    assert_eq!(exit, 0, "{out}{err}");
    assert!(out.contains("in nothing that belongs to a rule"), "{out}");
    assert!(out.ends_with("0 added, 0 removed, 0 changed, 0 moved; 2 rules unchanged\n"), "{out}");
    store.close().await;
}

/// The daemon's row names the first set, the newest is another one.
const WORKS_BY_THE_FIRST: &str = "INSERT INTO daemon SELECT 1, '0', 1, 0, 0, 0, NULL, min(id), 1, 'current', NULL, \
    'polling', '[]', '[]' FROM rule_set";

#[tokio::test]
async fn the_daemon_s_word_counts_before_the_newest_set() {
    let store = kept(&[("a.toml", KEPT)]).await;
    store.tamper(WORKS_BY_THE_FIRST).await;
    let empty = directory(&[]);
    let (exit, out, err) = diff(&store.path(), empty.path(), &[]);
    assert_eq!(exit, 0, "the first set has no rules: {out}{err}");
    assert!(out.starts_with("rules in force"), "{out}");
    store.close().await;
}

#[tokio::test]
async fn what_cannot_be_compared_is_named() {
    let store = kept(&[("a.toml", KEPT)]).await;
    let twice = directory(&[("a.toml", KEPT), ("b.toml", KEPT)]);
    let (exit, _, err) = diff(&store.path(), twice.path(), &[]);
    assert!(exit == 78 && err.contains("b.toml:2:1") && err.contains("defined twice"), "{exit} {err}");
    let (exit, _, err) = diff(&store.path(), &twice.path().join("absent"), &[]);
    assert!(exit == 66 && err.contains("cannot be listed: name one that exists"), "{exit} {err}");
    let large = directory(&[("large.toml", &format!("{KEPT}#{}\n", "x".repeat(FILE_BYTES_MAX)))]);
    let (exit, _, err) = diff(&store.path(), large.path(), &[]);
    assert!(exit == 78 && err.contains("split it into several files"), "{exit} {err}");
    store.tamper("DELETE FROM rule_set").await;
    let (exit, _, err) = diff(&store.path(), directory(&[]).path(), &[]);
    assert!(exit == 66 && err.contains("no rule set was ever in force"), "{exit} {err}");
    store.close().await;
}
