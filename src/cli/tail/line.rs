//! One record as one line: coloured for people, or JSON for programs.
//!
//! Everything that came with the record is escaped for people. JSON has the names of `openeventd decode` and
//! of the audit's views.

use std::fmt::Write as _;

use super::super::terminal::{BAD, DIM, GOOD, NAME, TITLE, WARNING, styled};
use crate::batch::{Content, Entry};
use crate::escape::Escaped;
use crate::event::{Event, Status};
use crate::record::Record;
use crate::rule::{Mode, Rule, RuleIndex, RuleSet};

/// More of a list than this is counted, not shown.
const LISTED_MAX: usize = 3;

/// Whether a line says which topic a record lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topics {
    /// There is only one.
    One,
    /// There are several.
    Several,
}

/// `entry` for people, without a line feed.
pub(super) fn text(entry: &Entry<'_>, rules: &RuleSet, topics: Topics) -> String {
    let mut line = place(&entry.record, topics);
    match &entry.content {
        Content::Quarantined(refused) => {
            line.push_str(&styled(BAD, &format!("undecodable, {}", refused.reason)));
            let _ = write!(line, "  {}", Escaped(&refused.message));
        }
        Content::Event { event, matched, failed } => {
            facts(event, &mut line);
            fired(matched, failed, rules, &mut line);
        }
    }
    line
}

/// `entry` as one JSON object: the event, or why it is none, then where it lies and the rules. No attribute of
/// the event has one of our names there, see [`Event::to_json_line`].
pub(super) fn json(entry: &Entry<'_>, rules: &RuleSet) -> String {
    let record = &entry.record;
    let mut place = serde_json::Map::new();
    place.insert("topic".into(), record.topic.into());
    place.insert("partition".into(), record.partition.into());
    place.insert("offset".into(), record.offset.into());
    place.insert("kafka_at".into(), time(record).into());
    let mut line = match &entry.content {
        Content::Quarantined(refused) => {
            serde_json::json!({ "quarantined": refused.reason, "message": refused.message }).to_string()
        }
        Content::Event { event, matched, failed } => {
            let known = |index: &RuleIndex| rules.rule(*index);
            let shown = |rule: &Rule| serde_json::json!({ "name": rule.name, "mode": rule.mode.as_str() });
            place.insert("rules".into(), matched.iter().filter_map(known).map(shown).collect());
            if !failed.is_empty() {
                let names = failed.iter().filter_map(known).map(|rule| rule.name.as_str());
                place.insert("failed_rules".into(), names.collect());
            }
            event.to_json_line()
        }
    };
    // Both are objects with something in them: the second goes on where the first ends.
    line.pop();
    line.push(',');
    line.push_str(serde_json::Value::Object(place).to_string().trim_start_matches('{'));
    line
}

/// Kafka's time of the record, in UTC.
fn time(record: &Record<'_>) -> Option<String> {
    let time = jiff::Timestamp::from_millisecond(record.timestamp_ms?).ok()?;
    Some(format!("{time:.3}"))
}

fn place(record: &Record<'_>, topics: Topics) -> String {
    let at = match topics {
        Topics::One => format!("{}:{}", record.partition, record.offset),
        Topics::Several => format!("{} {}:{}", record.topic, record.partition, record.offset),
    };
    let time = time(record).unwrap_or_else(|| "(no time)".to_owned());
    format!("{time}  {}  ", styled(DIM, &at))
}

/// Code, and what people look for in an event.
pub(in crate::cli) fn facts(event: &Event<'_>, line: &mut String) {
    let code = event.code.as_deref().or(event.event_type.as_deref()).unwrap_or("(no code)");
    line.push_str(&styled(NAME, &Escaped(code).to_string()));
    let facts = &event.facts;
    let mut show = |name: &str, value: &str| {
        // Writing into a String cannot fail.
        let _ = write!(line, "  {}{}", styled(DIM, &format!("{name}=")), Escaped(value));
    };
    for (name, value) in [
        ("workspace", event.workspace),
        ("instance", facts.instance),
        ("node", facts.node),
        ("file", facts.file),
        ("rows", facts.rows),
        ("bytes", facts.bytes),
    ] {
        if let Some(value) = value {
            show(name, &value.to_string());
        }
    }
    for (name, values) in [("instances", &facts.instances), ("nodes", &facts.nodes)] {
        if !values.is_empty() {
            show(name, &listed(values));
        }
    }
    for (name, value) in [("table", &facts.table), ("operator", &event.operator)] {
        if let Some(value) = value {
            show(name, value);
        }
    }
    if let Some(status) = facts.status {
        let style = match status {
            Status::Failure => BAD,
            Status::Success => GOOD,
            _ => TITLE,
        };
        let _ = write!(line, "  {}", styled(style, status.as_str()));
    }
    let odd: Vec<&str> = event.flags.words().collect();
    if !odd.is_empty() {
        let _ = write!(line, "  {}", styled(WARNING, &format!("[{}]", odd.join(", "))));
    }
}

fn listed(values: &[i64]) -> String {
    let shown: Vec<String> = values.iter().take(LISTED_MAX).map(ToString::to_string).collect();
    let more = values.len().saturating_sub(LISTED_MAX);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", shown.join(","))
}

/// The rules that would fire.
fn fired(matched: &[RuleIndex], failed: &[RuleIndex], rules: &RuleSet, line: &mut String) {
    let mut shown: Vec<String> = Vec::with_capacity(matched.len() + failed.len());
    for rule in matched.iter().filter_map(|index| rules.rule(*index)) {
        let style = match rule.mode {
            Mode::Observe => TITLE,
            Mode::Approve => WARNING,
            Mode::Live => GOOD,
        };
        shown.push(format!("{} ({})", styled(style, &Escaped(&rule.name).to_string()), rule.mode.as_str()));
    }
    for rule in failed.iter().filter_map(|index| rules.rule(*index)) {
        shown.push(styled(BAD, &format!("{} (fails)", Escaped(&rule.name))));
    }
    if !shown.is_empty() {
        let _ = write!(line, "  -> {}", shown.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{DecodedBatch, RecordBatch};
    use crate::event::decode::Limits;
    use crate::ingest::decode_batch;
    use crate::rule::parse::{self, Surroundings};
    use crate::rule::{Policy, RuleFile};

    const RULES: &str = "[[rule]]\nname = \"a\"\nmatch = { code = \"commit-file\" }\n\
                         [[rule]]\nname = \"b\"\nmode = \"live\"\nmatch = { code = \"commit-file\" }\n";

    fn decoded(payload: &str) -> (DecodedBatch, RuleSet) {
        let files = vec![RuleFile { path: "a.toml".into(), text: RULES.into() }];
        let surroundings = Surroundings { accounts: &[], policy: &Policy::default() };
        let (rules, _) = parse::parse(files, &surroundings).expect("the rules are right");
        let mut records = RecordBatch::new();
        let place = Record { topic: "t", partition: 2, offset: 7, ..Record::of_payload(payload.as_bytes()) };
        records.push(&Record { timestamp_ms: Some(1_605_791_082_179), ..place });
        (decode_batch(records, &Limits::default(), &rules), rules)
    }

    fn shown(payload: &str, topics: Topics) -> String {
        let (batch, rules) = decoded(payload);
        anstream::adapter::strip_str(&text(&batch.entries()[0], &rules, topics)).to_string()
    }

    #[test]
    fn a_line_has_place_code_facts_oddities_and_rules() {
        let event = r#"{"eventCode":"commit-file","projectId":1,"fileId":5,"operator":"o\u202e"}"#;
        assert_eq!(
            shown(event, Topics::Several),
            "2020-11-19T13:04:42.179Z  t 2:7  commit-file  workspace=1  file=5  operator=o\\u{202e}  \
             [no_identity]  -> a (observe), b (live)"
        );
        let event = r#"{"eventCode":"kill-instance","projectId":1,"taskIds":[1,2,3,4,5]}"#;
        assert_eq!(
            shown(event, Topics::One),
            "2020-11-19T13:04:42.179Z  2:7  kill-instance  workspace=1  instances=1,2,3 and 2 more  [no_identity]"
        );
    }

    #[test]
    fn what_cannot_be_decoded_says_why() {
        let line = shown("[1]", Topics::One);
        assert!(line.starts_with("2020-11-19T13:04:42.179Z  2:7  undecodable, not_an_object  "), "{line}");
    }

    /// The members of an object in the order in which they stand there, repeated ones as often as they do.
    struct Members(Vec<(String, serde_json::Value)>);

    impl<'de> serde::Deserialize<'de> for Members {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Members;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                    let mut members = Vec::new();
                    while let Some(member) = map.next_entry()? {
                        members.push(member);
                    }
                    Ok(Members(members))
                }
            }
            deserializer.deserialize_map(Visitor)
        }
    }

    #[test]
    fn no_event_can_say_in_our_place_where_it_lies_or_what_fires() {
        let event = r#"{"specversion":"1.0","id":"1","source":"s","type":"x","data":{},
            "topic":"theirs","partition":9,"offset":9,"kafka_at":"never","rules":["a"],"failed_rules":["b"],
            "quarantined":"not_json","message":"no event","extensions":{"topic":"t"},"mine":1}"#;
        let (batch, rules) = decoded(event);
        let line = json(&batch.entries()[0], &rules);
        let Members(members) = serde_json::from_str(&line).expect("it is JSON");
        let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "no name stands there twice: {line}");
        let value: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
        assert_eq!((value["topic"].as_str(), value["offset"].as_i64()), (Some("t"), Some(7)), "{line}");
        assert_eq!(value["kafka_at"].as_str(), Some("2020-11-19T13:04:42.179Z"));
        assert_eq!(value["rules"], serde_json::json!([]));
        for name in ["quarantined", "message", "failed_rules"] {
            assert!(value.get(name).is_none(), "{name}: {line}");
        }
        assert_eq!(value["extensions"]["quarantined"].as_str(), Some("not_json"));
        assert_eq!(value["extensions"]["extensions"]["topic"].as_str(), Some("t"));
        assert_eq!(value["mine"].as_i64(), Some(1));
    }
}
