//! The reads against the catalogue, and calls that cannot be looked up.

use serde_json::json;

use crate::operation::ApiVersion::{V2020, V2024};
use crate::operation::recipe::tests::{SENT, Sample, object, sample};
use crate::operation::recipe::{READS_MAX, Same, Source, Subject, all, log, of};
use crate::operation::{Access, Operation, RepeatEffect, find};

fn params_of<'a>(source: &'a Source, subject: &'a Subject) -> Vec<&'a str> {
    match source {
        Source::Param(name) | Source::IfGiven(name) | Source::DayOf(name) => vec![name],
        Source::FirstBizDate => vec!["Periods"],
        Source::Subject => match subject {
            Subject::Each(name) | Subject::First(name) => vec![name],
            Subject::One(names) => names.to_vec(),
        },
        Source::Number(_) | Source::Text(_) => vec![],
    }
}

#[test]
fn every_read_exists_changes_nothing_and_has_all_its_parameters() {
    for recipe in all() {
        let call = find(recipe.operation, recipe.version).expect(recipe.operation);
        assert!(
            matches!(call.repeat_effect, RepeatEffect::Duplicates | RepeatEffect::Unknown),
            "{}",
            call.name
        );
        assert!(std::ptr::eq(of(call).expect(call.name), recipe), "{} has one recipe", call.name);
        let read = find(recipe.read, recipe.version).expect(recipe.read);
        assert_eq!(read.access, Access::Read, "{}", read.name);
        let named = |name: &str| recipe.params.iter().find(|(param, _)| *param == name);
        for (name, source) in recipe.params {
            let declared = read.param(name).map(|param| param.param_type);
            assert!(matches!(declared, Some("integer" | "string")), "{}.{name}: {declared:?}", read.name);
            for of in params_of(source, &recipe.subject) {
                assert!(call.param(of).is_some(), "{}.{of}", call.name);
            }
        }
        for required in read.params.iter().filter(|param| param.required) {
            let source = named(required.name).map(|(_, source)| source);
            assert!(!matches!(source, None | Some(Source::IfGiven(_))), "{}.{}", read.name, required.name);
        }
        for same in recipe.same {
            if let Same::Equals(_, of) | Same::Begins(_, of) | Same::Holds(_, of) = same {
                assert!(call.param(of).is_some(), "{}.{of}", call.name);
            }
        }
    }
}

#[test]
fn the_log_is_a_read_with_all_its_parameters() {
    let rerun = sample("RerunTaskInstances", V2024);
    let reads = rerun.recipe().log_reads(&rerun.reads(), SENT);
    assert_eq!(reads.len(), 1);
    assert!(log::is_of(&reads[0]));
    let operation: &Operation = reads[0].operation;
    assert_eq!(operation.access, Access::Read);
    assert!(reads[0].params.keys().all(|name| operation.param(name).is_some()));
    assert!(operation.params.iter().all(|it| !it.required || reads[0].params.contains_key(it.name)));
    assert_eq!(reads[0].params["Date"], json!(SENT), "the day of the call, not of the look");
    let other = sample("RestartInstance", V2020);
    assert_eq!(other.recipe().log_reads(&other.reads(), SENT), []);
}

#[test]
fn parameters_that_cannot_be_looked_up_give_no_reads() {
    let too_many: Vec<usize> = (1..=READS_MAX + 1).collect();
    let task = "RerunTaskInstances";
    for (operation, version, params) in [
        (task, V2024, json!({})),
        (task, V2024, json!({"Ids": null})),
        (task, V2024, json!({"Ids": []})),
        (task, V2024, json!({"Ids": 1})),
        (task, V2024, json!({"Ids": [1, "None"]})),
        (task, V2024, json!({"Ids": [1, 1.5]})),
        (task, V2024, json!({"Ids": [1, ""]})),
        (task, V2024, json!({"Ids": [{"$secret": "x"}]})),
        (task, V2024, json!({"Ids": too_many})),
        ("RerunWorkflowInstances", V2024, json!({"Filter": {"TaskIds": [1]}, "WorkflowId": 1})),
        ("RestartInstance", V2020, json!({"InstanceId": 1})),
        ("RestartInstance", V2020, json!({"InstanceId": 1, "ProjectEnv": {"$secret": "x"}})),
        ("RestartInstance", V2020, json!({"InstanceId": 1, "ProjectEnv": "P\n"})),
        ("CreateDataQualityScanRun", V2024, json!({"DataQualityScanId": 1})),
        ("CreatePipelineRun", V2024, json!({"ObjectIds": [], "ProjectId": 1})),
        (
            "CreateWorkflowInstances",
            V2024,
            json!({"Name": "n", "ProjectId": 1, "Type": "Manual", "WorkflowId": 1}),
        ),
        ("RunTriggerNode", V2020, json!({"AppId": 1, "NodeId": 2, "CycleTime": 3, "BizDate": i64::MAX})),
        ("StartDIJob", V2024, json!({"ForceToRerun": true})),
    ] {
        let recipe = of(find(operation, version).expect(operation)).expect(operation);
        assert_eq!(recipe.reads(object(&params)), [], "{operation} {params}");
    }
    assert!(of(find("StopTaskInstances", V2024).expect("an operation")).is_none());
}

#[test]
fn days_are_read_in_the_zone_of_the_endpoint() {
    let param = |it: Sample, name: &str| it.reads()[0].params[name].clone();
    // SENT less a day is 2026-11-17T11:06:40Z.
    assert_eq!(param(sample("RunTriggerNode", V2020), "Bizdate"), json!("2026-11-17 00:00:00"));
    assert_eq!(param(sample("CreateWorkflowInstances", V2024), "BizDate"), json!(1_794_844_800_000_i64));
}
