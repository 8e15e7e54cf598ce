//! `openeventd rules import` and `openeventd rules export`, as a user meets them.

use std::fs;

use assert_cmd::Command;

use super::check::{given, openeventd};

const PATTERN: &str = r#"{"detail-type": ["dataworks:FileChange:CommitFile"], "detail": {"fileId": [1]}}"#;
/// Its secret is nowhere: rules can be exported all the same.
const SETTINGS: &str = "[kafka]\nusername = \"u\"\npassword = { env = \"NOWHERE\" }\n";
const RULES: &str =
    "[[rule]]\nname = \"a\"\nmatch = { data.n = 1 }\n[[rule]]\nname = \"b\"\nmatch = { instance = 1 }\n";

#[test]
fn a_pattern_is_written_to_a_new_file_that_check_accepts() {
    let directory = given(&[("My Pattern.json", PATTERN), ("rules.d/there.toml", "")]);
    let arguments = ["rules", "import", "My Pattern.json", "--out", "rules.d/new.toml"];
    let (code, stdout, stderr) = openeventd(directory.path(), &arguments);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "", "1 rule imported\n"));
    let written = fs::read_to_string(directory.path().join("rules.d/new.toml")).expect("it is written");
    assert_eq!(
        written,
        "# Imported from My Pattern.json: My Pattern\n[[rule]]\nname = \"my-pattern\"\nmode = \"observe\"\n\
         match = '''\n{\n  \"type\": [\"dataworks:FileChange:CommitFile\"],\n  \"data\": {\"fileId\": [1]}\n}'''\n"
    );
    let (code, _, stderr) = openeventd(directory.path(), &arguments);
    assert_eq!(code, 73);
    assert!(
        stderr.contains("cannot write rules.d/new.toml; a file that exists is not overwritten"),
        "{stderr}"
    );
    assert_eq!(fs::read_to_string(directory.path().join("rules.d/new.toml")).expect("it is there"), written);
}

#[test]
fn nothing_is_written_where_nothing_can_be_imported() {
    let directory = given(&[("wrong.json", "{\"a\": 1}"), ("rules.d/there.toml", "")]);
    let arguments = ["rules", "import", "wrong.json", "--out", "rules.d/new.toml"];
    let (code, stdout, stderr) = openeventd(directory.path(), &arguments);
    assert_eq!((code, stdout.as_str()), (65, ""));
    assert!(stderr.contains("wrong.json:1:7: error: wrong: a: expected a list"), "{stderr}");
    assert!(stderr.ends_with("0 rules imported, 1 left out\n"), "{stderr}");
    assert!(!directory.path().join("rules.d/new.toml").exists());
    let (code, _, stderr) = openeventd(directory.path(), &["rules", "import", "absent.json"]);
    assert_eq!(code, 66, "{stderr}");
}

#[test]
fn a_list_that_goes_on_is_no_success_and_no_rule_that_was_left_out() {
    let list = format!(r#"{{"Rules": [{{"Name": "a", "EventPattern": {PATTERN}}}], "NextToken": "more"}}"#);
    let directory = given(&[("list.json", &list)]);
    let (code, stdout, stderr) = openeventd(directory.path(), &["rules", "import", "list.json"]);
    assert_eq!((code, stdout.contains("name = \"a\"")), (65, true), "{stderr}");
    assert!(stderr.contains("the list goes on") && stderr.ends_with("\n1 rule imported\n"), "{stderr}");
}

#[test]
fn what_is_exported_can_be_piped_into_an_import() {
    let directory = given(&[("openeventd.toml", SETTINGS), ("rules.d/a.toml", RULES)]);
    let (code, exported, stderr) =
        openeventd(directory.path(), &["rules", "export", "--config", "openeventd.toml"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let output = Command::cargo_bin("openeventd")
        .expect("the program is built")
        .args(["rules", "import", "-"])
        .write_stdin(exported)
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let rules: toml::Table =
        String::from_utf8(output.stdout).expect("it is text").parse().expect("it is TOML");
    let names: Vec<_> =
        rules["rule"].as_array().expect("rules").iter().map(|rule| rule["name"].as_str()).collect();
    assert_eq!(names, [Some("a"), Some("b")]);
}

#[test]
fn one_rule_is_exported_by_itself_or_it_is_told_why_not() {
    let directory = given(&[("openeventd.toml", SETTINGS), ("rules.d/a.toml", RULES)]);
    let export = |name: &str| {
        let arguments =
            ["rules", "export", "--config", "openeventd.toml", "--dialect", "aws", "--rule", name];
        openeventd(directory.path(), &arguments)
    };
    assert_eq!(export("a"), (0, "{\n  \"detail\": {\"n\": [1]}\n}\n".to_owned(), String::new()));
    let (code, stdout, stderr) = export("b");
    assert_eq!((code, stdout.as_str()), (65, ""));
    assert!(
        stderr.contains("a.toml:6:11: error: b: match.instance: `instance` is known here only"),
        "{stderr}"
    );
    let (code, _, stderr) = export("c");
    assert_eq!(code, 66);
    assert!(stderr.contains("there is no rule \"c\""), "{stderr}");
}
