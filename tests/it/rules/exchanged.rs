//! Rules to and from event buses: what is exported and imported again judges events as before.

use std::fs;
use std::path::Path;

use openeventd::event::decode::{Limits, decode};
use openeventd::record::Record;
use openeventd::rule::RuleSet;
use openeventd::rule::exchange::export::{Exported, export};
use openeventd::rule::exchange::import::{Imported, Importer};
use openeventd::rule::pattern::{Dialect, Pattern};

use super::event_of::{fired, rule_set};

fn imported(text: &str, dialect: Option<Dialect>) -> Imported {
    let mut importer = Importer::new(dialect);
    importer.add("bus.json", "bus", text);
    importer.finish()
}

fn listed(exported: &Exported) -> String {
    let rules = exported.patterns.iter().map(|(name, pattern)| {
        let pattern: serde_json::Value = pattern.clone().into();
        format!("{{\"RuleName\": \"{name}\", \"FilterPattern\": {pattern}}}")
    });
    format!("{{\"Rules\": [{}]}}", rules.collect::<Vec<_>>().join(","))
}

fn shown(problems: &[openeventd::diagnostic::Diagnostic]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Rules in every form that a pattern can have; those of `ours` use what no bus has.
const PORTABLE: &str = r#"
[[rule]]
name = "codes"
match = { code = ["instance-status-changes", "commit-file"], data = { dagType = 0 } }
[[rule]]
name = "short-forms"
[rule.match]
type = { prefix = "dataworks:" }
"data.status" = [5, { null = true }, { exists = false }]
data.taskId = { numeric = [">", 1] }
[[rule]]
name = "every-event"
match = { specversion = [{ exists = true }, { exists = false }] }
[[rule]]
name = "a-field-called-prefix"
match = { "data.prefix" = "tmp_", data.other = { anything-but = "x" } }
[[rule]]
name = "as-json"
match = '{"source": [{"anything-but": ["other"]}], "data": {"dagType": [0, 1.50, 9007199254740993]}}'
"#;
const OURS: &str = r#"
[[rule]]
name = "facts"
match = { status = "Failure", instance = { exists = true }, kind = "regular" }
[[rule]]
name = "operators"
[rule.match]
operator = { not = ["u1", { null = true }] }
data.tableName = [{ regex = "^ods_" }, { contains = "x" }, { exists = false }]
"$or" = [{ workspace = [96384] }, { "data.a" = [{ wildcard = "*" }], data.b.c = { cidr = "10.0.0.0/8" } }]
[[rule]]
name = "a-path-with-both"
match = { "data.a" = [{ exists = false }, 1], "data.a.b" = [{ exists = false }] }
"#;

/// Every sample, with the rules of both sets that fire.
fn assert_same(before: &RuleSet, after: &RuleSet) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/samples");
    let mut fires = 0;
    for entry in fs::read_dir(folder).expect("the samples") {
        let bytes = fs::read(entry.expect("an entry").path()).expect("a sample");
        let event = decode(&Record::of_payload(&bytes), &Limits::default()).expect("a sample is an event");
        let expected = fired(before, &event);
        fires += expected.len();
        assert_eq!(fired(after, &event), expected);
    }
    assert!(fires > 50, "{fires}");
}

#[test]
fn what_is_exported_and_imported_again_judges_events_as_before() {
    let all = format!("{PORTABLE}{OURS}");
    for (text, dialect) in
        [(PORTABLE, Some(Dialect::Aws)), (PORTABLE, Some(Dialect::Alibaba)), (all.as_str(), None)]
    {
        let before = rule_set(text);
        let exported = export(&before, None, dialect);
        assert_eq!((exported.left_out, shown(&exported.problems)), (0, String::new()), "{dialect:?}");
        assert_eq!(exported.patterns.len(), before.rules.len());
        for (name, pattern) in &exported.patterns {
            assert!(Pattern::parse_json(pattern, dialect).is_ok(), "{name}: {pattern}");
        }
        let imported = imported(&listed(&exported), dialect);
        assert_eq!((imported.left_out, shown(&imported.problems)), (0, String::new()), "{dialect:?}");
        assert_same(&before, &rule_set(&imported.text));
    }
}

#[test]
fn an_export_is_strict_and_nested_and_keeps_numbers() {
    let exported = export(&rule_set(&format!("{PORTABLE}{OURS}")), None, None);
    let pattern = |name: &str| {
        let found = exported.patterns.iter().find(|(known, _)| known == name).expect(name);
        found.1.split_whitespace().collect::<String>()
    };
    assert_eq!(
        pattern("short-forms"),
        r#"{"type":[{"prefix":"dataworks:"}],"data":{"status":[5,null,{"exists":false}],"taskId":[{"numeric":[">",1]}]}}"#
    );
    assert_eq!(
        pattern("a-field-called-prefix"),
        r#"{"data":{"prefix":["tmp_"],"other":[{"anything-but":"x"}]}}"#
    );
    assert_eq!(
        pattern("as-json"),
        r#"{"source":[{"anything-but":["other"]}],"data":{"dagType":[0,1.50,9007199254740993]}}"#
    );
    // One path cannot have a list and fields below it but by dots.
    assert_eq!(
        pattern("a-path-with-both"),
        r#"{"data.a":[{"exists":false},1],"data.a.b":[{"exists":false}]}"#
    );
    assert!(pattern("operators").contains(r#""operator":[{"not":["u1",null]}]"#));
}

#[test]
fn what_a_bus_lacks_or_only_we_know_is_told_with_its_place_and_left_out() {
    let rules = rule_set(&format!("{PORTABLE}{OURS}"));
    let exported = export(&rules, None, Some(Dialect::Aws));
    let report = shown(&exported.problems);
    for expected in [
        "error: facts: match.status: `status` is known here only: Amazon EventBridge does not have it",
        "error: facts: match.instance: `instance` is known here only",
        "operators: match.data.tableName.regex: Amazon EventBridge does not have the operator `regex`",
        "operators: match.data.tableName.contains: Amazon EventBridge does not have the operator `contains`",
        "operators: match.operator.not: Amazon EventBridge does not have the operator `not`",
        "operators: match.workspace: `workspace` is known here only",
        "help: the rule stays here only",
    ] {
        assert!(report.contains(expected), "no `{expected}` in\n{report}");
    }
    assert!(!report.contains("leave out `dialect`"), "{report}");
    assert_eq!(exported.left_out, 2, "{report}");
    let codes = rule_set(
        r#"
[[rule]]
name = "a"
match = { code = { prefix = "commit-" } }
[[rule]]
name = "b"
match = { code = "commit-file", type = "x" }
[[rule]]
name = "c"
match = { subject = "x", aliyunregionid = "y" }
[[rule]]
name = "d"
match = { detail = { a = 1 }, "detail-type" = "x", version = "0" }
"#,
    );
    let exported = export(&codes, None, Some(Dialect::Aws));
    let report = shown(&exported.problems);
    for expected in [
        "test.toml:4:11: error: a: match.code: only known codes can become a `type`, found a table",
        "b: match.code: `code` becomes `type` there, which has conditions of its own",
        "c: match.subject: events of Amazon EventBridge have no attribute `subject`",
        "d: match.detail: no event has `detail` here: it is written `data`",
        "d: match.detail-type: no event has `detail-type` here: it is written `type`",
        "d: match.version: `version` is another attribute in events of Amazon EventBridge",
        "c: match.aliyunregionid: events of Amazon EventBridge have no attribute `aliyunregionid`",
    ] {
        assert!(report.contains(expected), "no `{expected}` in\n{report}");
    }
    assert_eq!(exported.patterns.len(), 0);
}

#[test]
fn what_a_bus_calls_otherwise_is_translated_where_it_is_the_same() {
    let rules = rule_set(
        "[[rule]]\nname = \"a\"\nmatch = { account = \"1460982254730185\", region = { prefix = \"cn-\" } }\n\
         [[rule]]\nname = \"b\"\nmatch = { account = \"1\", aliyunaccountid = \"2\" }\n",
    );
    let exported = export(&rules, Some("a"), Some(Dialect::Alibaba));
    assert_eq!(exported.left_out, 0, "{}", shown(&exported.problems));
    let pattern = &exported.patterns.first().expect("the pattern").1;
    assert_eq!(
        pattern.split_whitespace().collect::<String>(),
        r#"{"aliyunaccountid":["1460982254730185"],"aliyunregionid":[{"prefix":"cn-"}]}"#
    );
    let again = imported(&listed(&exported), Some(Dialect::Alibaba));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/samples");
    let bytes = fs::read(folder.join("commit-file.cloudevents.json")).expect("a sample");
    let event = decode(&Record::of_payload(&bytes), &Limits::default()).expect("a sample is an event");
    assert_eq!(
        (fired(&rules, &event), fired(&rule_set(&again.text), &event)),
        (vec!["a".into()], vec!["a".into()])
    );
    let twice = export(&rules, Some("b"), Some(Dialect::Alibaba));
    assert!(shown(&twice.problems).contains("aliyunaccountid: duplicate key"), "{}", shown(&twice.problems));
    let report = shown(&export(&rules, Some("a"), Some(Dialect::Aws)).problems);
    assert!(report.contains("`account` is known here only: Amazon EventBridge does not have it"), "{report}");
}

#[test]
fn what_the_bus_itself_would_have_refused_is_told_and_imported_all_the_same() {
    for (text, dialect, expected) in [
        (
            r#"{"detail": {"a": [{"contains": "x"}]}}"#,
            None,
            "bus.json:1:32: warning: bus: data.a.contains: the bus itself would have refused it: Amazon EventBridge \
             does not have the operator `contains`",
        ),
        (
            r#"{"FilterPattern": {"data": {"a": [1, 2, 3, 4, 5, 6]}}}"#,
            Some(Dialect::Alibaba),
            "bus.json:1:34: warning: bus: data.a: the bus itself would have refused it: Alibaba Cloud EventBridge \
             does not have more than five values and operators for one field",
        ),
        // Our own exports have this form too.
        (r#"{"FilterPattern": {"data": {"a": [{"regex": "x"}]}}}"#, None, ""),
        (r#"{"data": {"a": [{"contains": "x"}]}}"#, None, ""),
        (r#"{"data": {"a": [{"contains": "x"}]}}"#, Some(Dialect::Alibaba), ""),
    ] {
        let imported = imported(text, dialect);
        let report = shown(&imported.problems);
        assert!(report.starts_with(expected) && report.is_empty() == expected.is_empty(), "{report}");
        assert_eq!((imported.rules, imported.left_out), (1, 0));
    }
}

#[test]
fn exists_of_an_object_has_no_meaning_for_amazon() {
    let rules = rule_set(
        r#"
        [[rule]]
        name = "object"
        match = { code = "approval-change-created", data.process.approvalContent = { exists = true } }
        [[rule]]
        name = "whole"
        match = { data = { exists = false } }
        [[rule]]
        name = "alternatives"
        match = { data."$or" = [{ process = [{ exists = false }] }, { "process.status" = { exists = true } }] }
        [[rule]]
        name = "fields"
        match = { code = "approval-change-created", data.process.status = { exists = true }, data.mine = { exists = true } }
        [[rule]]
        name = "both"
        match = { data.process = [{ exists = true }, { exists = false }] }
        "#,
    );
    let exported = export(&rules, None, Some(Dialect::Aws));
    let report = shown(&exported.problems);
    for expected in [
        "object: match.data.process.approvalContent: `exists` of Amazon EventBridge looks at no object, and",
        "whole: match.data: `exists` of Amazon EventBridge looks at no object, and `data` is one",
        "alternatives: match.data.process: `exists` of Amazon EventBridge looks at no object",
    ] {
        assert!(report.contains(expected), "no `{expected}` in\n{report}");
    }
    let names: Vec<&str> = exported.patterns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names, exported.left_out), (vec!["fields", "both"], 3), "{report}");
    assert_eq!(export(&rules, None, Some(Dialect::Alibaba)).problems.len(), 1, "`$or` alone");
}

#[test]
fn every_form_of_an_export_is_read() {
    let text = r#"{\"source\": [\"acs.dataworks\"], \"detail\": {\"n\": [1.0]}}"#;
    let object = text.replace('\\', "");
    for (document, names) in [
        (object.clone(), vec!["bus"]),
        (format!("[{object}, {object}]"), vec!["bus", "bus-2"]),
        (format!(r#"{{"Name": "My Rule", "EventPattern": "{text}", "State": "ENABLED"}}"#), vec!["my-rule"]),
        (format!(r#"{{"Rules": [{{"Name": "a", "EventPattern": "{text}"}}]}}"#), vec!["a"]),
        (
            format!(
                r#"{{"Resources": {{"Queue": {{"Type": "AWS::SQS::Queue"}}, "TheRule": {{"Type": "AWS::Events::Rule",
                    "Properties": {{"EventPattern": {object}, "Name": {{"Ref": "x"}}}}}}}}}}"#
            ),
            vec!["therule"],
        ),
        (
            format!(r#"{{"Code": "Success", "Data": {{"RuleName": "b", "FilterPattern": "{text}"}}}}"#),
            vec!["b"],
        ),
        (
            format!(
                r#"{{"Data": {{"Rules": [{{"RuleName": "c", "FilterPattern": {object}}}], "Total": 1}}}}"#
            ),
            vec!["c"],
        ),
    ] {
        let imported = imported(&document, Some(Dialect::Aws));
        assert_eq!((imported.left_out, shown(&imported.problems)), (0, String::new()), "{document}");
        let rules = rule_set(&imported.text);
        assert_eq!(rules.rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(), names);
        assert!(imported.text.contains(r#"  "data": {"n": [1.0]}"#), "{}", imported.text);
    }
}

const LIST: &str = r#"{"Rules": [
  {"Name": "off", "State": "DISABLED", "Targets": [{"Id": "1"}, {"Id": "2"}], "Description": "two\nlines",
   "EventPattern": "{\"account\": [\"123\"], \"detail-type\": [\"x\"], \"$or\": [{\"detail\": {\"a\": [1]}}, {\"detail.b\": [2]}]}"},
  {"Name": "all", "EventPattern": {}},
  {"Name": "timer", "ScheduleExpression": "rate(5 minutes)"},
  {"Name": "wrong", "EventPattern": {"source": "x", "detail": {"a": [{"prefx": "y"}]}}},
  {"Name": "no json", "EventPattern": "{'a'"},
  7
], "NextToken": "more"}"#;

#[test]
fn what_cannot_be_carried_over_is_told_and_what_is_refused_is_left_out() {
    let imported = imported(LIST, None);
    let report = shown(&imported.problems);
    for expected in [
        "bus.json:2:3: warning: off: its targets (2) are not carried over: give the rule a step",
        "warning: off: it is disabled there; here it is in mode observe, which sends nothing",
        "warning: off: account: the account is Amazon's there, Alibaba Cloud's here",
        "bus.json:4:35: warning: all: it matches every event; that is written out",
        "bus.json:5:3: error: timer: the rule has no pattern",
        "bus.json:6:48: error: wrong: source: expected a list of values and operators, found the text \"x\"",
        "error: wrong: data.a: unknown operator `prefx`",
        "did you mean `prefix`?",
        "bus.json:7:3: error: no json: the pattern is no JSON: key must be a string at line 1 column 2 of it",
        "bus.json:8:3: error: expected a pattern or what a bus exports, found the number 7",
        "bus.json:1:1: error: the list goes on: it has a NextToken",
    ] {
        assert!(report.contains(expected), "no `{expected}` in\n{report}");
    }
    assert_eq!((imported.rules, imported.left_out), (2, 4), "{report}");
    let text = imported.text;
    assert!(
        text.starts_with("# Imported from bus.json: off\n# two\n# lines\n[[rule]]\nname = \"off\"\n"),
        "{text}"
    );
    assert!(
        text.contains(
            "\nmode = \"observe\"\nmatch = '''\n{\n  \"account\": [\"123\"],\n  \"type\": [\"x\"],\n"
        ),
        "{text}"
    );
    assert!(text.contains(r#"  "$or": [{"data": {"a": [1]}}, {"data.b": [2]}]"#), "{text}");
    assert!(text.contains(r#""specversion": [{"exists": true}, {"exists": false}]"#), "{text}");
    assert_eq!(rule_set(&text).rules.len(), 2);
}

#[test]
fn functions_of_a_template_are_told_as_such() {
    let rule = |name: &str, pattern: &str| {
        format!(r#""{name}": {{"Type": "AWS::Events::Rule", "Properties": {{"EventPattern": {pattern}}}}}"#)
    };
    let rules = [
        rule("Ref", r#"{"source": [{"Ref": "Env"}], "detail": {"a": {"Ref": "List"}}}"#),
        rule("Sub", r#"{"Fn::Sub": "{}"}"#),
        rule("Join", r#"{"$or": [{"source": [{"Fn::Join": ["-", ["a", "b"]]}]}, {"id": ["x"]}]}"#),
        rule("Field", r#"{"detail": {"Ref": ["Env"]}}"#),
    ];
    let imported = imported(&format!("{{\"Resources\": {{\n{}}}}}", rules.join(",\n")), None);
    let report = shown(&imported.problems);
    for expected in [
        "bus.json:2:83: error: Ref: `Ref` is a function of the template",
        "bus.json:3:71: error: Sub: `Fn::Sub` is a function of the template",
        "error: Join: `Fn::Join` is a function of the template",
        "help: put its value in",
    ] {
        assert!(report.contains(expected), "no `{expected}` in\n{report}");
    }
    assert_eq!(report.matches("is a function").count(), 4, "{report}");
    assert_eq!((imported.rules, imported.left_out), (1, 3), "{report}");
}

#[test]
fn no_text_breaks_out_of_the_file_that_is_written() {
    let text = r#"{"Name": "a\n[[rule]]", "Description": "x\u0007\r\n'''",
        "EventPattern": {"source": ["'''\n\u007f\\", "\""]}}"#;
    let imported = imported(text, None);
    assert_eq!(imported.left_out, 0, "{}", shown(&imported.problems));
    let rules = rule_set(&imported.text);
    assert_eq!(rules.rules.len(), 1, "{}", imported.text);
    let again = export(&rules, None, None);
    let value: serde_json::Value = serde_json::from_str(&again.patterns[0].1).expect("it is JSON");
    assert_eq!(value, serde_json::json!({ "source": ["'''\n\u{7f}\\", "\""] }));
}

#[test]
fn a_pattern_without_a_name_is_told_by_its_place() {
    let mut importer = Importer::new(None);
    importer.add("-", "", r#"{"detail": {"a": [1]}, "data": {"b": [2]}}"#);
    let report = shown(&importer.finish().problems);
    assert!(report.starts_with("-:1:25: error: data: duplicate key"), "{report}");
}
