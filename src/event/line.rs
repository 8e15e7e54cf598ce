//! An event as one line of JSON, under the names that rules, queries and people use.

use std::fmt::Write as _;

use super::scan::{append_compact, append_quoted};
use super::{Event, Kind, Status};

/// What stands beside an event in the lines of `decode` and `tail`, or in place of one.
const BESIDE: [&str; 8] =
    ["quarantined", "message", "topic", "partition", "offset", "kafka_at", "rules", "failed_rules"];
/// Where extension attributes stand that have one of these names, or this one.
const APART: &str = "extensions";

impl Event<'_> {
    /// The event as one line of JSON, without a line feed.
    ///
    /// `id`, `source`, `type`, `code` and `kind` are `null` when unknown; other attributes and facts that the
    /// event does not have are left out. Extension attributes stand under their own names, but for those that
    /// could be taken for what `decode` and `tail` say about the event: these are in an object `extensions`. So
    /// no name stands there twice, and none of ours comes from the event. `data` and extension values are as
    /// sent, but for white space between their parts.
    #[must_use]
    pub fn to_json_line(&self) -> String {
        let mut line = Line(String::with_capacity(self.data.len() + 512));
        self.write_attributes(&mut line);
        self.write_facts(&mut line);
        let (apart, own): (Vec<_>, Vec<_>) =
            self.extensions.iter().partition(|(name, _)| name == APART || BESIDE.contains(&name.as_ref()));
        for (name, value) in own {
            line.json(name, value);
        }
        if !apart.is_empty() {
            let mut nested = Line(String::new());
            for (name, value) in apart {
                nested.json(name, value);
            }
            nested.0.push('}');
            line.json(APART, &nested.0);
        }
        line.text("envelope", self.envelope.as_str());
        line.list("flags", self.flags.words(), append_quoted);
        line.json("data", &self.data);
        line.0.push('}');
        line.0
    }

    fn write_attributes(&self, line: &mut Line) {
        line.text_or_null("id", self.id.as_deref());
        line.text_or_null("source", self.source.as_deref());
        line.text_or_null("type", self.event_type.as_deref());
        line.text_or_null("code", self.code.as_deref());
        line.text_or_null("kind", self.kind.map(Kind::as_str));
        for (name, value) in [
            ("time", &self.time),
            ("specversion", &self.specversion),
            ("subject", &self.subject),
            ("operator", &self.operator),
            ("account", &self.account),
            ("region", &self.region),
        ] {
            if let Some(value) = value {
                line.text(name, value);
            }
        }
        line.number("workspace", self.workspace);
    }

    fn write_facts(&self, line: &mut Line) {
        let facts = &self.facts;
        line.number("instance", facts.instance);
        line.numbers("instances", &facts.instances);
        line.number("node", facts.node);
        line.numbers("nodes", &facts.nodes);
        line.number("file", facts.file);
        if let Some(table) = &facts.table {
            line.text("table", table);
        }
        if let Some(status) = facts.status.map(Status::as_str) {
            line.text("status", status);
        }
        line.number("rows", facts.rows);
        line.number("bytes", facts.bytes);
    }
}

/// An object that is being written.
struct Line(String);

impl Line {
    fn name(&mut self, name: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        append_quoted(name, &mut self.0);
        self.0.push(':');
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        append_quoted(value, &mut self.0);
    }

    fn text_or_null(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.json(name, "null"),
        }
    }

    fn json(&mut self, name: &str, value: &str) {
        self.name(name);
        append_compact(value, &mut self.0);
    }

    fn number(&mut self, name: &str, value: Option<i64>) {
        if let Some(value) = value {
            self.name(name);
            append_number(value, &mut self.0);
        }
    }

    fn numbers(&mut self, name: &str, values: &[i64]) {
        if !values.is_empty() {
            self.list(name, values.iter().copied(), append_number);
        }
    }

    fn list<T>(&mut self, name: &str, values: impl Iterator<Item = T>, append: impl Fn(T, &mut String)) {
        self.name(name);
        self.0.push('[');
        for (at, value) in values.enumerate() {
            if at > 0 {
                self.0.push(',');
            }
            append(value, &mut self.0);
        }
        self.0.push(']');
    }
}

fn append_number(value: i64, line: &mut String) {
    // Writing to a `String` cannot fail.
    let _ = write!(line, "{value}");
}
