//! A record's bytes, as anybody who may write to the topic can send them: decoded, matched by the ready-made rules,
//! planned.
//!
//! The first byte chooses the headers, the rest is the value.

#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use openeventd::action::plan::{PlanContext, Trust, plan};
use openeventd::action::{EventIdentity, PlanState};
use openeventd::event::decode::{Limits, decode};
use openeventd::event::json::Node;
use openeventd::record::{Header, Record};
use openeventd::rule::parse::{KnownAccount, Surroundings, parse};
use openeventd::rule::{Firing, Policy, RuleFile, RuleSet};

/// CloudEvents in Kafka's binary mode.
const BINARY: [Header<'static>; 5] = [
    Header { name: "ce_specversion", value: Some(b"1.0") },
    Header { name: "ce_id", value: Some(b"55d60ae3") },
    Header { name: "ce_source", value: Some(b"acs.dataworks") },
    Header { name: "ce_type", value: Some(b"dataworks:InstanceStatusChanges:InstanceStatusChanges") },
    Header { name: "content-type", value: Some(b"application/json") },
];
const STRUCTURED: [Header<'static>; 1] =
    [Header { name: "content-type", value: Some(b"application/cloudevents+json; charset=utf-8") }];

static RULES: LazyLock<RuleSet> = LazyLock::new(|| {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/rules.d");
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("the rules are there") {
        let path = entry.expect("the rules are there").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name").to_owned();
        if name.ends_with(".toml") && !name.ends_with(".test.toml") {
            files.push(RuleFile { path: name, text: fs::read_to_string(&path).expect("text") });
        }
    }
    let accounts = [KnownAccount::named("main")];
    parse(files, &Surroundings { accounts: &accounts, policy: &Policy::default() })
        .expect("the rules are right")
        .0
});

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, payload)) = bytes.split_first() else { return };
    let mut record = Record::of_payload(payload);
    match choice % 4 {
        1 => record.headers = (&BINARY).into(),
        2 => record.headers = (&STRUCTURED).into(),
        _ => {}
    }
    let limits = Limits::default();
    let event = match decode(&record, &limits) {
        Ok(event) => event,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(decode(&record, &limits).as_ref(), Ok(&event), "the same bytes are the same event");
    let line = event.to_json_line();
    assert!(!line.contains('\n') && Node::parse(&line).is_ok(), "the event is one line of JSON: {line}");

    let (mut matched, mut failed) = (Vec::new(), Vec::new());
    RULES.matches(&event, &mut matched, &mut failed);
    assert!(failed.is_empty(), "what was decoded can be judged");
    for near in RULES.explaining(&event).by_nearness() {
        assert_eq!(near.firing == Firing::Yes, matched.contains(&near.rule), "the index leaves no rule out");
    }
    let context = PlanContext {
        accepted_at_ms: 1_773_282_600_179,
        policy: &Policy::default(),
        trust: &Trust::default(),
        default_account: Some("main"),
    };
    let identity = EventIdentity::Position { topic: "", partition: 0, offset: 0, payload_hash: b"" };
    let decisions =
        plan(&event, &identity, None, &matched, &failed, &RULES, &context, &mut PlanState::default());
    assert_eq!(decisions.len(), matched.len(), "each match has its decision");
});
