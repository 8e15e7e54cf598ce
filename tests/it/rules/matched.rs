//! `openeventd rules match`, as people and other programs run it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::{Value, json};

fn rules_match(directory: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::cargo_bin("openeventd").expect("the program");
    command.current_dir(directory).args(["rules", "match"]).args(arguments).write_stdin(input);
    command.output().expect("it runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[test]
fn a_pattern_and_an_event_match_or_do_not() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write =
        |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("it is written");
    write("pattern.json", r#"{"a": [{"wildcard": "x*"}]}"#);
    write("event.json", r#"{"a": "xyz"}"#);
    for (arguments, input, code, said) in [
        (&["pattern.json", "event.json"][..], "", 0, "match\n"),
        (&["pattern.json", "-"], r#"{"a": "y"}"#, 0, "no match\n"),
        (&["--dialect", "aws", "pattern.json", "event.json"], "", 0, "match\n"),
        (&["-", "event.json"], r#"{"a": [{"exists": true}]}"#, 0, "match\n"),
    ] {
        let output = rules_match(directory.path(), arguments, input);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(code), said), "{arguments:?}");
        assert!(output.stderr.is_empty());
    }
    let odd = rules_match(directory.path(), &["-", "event.json"], r#"{"a": [{"prefix": ""}]}"#);
    assert_eq!((odd.status.code(), text(&odd.stdout)), (Some(0), "match\n"));
    assert!(text(&odd.stderr).starts_with("-:1:19: warning: a.prefix: "), "{}", text(&odd.stderr));
    for (arguments, input, code, said) in [
        (
            &["--dialect", "alibaba", "pattern.json", "event.json"][..],
            "",
            65,
            "pattern.json:1:21: error: a.wildcard: Alibaba Cloud EventBridge does not have the operator `wildcard`",
        ),
        (
            &["-", "event.json"],
            "{\"a\": [1,\n ]}",
            65,
            "-:2:2: error: the pattern is no JSON: expected value",
        ),
        (&["-", "event.json"], "{\"a\": [1], \"a\": [2]}", 65, "-:1:13: error: a: duplicate key"),
        (&["pattern.json", "-"], "{\"a\": }", 65, "the event - is not valid"),
        (&["pattern.json", "-"], "{\"a\": \"\\ud800\"}", 65, "half of a surrogate pair"),
        (&["absent.json", "event.json"], "", 66, "cannot read absent.json"),
        (&["-", "-"], "", 64, "both the pattern and the event"),
        (&["pattern.json"], "", 64, "EVENT"),
        (&["--batch", "x.jsonl", "pattern.json", "event.json"], "", 64, "cannot be used with"),
        (&["--dialect", "azure", "pattern.json", "event.json"], "", 64, "expected `aws` or `alibaba`"),
    ] {
        let output = rules_match(directory.path(), arguments, input);
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(said), "{arguments:?} {}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn every_line_of_a_batch_gets_its_result() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../fixtures/rules/patterns.json")).expect("the cases are JSON");
    let mut lines = String::new();
    for (id, case) in cases.iter().enumerate() {
        let pattern = case["pattern"].as_str().expect("text");
        let event = case["event"].as_str().expect("text");
        let dialect = case.get("dialect").cloned().unwrap_or(Value::Null);
        let (pattern, event) = (pattern.replace('\n', " "), event.replace('\n', " "));
        writeln!(
            lines,
            "{{\"id\": {id}, \"dialect\": {dialect}, \"pattern\": {pattern}, \"event\": {event}}}"
        )
        .expect("text takes it");
    }
    lines.push_str("{\"id\": \"no-pattern\", \"event\": {}}\n\nnot json\n{\"id\": \"twice\", \"id\": 2}\n");
    lines.push_str(&json!({"id": "as-text", "pattern": "{\"a\": [1]}", "event": {"a": 1}}).to_string());
    let output = rules_match(Path::new("."), &["--batch", "-"], &lines);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let results: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (of_cases, others) = results.split_at(cases.len());
    for (id, (case, result)) in cases.iter().zip(of_cases).enumerate() {
        assert_eq!(*result, json!({"id": id, "result": case["result"]}), "{case}");
    }
    assert_eq!(
        others,
        [
            json!({"id": "no-pattern", "result": "invalid"}),
            json!({"id": null, "result": "invalid"}),
            json!({"id": "twice", "result": "invalid"}),
            json!({"id": "as-text", "result": "match"}),
        ]
    );
}

#[test]
fn a_line_that_is_too_long_or_no_text_is_invalid_and_the_next_is_judged() {
    let line = |id: usize, length: usize| {
        let line = format!("{{\"id\": {id}, \"pattern\": {{\"a\": [1]}}, \"event\": {{\"a\": 1}}}}");
        format!("{line}{}\n", " ".repeat(length.saturating_sub(line.len())))
    };
    let most = 8 << 20;
    let mut input = format!("\u{feff}{}{}{}", line(1, most - 3), line(2, most + 1), line(3, 0)).into_bytes();
    input.extend(b"\xff\xfe\n");
    input.extend(line(5, 0).trim_end().as_bytes());
    let mut command = Command::cargo_bin("openeventd").expect("the program");
    let output =
        command.args(["rules", "match", "--batch", "-"]).write_stdin(input).output().expect("it runs");
    let said = |id: &str, result: &str| format!("{{\"id\": {id}, \"result\": \"{result}\"}}\n");
    let expected = [("1", "match"), ("null", "invalid"), ("3", "match"), ("null", "invalid"), ("5", "match")];
    assert_eq!(text(&output.stdout), expected.map(|(id, result)| said(id, result)).concat());
    assert_eq!(text(&output.stderr), "-:2: error: more than 8388608 bytes\n-:4: error: not UTF-8 text\n");
}
