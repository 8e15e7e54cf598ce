//! A pattern on the first line, an event on the rest: what a person writes, and what somebody else sends.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openeventd::event::decode::{Limits, decode};
use openeventd::event::json::Node;
use openeventd::record::Record;
use openeventd::rule::exchange::export::export;
use openeventd::rule::parse::{Surroundings, parse};
use openeventd::rule::pattern::{Dialect, Pattern};
use openeventd::rule::{Firing, Policy, RuleFile, RuleSet};

fuzz_target!(|text: &str| {
    let (pattern_text, event_text) = text.split_once('\n').unwrap_or((text, "{}"));
    let pattern = Pattern::parse_json(pattern_text, None);
    for dialect in [Dialect::Aws, Dialect::Alibaba] {
        let is_valid_there = Pattern::parse_json(pattern_text, Some(dialect)).is_ok();
        assert!(!is_valid_there || pattern.is_ok(), "a dialect only takes away");
    }
    let pattern = match pattern {
        Ok(pattern) => pattern,
        Err(error) => {
            assert!(!error.problems.is_empty());
            for problem in error.problems {
                assert!(problem.span.end <= pattern_text.len(), "a problem is in the text: {problem:?}");
            }
            return;
        }
    };
    let Ok(event) = Node::parse(event_text) else { return };
    let matches = pattern.matches_document(event);
    if event_text.trim_start().starts_with('{') {
        as_a_rule(pattern_text, event_text, matches);
    }
});

/// A rule that looks for the pattern in the payload agrees, and so does its pattern once exported.
fn as_a_rule(pattern: &str, payload: &str, matches: bool) {
    let within = format!("{{\"data\": {pattern}}}");
    // One level more may be too deep.
    let Some(rules) = rule_of(&within) else { return };
    let record =
        format!(r#"{{"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": {payload}}}"#);
    let record = Record::of_payload(record.as_bytes());
    let Ok(event) = decode(&record, &Limits::default()) else { return };
    let (mut matched, mut failed) = (Vec::new(), Vec::new());
    rules.matches(&event, &mut matched, &mut failed);
    assert!(failed.is_empty(), "what was decoded can be judged");
    assert_eq!(!matched.is_empty(), matches, "the index and the evaluator agree");
    let explaining = rules.explaining(&event);
    for near in explaining.by_nearness() {
        assert_eq!(near.firing == Firing::Yes, matches, "what is explained is what was decided");
        assert_eq!(near.failing == 0, matches, "a rule that does not fire has a condition that fails");
        for judged in explaining.conditions(near.rule) {
            assert!(!judged.expected().is_empty());
        }
    }
    for (_, exported) in export(&rules, None, None).patterns {
        let exported = Pattern::parse_json(&exported, None).expect("what is exported is a pattern");
        let whole = format!("{{\"data\": {payload}}}");
        if let Ok(whole) = Node::parse(&whole) {
            assert_eq!(exported.matches_document(whole), matches, "exported it means the same");
        }
    }
}

fn rule_of(pattern: &str) -> Option<RuleSet> {
    let pattern = toml::Value::String(pattern.to_owned());
    let text = format!("[[rule]]\nname = \"fuzzed\"\nmatch = {pattern}\n");
    let files = vec![RuleFile { path: "fuzzed.toml".to_owned(), text }];
    let surroundings = Surroundings { accounts: &[], policy: &Policy::default() };
    parse(files, &surroundings).ok().map(|(rules, _)| rules)
}
