//! `openeventd rules test`, as a person and a CI system meet it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

const RULES: &str = r#"
[[rule]]
name = "rerun-failed"
match = { code = "instance-status-changes", status = "Failure", data = { dagType = 0 } }

[[rule.steps]]
operation = "RerunTaskInstances"
params = { Ids = ["{{ instance }}"], Comment = "rerun by {{ rule }}" }
in_order_by = "{{ instance }}"

[[rule]]
name = "large-download"
match = { code = "download-resources", rows = { numeric = [">", 100000] } }
"#;

const TESTS: &str = r#"
[[test]]
name = "a failed instance is run again"
sample = "instance-status-changes"
not_matches = ["large-download"]
only = true
[[test.calls]]
rule = "rerun-failed"
operation = "RerunTaskInstances"
version = "2024-05-18"
params = { Ids = [73910042265], Comment = "rerun by rerun-failed" }
in_order_by = "73910042265"

[[test]]
name = "a backfill is left alone"
sample = "instance-status-changes"
with = { data.dagType = 3 }
not_matches = ["rerun-failed"]

[[test]]
name = "many rows"
sample = "download-resources"
matches = ["large-download"]
"#;

fn given(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        let path = directory.path().join("rules.d").join(name);
        fs::create_dir_all(path.parent().expect("it has a parent")).expect("directories are made");
        fs::write(path, text).expect("the file is written");
    }
    directory
}

/// Exit code, standard output and standard error of `openeventd rules test` in `directory`.
fn tested(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_openeventd"))
        .args(["rules", "test"])
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
    (output.status.code().expect("no signal ended it"), text(output.stdout), text(output.stderr))
}

/// What comes of `tests` beside [`RULES`].
fn tests_of(tests: &str) -> (i32, String, String) {
    tested(given(&[("a.toml", RULES), ("a.test.toml", tests)]).path(), &["rules.d"])
}

#[test]
fn tests_that_pass_end_with_0_and_a_summary() {
    assert_eq!(
        tests_of(TESTS),
        (0, "ok: 3 tests passed, 0 failed; 2 of 2 rules covered\n".into(), String::new())
    );
}

#[test]
fn a_test_that_fails_ends_with_65_and_shows_expected_and_got_line_by_line() {
    let wrong = TESTS
        .replace("Ids = [73910042265], Comment", "Ids = [1], UseLatestConfig = true, Comment")
        .replace("data.dagType = 3", "data.dagType = 0")
        .replace("sample = \"download-resources\"", "sample = \"download-resources-execute\"");
    let (code, stdout, stderr) = tests_of(&wrong);
    assert_eq!((code, stderr.as_str()), (65, ""));
    assert_eq!(
        stdout,
        "failed: a.test.toml:2: a failed instance is run again
  rerun-failed makes another call
    - expected, + got
      operation = \"RerunTaskInstances\"
      version = \"2024-05-18\"
      in_order_by = \"73910042265\"
      params.Comment = \"rerun by rerun-failed\"
    - params.Ids = [1]
    + params.Ids = [73910042265]
    - params.UseLatestConfig = true
failed: a.test.toml:14: a backfill is left alone
  rerun-failed matches the event, and should not
failed: a.test.toml:20: many rows
  large-download does not match the event, and should
    code is \"download-resources-execute\", expected [\"download-resources\"]
not ok: 0 tests passed, 3 failed; 2 of 2 rules covered
"
    );
}

#[test]
fn every_mistake_is_shown_with_its_place_and_fix_and_nothing_is_run() {
    for (tests, told) in [
        ("[[tests]]\n", "a.test.toml:1:3: error: tests: unknown key"),
        ("[[test]]\nmatchs = []\n", "did you mean `matches`?"),
        ("[[test]]\nname = \"x\"\nsample = \"delete-project\"\n", "a test needs an expectation"),
        ("[[test]]\nname = \"x\"\nmatches = [\"large-download\"]\n", "a test needs an event"),
        ("[[test]]\nsample = \"commit-fil\"\n", "did you mean \"commit-file\"?"),
        ("[[test]]\nsample = \"commit-file\"\nevent = \"{}\"\n", "a test has one event"),
        ("[[test]]\nevent = '{\"a\": 1,}'\n", "a.test.toml:2:18: error: event: not JSON"),
        ("[[test]]\nevent = '{\"a\": 1}'\n", "the record would go to quarantine (unknown_envelope)"),
        ("[[test]]\nevent = { a = 2026-01-01 }\n", "a TOML date has no JSON form"),
        ("[[test]]\nevent = {}\nwith = { a = 1 }\n", "`with` changes a sample or an event from a file"),
        (
            "[[test]]\nsample = \"commit-file\"\nwith = { status = 5 }\n",
            "change the field that it comes from",
        ),
        (
            "[[test]]\nsample = \"commit-file\"\nwith = { data.fileId.x = 5 }\n",
            "the event has the number 504128830 where this looks for `x`",
        ),
        ("[[test]]\nevent_file = \"../a.json\"\n", "is no path of a file below the rule directory"),
        ("[[test]]\nevent_file = \"a.json\"\n", "cannot read a.json"),
        ("[[test]]\nmatches = [\"rerun-faild\"]\n", "did you mean \"rerun-failed\"?"),
        ("[[test]]\nmatches = []\n", "an empty list expects nothing"),
        ("[[test]]\ncalls = [{ rule = \"x\" }]\n", "calls[0].operation: missing: what is called"),
        ("[[test]]\ncalls = [{ operation = \"RerunTaskInstance\" }]\n", "RerunTaskInstances"),
        (
            "[[test]]\ncalls = [{ operation = \"RerunTaskInstances\", version = \"2020-05-18\" }]\n",
            "API version 2020-05-18 has no operation RerunTaskInstances",
        ),
        (
            "[[test]]\nfails = [{ rule = \"rerun-failed\", because = \"x\" }]\n",
            "fails[0].because: unknown key",
        ),
        (
            "[[test]]\nmatches = [\"rerun-failed\"]\nnot_matches = [\"rerun-failed\"]\n",
            "cannot both match and not match",
        ),
        ("[[test]]\nname = \"x\"\n[[test]]\nname = \"x\"\n", "the other one is at line 1; rename one"),
        ("[[test]\n", "not TOML"),
    ] {
        let (code, stdout, stderr) = tests_of(tests);
        assert_eq!((code, stdout.as_str()), (78, ""), "{tests}");
        assert!(stderr.contains(told), "{tests}: {stderr}");
        assert!(stderr.starts_with("a.test.toml:"), "{stderr}");
    }
    let broken = given(&[("a.toml", "[[rule]]\nname = \"x\"\n"), ("a.test.toml", TESTS)]);
    let (code, _, stderr) = tested(broken.path(), &["rules.d"]);
    assert_eq!(code, 78);
    assert!(stderr.contains("a.toml:1:1: error: match: a rule needs a pattern"), "{stderr}");
}

#[test]
fn a_changed_field_that_no_such_event_has_is_a_warning_and_the_tests_are_run() {
    let tests = |event: &str| format!("[[test]]\nname = \"x\"\n{event}\nmatches = []\nonly = true\n");
    let unknown = "no field of this event, as far as is known";
    for (event, told) in [
        (
            "sample = \"delete-project\"\nwith = { data.projektId = 6 }",
            format!("a.test.toml:4:15: warning: with.data.projektId: {unknown}\n"),
        ),
        (
            "sample = \"commit-file\"\nwith = { data = { operator = \"u\", fileNam = \"etl_x\" } }",
            format!("a.test.toml:4:35: warning: with.data.fileNam: {unknown}\n"),
        ),
        (
            "event_file = \"e.json\"\nwith = { \"data.fileNam\" = { absent = true } }",
            format!("a.test.toml:4:10: warning: with.data.fileNam: {unknown}\n"),
        ),
        (
            "sample = \"commit-file\"\nwith = { dta.fileName = \"x\" }",
            "a.test.toml:4:14: warning: with.dta: not an attribute of events".to_owned(),
        ),
        ("sample = \"commit-file\"\nwith = { data.fileName = \"x\", aliyunregionid = \"r\" }", String::new()),
        // Nobody knows what these have, or somebody does.
        ("sample = \"review-file\"\nwith = { data.fileNam = \"x\" }", String::new()),
        ("event = { eventCode = \"commit-file\", fileNam = \"x\" }", String::new()),
    ] {
        let sample = openeventd::event::sample::of("commit-file").expect("a sample");
        let directory = given(&[("a.toml", RULES), ("a.test.toml", &tests(event)), ("e.json", sample)]);
        let (code, stdout, stderr) = tested(directory.path(), &["rules.d"]);
        assert_eq!(code, 0, "{event}: {stdout}{stderr}");
        assert!(stderr.starts_with(&told) && stderr.is_empty() == told.is_empty(), "{event}: {stderr}");
        assert!(stderr.contains("did you mean") != told.is_empty(), "{event}: {stderr}");
    }
}

#[test]
fn mistakes_of_settings_rules_and_tests_are_shown_together() {
    let rules = format!("{RULES}\n[[rule]]\nname = \"wrong\"\n");
    let tests = "[[test]]\nname = \"x\"\nsample = \"commit-fil\"\nmatches = [\"wrong\", \"rong\", \"rerun-failed\"]\n";
    let directory = given(&[("a.toml", &rules), ("a.test.toml", tests)]);
    let of_rules = "a.toml:15:1: error: match: a rule needs a pattern";
    let of_tests =
        ["a.test.toml:3:10: error: sample", "a.test.toml:4:21: error: matches: there is no rule \"rong\""];
    let (code, stdout, stderr) = tested(directory.path(), &["rules.d"]);
    assert_eq!((code, stdout.as_str(), stderr.matches("error: ").count()), (78, "", 3), "{stderr}");
    for expected in [of_rules].into_iter().chain(of_tests) {
        assert!(stderr.contains(expected), "no `{expected}` in\n{stderr}");
    }
    let config = directory.path().join("openeventd.toml");
    fs::write(&config, "[account.main]\nregion = 1\n").expect("the file is written");
    let (code, _, stderr) = tested(directory.path(), &["--config", "openeventd.toml"]);
    assert_eq!(code, 78);
    for expected in ["openeventd.toml:2:10: error: account.main.region", of_rules].into_iter().chain(of_tests)
    {
        assert!(stderr.contains(expected), "no `{expected}` in\n{stderr}");
    }
    // A file that is no TOML may hold the rule.
    fs::write(directory.path().join("rules.d/b.toml"), "[[rule]\n").expect("the file is written");
    let (_, _, stderr) = tested(directory.path(), &["rules.d"]);
    assert!(stderr.contains("commit-file") && !stderr.contains("there is no rule"), "{stderr}");
}

#[test]
fn a_step_that_names_no_account_has_the_same_one_with_a_configuration_and_without() {
    let tests = |account: &str| TESTS.replace("version = ", &format!("account = \"{account}\"\nversion = "));
    let directory = given(&[("a.toml", RULES), ("a.test.toml", &tests("main"))]);
    assert_eq!(tested(directory.path(), &["rules.d"]).0, 0);
    let config = directory.path().join("openeventd.toml");
    let account = |name: &str| {
        format!("[account.{name}]\nregion = \"cn-shanghai\"\nedition = \"basic\"\naccess_key_id = \"x\"\n")
    };
    for settings in [String::new(), account("main")] {
        fs::write(&config, settings).expect("the file is written");
        let (code, stdout, stderr) = tested(directory.path(), &["--config", "openeventd.toml"]);
        assert_eq!(code, 0, "{stdout}{stderr}");
    }
    fs::write(&config, account("prod")).expect("the file is written");
    assert_eq!(tested(directory.path(), &["--config", "openeventd.toml"]).0, 65);
    fs::write(directory.path().join("rules.d/a.test.toml"), tests("prod")).expect("the file is written");
    assert_eq!(tested(directory.path(), &["--config", "openeventd.toml"]).0, 0);
}

#[test]
fn a_rule_that_matches_and_cannot_make_its_call_fails_the_test_unless_that_is_expected() {
    let without_instance = "[[test]]\nname = \"x\"\nsample = \"instance-status-changes\"\n\
                            with = { data.taskId = { absent = true } }\n";
    let (code, stdout, _) = tests_of(&format!("{without_instance}matches = [\"rerun-failed\"]\n"));
    assert_eq!(code, 65);
    assert!(stdout.contains("rerun-failed matches, but its call cannot be made: "), "{stdout}");
    assert!(stdout.contains("the event has no `instance`"), "{stdout}");
    for (reason, expected) in [("no `instance`", 0), ("no `node`", 65)] {
        let fails =
            format!("{without_instance}fails = [{{ rule = \"rerun-failed\", reason = \"{reason}\" }}]\n");
        assert_eq!(tests_of(&fails).0, expected, "{reason}");
    }
    let succeeds = "[[test]]\nname = \"x\"\nsample = \"instance-status-changes\"\nfails = [{ rule = \"rerun-failed\" }]\n";
    assert!(tests_of(succeeds).1.contains("rerun-failed should fail, and does not"));
}

#[test]
fn changed_events_keep_every_digit_and_may_hold_null_and_lack_fields() {
    let rules = "[[rule]]\nname = \"exact\"\nmatch = { data = { big = 9007199254740993 } }\n\
                 [[rule]]\nname = \"null\"\nmatch = { data = { gone = { null = true } } }\n\
                 [[rule]]\nname = \"absent\"\nmatch = { data = { gone = { exists = false } } }\n";
    let tests = r#"
        [[test]]
        name = "one"
        sample = "commit-file"
        with = { data = { big = 9007199254740993, gone = { null = true } } }
        matches = ["exact", "null"]
        not_matches = ["absent"]
        [[test]]
        name = "two"
        sample = "commit-file"
        with = { "data.big" = 9007199254740992, data.new.deeper = [1, { a = { null = true } }] }
        matches = ["absent"]
        not_matches = ["exact", "null"]
        [[test]]
        name = "three"
        event_file = "events/one.json"
        with = { data.gone = { absent = true } }
        matches = ["absent", "exact"]
        "#;
    let event = r#"{"id": "1", "source": "s", "type": "t", "specversion": "1.0",
                    "data": {"big": 9007199254740993, "gone": null}}"#;
    let directory = given(&[("a.toml", rules), ("a.test.toml", tests), ("events/one.json", event)]);
    let (code, stdout, stderr) = tested(directory.path(), &["rules.d"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
}

#[test]
fn of_a_repeated_key_the_one_that_counts_is_changed() {
    let event = r#"{"eventCode": "instance-status-changes", "taskId": 7, "status": 5, "status": 5}"#;
    let test =
        "[[test]]\nname = \"a\"\nevent_file = \"e.json\"\nwith = { status = 6 }\nmatches = []\nonly = true\n";
    let rule = "[[rule]]\nname = \"failed\"\nmatch = { status = \"Failure\" }\n";
    let directory = given(&[("a.toml", rule), ("a.test.toml", test), ("e.json", event)]);
    let (code, stdout, stderr) = tested(directory.path(), &["rules.d"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
}

#[test]
fn a_link_that_leads_out_of_the_rule_directory_is_not_followed_to_an_event() {
    let test = "[[test]]\nname = \"x\"\nevent_file = \"e.json\"\nmatches = [\"large-download\"]\n";
    let directory = given(&[("a.toml", RULES), ("a.test.toml", test)]);
    let outside = directory.path().join("outside.json");
    fs::write(&outside, "{}").expect("the file is written");
    symlink(&outside, directory.path().join("rules.d/e.json")).expect("the link is made");
    let (code, _, stderr) = tested(directory.path(), &["rules.d"]);
    assert_eq!(code, 78);
    assert!(stderr.contains("a link leads out of the rule directory"), "{stderr}");
}

#[test]
fn what_no_test_shows_is_told_and_fails_on_request() {
    let (tests, _) = TESTS.split_once("[[test]]\nname = \"many rows\"").expect("it is there");
    let directory = given(&[("a.toml", RULES), ("a.test.toml", tests)]);
    let told = "not covered: large-download: no test where it matches\n\
                not covered: operator numeric, as in large-download: no rule with it has both tests\n\
                ok: 2 tests passed, 0 failed; 1 of 2 rules covered\n";
    assert_eq!(tested(directory.path(), &["rules.d"]), (0, told.into(), String::new()));
    let failing = tested(directory.path(), &["rules.d", "--fail-uncovered", "--junit", "report.xml"]);
    assert_eq!(failing, (65, told.replace("ok: 2", "not ok: 2"), String::new()));
    let report = fs::read_to_string(directory.path().join("report.xml")).expect("the report is written");
    assert!(report.contains("<testsuites name=\"openeventd rules\" tests=\"4\" failures=\"2\""), "{report}");
    for expected in [
        "<testsuite name=\"coverage\" tests=\"2\" failures=\"2\"",
        "<testcase name=\"large-download\" classname=\"coverage\">",
        "<failure message=\"not covered: no test where it matches\"/>",
        "<testcase name=\"operator numeric, as in large-download\" classname=\"coverage\">",
    ] {
        assert!(report.contains(expected), "no `{expected}` in\n{report}");
    }
    let of_one = tested(directory.path(), &["rules.d", "--fail-uncovered", "--rule", "rerun-failed"]);
    assert_eq!(of_one, (0, "ok: 2 tests passed, 0 failed; 1 of 1 rule covered\n".into(), String::new()));
    let (code, _, stderr) = tested(directory.path(), &["rules.d", "--rule", "rerun-faild"]);
    assert_eq!(code, 64);
    assert!(stderr.contains("did you mean \"rerun-failed\"?"), "{stderr}");
}

#[test]
fn programs_get_a_line_for_each_test_and_one_for_the_whole() {
    let tests = TESTS.replace("[73910042265]", "[1]");
    let directory = given(&[("a.toml", RULES), ("a.test.toml", &tests)]);
    let (code, stdout, _) = tested(directory.path(), &["rules.d", "--json"]);
    assert_eq!(code, 65);
    let lines: Vec<Value> =
        stdout.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(
        lines[0],
        json!({
            "test": "a failed instance is run again", "file": "a.test.toml", "line": 2, "passed": false,
            "failures": [{
                "message": "rerun-failed makes another call",
                "conditions": [],
                "expected": ["params.Ids = [1]"],
                "got": ["params.Ids = [73910042265]"],
            }],
        })
    );
    assert_eq!(lines[1]["passed"], json!(true));
    assert_eq!(
        lines[3],
        json!({
            "passed": 2, "failed": 1,
            "rules": [
                { "rule": "rerun-failed", "test_matches": true, "test_not_matches": true },
                { "rule": "large-download", "test_matches": true, "test_not_matches": true },
            ],
            "operators_not_covered": [],
        })
    );
}

#[test]
fn the_report_for_ci_is_xml_whatever_stands_in_tests_and_events() {
    let rules = RULES.replace("rerun by {{ rule }}", "{{ data.text }}");
    let tests = r#"
        [[test]]
        name = '<a> & "b" ]]>'
        sample = "instance-status-changes"
        with = { data.text = "\u001B<![CDATA[ & \uFFFF" }
        calls = [{ rule = "rerun-failed", operation = "RerunTaskInstances", params = {} }]
        "#;
    let directory = given(&[("a.toml", &rules), ("a.test.toml", tests)]);
    let (code, _, stderr) = tested(directory.path(), &["rules.d", "--junit", "report.xml"]);
    assert_eq!(code, 65, "{stderr}");
    let report = fs::read_to_string(directory.path().join("report.xml")).expect("the report is written");
    let mut reader = quick_xml::Reader::from_str(&report);
    let mut names = Vec::new();
    loop {
        match reader.read_event().expect("the report is XML") {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(start) => {
                names.push(start.name().as_ref().to_owned());
            }
            _ => {}
        }
    }
    assert_eq!(names, ["testsuites", "testsuite", "testcase", "failure"]);
    assert!(report.contains("name=\"&lt;a&gt; &amp; &quot;b&quot; ]]&gt;\""), "{report}");
    assert!(report.contains(r"\u001b&lt;![CDATA[ &amp; "), "{report}");
    assert!(!report.contains(['\u{1b}', '\u{ffff}']), "{report}");
    let (code, _, stderr) = tested(directory.path(), &["rules.d", "--junit", "no/such/report.xml"]);
    assert_eq!(code, 73);
    assert!(stderr.contains("cannot write the report no/such/report.xml"), "{stderr}");
}

#[test]
fn a_configuration_gives_accounts_and_policy_without_its_secrets_and_its_rule_directory() {
    let rules = RULES.replace("operation = \"Rerun", "account = \"main\"\noperation = \"Rerun");
    let rules = rules.replacen("match", "mode = \"live\"\nmatch", 1);
    let tests = TESTS.replace("version = ", "account = \"main\"\nversion = ");
    let directory = given(&[("a.toml", &rules), ("a.test.toml", &tests)]);
    let settings = "[account.main]\nregion = \"cn-shanghai\"\nedition = \"basic\"\naccess_key_id = \"x\"\n\
                    access_key_secret = { credential = \"not-here\" }\n\
                    [policy]\nallow = [{ operation = \"RerunTaskInstances\" }]\n";
    let config = directory.path().join("openeventd.toml");
    fs::write(&config, settings).expect("the file is written");
    let (code, stdout, stderr) = tested(directory.path(), &["--config", "openeventd.toml"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    // Alone, the account that the rules name is there, and the write is allowed.
    assert_eq!(tested(directory.path(), &["rules.d"]).0, 0);
    fs::write(&config, settings.split("[policy]").next().expect("a part")).expect("the file is written");
    let (code, _, stderr) = tested(directory.path(), &["rules.d", "--config", "openeventd.toml"]);
    assert_eq!(code, 78);
    assert!(stderr.contains("the policy does not allow it"), "{stderr}");
}

#[test]
fn what_does_not_exist_is_told() {
    let directory = given(&[("a.toml", RULES)]);
    let (code, _, stderr) = tested(directory.path(), &["elsewhere"]);
    assert_eq!(code, 66);
    assert!(
        stderr.contains("the rule directory elsewhere cannot be listed: name one that exists"),
        "{stderr}"
    );
    let (code, _, stderr) = tested(directory.path(), &["rules.d", "--config", "none.toml"]);
    assert_eq!(code, 78);
    assert!(stderr.contains("cannot read the configuration none.toml"), "{stderr}");
    let (code, stdout, stderr) = tested(directory.path(), &["rules.d"]);
    assert_eq!(code, 0);
    assert!(stdout.ends_with("ok: 0 tests passed, 0 failed; 0 of 2 rules covered\n"), "{stdout}");
    assert!(stderr.starts_with("rules.d: warning: no tests\n"), "{stderr}");
    let empty = given(&[]);
    std::fs::create_dir(empty.path().join("empty")).expect("it is made");
    let (code, stdout, _) = tested(empty.path(), &["empty", "--fail-uncovered"]);
    assert_eq!((code, stdout.as_str()), (65, "not ok: 0 tests passed, 0 failed; 0 of 0 rules covered\n"));
}
