//! Bodies that are damaged, foreign or not whole.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::operation::ApiVersion::{V2020, V2024};
use crate::operation::recipe::tests::{SENT, Sample, sample, samples, with};
use crate::operation::recipe::{Findings, Looked, READS_MAX, SETTLES_AFTER_MS, Says, Verdict, all};

#[test]
fn a_missing_null_or_strange_field_leaves_it_open() {
    for it in samples() {
        for at in needed(&it) {
            for after in [&it.before, &it.moved] {
                let strange =
                    [json!(null), json!(true), json!(1.5), json!({}), json!([[]]), json!("\u{7}"), json!("")];
                let broken = strange.into_iter().map(|value| with(after, &at, value));
                for broken in broken.chain([without(after, &at)]) {
                    assert_eq!(
                        it.verdict(&it.before, &broken),
                        Verdict::Ambiguous,
                        "{} {at} {broken}",
                        it.operation
                    );
                    assert_eq!(
                        it.verdict(&broken, after),
                        Verdict::Ambiguous,
                        "{} {at} {broken}",
                        it.operation
                    );
                }
            }
        }
    }
}

#[test]
fn a_response_about_something_else_is_none() {
    for (operation, version, at) in [
        ("RerunTaskInstances", V2024, "/TaskInstance/Id"),
        ("StartWorkflowInstances", V2024, "/WorkflowInstance/Id"),
        ("RestartInstance", V2020, "/Data/InstanceId"),
        ("RunTriggerNode", V2020, "/Data/Instances/0/NodeId"),
        ("RunTriggerNode", V2020, "/Data/Instances/0/CycTime"),
        ("ExecPipelineRunStage", V2024, "/Pipeline/Id"),
        ("ExecPipelineRunStage", V2024, "/Pipeline/Stages/1/Code"),
        ("StartDIJob", V2024, "/PagingInfo/Id"),
        ("StartDIJob", V2020, "/Data/DIJobId"),
    ] {
        let it = sample(operation, version);
        for other in [json!(404), json!("a7ee"), json!(9_007_199_254_740_992_i64), json!(null)] {
            // With one of its two ids gone, a job is still known by the other.
            if operation == "StartDIJob" && other.is_null() && version == V2024 {
                continue;
            }
            for body in [&it.before, &it.moved] {
                let foreign = with(body, at, other.clone());
                assert_eq!(it.verdict(&it.before, &foreign), Verdict::Ambiguous, "{operation} {at} {other}");
            }
        }
    }
}

#[test]
fn a_list_that_is_not_whole_proves_nothing() {
    let run = sample("CreatePipelineRun", V2024);
    let more = |body: &Value, total: i64| with(body, "/PagingInfo/TotalCount", json!(total));
    assert_eq!(run.verdict(&run.before, &more(&run.before, 101)), Verdict::Ambiguous);
    assert_eq!(run.verdict(&run.before, &more(&run.moved, 101)), Verdict::Ambiguous);
    assert_eq!(run.verdict(&more(&run.before, 2), &run.moved), Verdict::Ambiguous);
    assert_eq!(run.verdict(&run.moved, &run.before), Verdict::Ambiguous, "a row has gone");

    let trigger = sample("RunTriggerNode", V2020);
    let more = |body: &Value| with(body, "/Data/TotalCount", json!(101));
    assert_eq!(trigger.verdict(&more(&trigger.before), &more(&trigger.before)), Verdict::Ambiguous);
    let twice = with(&trigger.before, "/Data/Instances/1/CycTime", json!(SENT));
    assert_eq!(trigger.verdict(&twice, &twice), Verdict::Ambiguous, "two instances of that time");
}

#[test]
fn of_a_list_with_the_newest_first_one_page_is_enough_if_it_is_in_order() {
    let it = sample("CreateDataQualityScanRun", V2024);
    let at = "/PageInfo/DataQualityScanRuns";
    let (run, other) =
        (it.moved.pointer(&format!("{at}/0")).expect("a row"), json!({"Id": 1, "Parameters": []}));
    let rows =
        |total: i64, rows: Value| json!({"PageInfo": {"TotalCount": total, "DataQualityScanRuns": rows}});
    for (before, after, verdict) in [
        (rows(0, json!([])), rows(1, json!([run])), Verdict::Happened),
        (rows(0, json!([])), rows(0, json!([])), Verdict::DidNotHappen),
        (rows(0, json!([])), rows(1, json!([other])), Verdict::Ambiguous),
        (rows(3, json!([])), rows(1, json!([run])), Verdict::Ambiguous),
        (it.before.clone(), rows(325, json!([other, run])), Verdict::Ambiguous),
        (it.before.clone(), rows(325, json!([run])), Verdict::Ambiguous),
        (
            it.before.clone(),
            with(&it.moved, &format!("{at}/0/Parameters/0/Value"), json!("9")),
            Verdict::Ambiguous,
        ),
        (it.before.clone(), with(&it.moved, &format!("{at}/0/Parameters"), json!(null)), Verdict::Ambiguous),
    ] {
        assert_eq!(it.verdict(&before, &after), verdict, "{before} {after}");
    }
}

#[test]
fn stored_findings_of_another_shape_are_left_out() {
    let it = sample("RerunTaskInstances", V2024);
    for text in ["", "null", "[]", "7", "{", r#"{"73910042265":3}"#, r#"{"73910042265":{"RunNumber":[2]}}"#] {
        let before = Findings::from_json(text);
        let reads = it.reads();
        let mut after = Findings::default();
        after.insert(&reads[0], it.recipe().finding(&reads[0], &it.moved).expect("a finding"));
        let looked = Looked {
            reads: &reads,
            before: Some(&before),
            after: &after,
            log: None,
            sent_at_ms: SENT,
            looked_at_ms: SENT + SETTLES_AFTER_MS,
        };
        assert_eq!(it.recipe().judge(&looked).verdict, Verdict::Ambiguous, "{text}");
    }
    assert!(Findings::from_json("{").is_empty());
}

/// Where the facts stand without which nothing can be told.
fn needed(sample: &Sample) -> Vec<String> {
    let row = match sample.operation {
        "ExecPipelineRunStage" => "/1",
        "RunTriggerNode" => "/0",
        _ => "",
    };
    match &sample.recipe().says {
        Says::State(state) => state.needs.iter().map(|name| format!("{}{row}/{name}", state.at)).collect(),
        Says::Rows(rows) => vec![rows.at.to_owned(), format!("{}/0/{}", rows.at, rows.id)],
    }
}

fn without(body: &Value, pointer: &str) -> Value {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    body.pointer_mut(parent).and_then(Value::as_object_mut).expect(pointer).remove(name);
    body
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_i64..4).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["Failure", "NotRun", "Running", "FAILURE", "Init", "1", "", "\u{0}"])
            .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((field_name(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn field_name() -> impl Strategy<Value = String> {
    let names =
        "Id TaskInstance RunNumber Status Data Instances TotalCount PagingInfo PageInfo Pipeline Stages Code";
    prop::sample::select(names.split(' ').map(str::to_owned).collect::<Vec<_>>())
}

/// All pointers into `value`.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut child = |name: &str, it: &Value| {
        let pointer = format!("{at}/{name}");
        pointers(it, &pointer, found);
        found.push(pointer);
    };
    match value {
        Value::Array(elements) => elements.iter().enumerate().for_each(|(at, it)| child(&at.to_string(), it)),
        Value::Object(members) => members.iter().for_each(|(name, it)| child(name, it)),
        _ => {}
    }
}

/// Whether the body has what [`needed`] names, as a number or a word.
fn has_needed(it: &Sample, body: &Value) -> bool {
    needed(it).iter().all(|at| {
        body.pointer(at).is_some_and(|found| found.is_number() || found.is_string() || found.is_array())
    })
}

proptest! {
    #[test]
    fn arbitrary_bodies_without_what_is_needed_are_never_taken_for_a_proof(before in json_value(), after in json_value()) {
        for it in samples() {
            for (before, after) in [(&before, &after), (&it.before, &after), (&before, &it.moved)] {
                // Few are by chance what the endpoint could have said.
                if !(has_needed(&it, before) && has_needed(&it, after)) {
                    prop_assert_eq!(it.verdict(before, after), Verdict::Ambiguous, "{} {} {}", it.operation, before, after);
                }
            }
        }
    }

    #[test]
    fn a_damaged_body_decides_only_with_the_fields_it_needs(
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        executed in any::<bool>(),
        damage in json_value(),
    ) {
        let samples = samples();
        let it = which.get(&samples);
        let whole = if executed { &it.moved } else { &it.before };
        let mut places = Vec::new();
        pointers(whole, "", &mut places);
        let damaged = with(whole, &places[place.index(places.len())], damage);
        for (before, after) in [(&it.before, &damaged), (&damaged, whole)] {
            let verdict = it.verdict(before, after);
            if !has_needed(it, &damaged) {
                prop_assert_eq!(verdict, Verdict::Ambiguous, "{} {}", it.operation, &damaged);
            }
        }
    }

    #[test]
    fn arbitrary_parameters_never_panic(params in json_value()) {
        for recipe in all() {
            for call in [json!({"Ids": params}), json!({"InstanceId": params, "ProjectEnv": params}), params.clone()] {
                if let Value::Object(call) = call {
                    let reads = recipe.reads(&call);
                    prop_assert!(reads.len() <= READS_MAX);
                    prop_assert!(reads.iter().all(|read| read.params.values().all(|it| it.is_i64() || it.is_string())));
                }
            }
        }
    }
}
