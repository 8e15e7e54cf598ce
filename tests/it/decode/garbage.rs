//! Nothing that can arrive makes the decoder panic, and what it accepts can always be shown.

use openeventd::event::decode::{Limits, decode};
use openeventd::event::json::Node;
use openeventd::record::{Header, Record};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{INSTANCE_STATUS, cloud_event, event, shown};

/// Decodes and shows, whatever the bytes are.
fn survive(payload: &[u8], headers: &[Header<'_>]) {
    let record = Record { headers: headers.into(), ..Record::of_payload(payload) };
    if let Ok(event) = decode(&record, &Limits::default()) {
        // Not as a `Value`, which can hold neither 1e999 nor half of a surrogate pair.
        let line = event.to_json_line();
        let Ok(Node::Map(members)) = Node::parse(&line) else { panic!("no JSON object: {line}") };
        let envelope = members.iter().find(|(name, _)| name == "envelope").map(|(_, word)| word);
        assert_eq!(envelope, Some(&Node::Text(event.envelope.as_str().into())));
        assert!(!line.contains('\n') && Node::parse(&event.data).is_ok(), "{line}");
    }
}

const WHOLE: &str =
    include_str!("../../fixtures/samples/workbench-monitor-alert.remind-node.cloudevents.json");
const OLDER: &str = include_str!("../../fixtures/samples/download-resources.kafka.json");

/// A value of any shape, with the names that facts are made of.
fn value() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("taskId"),
        Just("taskIds"),
        Just("nodeIds"),
        Just("status"),
        Just("operator"),
        Just("process"),
        Just("eventCode"),
        Just("tableName"),
        Just("dataRowSize"),
        Just("projectId"),
        Just(r"\ud83d"),
        Just(""),
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("1e999".to_owned()),
        Just(r#""\ud800""#.to_owned()),
        any::<i128>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("JSON has no such number", |number| number.is_finite())
            .prop_map(|n| n.to_string()),
        "\\PC*".prop_map(|text| serde_json::to_string(&text).expect("text can be quoted")),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(|list| format!("[{}]", list.join(" , "))),
            vec((name.clone(), inner), 0..6).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(name, value)| format!("\"{name}\" :{value}")).collect();
                format!("{{ {}\n}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_survived(payload in vec(any::<u8>(), 0..300), name in "(ce_)?[a-z]{0,11}", value in vec(any::<u8>(), 0..20)) {
        survive(&payload, &[]);
        let version = Header { name: "ce_specversion", value: Some(b"1.0") };
        survive(&payload, &[version, Header { name: &name, value: Some(&value) }]);
    }

    #[test]
    fn damaged_events_are_survived(is_whole: bool, cuts in vec((any::<prop::sample::Index>(), 0..4_usize, any::<u8>()), 1..6)) {
        let mut payload = if is_whole { WHOLE } else { OLDER }.as_bytes().to_vec();
        for (place, length, byte) in cuts {
            let start = place.index(payload.len().max(1)).min(payload.len());
            let end = (start + length).min(payload.len());
            payload.splice(start..end, [byte]);
        }
        survive(&payload, &[]);
    }

    #[test]
    fn data_of_any_shape_is_an_event_that_keeps_it(data in value()) {
        let payload = cloud_event(INSTANCE_STATUS, &data);
        let event = event(&payload);
        prop_assert!(event.flags.data_was_text || *event.data == data);
        survive(payload.as_bytes(), &[]);
        survive(data.as_bytes(), &[]);
    }

    #[test]
    fn every_integer_is_exact(id: i64, quoted: bool) {
        let written = if quoted { format!("\"{id}\"") } else { id.to_string() };
        let payload = cloud_event(INSTANCE_STATUS, &format!("{{\"taskId\":{written}}}"));
        prop_assert_eq!(event(&payload).facts.instance, Some(id));
        prop_assert_eq!(shown(&event(&payload))["instance"].as_i64(), Some(id));
    }
}
