//! Every recipe against bodies in the shape that the API documents, whole and broken.

use proptest::prelude::*;
use serde_json::json;

use super::{
    Findings, Looked, READS_MAX, Read, Recipe, SETTLES_AFTER_MS, Same, Says, Source, Subject, Unchanged,
    Verdict, all, log, of,
};
use crate::operation::ApiVersion::{V2020, V2024};
use crate::operation::{Access, ApiVersion, Operation, RepeatEffect, find};
use serde_json::{Map, Value};

const SENT: i64 = 1_795_000_000_000;

/// A call, what its read says before it, and what it says once the call was executed.
struct Sample {
    operation: &'static str,
    version: ApiVersion,
    params: Value,
    before: Value,
    moved: Value,
}

impl Sample {
    fn recipe(&self) -> &'static Recipe {
        of(find(self.operation, self.version).expect(self.operation)).expect(self.operation)
    }

    fn reads(&self) -> Vec<Read> {
        self.recipe().reads(object(&self.params))
    }

    fn verdict(&self, before: &Value, after: &Value) -> Verdict {
        self.judge(Some(before), after, None, SETTLES_AFTER_MS).0
    }

    fn judge(
        &self,
        before: Option<&Value>,
        after: &Value,
        log: Option<&Value>,
        later_ms: i64,
    ) -> (Verdict, String) {
        let (recipe, reads) = (self.recipe(), self.reads());
        let found = |reads: &[Read], body: &Value| {
            let mut findings = Findings::default();
            for read in reads {
                if let Some(finding) = recipe.finding(read, body) {
                    findings.insert(read, finding);
                }
            }
            let stored = Findings::from_json(&findings.to_json());
            assert_eq!(stored, findings, "what is stored is what was found");
            stored
        };
        let judgement = recipe.judge(&Looked {
            reads: &reads,
            before: before.map(|body| found(&reads, body)).as_ref(),
            after: &found(&reads, after),
            log: log.map(|body| found(&recipe.log_reads(&reads, SENT), body)).as_ref(),
            sent_at_ms: SENT,
            looked_at_ms: SENT + later_ms,
        });
        (judgement.verdict, judgement.reason)
    }
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

/// `body` with the value at `pointer` replaced, or taken out if it is null and `takes_out`.
fn with(body: &Value, pointer: &str, value: Value) -> Value {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = body.pointer_mut(parent).expect(pointer);
    if let Value::Array(elements) = parent {
        elements[name.parse::<usize>().expect("an index")] = value;
    } else {
        parent.as_object_mut().expect(pointer).insert(name.to_owned(), value);
    }
    body
}

fn without(body: &Value, pointer: &str) -> Value {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    body.pointer_mut(parent).and_then(Value::as_object_mut).expect(pointer).remove(name);
    body
}

fn sample(operation: &'static str, version: ApiVersion) -> Sample {
    let found = samples().into_iter().find(|it| it.operation == operation && it.version == version);
    found.expect(operation)
}

fn samples() -> Vec<Sample> {
    let mut samples = instance_samples();
    samples.extend(list_samples());
    samples.extend(job_samples());
    samples
}

fn instance_samples() -> Vec<Sample> {
    let task = json!({"RequestId": "r", "TaskInstance": {
        "Id": 73_910_042_265_i64, "RunNumber": 2, "Status": "Failure", "StartedTime": SENT - 90_000,
        "FinishedTime": SENT - 60_000, "ModifyTime": SENT - 60_000, "TaskName": "ods"}});
    let workflow = json!({"RequestId": "r", "WorkflowInstance": {
        "Id": 9_007_199_254_740_993_i64, "Status": "NotRun", "ModifyTime": SENT - 60_000, "StartedTime": null}});
    let failed = json!({"RequestId": "r", "WorkflowInstance": {
        "Id": 12, "Status": "Failure", "ModifyTime": SENT - 60_000, "StartedTime": SENT - 90_000,
        "FinishedTime": SENT - 60_000}});
    let instance = json!({"Success": true, "ErrorCode": "0", "Data": {
        "InstanceId": 73_910_042_265_i64, "Status": "FAILURE", "BeginRunningTime": SENT - 90_000,
        "FinishTime": SENT - 60_000, "ModifyTime": SENT - 60_000, "TaskRerunTime": 3}});
    let waiting = json!({"Success": true, "Data": {"TotalCount": 2, "PageNumber": 1, "PageSize": 100, "Instances": [
        {"InstanceId": 1, "NodeId": 55, "CycTime": SENT, "Status": "WAIT_TRIGGER", "ModifyTime": SENT - 9},
        {"InstanceId": 2, "NodeId": 55, "CycTime": SENT + 3_600_000, "Status": "WAIT_TRIGGER", "ModifyTime": SENT - 9}]}});
    vec![
        Sample {
            operation: "RerunTaskInstances",
            version: V2024,
            params: json!({"Ids": [73_910_042_265_i64], "Comment": "by rule"}),
            moved: with(&task, "/TaskInstance/RunNumber", json!(3)),
            before: task,
        },
        Sample {
            operation: "StartWorkflowInstances",
            version: V2024,
            params: json!({"Ids": ["9007199254740993"]}),
            moved: with(&workflow, "/WorkflowInstance/Status", json!("Running")),
            before: workflow,
        },
        Sample {
            operation: "RerunWorkflowInstances",
            version: V2024,
            params: json!({"Ids": [12], "ProjectId": 7, "Type": "Normal", "WorkflowId": 1}),
            moved: with(&failed, "/WorkflowInstance/StartedTime", json!(SENT + 5)),
            before: failed,
        },
        Sample {
            operation: "RestartInstance",
            version: V2020,
            params: json!({"InstanceId": 73_910_042_265_i64, "ProjectEnv": "PROD"}),
            moved: with(&instance, "/Data/BeginRunningTime", json!(SENT + 5)),
            before: instance,
        },
        Sample {
            operation: "RunTriggerNode",
            version: V2020,
            params: json!({"AppId": 7, "NodeId": 55, "CycleTime": SENT, "BizDate": SENT - 86_400_000}),
            moved: with(&waiting, "/Data/Instances/0/Status", json!("RUNNING")),
            before: waiting,
        },
    ]
}

fn list_samples() -> Vec<Sample> {
    let row = |id: i64, name: &str| json!({"Id": id, "Name": name, "Status": "Success"});
    let instances = |total: i64, rows: Vec<Value>| json!({"PagingInfo": {"TotalCount": total, "WorkflowInstances": rows}});
    let runs = |ids: &[&str]| {
        let rows: Vec<Value> = ids.iter().map(|id| json!({"Id": id, "Status": "Success"})).collect();
        json!({"PagingInfo": {"TotalCount": rows.len(), "PipelineRuns": rows}})
    };
    let scan = |id: i64, time: &str| json!({"Id": id, "Status": "Pass", "Parameters": [{"Name": "triggerTime", "Value": time}]});
    let scans = |total: i64, rows: Vec<Value>| json!({"PageInfo": {"TotalCount": total, "DataQualityScanRuns": rows}});
    let versions =
        json!({"Success": true, "Data": {"TotalCount": 13, "FileVersions": [{"FileVersion": 13}]}});
    let submit = |version| Sample {
        operation: "SubmitFile",
        version,
        params: json!({"FileId": 100_000_001, "ProjectId": 7, "Comment": "by rule"}),
        before: versions.clone(),
        moved: with(&versions, "/Data/TotalCount", json!(14)),
    };
    vec![
        Sample {
            operation: "CreateWorkflowInstances",
            version: V2024,
            params: json!({"Name": "fill", "ProjectId": 7, "Type": "SupplementData", "WorkflowId": 1,
                "Periods": {"BizDates": [{"StartBizDate": "2026-11-17", "EndBizDate": "2026-11-18"}]}}),
            before: instances(40, vec![row(31, "fill"), row(30, "other")]),
            moved: instances(41, vec![row(33, "other"), row(32, "fill_1"), row(31, "fill")]),
        },
        Sample {
            operation: "CreatePipelineRun",
            version: V2024,
            params: json!({"ObjectIds": ["860438872620113XXXX"], "ProjectId": 7, "Type": "Online"}),
            before: runs(&["a7ef0634-20ec"]),
            moved: runs(&["b1", "a7ef0634-20ec"]),
        },
        Sample {
            operation: "CreateDataQualityScanRun",
            version: V2024,
            params: json!({"DataQualityScanId": 10_001, "ProjectId": 7,
                "Parameters": [{"Name": "triggerTime", "Value": 1_733_284_062_000_i64}]}),
            before: scans(324, vec![scan(3155, "1"), scan(3100, "2")]),
            moved: scans(325, vec![scan(3156, "1733284062000"), scan(3155, "1")]),
        },
        submit(V2020),
        submit(V2024),
    ]
}

fn job_samples() -> Vec<Sample> {
    let pipeline = json!({"Pipeline": {"Id": "a7ef", "Status": "Running", "Stages": [
        {"Code": "DEV_CHECK", "Status": "Success"}, {"Code": "PROD", "Status": "Init"}]}});
    let job = json!({"PagingInfo": {"DIJobId": "11588", "Id": 11_588, "JobStatus": "Stopped"}});
    let old_job = json!({"Success": true, "Data": {"DIJobId": 11_588, "JobStatus": "Stopped", "StartedTime": SENT - 5}});
    vec![
        Sample {
            operation: "ExecPipelineRunStage",
            version: V2024,
            params: json!({"Id": "a7ef", "Code": "PROD", "ProjectId": 7}),
            moved: with(&pipeline, "/Pipeline/Stages/1/Status", json!("Success")),
            before: pipeline,
        },
        Sample {
            operation: "StartDIJob",
            version: V2024,
            params: json!({"Id": 11_588}),
            moved: with(&job, "/PagingInfo/JobStatus", json!("Running")),
            before: job,
        },
        Sample {
            operation: "StartDIJob",
            version: V2020,
            params: json!({"DIJobId": 11_588}),
            moved: with(&old_job, "/Data/StartedTime", json!(SENT + 5)),
            before: old_job,
        },
    ]
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

/// The body with every whole number written as text.
fn numbers_as_text(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.to_string()),
        Value::Array(elements) => elements.iter().map(numbers_as_text).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, it)| (name.clone(), numbers_as_text(it))).collect())
        }
        other => other.clone(),
    }
}

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
fn every_recipe_has_a_sample_and_tells_an_executed_call_from_one_that_was_not() {
    assert_eq!(samples().len(), all().len());
    for it in samples() {
        let name = it.operation;
        assert_eq!(it.verdict(&it.before, &it.moved), Verdict::Happened, "{name}");
        let not = match it.recipe().unchanged {
            Unchanged::Proves => Verdict::DidNotHappen,
            Unchanged::ProvesNothing => Verdict::Ambiguous,
        };
        assert_eq!(it.verdict(&it.before, &it.before), not, "{name}");
        let as_text = numbers_as_text;
        assert_eq!(it.verdict(&it.before, &as_text(&it.moved)), Verdict::Happened, "{name}");
        assert_eq!(it.verdict(&as_text(&it.before), &it.before), not, "{name}");
    }
}

#[test]
fn without_both_readings_nothing_is_told() {
    for it in samples() {
        for after in [&it.before, &it.moved] {
            let (verdict, reason) = it.judge(None, after, None, SETTLES_AFTER_MS);
            assert_eq!(verdict, Verdict::Ambiguous, "{}", it.operation);
            assert!(reason.contains("from before the call"), "{reason}");
        }
        for broken in [json!(null), json!([]), json!({}), json!("x"), json!({"TaskInstance": []}), json!(7)] {
            assert_eq!(it.verdict(&it.before, &broken), Verdict::Ambiguous, "{} {broken}", it.operation);
            assert_eq!(it.verdict(&broken, &it.moved), Verdict::Ambiguous, "{} {broken}", it.operation);
        }
        let refused = |body: &Value| {
            let mut body = body.clone();
            body.as_object_mut().expect("an object").insert("Success".into(), json!(false));
            body
        };
        assert_eq!(it.verdict(&it.before, &refused(&it.moved)), Verdict::Ambiguous, "{}", it.operation);
        assert_eq!(it.verdict(&it.before, &refused(&it.before)), Verdict::Ambiguous, "{}", it.operation);
    }
}

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
fn an_unchanged_reading_soon_after_the_call_proves_nothing() {
    for it in samples() {
        for later in [SETTLES_AFTER_MS - 1, 0, -5_000, i64::MIN] {
            let (verdict, _) = it.judge(Some(&it.before), &it.before, None, later.max(-SENT));
            assert_eq!(verdict, Verdict::Ambiguous, "{}", it.operation);
            let (verdict, _) = it.judge(Some(&it.before), &it.moved, None, later.max(-SENT));
            assert_eq!(verdict, Verdict::Happened, "{}", it.operation);
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
fn the_reason_names_what_it_rests_on() {
    for (operation, version, moved, still) in [
        (
            "RerunTaskInstances",
            V2024,
            "RunNumber of 73910042265 went from 2 to 3",
            "73910042265 is as before (RunNumber 2, Status Failure)",
        ),
        (
            "StartWorkflowInstances",
            V2024,
            "Status of 9007199254740993 went from NotRun to Running",
            "9007199254740993 is as before (Status NotRun, ModifyTime 1794999940000)",
        ),
        (
            "CreatePipelineRun",
            V2024,
            "b1 is new in the list for 860438872620113XXXX",
            "the list for 860438872620113XXXX has the same 1 rows",
        ),
    ] {
        let it = sample(operation, version);
        let reason = |after| it.judge(Some(&it.before), after, None, SETTLES_AFTER_MS).1;
        assert_eq!(reason(&it.moved), moved);
        assert_eq!(reason(&it.before), still);
    }
}

#[test]
fn a_change_with_another_cause_leaves_it_open() {
    for (operation, version, at, value) in [
        // Somebody set it successful.
        ("RerunTaskInstances", V2024, "/TaskInstance/Status", json!("Success")),
        ("RestartInstance", V2020, "/Data/Status", json!("SUCCESS")),
        ("RunTriggerNode", V2020, "/Data/Instances/0/Status", json!("SUCCESS")),
        ("RunTriggerNode", V2020, "/Data/Instances/0/InstanceId", json!(9)),
        // Something touched it.
        ("RerunTaskInstances", V2024, "/TaskInstance/ModifyTime", json!(SENT + 1)),
        ("RerunTaskInstances", V2024, "/TaskInstance/ModifyTime", json!(null)),
        ("StartWorkflowInstances", V2024, "/WorkflowInstance/ModifyTime", json!(SENT + 1)),
        ("StartWorkflowInstances", V2024, "/WorkflowInstance/Status", json!("WaitTime")),
        // A word or a number that we do not understand.
        ("RerunTaskInstances", V2024, "/TaskInstance/Status", json!("Melted")),
        ("RerunTaskInstances", V2024, "/TaskInstance/RunNumber", json!(1)),
        ("RestartInstance", V2020, "/Data/BeginRunningTime", json!(SENT - 90_001)),
        ("ExecPipelineRunStage", V2024, "/Pipeline/Stages/1/Status", json!("Cancel")),
        ("SubmitFile", V2024, "/Data/TotalCount", json!(12)),
        ("StartDIJob", V2024, "/PagingInfo/JobStatus", json!("Failed")),
    ] {
        let it = sample(operation, version);
        let after = with(&it.before, at, value);
        assert_eq!(it.verdict(&it.before, &after), Verdict::Ambiguous, "{operation} {after}");
    }
}

#[test]
fn a_run_on_its_way_shows_before_the_counter_does() {
    for (operation, version, at, status) in [
        ("RerunTaskInstances", V2024, "/TaskInstance/Status", "WaitResource"),
        ("RerunTaskInstances", V2024, "/TaskInstance/Status", "NotRun"),
        ("RestartInstance", V2020, "/Data/Status", "RUNNING"),
        ("RerunWorkflowInstances", V2024, "/WorkflowInstance/Status", "Running"),
        ("StartDIJob", V2020, "/Data/JobStatus", "Running"),
    ] {
        let it = sample(operation, version);
        let after = with(&it.before, at, json!(status));
        assert_eq!(it.verdict(&it.before, &after), Verdict::Happened, "{operation} {status}");
    }
    let start = sample("StartWorkflowInstances", V2024);
    let begun = |at: i64| with(&start.before, "/WorkflowInstance/StartedTime", json!(at));
    assert_eq!(start.verdict(&start.before, &begun(SENT + 1)), Verdict::Happened);
    assert_eq!(
        start.verdict(&start.before, &begun(SENT - 1)),
        Verdict::Ambiguous,
        "a time from before the call"
    );
}

#[test]
fn what_was_not_at_rest_before_the_call_cannot_be_told() {
    for (operation, version, at, status) in [
        ("RerunTaskInstances", V2024, "/TaskInstance/Status", "Running"),
        ("StartWorkflowInstances", V2024, "/WorkflowInstance/Status", "Running"),
        ("RestartInstance", V2020, "/Data/Status", "WAIT_TIME"),
        ("ExecPipelineRunStage", V2024, "/Pipeline/Stages/1/Status", "Running"),
        ("StartDIJob", V2024, "/PagingInfo/JobStatus", "Failed"),
    ] {
        let it = sample(operation, version);
        let before = with(&it.before, at, json!(status));
        assert_eq!(it.verdict(&before, &before), Verdict::Ambiguous, "{operation} {status}");
    }
    let rerun = sample("RerunTaskInstances", V2024);
    let running = |body: &Value| with(body, "/TaskInstance/Status", json!("Running"));
    assert_eq!(rerun.verdict(&running(&rerun.before), &running(&rerun.moved)), Verdict::Ambiguous);
}

#[test]
fn some_of_several_is_left_to_a_person() {
    let it = sample("RerunTaskInstances", V2024);
    let recipe = it.recipe();
    let reads = recipe.reads(object(&json!({"Ids": [1, "2", 3, 1]})));
    assert_eq!(reads.iter().map(|read| read.subject.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    let findings = |run_numbers: [Option<i64>; 3]| {
        let mut findings = Findings::default();
        for (read, run_number) in reads.iter().zip(run_numbers) {
            let body =
                json!({"TaskInstance": {"Id": read.subject, "RunNumber": run_number, "Status": "Failure"}});
            if let Some(finding) = recipe.finding(read, &body) {
                findings.insert(read, finding);
            }
        }
        findings
    };
    let before = findings([Some(1); 3]);
    for (after, verdict) in [
        ([Some(2); 3], Verdict::Happened),
        ([Some(1); 3], Verdict::DidNotHappen),
        ([Some(2), Some(1), Some(1)], Verdict::Ambiguous),
        ([Some(2), Some(2), None], Verdict::Ambiguous),
        ([Some(1), Some(1), None], Verdict::Ambiguous),
    ] {
        let looked_at_ms = SENT + SETTLES_AFTER_MS;
        let after = findings(after);
        let looked = Looked {
            reads: &reads,
            before: Some(&before),
            after: &after,
            log: None,
            sent_at_ms: SENT,
            looked_at_ms,
        };
        assert_eq!(recipe.judge(&looked).verdict, verdict, "{after:?}");
        assert_eq!(recipe.judge(&Looked { reads: &[], ..looked }).verdict, Verdict::Ambiguous);
    }
}

#[test]
fn the_log_answers_what_the_readings_leave_open_and_never_that_nothing_happened() {
    let it = sample("RerunTaskInstances", V2024);
    let entry = |id: i64, at: i64, content: &str| {
        json!({"PagingInfo": {"TotalCount": 1, "OperationLogs": [
            {"TaskInstanceId": id, "CreateTime": at, "OperationContent": content, "User": "1000"}]}})
    };
    let id = 73_910_042_265;
    let empty = json!({"PagingInfo": {"TotalCount": 0, "OperationLogs": []}});
    for (log, verdict) in [
        (entry(id, SENT + 3, "Rerun tasks"), Verdict::Happened),
        (entry(id, SENT + 3, "重跑任务"), Verdict::Happened),
        (entry(id, SENT - 3, "Rerun tasks"), Verdict::Ambiguous),
        (entry(id, SENT + 3, "Freeze tasks"), Verdict::Ambiguous),
        (entry(7, SENT + 3, "Rerun tasks"), Verdict::Ambiguous),
        (empty.clone(), Verdict::Ambiguous),
        (json!({"PagingInfo": {"OperationLogs": [null, 1, {}]}}), Verdict::Ambiguous),
    ] {
        assert_eq!(it.judge(None, &it.before, Some(&log), SETTLES_AFTER_MS).0, verdict, "{log}");
    }
    let log = entry(id, SENT + 3, "Rerun tasks");
    let (verdict, reason) = it.judge(Some(&it.before), &it.before, Some(&log), SETTLES_AFTER_MS);
    assert_eq!(verdict, Verdict::Happened, "it outweighs a reading that saw nothing");
    assert_eq!(reason, "the operation log of 73910042265 has a rerun at 2026-11-18T11:06:40.003Z");
    let unchanged = it.judge(Some(&it.before), &it.before, Some(&empty), SETTLES_AFTER_MS).0;
    assert_eq!(unchanged, Verdict::DidNotHappen, "the readings prove it, not the log");
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
    fn arbitrary_bodies_are_never_taken_for_a_proof(before in json_value(), after in json_value()) {
        for it in samples() {
            for (before, after) in [(&before, &after), (&it.before, &after), (&before, &it.moved)] {
                prop_assert_eq!(it.verdict(before, after), Verdict::Ambiguous, "{} {} {}", it.operation, before, after);
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
