//! Every published form of every event. Adding a case adds a sample and a line of `samples.expected.jsonl`,
//! which was made from the catalogue and the samples by other means than the decoder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use openeventd::event::sample;
use serde_json::Value;

use super::{event, shown};

/// The names that an expectation is complete in: what it leaves out, the event must not have.
const EXPECTED: [&str; 20] = [
    "envelope",
    "id",
    "source",
    "type",
    "code",
    "kind",
    "workspace",
    "operator",
    "account",
    "region",
    "instance",
    "instances",
    "node",
    "nodes",
    "file",
    "table",
    "status",
    "rows",
    "bytes",
    "flags",
];

fn fixtures() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))
}

fn samples() -> BTreeMap<String, String> {
    let folder = fs::read_dir(fixtures().join("samples")).expect("the samples are there");
    folder
        .map(|entry| {
            let path = entry.expect("the folder can be listed").path();
            let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(path).expect("a sample is text"))
        })
        .collect()
}

fn expectations() -> BTreeMap<String, Value> {
    let text =
        fs::read_to_string(fixtures().join("samples.expected.jsonl")).expect("the expectations are there");
    text.lines()
        .map(|line| {
            let expected: Value = serde_json::from_str(line).expect("an expectation is JSON");
            (expected["sample"].as_str().expect("an expectation names its sample").to_owned(), expected)
        })
        .collect()
}

#[test]
fn every_sample_decodes_to_its_identity_type_and_facts() {
    let (samples, expectations) = (samples(), expectations());
    assert_eq!(samples.keys().collect::<Vec<_>>(), expectations.keys().collect::<Vec<_>>());
    for (name, payload) in &samples {
        let (event, expected) = (event(payload), &expectations[name]);
        let shown = shown(&event);
        for key in EXPECTED {
            assert_eq!(shown.get(key), expected.get(key), "{key} of {name}");
        }
        assert_eq!(event.published_ms, expected.get("published_ms").and_then(Value::as_i64), "{name}");
    }
}

#[test]
fn data_and_extension_attributes_are_kept_as_sent() {
    for (name, payload) in &samples() {
        let event = event(payload);
        let sent: Value = serde_json::from_str(payload).expect("a sample is JSON");
        let data = sent.get("data").or(sent.get("messageBody")).expect("a sample has data");
        assert_eq!(&shown(&event)["data"], data, "{name}");
        assert!(payload.contains(&*event.data), "{name}");
        for key in [
            "datacontenttype",
            "aliyuneventbusname",
            "aliyunpublishtime",
            "eventCategoryType",
            "blockBusiness",
        ] {
            assert_eq!(shown(&event).get(key), sent.get(key), "{key} of {name}");
        }
    }
}

#[test]
fn both_envelopes_of_one_event_give_the_same_facts() {
    let samples = samples();
    let mut pairs = 0;
    for (name, payload) in &samples {
        let Some(other) = samples.get(&name.replace(".cloudevents.", ".kafka.")) else { continue };
        let (event, older) = (event(payload), event(other));
        assert_eq!(event.facts, older.facts, "{name}");
        assert_eq!((&event.id, &event.source), (&older.id, &older.source), "{name}");
        assert_eq!((&event.event_type, &event.code), (&older.event_type, &older.code), "{name}");
        assert_eq!((event.kind, event.workspace), (older.kind, older.workspace), "{name}");
        assert_eq!(event.operator, older.operator, "{name}");
        pairs += usize::from(event.envelope != older.envelope);
    }
    assert!(pairs >= 30, "only {pairs} pairs were compared");
}

#[test]
fn the_samples_that_tests_of_rules_begin_with_are_these() {
    let mut compared = 0;
    for (name, payload) in &samples() {
        let code = name.trim_end_matches(".cloudevents.json");
        let Some(embedded) = sample::of(code) else { continue };
        let parsed = |text: &str| serde_json::from_str::<Value>(text).expect("a sample is JSON");
        assert_eq!(parsed(embedded), parsed(payload), "{name}");
        compared += 1;
    }
    // The others have no published form.
    assert_eq!(compared, sample::all().count() - 6);
}
