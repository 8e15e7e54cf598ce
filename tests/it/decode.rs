//! Decoding: from a record's bytes to the normalised event, or to quarantine.

use openeventd::event::Event;
use openeventd::event::decode::{DecodeError, Limits, decode};
use openeventd::record::Record;
use serde_json::Value;

mod samples;

mod envelopes;

mod quarantine;

mod garbage;

mod command;

fn decode_text(payload: &str) -> Result<Event<'_>, DecodeError> {
    decode(&Record::of_payload(payload.as_bytes()), &Limits::default())
}

/// The event of a payload that must decode.
fn event(payload: &str) -> Event<'_> {
    decode_text(payload).unwrap_or_else(|refused| panic!("{refused}: {payload}"))
}

/// The event as people see it.
fn shown(event: &Event<'_>) -> Value {
    let line = event.to_json_line();
    assert!(!line.contains('\n'), "the event spans lines: {line}");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// An event of `event_type` with `data`, as CloudEvents.
fn cloud_event(event_type: &str, data: &str) -> String {
    format!(
        r#"{{"data":{data},"id":"1f9e","source":"acs.dataworks","specversion":"1.0","type":"{event_type}"}}"#
    )
}

fn flags(event: &Event<'_>) -> Vec<&'static str> {
    event.flags.words().collect()
}

const INSTANCE_STATUS: &str = "dataworks:InstanceStatusChanges:InstanceStatusChanges";
