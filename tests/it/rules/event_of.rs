//! Events and rule sets for the tests of this topic.

use std::borrow::Cow;

use openeventd::event::{Envelope, Event, Facts, Flags, Kind, Status};
use openeventd::rule::parse::{KnownAccount, Surroundings, parse};
use openeventd::rule::policy::Allow;
use openeventd::rule::{Policy, RuleFile, RuleIndex, RuleSet};

/// When the event below was published.
pub(crate) const PUBLISHED_MS: i64 = 1_773_282_600_179;

/// A failed instance, as decoded from EventBridge.
pub(crate) fn failed_instance(data: &str) -> Event<'_> {
    let text = |value: &'static str| Some(Cow::Borrowed(value));
    Event {
        envelope: Envelope::CloudEvents,
        id: text("55d60ae3-2db7-5dd7-b09a-01531bea5e39"),
        source: text("acs.dataworks"),
        event_type: text("dataworks:InstanceStatusChanges:InstanceStatusChanges"),
        time: text("2026-03-12T10:30:00+08:00"),
        specversion: text("1.0"),
        subject: text(""),
        code: text("instance-status-changes"),
        kind: Some(Kind::Regular),
        workspace: Some(96384),
        operator: None,
        account: text("1460982254730185"),
        region: text("cn-hangzhou"),
        published_ms: Some(PUBLISHED_MS),
        facts: Facts {
            instance: Some(73_910_042_265),
            node: Some(700_005_183_003),
            status: Some(Status::Failure),
            ..Facts::default()
        },
        data: Cow::Borrowed(data),
        extensions: vec![(Cow::Borrowed("aliyuneventbusname"), Cow::Borrowed("\"dataworks-events\""))],
        flags: Flags::default(),
    }
}

/// The payload of that event.
pub(crate) const DATA: &str = r#"{"dagId": 1180044633, "dagType": 0, "status": 5, "taskId": 73910042265,
    "big": 9007199254740993, "huge": 123456789012345678901234567890, "ratio": 0.25, "none": null,
    "list": [{"k": "a", "v": 1}, {"k": "b"}], "names": ["x", "y"], "text": "{{ instance }}",
    "trap": {"$secret": "password"}, "long": "zwölf"}"#;

pub(crate) fn files(texts: &[(&str, &str)]) -> Vec<RuleFile> {
    texts.iter().map(|(path, text)| RuleFile { path: (*path).into(), text: (*text).into() }).collect()
}

/// A rule set that must parse, with the account `main` and every write of the tests allowed.
pub(crate) fn rule_set(text: &str) -> RuleSet {
    let accounts = [KnownAccount::named("main")];
    let allow =
        |operation: &str| Allow { operation: operation.to_owned(), workspaces: vec![], rules: String::new() };
    let policy = Policy { allow: vec![allow("RerunTaskInstances"), allow("RestartInstance")] };
    match parse(files(&[("test.toml", text)]), &Surroundings { accounts: &accounts, policy: &policy }) {
        Ok((rules, _)) => rules,
        Err(problems) => {
            let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("the rules do not parse:\n{}", shown.join("\n"))
        }
    }
}

/// The names of the rules that fire.
pub(crate) fn fired(rules: &RuleSet, event: &Event<'_>) -> Vec<String> {
    let (matched, failed) = matches(rules, event);
    assert_eq!(failed, []);
    matched.iter().map(|index| rules.rule(*index).expect("a rule of the set").name.clone()).collect()
}

pub(crate) fn matches(rules: &RuleSet, event: &Event<'_>) -> (Vec<RuleIndex>, Vec<RuleIndex>) {
    let (mut matched, mut failed) = (vec![], vec![]);
    rules.matches(event, &mut matched, &mut failed);
    (matched, failed)
}
