//! The index finds exactly the rules that a plain loop over all patterns finds.

use std::borrow::Cow;

use openeventd::event::Event;
use openeventd::event::json::Node;
use openeventd::rule::RuleIndex;
use openeventd::rule::pattern::Pattern;
use proptest::prelude::*;
use serde_json::json;

use super::event_of::{DATA, failed_instance, fired, matches, rule_set};

#[test]
fn rules_fire_in_their_order_and_once() {
    let rules = rule_set(
        r#"
        [[rule]]
        name = "z"
        match = { nodes = [1, 2, 3] }
        [[rule]]
        name = "y"
        match = { workspace = 96384, code = { prefix = "instance" } }
        [[rule]]
        name = "x"
        match = { data = { dagType = 0 } }
        [[rule]]
        name = "w"
        match = { status = "Success" }
        "#,
    );
    let mut event = failed_instance(DATA);
    event.facts.nodes = vec![3, 2, 9];
    assert_eq!(fired(&rules, &event), ["z", "y", "x"]);
}

#[test]
fn extension_attributes_and_missing_attributes_are_seen() {
    let rules = rule_set(
        r#"
        [[rule]]
        name = "bus"
        match = { aliyuneventbusname = "dataworks-events", operator = { exists = false } }
        [[rule]]
        name = "no-bus"
        match = { aliyuneventbusname = { exists = false } }
        [[rule]]
        name = "below-a-plain-value"
        match = { code = { x = { exists = false } } }
        "#,
    );
    assert_eq!(fired(&rules, &failed_instance(DATA)), ["bus", "below-a-plain-value"]);
}

#[test]
fn a_payload_that_cannot_be_read_fails_only_the_rules_that_read_it() {
    let rules = rule_set(
        r#"
        [[rule]]
        name = "reads"
        match = { code = "instance-status-changes", data = { dagType = 0 } }
        [[rule]]
        name = "does-not"
        match = { code = "instance-status-changes" }
        [[rule]]
        name = "other-code"
        match = { code = "commit-file", data = { dagType = 0 } }
        "#,
    );
    let (matched, failed) = matches(&rules, &failed_instance("{broken"));
    assert_eq!((matched, failed), (vec![RuleIndex(1)], vec![RuleIndex(0)]));
}

#[test]
fn what_was_there_before_stays_in_front() {
    let rules = rule_set("[[rule]]\nname = \"a\"\nmatch = { workspace = [96384, 96384.0] }");
    let (mut matched, mut failed) = (vec![RuleIndex(7)], vec![]);
    rules.matches(&failed_instance(DATA), &mut matched, &mut failed);
    assert_eq!(matched, [RuleIndex(7), RuleIndex(0)]);
}

/// One condition of a random pattern.
fn condition() -> impl Strategy<Value = (&'static str, serde_json::Value)> {
    let number = || 0_i64..4;
    let text = || prop_oneof![Just("a"), Just("b"), Just("ab")];
    prop_oneof![
        text().prop_map(|value| ("code", json!([value]))),
        (text(), text()).prop_map(|(one, two)| ("code", json!([one, two]))),
        text().prop_map(|value| ("table", json!([{"prefix": value}]))),
        text().prop_map(|value| ("operator", json!([{"anything-but": value}]))),
        number().prop_map(|value| ("workspace", json!([value, value + 1]))),
        number().prop_map(|value| ("node", json!([value]))),
        number().prop_map(|value| ("instances", json!([value, 3]))),
        number().prop_map(|value| ("instance", json!([{"numeric": [">", value]}]))),
        any::<bool>().prop_map(|exists| ("node", json!([{"exists": exists}]))),
        number().prop_map(|value| ("data", json!({"k": [value]}))),
        number().prop_map(|value| ("data", json!({"l": {"k": [value], "v": [{"exists": false}]}}))),
        number().prop_map(|value| ("workspace", json!([value.to_string(), {"exists": false}]))),
    ]
}

fn pattern() -> impl Strategy<Value = serde_json::Value> {
    proptest::collection::vec(condition(), 1..4)
        .prop_map(|conditions| json!(conditions.into_iter().collect::<std::collections::BTreeMap<_, _>>()))
}

/// The event as the one JSON document that patterns are said to see.
fn document(event: &Event<'_>) -> String {
    let mut document = json!({"data": serde_json::from_str::<serde_json::Value>(&event.data).expect("JSON")});
    let mut put = |name: &str, value: serde_json::Value| {
        if !value.is_null() {
            document[name] = value;
        }
    };
    put("code", json!(event.code));
    put("operator", json!(event.operator));
    put("table", json!(event.facts.table));
    put("workspace", json!(event.workspace));
    put("node", json!(event.facts.node));
    put("instance", json!(event.facts.instance));
    put("instances", json!(event.facts.instances));
    document.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_index_finds_what_a_plain_loop_finds(
        patterns in proptest::collection::vec(pattern(), 1..12),
        code in proptest::option::of("[ab]{1,2}"),
        table in proptest::option::of("[ab]{1,2}"),
        operator in proptest::option::of("[ab]{1,2}"),
        numbers in proptest::array::uniform3(proptest::option::of(0_i64..4)),
        instances in proptest::collection::vec(0_i64..5, 0..3),
        data in prop_oneof![
            Just(r#"{"k": 1}"#), Just(r#"{"k": [1, 2], "l": [{"k": 1, "v": 1}, {"k": 2}]}"#), Just("null"), Just("[]"),
        ],
    ) {
        let mut event = failed_instance(data);
        event.code = code.map(Cow::Owned);
        event.operator = operator.map(Cow::Owned);
        event.workspace = numbers[0];
        event.facts.table = table.map(Cow::Owned);
        event.facts.node = numbers[1];
        event.facts.instance = numbers[2];
        event.facts.instances = instances;
        let rule = |(place, pattern)| format!("[[rule]]\nname = \"r{place}\"\nmatch = '{pattern}'\n");
        let text = patterns.iter().enumerate().map(rule).collect::<Vec<_>>().concat();
        let document = document(&event);
        let expected: Vec<String> = patterns
            .iter()
            .enumerate()
            .filter(|(_, pattern)| {
                let pattern = Pattern::parse_json(&pattern.to_string(), None).expect("a pattern");
                pattern.matches_document(Node::parse(&document).expect("JSON"))
            })
            .map(|(place, _)| format!("r{place}"))
            .collect();
        prop_assert_eq!(fired(&rule_set(&text), &event), expected);
    }
}
