//! What a rule saw of an event, and what kept it from firing.

use std::fs;
use std::path::Path;

use openeventd::event::Event;
use openeventd::event::decode::{Limits, decode};
use openeventd::record::Record;
use openeventd::rule::explain::{Judged, Seen};
use openeventd::rule::{Firing, RuleIndex, RuleSet};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::event_of::{DATA, failed_instance, matches, rule_set};

/// A rule set of JSON patterns.
fn rules_of(patterns: &[Value]) -> RuleSet {
    let rule = |(place, pattern)| format!("[[rule]]\nname = \"r{place}\"\nmatch = '''{pattern}'''\n");
    rule_set(&patterns.iter().enumerate().map(rule).collect::<String>())
}

/// One line for each condition of the only rule: its mark, path, what was expected and what was seen.
fn told(pattern: &Value, event: &Event<'_>) -> Vec<String> {
    let rules = rules_of(std::slice::from_ref(pattern));
    let line = |judged: &Judged<'_>| {
        let mark = if judged.holds { '+' } else { '-' };
        let seen = match &judged.seen {
            Seen::Missing | Seen::Unknown(_) => "missing",
            Seen::Unreadable => "unreadable",
            Seen::Value(value) => value,
        };
        let choice = judged.choice.map(|choice| format!(" ({}/{})", choice.alternative, choice.of));
        format!("{mark} {} {} {seen}{}", judged.path, judged.expected(), choice.unwrap_or_default())
    };
    rules.explaining(event).conditions(RuleIndex(0)).iter().map(line).collect()
}

fn told_of_data(data: &str, pattern: &Value) -> Vec<String> {
    told(&json!({ "data": pattern }), &failed_instance(data))
}

#[test]
fn each_condition_says_what_it_expected_and_saw() {
    let event = failed_instance(DATA);
    assert_eq!(
        told(
            &json!({"data": {"dagType": [{"numeric": [">", 3]}], "none": [{"exists": true}], "flow": {"id": [1]}},
                "status": ["Success", {"prefix": "Fail"}], "nodes": [1], "operator": [{"anything-but": "u1"}],
                "aliyuneventbusname": [{"wildcard": "data*"}], "table": [{"exists": false}]}),
            &event
        ),
        [
            "- nodes [1] missing",
            "- operator [{\"anything-but\":[\"u1\"]}] missing",
            "+ status [\"Success\",{\"prefix\":\"Fail\"}] \"Failure\"",
            "+ table [{\"exists\":false}] missing",
            "+ aliyuneventbusname [{\"wildcard\":\"data*\"}] \"dataworks-events\"",
            "- data.dagType [{\"numeric\":[\">\",3]}] 0",
            "- data.flow.id [1] missing",
            "+ data.none [{\"exists\":true}] null",
        ]
    );
}

#[test]
fn the_element_of_a_list_that_decides_is_told() {
    let data = r#"{"tasks": [{"id": 1, "state": "ok"}, {"id": 2}, {"id": 3, "state": "bad", "owner": "u"}]}"#;
    let of = |tasks: Value| told_of_data(data, &json!({ "tasks": tasks }));
    assert_eq!(
        of(json!({"id": [3], "state": ["ok"], "owner": ["u"]})),
        [
            "+ data.tasks[2].id [3] 3",
            "+ data.tasks[2].owner [\"u\"] \"u\"",
            "- data.tasks[2].state [\"ok\"] \"bad\"",
        ]
    );
    assert_eq!(of(json!({"id": [2]})), ["+ data.tasks[1].id [2] 2"]);
    // It must be so in every element: the one where it is not is told.
    assert_eq!(
        of(json!({"owner": [{"exists": false}]})),
        ["- data.tasks[2].owner [{\"exists\":false}] \"u\""]
    );
    assert_eq!(
        of(json!({"gone": [{"exists": false}]})),
        ["+ data.tasks[0].gone [{\"exists\":false}] missing"]
    );
    assert_eq!(
        told_of_data(r#"{"l": [[{"a": 1}], [{"a": 2, "b": 1}]]}"#, &json!({"l": {"a": [2], "b": [2]}})),
        ["+ data.l[1][0].a [2] 2", "- data.l[1][0].b [2] 1"]
    );
    assert_eq!(
        told_of_data(r#"{"l": ["x", "y"]}"#, &json!({"l": ["z"]})),
        ["- data.l [\"z\"] [\"x\",\"y\"]"]
    );
    assert_eq!(told_of_data(r#"{"l": []}"#, &json!({"l": {"a": [1]}})), ["- data.l.a [1] missing"]);
}

#[test]
fn of_an_or_the_nearest_alternative_is_told() {
    let event = failed_instance(DATA);
    let pattern = |table: &str| {
        json!({"code": ["instance-status-changes"], "$or": [
            {"file": [1], "table": ["t"]}, {"status": ["Failure"], "operator": ["u"]}, {"status": [table]}]})
    };
    assert_eq!(
        told(&pattern("Success"), &event),
        [
            "+ code [\"instance-status-changes\"] \"instance-status-changes\"",
            "- operator [\"u\"] missing (2/3)",
            "+ status [\"Failure\"] \"Failure\" (2/3)",
        ]
        .map(str::to_owned)
    );
    assert_eq!(told(&pattern("Failure"), &event)[1], "+ status [\"Failure\"] \"Failure\" (3/3)");
}

#[test]
fn rules_come_by_how_near_they_are() {
    let rules = rules_of(&[
        json!({"code": ["commit-file"]}),
        json!({"code": ["instance-status-changes"], "status": ["Success"], "workspace": [96384]}),
        json!({"code": ["instance-status-changes"]}),
        json!({"code": ["commit-file"], "status": ["Success"]}),
    ]);
    let event = failed_instance(DATA);
    let near: Vec<_> =
        rules.explaining(&event).by_nearness().iter().map(|near| (near.rule.0, near.failing)).collect();
    assert_eq!(near, [(2, 0), (1, 1), (0, 1), (3, 2)]);
}

#[test]
fn a_payload_that_cannot_be_read_is_told_as_such() {
    let event = failed_instance("{broken");
    let pattern = json!({"data": {"a": {"b": [1]}}});
    assert_eq!(told(&pattern, &event), ["- data.a.b [1] unreadable"]);
    let near = rules_of(&[pattern]).explaining(&event).by_nearness();
    assert_eq!(near[0].firing, Firing::Failed);
}

#[test]
fn lists_in_lists_cost_no_more_than_their_elements() {
    let mut value = "{\"a\":1}".to_owned();
    for _ in 0..50 {
        value = format!("[{value},[{{\"a\":2}}]]");
    }
    let told = told_of_data(&format!("{{\"l\":{value}}}"), &json!({"l": {"a": [3]}}));
    assert!(told[0].starts_with("- data.l[0][0]") && told[0].ends_with(".a [3] 1"), "{told:?}");
}

/// What fires by explanation is what fires, and it is what no condition speaks against.
fn assert_agrees(patterns: &[Value], event: &Event<'_>) {
    let rules = rules_of(patterns);
    let (matched, failed) = matches(&rules, event);
    let explaining = rules.explaining(event);
    let near = explaining.by_nearness();
    let mut fires: Vec<RuleIndex> =
        near.iter().filter(|near| near.firing == Firing::Yes).map(|near| near.rule).collect();
    fires.sort_unstable();
    assert_eq!((fires, failed), (matched, vec![]), "{patterns:?}");
    for near in near {
        let conditions = explaining.conditions(near.rule);
        let failing = conditions.iter().filter(|judged| !judged.holds).count();
        let counts = (failing, conditions.len() - failing);
        assert_eq!(counts, (near.failing, near.holding), "{patterns:?}");
        assert_eq!(failing == 0, near.firing == Firing::Yes, "{patterns:?} {conditions:?}");
    }
}

#[test]
fn explanations_of_the_samples_agree_with_what_fires() {
    let patterns = [
        json!({"code": ["instance-status-changes"], "status": ["Failure"]}),
        json!({"workspace": [{"exists": true}], "data": {"taskIds": [{"exists": false}]}}),
        json!({"$or": [{"file": [{"exists": true}]}, {"table": [{"exists": true}]}, {"nodes": [{"numeric": [">", 0]}]}]}),
        json!({"data": {"eventCode": [{"wildcard": "*-*"}], "status": [{"not": [1, 2, "5"]}]}}),
        json!({"operator": [{"not": {"prefix": "1"}}], "kind": ["regular"]}),
    ];
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/samples");
    let mut count = 0;
    for entry in fs::read_dir(directory).expect("the directory is listed") {
        let payload = fs::read(entry.expect("the entry is read").path()).expect("the sample is read");
        if let Ok(event) = decode(&Record::of_payload(&payload), &Limits::default()) {
            assert_agrees(&patterns, &event);
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

/// A list of values and operators.
fn leaf() -> impl Strategy<Value = Value> {
    let member = prop_oneof![
        (0_i64..3).prop_map(|number| json!(number)),
        Just(json!("a")),
        Just(Value::Null),
        any::<bool>().prop_map(|exists| json!({ "exists": exists })),
        (0_i64..3).prop_map(|number| json!({ "not": number })),
        Just(json!({"not": {"exists": true}})),
        Just(json!({"anything-but": [1]})),
    ];
    proptest::collection::vec(member, 1..3).prop_map(Value::from)
}

fn pattern() -> impl Strategy<Value = Value> {
    let name = || prop_oneof![Just("k"), Just("l"), Just("v")];
    let object = |value: BoxedStrategy<Value>| {
        proptest::collection::btree_map(name(), value, 1..3).prop_map(|fields| json!(fields))
    };
    let below = object(leaf().boxed()).boxed();
    let fields = object(prop_oneof![leaf(), below].boxed()).boxed();
    let alternative = prop_oneof![
        fields.clone().prop_map(|data| json!({ "data": data })),
        leaf().prop_map(|leaf| json!({ "workspace": leaf })),
    ];
    (fields, proptest::collection::vec(alternative, 2..4), any::<bool>()).prop_map(|(data, or, has_or)| {
        if has_or { json!({"data": data, "$or": or}) } else { json!({ "data": data }) }
    })
}

fn value() -> impl Strategy<Value = Value> {
    let scalar =
        prop_oneof![(0_i64..3).prop_map(|number| json!(number)), Just(json!("a")), Just(Value::Null)];
    scalar.prop_recursive(4, 24, 3, |inner| {
        let name = prop_oneof![Just("k"), Just("l"), Just("v")];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map(name, inner, 0..3).prop_map(|fields| json!(fields)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn an_explanation_says_that_a_rule_fires_exactly_when_it_does(
        patterns in proptest::collection::vec(pattern(), 1..6),
        data in value(),
        workspace in proptest::option::of(0_i64..3),
    ) {
        let data = data.to_string();
        let mut event = failed_instance(&data);
        event.workspace = workspace;
        assert_agrees(&patterns, &event);
    }
}
