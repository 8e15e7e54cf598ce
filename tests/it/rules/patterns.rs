//! Patterns against JSON documents: every case of `patterns.json`.

use openeventd::event::json::Node;
use openeventd::rule::pattern::{Dialect, Pattern};
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    pattern: String,
    event: String,
    result: String,
    dialect: Option<String>,
}

fn outcome(pattern: &str, event: &str) -> &'static str {
    outcome_in(None, pattern, event)
}

fn outcome_in(dialect: Option<&str>, pattern: &str, event: &str) -> &'static str {
    let dialect = dialect.map(|name| Dialect::from_text(name).expect("a dialect"));
    match Pattern::parse_json(pattern, dialect) {
        Err(error) => {
            assert!(!error.to_string().is_empty(), "an error without a word: {pattern}");
            "invalid"
        }
        Ok(pattern) => {
            let event = Node::parse(event).expect("the event is JSON");
            if pattern.matches_document(event) { "match" } else { "no-match" }
        }
    }
}

#[test]
fn every_case_comes_out_as_the_language_says() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../fixtures/rules/patterns.json")).expect("the cases are JSON");
    assert!(cases.len() >= 350);
    let wrong: Vec<String> = cases
        .iter()
        .map(|case| (case, outcome_in(case.dialect.as_deref(), &case.pattern, &case.event)))
        .filter(|(case, found)| case.result != *found)
        .map(|(case, found)| format!("{}: {} on {} is {found}", case.name, case.pattern, case.event))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_problems_of_a_pattern_are_told() {
    let text = r#"{"a": [], "b": {"c": [{"prefx": "x"}, {"wildcard": "\\x"}]}, "d": 1}"#;
    let error = Pattern::parse_json(text, None).expect_err("four problems");
    assert_eq!(
        error.to_string(),
        "a: an empty list says nothing (name at least one value or operator)\n\
         b.c: unknown operator `prefx` (did you mean `prefix`?)\n\
         b.c.wildcard: a backslash stands before something else than `*` or a backslash \
         (write `\\\\` for a backslash, `\\*` for a star)\n\
         d: expected a list of values and operators, found the number 1 (put it into `[` and `]`)"
    );
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |levels: usize| format!("{}[1]{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    assert!(Pattern::parse_json(&nested(63), None).is_ok());
    assert!(Pattern::parse_json(&nested(70), None).is_err());
    assert!(Pattern::parse_json(&format!("{{\"{}\": [1]}}", "a.".repeat(100)), None).is_err());
    let wide = |members: usize| format!("{{\"a\": [{}]}}", vec!["1"; members].join(","));
    assert!(Pattern::parse_json(&wide(9_999), None).is_ok());
    assert!(Pattern::parse_json(&wide(10_000), None).is_err());
}

#[test]
fn a_key_of_a_hundred_thousand_dots_harms_nobody() {
    let pattern = Pattern::parse_json(r#"{"a": {"b": [1]}}"#, None).expect("a pattern");
    let event = format!(r#"{{"{}": 1, "a.b": 1}}"#, "x.".repeat(100_000));
    assert!(pattern.matches_document(Node::parse(&event).expect("JSON")));
}

proptest! {
    #[test]
    fn any_text_is_a_pattern_or_an_error(text in r#"[\[\]{}":,a.0-9e\-$ ]{0,40}"#) {
        let _ = outcome(&text, r#"{"a": [1, {"a": "a"}]}"#);
    }

    #[test]
    fn splitting_a_path_changes_nothing(value in 0_i64..5, wanted in 0_i64..5) {
        let patterns = [format!(r#"{{"a.b.c": [{wanted}]}}"#), format!(r#"{{"a": {{"b.c": [{wanted}]}}}}"#)];
        let events = [
            format!(r#"{{"a": {{"b": {{"c": {value}}}}}}}"#),
            format!(r#"{{"a.b": {{"c": {value}}}}}"#),
            format!(r#"{{"a.b.c": {value}}}"#),
        ];
        for pattern in &patterns {
            for event in &events {
                prop_assert_eq!(outcome(pattern, event) == "match", value == wanted);
            }
        }
    }
}
