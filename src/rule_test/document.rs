//! A test's event as a tree: from TOML, changed, and back to JSON text, with every number as it was written.

use std::ops::Range;

use serde_json::Value as Json;

use crate::rule::field::Field;
use crate::rule::pattern::item::{DEPTH_MAX, Item, ItemKind, Key};
use crate::rule::report::dotted;

/// The fields of an event that its document has under the same name.
pub(super) const ATTRIBUTES: [Field; 7] =
    [Field::Id, Field::Source, Field::Type, Field::Time, Field::Specversion, Field::Subject, Field::Data];

/// What is wrong with a change, and where.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) span: Range<usize>,
    pub(super) key: String,
    pub(super) message: String,
    pub(super) help: String,
}

/// Makes `{ null = true }` of TOML what it stands for.
pub(super) fn of_toml(mut item: Item) -> Item {
    item.kind = match item.kind {
        ItemKind::Map(entries) if is_mark(&entries, "null") => ItemKind::Null,
        ItemKind::Map(entries) => {
            ItemKind::Map(entries.into_iter().map(|(key, value)| (key, of_toml(value))).collect())
        }
        ItemKind::List(elements) => ItemKind::List(elements.into_iter().map(of_toml).collect()),
        kind => kind,
    };
    item
}

/// Changes `event` at every path that `with` names: tables and dotted keys are ways, everything else is a value.
pub(super) fn change(event: &mut Item, with: Item) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let ItemKind::Map(entries) = with.kind {
        for (key, value) in entries {
            refuse_our_names(event, &key, &mut problems);
            enter(event, &key, value, "with", &mut problems);
        }
    }
    problems
}

/// Rules see `status`; the document has `data.status`.
fn refuse_our_names(event: &Item, key: &Key, problems: &mut Vec<Problem>) {
    let ItemKind::Map(entries) = &event.kind else { return };
    let is_ours = Field::ALL.iter().any(|field| field.name() == key.text && !ATTRIBUTES.contains(field));
    if is_ours && !entries.iter().any(|(own, _)| own.text == key.text) {
        problems.push(Problem {
            span: key.span.clone(),
            key: format!("with.{}", key.text),
            message: format!("`{}` is made from the event, which has no such field", key.text),
            help: "change the field that it comes from, such as `data.status`, `data.taskId` or `aliyunaccountid`"
                .to_owned(),
        });
    }
}

/// Follows `key`, which may be dotted, from `item` and changes what is there.
fn enter(item: &mut Item, key: &Key, value: Item, path: &str, problems: &mut Vec<Problem>) {
    let (name, rest) = match key.text.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (key.text.as_str(), None),
    };
    // Each step of the way takes a level of the stack, and no event is nested so deep.
    if path.matches('.').count() >= DEPTH_MAX {
        let message = format!("a path of more than {DEPTH_MAX} names");
        let (key, help) = ("with".to_owned(), String::new());
        problems.push(Problem { span: value.span, key, message, help });
        return;
    }
    let path = format!("{path}.{name}");
    let kind = std::mem::replace(&mut item.kind, ItemKind::Null);
    let mut entries = match kind {
        ItemKind::Map(entries) => entries,
        kind => {
            item.kind = kind;
            let message = format!("the event has {} where this looks for `{name}`", item.describe());
            let help = "give the whole value that is to be there".to_owned();
            problems.push(Problem { span: key.span.clone(), key: path, message, help });
            return;
        }
    };
    let own = Key { span: key.span.clone(), text: name.to_owned() };
    match rest {
        Some(rest) => {
            let rest = Key { span: key.span.clone(), text: rest.to_owned() };
            at(&mut entries, own, |item| enter(item, &rest, value, &path, problems));
        }
        None => match value.kind {
            ItemKind::Map(below) if is_mark(&below, "absent") => entries.retain(|(key, _)| key.text != name),
            ItemKind::Map(below) if !is_mark(&below, "null") => {
                at(&mut entries, own, |item| {
                    for (key, value) in below {
                        enter(item, &key, value, &path, problems);
                    }
                });
            }
            kind => at(&mut entries, own, |item| *item = of_toml(Item { span: value.span, kind })),
        },
    }
    item.kind = ItemKind::Map(entries);
}

/// Changes the value of `key`; there is an empty object if there was none.
fn at(entries: &mut Vec<(Key, Item)>, key: Key, change: impl FnOnce(&mut Item)) {
    // Of a repeated key the last one counts.
    if let Some((_, item)) = entries.iter_mut().rev().find(|(own, _)| own.text == key.text) {
        change(item);
        return;
    }
    let mut item = Item { span: key.span.clone(), kind: ItemKind::Map(Vec::new()) };
    change(&mut item);
    entries.push((key, item));
}

/// Every path that `with` names, dotted, with its place.
pub(super) fn paths(with: &Item) -> Vec<(String, Range<usize>)> {
    let mut found = Vec::new();
    add_paths(with, "", &mut found);
    found
}

fn add_paths(item: &Item, above: &str, found: &mut Vec<(String, Range<usize>)>) {
    let ItemKind::Map(entries) = &item.kind else { return };
    for (key, value) in entries {
        let path = dotted(above, &key.text);
        match &value.kind {
            ItemKind::Map(below) if !is_mark(below, "absent") && !is_mark(below, "null") => {
                add_paths(value, &path, found);
            }
            _ => found.push((path, key.span.clone())),
        }
    }
}

/// Whether a table is `{ name = true }`.
fn is_mark(entries: &[(Key, Item)], name: &str) -> bool {
    matches!(entries, [(key, Item { kind: ItemKind::Bool(true), .. })] if key.text == name)
}

/// The tree as JSON text.
///
/// # Errors
/// The first value that JSON has not.
pub(super) fn to_json(item: &Item) -> Result<String, &Item> {
    let mut text = String::new();
    write(item, &mut text)?;
    Ok(text)
}

fn write<'i>(item: &'i Item, out: &mut String) -> Result<(), &'i Item> {
    match &item.kind {
        ItemKind::Null => out.push_str("null"),
        ItemKind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        ItemKind::Number(text) => out.push_str(text),
        ItemKind::Text(text) => out.push_str(&Json::from(text.as_str()).to_string()),
        ItemKind::List(elements) => {
            out.push('[');
            for (place, element) in elements.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(element, out)?;
            }
            out.push(']');
        }
        ItemKind::Map(entries) => {
            out.push('{');
            for (place, (key, value)) in entries.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                out.push_str(&Json::from(key.text.as_str()).to_string());
                out.push(':');
                write(value, out)?;
            }
            out.push('}');
        }
        ItemKind::Foreign(_) => return Err(item),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The event after the change, or what is wrong with it.
    fn changed(event: &str, with: &str) -> Result<String, Vec<String>> {
        let mut event = Item::of_json(event, 0).expect("it is JSON");
        let problems = change(&mut event, Item::of_json(with, 0).expect("it is JSON"));
        if problems.is_empty() {
            return Ok(to_json(&event).expect("it has a JSON form"));
        }
        Err(problems.into_iter().map(|problem| problem.message).collect())
    }

    #[test]
    fn an_event_is_changed_where_it_is_said_and_keeps_its_numbers() {
        let event = r#"{"a":{"b":1.50,"c":[1]},"n":9007199254740993000001}"#;
        for (with, expected) in [
            (r#"{"a.b":2}"#, r#"{"a":{"b":2,"c":[1]},"n":9007199254740993000001}"#),
            (
                r#"{"a":{"c":[],"d.e":"x"}}"#,
                r#"{"a":{"b":1.50,"c":[],"d":{"e":"x"}},"n":9007199254740993000001}"#,
            ),
            (r#"{"a":{"null":true}}"#, r#"{"a":null,"n":9007199254740993000001}"#),
            (r#"{"a.b":{"absent":true},"n":0}"#, r#"{"a":{"c":[1]},"n":0}"#),
        ] {
            assert_eq!(changed(event, with).as_deref(), Ok(expected), "{with}");
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_is_told_however_long_it_is() {
        let long = format!("{{\"{}a\":1}}", "a.".repeat(100_000));
        for (with, told) in [
            (r#"{"a.b.c":1}"#, "the event has the number 1 where this looks for `c`"),
            (long.as_str(), "a path of more than 64 names"),
        ] {
            assert_eq!(changed(r#"{"a":{"b":1}}"#, with), Err(vec![told.to_owned()]));
        }
    }
}
