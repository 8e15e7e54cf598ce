//! What leaves a verdict open, and what closes it.

use serde_json::{Value, json};

use crate::operation::ApiVersion::{V2020, V2024};
use crate::operation::recipe::tests::{SENT, object, sample, with};
use crate::operation::recipe::{Findings, Looked, SETTLES_AFTER_MS, Verdict};

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
        ("SubmitFile", V2024, "/Data/FileVersions/0/FileVersion", json!(14)),
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
