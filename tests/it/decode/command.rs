//! `openeventd decode`: what counts as one record, and what is written for it.

use std::fs;
use std::path::PathBuf;

use openeventd::cli::decode::{DecodeCommandError, Outcome, run};
use openeventd::event::decode::Limits;
use serde_json::Value;

use super::{INSTANCE_STATUS, cloud_event};

fn lines(output: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(output).expect("the output is text");
    text.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect()
}

fn decode_stdin(input: &str, limits: &Limits) -> (Vec<Value>, Outcome) {
    let mut output = Vec::new();
    let outcome = run(&[], input.as_bytes(), &mut output, limits).expect("memory can be read");
    (lines(&output), outcome)
}

fn reasons(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["quarantined"].as_str().unwrap_or("-")).collect()
}

#[test]
fn a_document_over_several_lines_is_one_record() {
    let input = cloud_event(INSTANCE_STATUS, "{\n \"taskId\": 7\n}").replace(',', ",\n");
    let (lines, outcome) = decode_stdin(&format!("\n{input}\n\n"), &Limits::default());
    assert_eq!((lines.len(), outcome), (1, Outcome::Decoded));
    assert_eq!((&lines[0]["instance"], &lines[0]["data"]["taskId"]), (&7.into(), &7.into()));
}

#[test]
fn json_lines_are_one_record_each_and_a_bad_one_stops_none() {
    let good = cloud_event(INSTANCE_STATUS, "{}");
    let (lines, outcome) = decode_stdin(&format!("{good}\n\nbroken\r\n{good}\r\n[]"), &Limits::default());
    assert_eq!(reasons(&lines), ["-", "not_json", "-", "not_an_object"]);
    assert_eq!(outcome, Outcome::Quarantined);
    assert!(lines[1]["message"].as_str().is_some_and(|message| message.contains("line 1 column 1")));
}

#[test]
fn a_broken_document_is_one_quarantined_record() {
    for input in ["{\n\"specversion\": \"1.0\",\n\"data\": {\n}\n", "hello", "", "\n"] {
        let (lines, outcome) = decode_stdin(input, &Limits::default());
        assert_eq!((lines.len(), outcome), (1, Outcome::Quarantined), "{input}");
    }
}

#[test]
fn inputs_of_any_size_are_read_line_by_line_within_the_limit() {
    let good = cloud_event(INSTANCE_STATUS, "{}");
    let long = cloud_event(INSTANCE_STATUS, &format!("\"{}\"", "x".repeat(1000)));
    let limits = Limits { payload_bytes_max: good.len(), ..Limits::default() };
    let (lines, outcome) = decode_stdin(&format!("{good}\n{long}\n{good}\n{long}"), &limits);
    assert_eq!(reasons(&lines), ["-", "too_large", "-", "too_large"]);
    assert_eq!(outcome, Outcome::Quarantined);
    let (lines, _) = decode_stdin(&long.replace(',', ",\n"), &limits);
    assert_eq!(reasons(&lines), ["too_large"]);
}

#[test]
fn files_are_decoded_in_order_and_a_missing_one_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let first = folder.path().join("first.json");
    fs::write(&first, cloud_event(INSTANCE_STATUS, "{}")).expect("the file can be written");
    let stdin = cloud_event("x.y", "{}");
    let mut output = Vec::new();
    let files = [first.clone(), PathBuf::from("-"), first, folder.path().join("missing.json")];
    let stopped = run(&files, stdin.as_bytes(), &mut output, &Limits::default());
    let stopped = stopped.expect_err("the last file is missing");
    assert!(
        matches!(stopped, DecodeCommandError::Open { .. }) && stopped.to_string().ends_with("missing.json")
    );
    let types: Vec<_> = lines(&output).into_iter().map(|line| line["type"].clone()).collect();
    assert_eq!(types, [INSTANCE_STATUS, "x.y", INSTANCE_STATUS]);
}

#[test]
fn an_event_cannot_pass_for_a_refused_record() {
    let hostile = r#"{"specversion":"1.0","id":"1","source":"s","type":"x","quarantined":"not_json","message":"m","data":{}}"#;
    let (lines, outcome) = decode_stdin(hostile, &Limits::default());
    assert_eq!((reasons(&lines), outcome), (vec!["-"], Outcome::Decoded));
    assert!(lines[0].get("message").is_none(), "{}", lines[0]);
    assert_eq!(lines[0]["extensions"], serde_json::json!({ "quarantined": "not_json", "message": "m" }));
}
