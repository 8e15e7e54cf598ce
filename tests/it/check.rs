//! `openeventd check` and the command line, as a user meets them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

const GOOD: &str = r#"
[kafka]
bootstrap_servers = ["127.0.0.1:1"]
topics = ["events"]
group_id = "group"
security_protocol = "plaintext"
"#;

pub(crate) fn given(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("it has a parent")).expect("directories are made");
        fs::write(path, text).expect("files are written");
    }
    directory
}

/// Exit code, standard output and standard error of the program in `directory`.
pub(crate) fn openeventd(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("openeventd")
        .expect("the program is built")
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
    (output.status.code().expect("no signal ended it"), text(output.stdout), text(output.stderr))
}

/// Every file below `directory` with its content.
fn snapshot(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("the directory is listed") {
        let path = entry.expect("the entry is read").path();
        if path.is_dir() {
            found.extend(snapshot(&path));
        } else {
            found.insert(path.display().to_string(), fs::read(&path).expect("the file is read"));
        }
    }
    found
}

#[test]
fn a_good_configuration_gives_one_line_and_touches_nothing() {
    let directory = given(&[
        ("openeventd.toml", GOOD),
        ("rules.d/a.toml", "[[rule]]\nname = \"a\"\nmatch = { id = \"1\" }\n"),
    ]);
    let before = snapshot(directory.path());
    let (code, stdout, stderr) = openeventd(directory.path(), &["check", "--config", "openeventd.toml"]);
    assert_eq!(
        (code, stdout.as_str(), stderr.as_str()),
        (0, "ok: 1 rule, 0 accounts; 0 errors, 0 warnings\n", "")
    );
    assert_eq!(snapshot(directory.path()), before);
}

#[test]
fn a_directory_without_rules_is_a_warning_that_names_it() {
    for file in ["rules.d/notes.md", "elsewhere/a.toml"] {
        let directory = given(&[("openeventd.toml", GOOD), (file, "")]);
        let (code, stdout, stderr) = openeventd(directory.path(), &["check", "--config", "openeventd.toml"]);
        assert_eq!((code, stdout.as_str()), (0, "ok: 0 rules, 0 accounts; 0 errors, 1 warning\n"));
        let expected = "openeventd.toml: warning: rules.directory: no rules: nothing will be decided\n  \
             help: rules are read from rules.d\n";
        assert_eq!(stderr, expected, "{file}");
    }
}

#[test]
fn wrong_settings_are_shown_on_standard_error_and_counted_on_standard_output() {
    let text = format!("{GOOD}topcis = [\"a\"]\nbatch_max = \"many\"\n");
    let directory = given(&[("openeventd.toml", &text)]);
    let (code, stdout, stderr) = openeventd(directory.path(), &["check", "--config", "openeventd.toml"]);
    assert_eq!((code, stdout.as_str()), (78, "not ok: 2 errors, 0 warnings\n"), "{stderr}");
    assert!(stderr.contains("openeventd.toml:7:1: error: kafka.topcis: unknown key"), "{stderr}");
    assert!(stderr.contains("help: did you mean `topics`?"), "{stderr}");
}

#[test]
fn a_warning_does_not_refuse_the_configuration() {
    let text = format!("{GOOD}username = \"alice\"\n");
    let directory = given(&[("openeventd.toml", &text)]);
    let (code, stdout, stderr) = openeventd(directory.path(), &["check", "--config", "openeventd.toml"]);
    assert_eq!((code, stdout.as_str()), (0, "ok: 0 rules, 0 accounts; 0 errors, 2 warnings\n"));
    assert!(stderr.contains("warning: kafka.username: has no use"), "{stderr}");
}

#[test]
fn help_shows_the_configuration_where_it_has_a_use() {
    let directory = given(&[]);
    for (command, is_shown) in [("check", true), ("init", false), ("demo", false)] {
        let (code, stdout, stderr) = openeventd(directory.path(), &[command, "--help"]);
        assert_eq!((code, stdout.contains("--config <FILE>")), (0, is_shown), "{command}: {stdout}{stderr}");
    }
}

#[test]
fn a_warning_that_is_denied_refuses_the_configuration() {
    let text = format!("{GOOD}username = \"alice\"\n");
    let rule = ("rules.d/a.toml", "[[rule]]\nname = \"a\"\nmatch = { code = \"commit-file\" }\n");
    let directory = given(&[("openeventd.toml", &text), rule]);
    let denying = ["check", "--config", "openeventd.toml", "--deny-warnings"];
    let (code, stdout, stderr) = openeventd(directory.path(), &denying);
    assert_eq!((code, stdout.as_str()), (78, "not ok: 0 errors, 1 warning\n"));
    assert!(stderr.contains("warning: kafka.username: has no use"), "{stderr}");
    let (code, stdout, _) = openeventd(directory.path(), &[&denying[..], &["--format", "json"]].concat());
    assert!(code == 78 && stdout.contains("\"ok\": false"), "{stdout}");
    let directory = given(&[("openeventd.toml", GOOD), rule]);
    assert_eq!(openeventd(directory.path(), &denying).0, 0);
}

#[test]
fn a_rule_that_cannot_be_read_refuses_the_configuration() {
    let directory = given(&[("openeventd.toml", GOOD)]);
    fs::create_dir(directory.path().join("rules.d")).expect("the directory is made");
    fs::write(directory.path().join("rules.d/a.toml"), b"\xff").expect("the file is written");
    let (code, _, stderr) = openeventd(directory.path(), &["check", "--config", "openeventd.toml"]);
    assert_eq!(code, 78);
    assert!(stderr.contains("rules.d/a.toml is not UTF-8 text"), "{stderr}");
}

#[test]
fn a_configuration_that_cannot_be_read_stops_every_subcommand_with_78_and_the_cause() {
    let directory = given(&[]);
    for subcommand in ["check", "run"] {
        let (code, _, stderr) = openeventd(directory.path(), &[subcommand, "--config", "none.toml"]);
        assert_eq!(code, 78);
        assert_eq!(
            stderr,
            "openeventd: cannot read the configuration none.toml: name it with --config or OPENEVENTD_CONFIG, \
             or write one with `openeventd init`: No such file or directory (os error 2)\n"
        );
    }
}

#[test]
fn wrong_arguments_end_with_64_and_help_and_version_with_0() {
    let directory = given(&[]);
    for arguments in [&["chekc"][..], &[], &["check", "--confg", "x"], &["run", "extra"]] {
        let (code, stdout, stderr) = openeventd(directory.path(), arguments);
        assert_eq!((code, stdout.as_str()), (64, ""), "{arguments:?}: {stderr}");
        assert!(!stderr.is_empty(), "{arguments:?}");
    }
    let (code, stdout, _) = openeventd(directory.path(), &["--version"]);
    assert_eq!((code, stdout.as_str()), (0, concat!("openeventd ", env!("CARGO_PKG_VERSION"), "\n")));
    let (code, stdout, _) = openeventd(directory.path(), &["--help"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("Examples:") && stdout.contains("78  wrong configuration"), "{stdout}");
}

const RULE_WITH_MISTAKES: &str = r#"
[[rule]]
name = "a"
mode = "live"
match = { code = [] }
[[rule.steps]]
operation = "RerunTaskInstances"
account = "main"
params = { Ids = ["{{ instance }}"], Commnt = "x" }
"#;

#[test]
fn mistakes_in_the_settings_hide_none_in_the_rules() {
    let account = "[account.main]\nedition = \"none\"\nregion = \"cn-shanghai\"\naccess_key_id = \"x\"\n";
    let policy = "[policy]\nallow = [{ operation = \"RerunTaskInstances\" }]\n";
    let (unknown, refused) = ("no account \"main\" is configured", "the policy does not allow it");
    for (settings, said, not_said) in [
        // What is known of accounts and policy is used,
        (format!("{GOOD}{account}{policy}"), vec!["account.main.edition"], vec![unknown, refused]),
        (format!("{GOOD}batch_max = 0\n"), vec!["kafka.batch_max", unknown, refused], vec![]),
        // and what is not known is no mistake of the rules.
        (format!("account = 1\npolicy = 1\n{GOOD}"), vec!["policy: "], vec![unknown, refused]),
        (format!("{GOOD}topics = = 1\n"), vec!["no valid TOML"], vec![unknown, refused]),
        (format!("{GOOD}[acount.main]\n"), vec!["did you mean `account`?"], vec![unknown, refused]),
        (format!("{GOOD}[polcy]\n"), vec!["did you mean `policy`?"], vec![unknown, refused]),
    ] {
        let directory = given(&[("openeventd.toml", &settings), ("rules.d/a.toml", RULE_WITH_MISTAKES)]);
        let (code, stdout, stderr) = openeventd(directory.path(), &["check", "--config", "openeventd.toml"]);
        assert_eq!(code, 78);
        assert!(stdout.starts_with("not ok: "), "{stdout}");
        let of_the_rule =
            ["a.toml:5:18: error: match.code: an empty list", "steps[0].params.Commnt: RerunTaskInstances"];
        for expected in said.into_iter().chain(of_the_rule) {
            assert!(stderr.contains(expected), "no `{expected}` in\n{stderr}");
        }
        for unexpected in not_said {
            assert!(!stderr.contains(unexpected), "`{unexpected}` in\n{stderr}");
        }
    }
}

#[test]
fn as_json_one_document_has_every_problem_and_the_summary() {
    let text = format!("{GOOD}username = \"alice\"\nbatch_max = 0\n");
    let directory = given(&[("openeventd.toml", &text), ("rules.d/a.toml", RULE_WITH_MISTAKES)]);
    let arguments = ["check", "--config", "openeventd.toml", "--format", "json"];
    let (code, stdout, stderr) = openeventd(directory.path(), &arguments);
    assert_eq!((code, stderr.as_str()), (78, ""));
    let document: serde_json::Value = serde_json::from_str(&stdout).expect("it is one document");
    assert_eq!(document["ok"], false);
    assert_eq!(document["summary"], "not ok: 5 errors, 1 warning");
    assert_eq!((&document["errors"], &document["warnings"]), (&5.into(), &1.into()));
    let diagnostics = document["diagnostics"].as_array().expect("a list");
    assert_eq!(diagnostics.len(), 6);
    assert_eq!(
        diagnostics[0],
        serde_json::json!({
            "severity": "warning", "file": "openeventd.toml", "line": 7, "column": 12, "key": "kafka.username",
            "message": "has no use with security_protocol = \"plaintext\"", "help": "remove it, or use sasl_ssl",
            "quoted": "username = \"alice\"",
        })
    );
    let directory = given(&[("openeventd.toml", GOOD), ("rules.d/a.toml", "")]);
    let (code, stdout, _) = openeventd(directory.path(), &[&arguments[..], &["--calls"]].concat());
    let document: serde_json::Value = serde_json::from_str(&stdout).expect("it is one document");
    assert_eq!(code, 0);
    assert_eq!((&document["ok"], &document["rules"]), (&true.into(), &0.into()));
    assert_eq!((&document["accounts"], &document["calls"]), (&0.into(), &serde_json::json!([])));
    let (code, stdout, _) =
        openeventd(directory.path(), &["check", "--config", "none.toml", "--format", "json"]);
    assert_eq!(code, 78);
    assert!(stdout.contains("cannot read the configuration none.toml"), "{stdout}");
}

#[test]
fn a_line_of_half_a_mebibyte_is_quoted_where_the_mistake_is() {
    let filler = "\"x\", ".repeat(50_000);
    let rule =
        format!("rule = [{{ name = \"a\", match = {{ code = [{filler}\"y\"] }}, dta = [{filler}] }}]\n");
    let space = " ".repeat(1_000);
    let text = format!(
        "kafka = {{ password {space}= {{ file = \"/hidden\" }}, bach = \"{}\" }}\n",
        "s".repeat(5_000)
    );
    let directory = given(&[("openeventd.toml", &text), ("rules.d/a.toml", &rule)]);
    for format in ["text", "json"] {
        let arguments = ["check", "--config", "openeventd.toml", "--format", format];
        let (code, stdout, stderr) = openeventd(directory.path(), &arguments);
        let said = format!("{stdout}{stderr}");
        assert_eq!(code, 78);
        assert!(said.contains("dta") && said.contains("bach") && said.contains("] }, dta = ["), "{said}");
        assert!(said.len() < 8_000, "{}", said.len());
        assert!(!said.contains("sss"), "{said}");
    }
}
