//! Warnings about patterns that are valid and yet cannot be meant: what no event of DataWorks can meet.

use std::collections::BTreeMap;
use std::iter;
use std::ops::Range;

use super::findings::Findings;
use super::item::{Item, ItemKind, Key};
use super::leaf::{Leaf, Test};
use super::{Branch, Condition, Pattern};
use crate::diagnostic::nearest;
use crate::event::catalogue::{self, EventType};
use crate::rule::field::{Field, KNOWN_EXTENSIONS, Shape};

mod payload;

/// Where each path of a pattern stands first.
struct Places(BTreeMap<String, Range<usize>>);

/// Warns of conditions of a rule's pattern that no event can meet.
pub(crate) fn event_pattern(entries: &[(Key, Item)], pattern: &Pattern, findings: &mut Findings) {
    let mut places = Places(BTreeMap::new());
    places.note(entries, "");
    for branch in iter::once(&pattern.common).chain(pattern.alternatives()) {
        for condition in &branch.conditions {
            lint_name(condition, &places, findings);
        }
        // Beside its alternatives the common part of a pattern tells what events they are for.
        let events = events_of(branch, &events_of(&pattern.common, &catalogue::all().collect::<Vec<_>>()));
        if events.is_empty() {
            never(branch, &places, findings);
        } else {
            payload::lint(branch, &events, &places, findings);
        }
    }
    findings.forget_repetitions();
}

impl Places {
    fn note(&mut self, entries: &[(Key, Item)], path: &str) {
        for (key, value) in entries {
            let own = match (path.is_empty(), key.text.as_str()) {
                (_, "$or") => path.to_owned(),
                (true, name) => name.to_owned(),
                (false, name) => format!("{path}.{name}"),
            };
            for end in own.match_indices('.').map(|(end, _)| end).chain([own.len()]) {
                let part = own.get(..end).unwrap_or_default().to_owned();
                self.0.entry(part).or_insert_with(|| key.span.clone());
            }
            match &value.kind {
                ItemKind::Map(below) => self.note(below, &own),
                ItemKind::List(members) if key.text == "$or" => {
                    for member in members {
                        if let ItemKind::Map(below) = &member.kind {
                            self.note(below, &own);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn of(&self, path: &str) -> Range<usize> {
        self.0.get(path).cloned().unwrap_or_default()
    }
}

fn lint_name(condition: &Condition, places: &Places, findings: &mut Findings) {
    let at = places.of(&condition.name);
    match condition.field {
        Some(field) => lint_field(field, condition, &at, findings),
        None if KNOWN_EXTENSIONS.contains(&&*condition.name) => {}
        None => {
            let names = Field::ALL.into_iter().map(Field::name).chain(KNOWN_EXTENSIONS);
            let help = match nearest(&condition.name, names) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "fields of the payload stand under `data`".to_owned(),
            };
            let message = "not an attribute of events; only an extension attribute can have this name";
            findings.warning(&at, &condition.name, message, help);
        }
    }
}

fn lint_field(field: Field, condition: &Condition, at: &Range<usize>, findings: &mut Findings) {
    if condition.leaves.is_empty() && field != Field::Data {
        let message = "a plain value: nothing stands below it";
        findings.warning(at, field.name(), message, "fields of the payload stand under `data`");
    }
    for leaf in &condition.leaves {
        lint_leaf(field, leaf, at, findings);
    }
}

fn lint_leaf(field: Field, leaf: &Leaf, at: &Range<usize>, findings: &mut Findings) {
    match field.shape() {
        Shape::Integer if !leaf.texts.is_empty() => {
            let help = "write it without quotes";
            findings.warning(at, field.name(), "a number in every event: text never matches", help);
        }
        Shape::Text if !leaf.numbers.is_empty() => {
            let help = "write it in quotes";
            findings.warning(at, field.name(), "text in every event: a number never matches", help);
        }
        _ => {}
    }
    if field.is_list() && leaf.tests.iter().any(|test| matches!(test, Test::AnythingBut(_))) {
        let message = "a list: one element outside the set is enough for `anything-but`";
        findings.warning(at, field.name(), message, "`not` holds only if no element is in the set");
    }
    let known: Vec<&str> = match field {
        Field::Code => catalogue::all().map(|row| row.code).collect(),
        Field::Type => catalogue::all().map(|row| row.event_type).collect(),
        _ => field.all_texts().unwrap_or_default(),
    };
    for text in leaf.texts.iter().filter(|text| !known.is_empty() && !known.contains(&&***text)) {
        let help = match nearest(text, known.iter().copied()) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None if known.len() > 10 => "a code or type that is not in the catalogue of events".to_owned(),
            None => format!("one of {}", known.join(", ")),
        };
        findings.warning(at, field.name(), format!("no event has the value \"{text}\""), help);
    }
}

/// Which of `events` a branch can be for, by its conditions on code, type and kind. Values that the catalogue does
/// not know leave all of them: such events may come.
fn events_of(branch: &Branch, events: &[&'static EventType]) -> Vec<&'static EventType> {
    let mut left = events.to_vec();
    for condition in &branch.conditions {
        let value: fn(&EventType) -> &'static str = match condition.field {
            Some(Field::Code) => |row| row.code,
            Some(Field::Type) => |row| row.event_type,
            Some(Field::Kind) => |row| row.kind.as_str(),
            _ => continue,
        };
        for leaf in condition.leaves.iter().filter(|leaf| is_exact(leaf)) {
            let is_known = |text: &str| catalogue::all().any(|row| value(row) == text);
            if leaf.texts.iter().all(|text| is_known(text)) {
                left.retain(|row| leaf.texts.iter().any(|text| **text == *value(row)));
            }
        }
    }
    left
}

fn is_exact(leaf: &Leaf) -> bool {
    !leaf.texts.is_empty() && leaf.tests.is_empty() && leaf.nots.is_empty() && !leaf.absent && !leaf.present
}

/// The conditions on code, type and kind leave no event.
fn never(branch: &Branch, places: &Places, findings: &mut Findings) {
    let telling =
        |condition: &&Condition| matches!(condition.field, Some(Field::Code | Field::Type | Field::Kind));
    let names: Vec<&str> =
        branch.conditions.iter().filter(telling).map(|condition| &*condition.name).collect();
    let Some(name) = names.last() else { return };
    let message = "never matches: no event has this code, type and kind together";
    findings.warning(&places.of(name), name, message, "`openeventd decode` shows what an event has");
}
