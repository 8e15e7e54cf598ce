//! The event of a test: written out, in a file, or the catalogue's sample; with what differs from it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document;
use super::parse::Surroundings;
use crate::diagnostic::nearest;
use crate::event::decode::{Limits, decode};
use crate::event::payload::Payloads;
use crate::event::sample;
use crate::record::Record;
use crate::rule::field::{Field, KNOWN_EXTENSIONS};
use crate::rule::parse::json_start;
use crate::rule::pattern::item::{Item, ItemKind};
use crate::rule::report::Report;

pub(super) const KEYS: [&str; 3] = ["event", "event_file", "sample"];

/// The value of the record that brings the test's event, if it is right.
pub(super) fn parse(
    report: &mut Report<'_>,
    surroundings: &mut Surroundings<'_, '_>,
    table: &DeTable<'_>,
    at: &Range<usize>,
) -> Option<String> {
    let given: Vec<_> =
        KEYS.into_iter().filter_map(|key| table.get_key_value(key)).map(|(key, _)| key).collect();
    let [key] = given.as_slice() else {
        let help = "add one of `sample = \"CODE\"`, `event_file = \"PATH\"` and `event = ...`";
        match given.get(1) {
            None => report.error(at, "event", "a test needs an event", help),
            Some(second) => {
                report.error(&second.span(), second.get_ref(), "a test has one event", "keep one of them");
            }
        }
        return None;
    };
    let text = match key.get_ref().as_ref() {
        "event" => written(report, table)?,
        "event_file" => of_file(report, surroundings, table)?,
        _ => of_sample(report, table)?,
    };
    let text = with(report, table, text)?;
    match decode(&Record::of_payload(text.as_bytes()), &Limits::default()) {
        Ok(event) => {
            if let Some(with) = table.get("with") {
                let code = event.code.as_deref().unwrap_or_default();
                warn_of_unknown_fields(report, code, table.contains_key("sample"), with);
            }
        }
        Err(refused) => {
            let message =
                format!("the record would go to quarantine ({}): {}", refused.reason, refused.message);
            report.error(&key.span(), key.get_ref(), message, "");
            return None;
        }
    }
    Some(text)
}

/// Warns of what `with` changes and no event of this `code` has: fields of the payload, attributes of a sample.
fn warn_of_unknown_fields(report: &mut Report<'_>, code: &str, is_sample: bool, with: &Spanned<DeValue<'_>>) {
    let payloads = Payloads::of([code]);
    for (path, span) in document::paths(&Item::of_toml(with)) {
        let name = path.split('.').next().unwrap_or(&path);
        let names = || document::ATTRIBUTES.into_iter().map(Field::name).chain(KNOWN_EXTENSIONS);
        if is_sample && !names().any(|own| own == name) {
            let help = match nearest(name, names()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "fields of the payload stand under `data`".to_owned(),
            };
            let message = "not an attribute of events; only an extension attribute can have this name";
            report.warning(&span, &format!("with.{name}"), message, help);
        }
        let unknown = path.strip_prefix("data.").and_then(|path| payloads.unknown(path));
        if let Some(unknown) = unknown {
            let help = unknown.help("a field that DataWorks has not published is added all the same");
            report.warning(&span, &format!("with.data.{}", unknown.path), unknown.message(), help);
        }
    }
}

fn written(report: &mut Report<'_>, table: &DeTable<'_>) -> Option<String> {
    let value = table.get("event")?;
    if let Some((key, _)) = table.get_key_value("with") {
        let help = "write the event as it is to be";
        report.error(&key.span(), "with", "`with` changes a sample or an event from a file", help);
        return None;
    }
    match value.get_ref() {
        DeValue::String(text) => {
            let start = json_start(&report.file.text, &value.span(), text);
            if let Err(error) = Item::of_json(text, start) {
                report.error(&(error.at..error.at), "event", format!("not JSON: {}", error.message), "");
                return None;
            }
            Some(text.to_string())
        }
        DeValue::Table(_) => json(report, &document::of_toml(Item::of_toml(value)), "event"),
        _ => {
            report.wrong_type(value, "event", "a table, or JSON text");
            None
        }
    }
}

fn of_file(
    report: &mut Report<'_>,
    surroundings: &mut Surroundings<'_, '_>,
    table: &DeTable<'_>,
) -> Option<String> {
    let (written, span) = report.text(table, "", "event_file")?;
    let Some(path) = below(&report.file.path, written) else {
        let message = format!("\"{written}\" is no path of a file below the rule directory");
        let help = "it is relative to this file, such as \"events/failed.json\"";
        report.error(&span, "event_file", message, help);
        return None;
    };
    match (surroundings.read)(&path) {
        Ok(text) => Some(text),
        Err(reason) => {
            report.error(&span, "event_file", format!("cannot read {path}: {reason}"), "");
            None
        }
    }
}

/// The path that `written` means in `file`, unless it leaves the rule directory.
fn below(file: &str, written: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    if written.starts_with('/') || written.ends_with('/') || written.contains('\0') {
        return None;
    }
    for part in written.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty() && !written.is_empty()).then(|| parts.join("/"))
}

fn of_sample(report: &mut Report<'_>, table: &DeTable<'_>) -> Option<String> {
    let (code, span) = report.text(table, "", "sample")?;
    let text = sample::of(code);
    if text.is_none() {
        let help = match nearest(code, sample::all().map(|(code, _)| code)) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => "each event code has a sample, such as \"instance-status-changes\"".to_owned(),
        };
        report.error(&span, "sample", format!("there is no event code \"{code}\""), help);
    }
    text.map(str::to_owned)
}

/// The event `text` with what `with` says.
fn with(report: &mut Report<'_>, table: &DeTable<'_>, text: String) -> Option<String> {
    let Some(value) = table.get("with") else { return Some(text) };
    if !matches!(value.get_ref(), DeValue::Table(_)) {
        report.wrong_type(value, "with", "a table, such as `{ data.status = 5 }`");
        return None;
    }
    let mut event = match Item::of_json(&text, 0) {
        Ok(event) if matches!(event.kind, ItemKind::Map(_)) => event,
        Ok(_) | Err(_) => {
            let message = "the event is no JSON object, so nothing in it can be changed";
            report.error(&value.span(), "with", message, "");
            return None;
        }
    };
    let problems = document::change(&mut event, Item::of_toml(value));
    for problem in &problems {
        report.error(&problem.span, &problem.key, problem.message.as_str(), problem.help.as_str());
    }
    if problems.is_empty() { json(report, &event, "with") } else { None }
}

/// The event as JSON text.
fn json(report: &mut Report<'_>, event: &Item, key: &str) -> Option<String> {
    match document::to_json(event) {
        Ok(text) => Some(text),
        Err(foreign) => {
            let message = format!("{} has no JSON form", foreign.describe());
            report.error(&foreign.span, key, message, "write it as text or as a number");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_relative_to_its_file_and_never_leaves_the_rule_directory() {
        for (file, written, path) in [
            ("a.test.toml", "events/x.json", Some("events/x.json")),
            ("team/a.test.toml", "x.json", Some("team/x.json")),
            ("team/a.test.toml", "./../other//x.json", Some("other/x.json")),
            ("team/a.test.toml", "../../x.json", None),
            ("a.test.toml", "../x.json", None),
            ("a.test.toml", "/etc/passwd", None),
            ("team/a.test.toml", "..", None),
            ("a.test.toml", "", None),
            ("a.test.toml", "events/", None),
        ] {
            assert_eq!(below(file, written).as_deref(), path, "{file} {written}");
        }
    }
}
