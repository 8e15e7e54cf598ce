//! The envelopes and oddities that no sample shows.

use openeventd::event::decode::{Limits, decode};
use openeventd::event::{Envelope, Event, Kind, Status};
use openeventd::record::{Header, Record};
use serde_json::{Value, json};

use super::{INSTANCE_STATUS, cloud_event, event, flags, shown};

const BODY: &str = r#"{"taskId":73910042265,"nodeId":700005183003,"status":5,"appId":96384}"#;

fn assert_failed_instance(event: &Event<'_>) {
    assert_eq!(event.code.as_deref(), Some("instance-status-changes"));
    assert_eq!((event.kind, event.workspace), (Some(Kind::Regular), Some(96384)));
    assert_eq!((event.facts.instance, event.facts.node), (Some(73_910_042_265), Some(700_005_183_003)));
    assert_eq!(event.facts.status, Some(Status::Failure));
}

#[test]
fn the_first_topics_schedule_task_is_an_instance_status_change() {
    let payload = format!(r#"{{"messageId":"m1","messageType":"SCHEDULE_TASK","messageBody":{BODY}}}"#);
    let event = event(&payload);
    assert_failed_instance(&event);
    assert_eq!(event.envelope, Envelope::KafkaGen1);
    assert_eq!((event.id.as_deref(), event.source.as_deref()), (Some("m1"), Some("acs.dataworks")));
    assert_eq!(event.event_type.as_deref(), Some(INSTANCE_STATUS));
    assert!(flags(&event).is_empty());
}

#[test]
fn other_message_types_of_the_first_topic_are_kept_as_code() {
    let payload = r#"{"messageId":"m1","messageType":"META_TABLE","messageBody":{"taskId":1,"status":5}}"#;
    let event = event(payload);
    assert_eq!((event.code.as_deref(), event.event_type.as_deref()), (Some("META_TABLE"), None));
    assert_eq!((event.kind, event.facts.status, event.facts.instance), (Some(Kind::Regular), None, None));
    assert_eq!(flags(&event), ["unknown_type"]);
}

#[test]
fn an_outer_extension_biz_id_tells_the_function_compute_form() {
    let payload = r#"{"blockBusiness":true,"eventCategoryType":"resources-download","eventType":
        "upload-data-to-table","extensionBizId":"job_17","messageBody":{"eventCode":"upload-data-to-table",
        "queryDwProjectId":"96384","operatorBaseId":"9","fileSize":"123456","dataRowSize":"7"},"messageId":"m"}"#;
    let event = event(payload);
    assert_eq!((event.envelope, event.kind), (Envelope::FunctionCompute, Some(Kind::Extension)));
    assert_eq!(event.event_type.as_deref(), Some("dataworks:ResourcesUpload:UploadDataToTable"));
    assert_eq!((event.workspace, event.operator.as_deref()), (Some(96384), Some("9")));
    assert_eq!((event.facts.bytes, event.facts.rows), (Some(123_456), Some(7)));
    assert_eq!(shown(&event)["extensionBizId"], "job_17");
}

#[test]
fn an_unknown_code_of_the_older_envelopes_waits_if_its_envelope_says_so() {
    for (blocks, kind) in [("true", Some(Kind::Extension)), ("false", Some(Kind::Regular)), ("null", None)] {
        let payload = format!(
            r#"{{"messageId":"m","eventType":"new-thing","messageBody":{{}},"blockBusiness":{blocks}}}"#
        );
        let event = event(&payload);
        assert_eq!((event.code.as_deref(), event.event_type.as_deref()), (Some("new-thing"), None));
        assert_eq!((event.kind, flags(&event)), (kind, vec!["unknown_type"]), "{blocks}");
    }
}

#[test]
fn binary_mode_reads_attributes_from_headers() {
    let text = |name, value: &'static str| Header { name, value: Some(value.as_bytes()) };
    let headers = [
        text("content-type", "application/json;charset=utf-8"),
        text("ce_specversion", "1.0"),
        text("ce_id", "b-1"),
        text("ce_source", "acs.dataworks"),
        text("ce_type", INSTANCE_STATUS),
        text("ce_aliyunregionid", "cn-hangzhou"),
        text("ce_aliyunpublishtime", "2026-03-12T10:30:00.179PRC"),
        text("ce_team", "say \"hi\"\n"),
        text("ce_status", "hidden"),
        Header { name: "ce_subject", value: None },
        text("traceparent", "00-1"),
    ];
    let record = Record { headers: (&headers).into(), ..Record::of_payload(BODY.as_bytes()) };
    let event = decode(&record, &Limits::default()).expect("the record decodes");
    assert_failed_instance(&event);
    assert_eq!((event.envelope, event.id.as_deref()), (Envelope::CloudEventsBinary, Some("b-1")));
    assert_eq!((event.region.as_deref(), event.subject.as_deref()), (Some("cn-hangzhou"), None));
    assert_eq!(event.published_ms, Some(1_773_282_600_179));
    assert_eq!(flags(&event), ["attribute_collision"]);
    let shown = shown(&event);
    assert_eq!(shown["team"], "say \"hi\"\n");
    assert_eq!((&shown["status"], shown.get("traceparent")), (&json!("Failure"), None));
}

#[test]
fn a_whole_event_with_cloudevents_headers_is_read_from_its_payload() {
    let headers = [
        Header { name: "Content-Type", value: Some(b"application/cloudevents+json; charset=UTF-8") },
        Header { name: "ce_specversion", value: Some(b"1.0") },
    ];
    let payload = cloud_event(INSTANCE_STATUS, BODY);
    let record = Record { headers: (&headers).into(), ..Record::of_payload(payload.as_bytes()) };
    let event = decode(&record, &Limits::default()).expect("the record decodes");
    assert_eq!(event.envelope, Envelope::CloudEvents);
    assert_failed_instance(&event);
}

#[test]
fn data_given_as_json_text_is_parsed_once_and_flagged() {
    let text = serde_json::to_string(BODY).expect("text can be quoted");
    let payload = cloud_event(INSTANCE_STATUS, &text);
    let event = event(&payload);
    assert_failed_instance(&event);
    assert_eq!((&*event.data, flags(&event)), (BODY, vec!["data_was_text"]));
}

#[test]
fn data_that_is_no_object_is_kept_and_has_no_facts() {
    for data in ["null", "17", "[1]", "\"free text\"", r#""{broken""#, r#""\ud800""#, "1e999"] {
        let payload = cloud_event(INSTANCE_STATUS, data);
        let event = event(&payload);
        assert_eq!((&*event.data, event.workspace, flags(&event)), (data, None, vec![]), "{data}");
    }
}

#[test]
fn only_data_is_told_by_its_event_code_and_has_no_identity() {
    let payload = format!("  {}\n", BODY.replace('{', r#"{"eventCode":"instance-status-changes","#));
    let event = event(&payload);
    assert_failed_instance(&event);
    assert_eq!((event.envelope, &event.id, &event.source), (Envelope::DataOnly, &None, &None));
    assert_eq!((&*event.data, flags(&event)), (payload.trim(), vec!["no_identity"]));
    assert_eq!(event.event_type.as_deref(), Some(INSTANCE_STATUS));
    assert_eq!(shown(&event)["id"], Value::Null);
}

#[test]
fn an_unknown_type_is_an_event_with_the_code_of_its_data() {
    for (data, code) in [(r#"{"eventCode":"Order.Paid","operator":5}"#, Some("Order.Paid")), ("{}", None)] {
        let payload = cloud_event("com.example.Order", data).replace("acs.dataworks", "my.shop");
        let event = event(&payload);
        assert_eq!((event.code.as_deref(), event.kind), (code, None));
        assert_eq!(event.event_type.as_deref(), Some("com.example.Order"));
        assert_eq!(flags(&event), ["unknown_type"]);
        assert_eq!(event.operator.as_deref(), code.map(|_| "5"));
    }
}

#[test]
fn the_type_wins_over_another_code_in_data() {
    let payload = cloud_event(
        "dataworks:DqcCheck:BatchUpdateDataQualityRules",
        r#"{"eventCode":"update-data-quality-rule"}"#,
    );
    let event = event(&payload);
    assert_eq!(event.code.as_deref(), Some("batch-update-data-quality-rules"));
    assert_eq!(flags(&event), ["code_conflict"]);
}

#[test]
fn attributes_with_names_of_ours_lose_and_are_flagged() {
    let payload = cloud_event(INSTANCE_STATUS, "{}")
        .replace("\"id\"", r#""workspace":1,"flags":["x"],"team":"blue","id""#);
    let event = event(&payload);
    let shown = shown(&event);
    assert_eq!((shown.get("workspace"), &shown["team"]), (None, &json!("blue")));
    assert_eq!(shown["flags"], json!(["attribute_collision"]));
}

#[test]
fn of_repeated_names_in_data_the_last_counts() {
    for (data, node) in [
        (r#"{"nodeId":1,"nodeId":2}"#, Some(2)),
        (r#"{"nodeId":1,"\u006eodeId":3}"#, Some(3)),
        (r#"{"nodeId":1,"nodeId":null}"#, None),
        (r#"{"nodeId":4,"x":[{"y":1,"y":2}]}"#, Some(4)),
    ] {
        let payload = cloud_event(INSTANCE_STATUS, data);
        let event = event(&payload);
        assert_eq!((event.facts.node, flags(&event)), (node, vec!["duplicate_data_keys"]), "{data}");
    }
}

#[test]
fn big_integers_stay_exact_and_long_account_numbers_stay_text() {
    let payload = cloud_event(
        "dataworks:InstanceChange:KillInstance",
        r#"{"taskIds":[9007199254740993,"9223372036854775807"],"operator":259814730062518843,"projectId":"9007199254740993"}"#,
    );
    let event = event(&payload);
    assert_eq!(event.facts.instances, [9_007_199_254_740_993, i64::MAX]);
    assert_eq!(event.operator.as_deref(), Some("259814730062518843"));
    assert_eq!(shown(&event)["workspace"], json!(9_007_199_254_740_993_i64));
}

#[test]
fn numbers_that_no_fact_can_hold_are_flagged_and_stay_in_data() {
    let payload =
        cloud_event(INSTANCE_STATUS, r#"{"taskId":92233720368547758080,"nodeId":1e400,"status":9}"#);
    let event = event(&payload);
    assert_eq!((event.facts.instance, event.facts.node, event.facts.status), (None, None, None));
    assert_eq!(flags(&event), ["unreadable_value"]);
    assert!(event.to_json_line().contains(r#""taskId":92233720368547758080,"nodeId":1e400"#));
}

#[test]
fn task_ids_of_quality_and_approval_events_are_no_instances() {
    for event_type in
        ["dataworks:DqcCheck:DqcCheckFinishedEvent", "dataworks:ApprovalChange:ApprovalChangeCreated"]
    {
        let payload = cloud_event(event_type, r#"{"taskId":"528535870015424","taskIds":[1],"status":5}"#);
        let event = event(&payload);
        assert_eq!((event.facts.instance, event.facts.instances.len(), event.facts.status), (None, 0, None));
        assert!(flags(&event).is_empty());
    }
}
