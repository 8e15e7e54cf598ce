//! Every recipe against bodies in the shape that the API documents.

use serde_json::{Map, Value, json};

use super::{Findings, Looked, Read, Recipe, SETTLES_AFTER_MS, Unchanged, Verdict, all, of};
use crate::operation::ApiVersion::{V2020, V2024};
use crate::operation::{ApiVersion, find};

pub(super) const SENT: i64 = 1_795_000_000_000;

/// A call, what its read says before it, and what it says once the call was executed.
pub(super) struct Sample {
    pub(super) operation: &'static str,
    pub(super) version: ApiVersion,
    pub(super) params: Value,
    pub(super) before: Value,
    pub(super) moved: Value,
}

impl Sample {
    pub(super) fn recipe(&self) -> &'static Recipe {
        of(find(self.operation, self.version).expect(self.operation)).expect(self.operation)
    }

    pub(super) fn reads(&self) -> Vec<Read> {
        self.recipe().reads(object(&self.params))
    }

    pub(super) fn verdict(&self, before: &Value, after: &Value) -> Verdict {
        self.judge(Some(before), after, None, SETTLES_AFTER_MS).0
    }

    pub(super) fn judge(
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

pub(super) fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

/// `body` with the value at `pointer` replaced.
pub(super) fn with(body: &Value, pointer: &str, value: Value) -> Value {
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

pub(super) fn sample(operation: &'static str, version: ApiVersion) -> Sample {
    let found = samples().into_iter().find(|it| it.operation == operation && it.version == version);
    found.expect(operation)
}

pub(super) fn samples() -> Vec<Sample> {
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
    let node =
        json!({"Success": true, "Data": {"NodeId": 55, "DeployDate": SENT - 86_400_000, "FileVersion": 3}});
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
            operation: "DeployFile",
            version: V2020,
            params: json!({"NodeId": 55, "ProjectId": 7}),
            moved: with(&node, "/Data/DeployDate", json!(SENT + 5)),
            before: node,
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
