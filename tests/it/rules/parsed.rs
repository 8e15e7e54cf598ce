//! Rule files: what is accepted, and every complaint word for word.
//!
//! Each `tests/fixtures/rules/bad/NAME.toml` has its whole report beside it in `NAME.txt`. After a change
//! of wording run the tests once with `UPDATE_FIXTURES=1` and read the difference.

use std::path::{Path, PathBuf};

use openeventd::diagnostic::Diagnostic;
use openeventd::operation::ApiVersion;
use openeventd::rule::parse::{FILE_BYTES_MAX, KnownAccount, Parsed, Surroundings, parse};
use openeventd::rule::policy::Allow;
use openeventd::rule::{Mode, Policy, RuleFile};

use super::event_of::{files, rule_set};

fn parsed(files: Vec<RuleFile>) -> Parsed {
    let several = files.iter().any(|file| file.path.contains("accounts"));
    let names: &[&str] = if several { &["main", "test"] } else { &["main"] };
    let accounts: Vec<KnownAccount> = names.iter().map(|name| KnownAccount::named(name)).collect();
    let allow = Allow { operation: "RerunTaskInstances".into(), workspaces: vec![], rules: "team".into() };
    parse(files, &Surroundings { accounts: &accounts, policy: &Policy { allow: vec![allow] } })
}

fn report(parsed: Parsed) -> String {
    let (verdict, diagnostics) = match parsed {
        Ok((_, warnings)) => ("accepted", warnings),
        Err(problems) => ("refused", problems),
    };
    let shown: Vec<String> = diagnostics.iter().map(Diagnostic::to_string).collect();
    format!("{}\n\n{verdict}\n", shown.join("\n\n"))
}

fn bad_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rules/bad");
    let entries = std::fs::read_dir(folder).expect("the folder");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_bad_file_gets_its_whole_report() {
    let bad = bad_files();
    assert!(bad.len() >= 12);
    let mut wrong = Vec::new();
    for path in bad {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("the file");
        let found = report(parsed(vec![RuleFile { path: name.clone(), text }]));
        let beside = path.with_extension("txt");
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            std::fs::write(&beside, &found).expect("the report is written");
        }
        if std::fs::read_to_string(&beside).ok().as_deref() != Some(found.as_str()) {
            wrong.push(format!("--- {name}\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_problem_of_every_file_is_in_one_report() {
    let report = report(parsed(files(&[
        ("b.toml", "[[rule]]\nname = \"same\"\nmatch = { code = 'x' }\nmod = 1\n"),
        ("a/a.toml", "[[rule]]\nname = \"same\"\nmatch = { code = [] }\n"),
        ("c.toml", "not toml"),
    ])));
    let places: Vec<&str> =
        report.lines().filter(|line| line.contains(".toml:") && !line.starts_with(' ')).collect();
    assert_eq!(
        places,
        [
            "a/a.toml:3:18: error: match.code: an empty list says nothing",
            "b.toml:2:8: error: name: the rule \"same\" is defined twice",
            "b.toml:3:18: warning: match.code: no event has the value \"x\"",
            "b.toml:4:1: error: mod: unknown key",
            "c.toml:1:5: error: not TOML: key with no value, expected `=`",
        ]
    );
    assert!(report.contains("the other one is at a/a.toml:2; rename one"), "{report}");
}

#[test]
fn a_rule_has_the_documented_defaults() {
    let rules = rule_set("# a comment\n\n[[rule]]\nname = \"a\"\nmatch = { code = \"x\" }\n");
    let rule = &rules.rules[0];
    assert_eq!((rule.name.as_str(), rule.path.as_str(), rule.line), ("a", "test.toml", 3));
    assert_eq!((rule.mode, rule.max_calls), (Mode::Observe, 100));
    assert_eq!((rule.max_event_age_ms, rule.expires_ms), (3_600_000, 1_800_000));
    assert!(rule.step.is_none());
}

#[test]
fn a_rule_says_everything() {
    let rules = rule_set(
        r#"
        [[rule]]
        name = "rerun-failed-etl"
        mode = "live"
        max_event_age = "2h"
        max_calls = 0x10
        expires = "90s"
        match = '{"code": ["instance-status-changes"], "data": {"dagType": [0]}}'
        [[rule.steps]]
        operation = "RestartInstance"
        account = "main"
        params = { InstanceId = "{{ instance }}", ProjectEnv = "PROD" }
        in_order_by = "{{ instance }}"
        "#,
    );
    let rule = &rules.rules[0];
    assert_eq!((rule.mode, rule.max_calls), (Mode::Live, 16));
    assert_eq!((rule.max_event_age_ms, rule.expires_ms), (7_200_000, 90_000));
    let step = rule.step.as_ref().expect("a step");
    assert_eq!((step.operation.name, step.operation.version), ("RestartInstance", ApiVersion::V2020));
    assert_eq!(step.account.as_deref(), Some("main"));
    assert_eq!(step.params.keys().collect::<Vec<_>>(), ["InstanceId", "ProjectEnv"]);
}

#[test]
fn the_policy_may_depend_on_the_directory() {
    let live = "[[rule]]\nname = \"a\"\nmode = \"live\"\nmatch = { code = \"x\" }\n[[rule.steps]]\n\
                account = \"main\"\noperation = \"RerunTaskInstances\"\n";
    assert!(parsed(files(&[("team/a.toml", live)])).is_ok());
    assert!(parsed(files(&[("other/a.toml", live)])).is_err());
}

#[test]
fn without_an_account_only_observing_rules_may_call() {
    let policy = Policy::default();
    let surroundings = Surroundings { accounts: &[], policy: &policy };
    let read = |mode: &str| {
        let text = format!(
            "[[rule]]\nname = \"a\"\nmode = \"{mode}\"\nmatch = {{ code = \"x\" }}\n[[rule.steps]]\n\
             operation = \"GetTaskInstance\"\nparams = {{ Id = 1 }}\n"
        );
        parse(files(&[("a.toml", &text)]), &surroundings).is_ok()
    };
    assert!(read("observe"));
    assert!(!read("live"));
}

#[test]
fn the_hash_names_paths_and_texts_whatever_their_order() {
    let hash = |list: &[(&str, &str)]| parsed(files(list)).expect("good files").0.hash;
    let one = hash(&[("a.toml", "# 1"), ("b.toml", "# 2")]);
    assert_eq!(one, hash(&[("b.toml", "# 2"), ("a.toml", "# 1")]));
    assert_ne!(one, hash(&[("a.toml", "# 2"), ("b.toml", "# 1")]));
    assert_ne!(one, hash(&[("a.toml", "# 1"), ("c.toml", "# 2")]));
    assert!(one.len() == 64 && one.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

#[test]
fn a_file_of_absurd_size_is_refused() {
    let report = report(parsed(files(&[("a.toml", &"#".repeat(FILE_BYTES_MAX + 1))])));
    assert!(report.contains("the file has 1048577 bytes, at most 1048576 are read"), "{}", report.len());
}

#[test]
fn the_account_says_which_version_a_step_means_that_says_none() {
    let [older, newer] = [ApiVersion::V2020, ApiVersion::V2024];
    let account = |name: &str, api_version| KnownAccount { name: name.into(), api_version };
    let (old, new) = (account("old", Some(older)), account("new", Some(newer)));
    // ListDataSources is in both versions, GetTaskInstance in the newer one only.
    for (accounts, step, expected) in [
        (vec![old.clone()], BOTH, Some(older)),
        (vec![new.clone()], BOTH, Some(newer)),
        (
            vec![old.clone(), new.clone()],
            "operation = \"ListDataSources\"\naccount = \"new\"\nparams = { ProjectId = 1 }",
            Some(newer),
        ),
        (
            vec![new.clone()],
            "operation = \"ListDataSources\"\nversion = \"2020-05-18\"\nparams = { ProjectId = 1 }",
            Some(older),
        ),
        (vec![account("any", None)], BOTH, None),
        (vec![old], "operation = \"GetTaskInstance\"\nparams = { Id = 1 }", Some(newer)),
    ] {
        let text = format!("[[rule]]\nname = \"r\"\nmatch = {{ code = 'x' }}\n[[rule.steps]]\n{step}\n");
        let policy = Policy::default();
        let parsed =
            parse(files(&[("r.toml", &text)]), &Surroundings { accounts: &accounts, policy: &policy });
        let version =
            parsed.ok().and_then(|(rules, _)| Some(rules.rules[0].step.as_ref()?.operation.version));
        assert_eq!(version, expected, "{step}");
    }
}

const BOTH: &str = "operation = \"ListDataSources\"\nparams = { ProjectId = 1 }";
