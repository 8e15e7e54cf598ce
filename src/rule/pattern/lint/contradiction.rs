//! Conditions that no event can meet together.

use std::iter;

use crate::event::Status;
use crate::rule::field::{Field, FieldValue};
use crate::rule::pattern::Condition;
use crate::rule::pattern::decimal::Number;
use crate::rule::pattern::evaluate::{Fit, branch_fit, plain_fit};
use crate::rule::pattern::events::{self, Events};
use crate::rule::pattern::leaf::{Leaf, Scalar, Test};

/// Why conditions cannot hold together.
#[derive(Debug)]
pub(super) struct Contradiction {
    /// The paths that exclude each other, the one to tell it at first.
    pub(super) paths: Vec<String>,
    pub(super) message: String,
    pub(super) help: String,
}

/// Facts that are read of one field of the payload alone.
const SOURCES: [(Field, &str); 5] = [
    (Field::Status, "status"),
    (Field::Node, "nodeId"),
    (Field::File, "fileId"),
    (Field::Rows, "dataRowSize"),
    (Field::Bytes, "fileSize"),
];

/// The first contradiction within `conditions`, for events that are among `events` whatever they say.
pub(super) fn find(conditions: &[&Condition], events: Events) -> Option<Contradiction> {
    conditions
        .iter()
        .find_map(|condition| within(condition, &condition.name, true))
        .or_else(|| with_source(conditions))
        .or_else(|| between_events(conditions, events))
}

/// A contradiction between the lists of one condition, and what stands below it.
fn within(condition: &Condition, path: &str, is_at_top: bool) -> Option<Contradiction> {
    let told = |message: &str, help: &str| {
        Some(Contradiction {
            paths: vec![path.to_owned()],
            message: message.to_owned(),
            help: help.to_owned(),
        })
    };
    let leaves = condition.leaves.as_slice();
    let needs_value = |leaf: &Leaf| plain_fit(leaf, FieldValue::Missing) == Fit::No;
    if leaves.iter().any(|leaf| leaf.is_absence()) {
        if leaves.iter().any(|leaf| needs_value(leaf)) {
            return told("it would have to exist and not to exist", "leave one of the two conditions out");
        }
        if condition.below.as_ref().is_some_and(|below| branch_fit(below, None) == Fit::No) {
            let message = "it would have to be missing, and have what stands below it";
            return told(message, "leave one of the two conditions out");
        }
    }
    if let Some(field) =
        condition.field.filter(|field| is_at_top && *field != Field::Data && !field.is_list())
    {
        if excludes_itself(leaves) {
            return told(
                "it has one value, and no value meets all of its conditions",
                "write one list of values",
            );
        }
        let looking = || leaves.iter().filter(|leaf| looks_at_text(leaf) && needs_value(leaf));
        if let Some(words) = looking().next().and_then(|_| field.all_texts()) {
            let holds = |leaf: &Leaf, word| plain_fit(leaf, FieldValue::Text(word)) != Fit::No;
            if looking().any(|leaf| !words.iter().any(|word| holds(leaf, word))) {
                return told("none of its values is left", &format!("its values are {}", words.join(", ")));
            }
        }
    }
    let below = condition.below.iter().flat_map(|below| &below.conditions);
    below.into_iter().find_map(|inner| within(inner, &format!("{path}.{}", inner.name), false))
}

/// Whether it holds for texts, or not, by more than naming them.
fn looks_at_text(leaf: &Leaf) -> bool {
    let looks = |test: &Test| test.is_of_text() || matches!(test, Test::AnythingBut(_));
    !leaf.has_values() && (leaf.tests.iter().any(looks) || !leaf.nots.is_empty())
}

/// Whether the lists of one plain value name values, and none that all of them take.
fn excludes_itself(leaves: &[std::sync::Arc<Leaf>]) -> bool {
    let Some(exact) = leaves.iter().find(|leaf| leaf.is_exact()).filter(|_| leaves.len() > 1) else {
        return false;
    };
    let holds = |leaf: &Leaf, value| leaf.holds(value) || leaf.nots.iter().any(|own| !own.holds(value));
    let texts = exact.texts.iter().map(|text| Scalar::Text(text));
    let numbers = exact.numbers.iter().map(|number| Scalar::Decimal(Some(number.as_decimal())));
    !texts.chain(numbers).any(|value| leaves.iter().all(|leaf| holds(leaf, value)))
}

/// A contradiction between a fact and the field of the payload that it is read of.
fn with_source(conditions: &[&Condition]) -> Option<Contradiction> {
    let named = |field: Field| conditions.iter().filter(move |condition| condition.field == Some(field));
    SOURCES.into_iter().find_map(|(field, source)| {
        let inner = named(Field::Data)
            .flat_map(|data| &data.below)
            .flat_map(|below| &below.conditions)
            .filter(|inner| *inner.name == *source);
        let exact = inner.flat_map(|inner| &inner.leaves).find(|leaf| leaf.is_exact())?;
        let numbers: Vec<i64> = exact.numbers.iter().filter_map(Number::as_integer).collect();
        if !exact.texts.is_empty() || numbers.len() < exact.numbers.len() {
            return None;
        }
        let fits = |leaf: &Leaf, number: i64| {
            let value = match field {
                Field::Status => {
                    Status::from_code(number).map_or(FieldValue::Missing, |it| FieldValue::Text(it.as_str()))
                }
                _ => FieldValue::Integer(number),
            };
            plain_fit(leaf, value) != Fit::No || plain_fit(leaf, FieldValue::Missing) != Fit::No
        };
        let mut leaves = named(field).flat_map(|condition| &condition.leaves);
        leaves.find(|leaf| !numbers.iter().any(|number| fits(leaf, *number)))?;
        let path = format!("data.{source}");
        let name = field.name();
        Some(Contradiction {
            message: format!(
                "`{name}` is read of `{path}`, and no value of the one goes with those of the other"
            ),
            help: format!("leave one of the two out; `{name}` is enough"),
            paths: vec![name.to_owned(), path],
        })
    })
}

/// A contradiction between conditions that are each met by some events, and by none of them together.
fn between_events(conditions: &[&Condition], events: Events) -> Option<Contradiction> {
    let telling = conditions.iter().filter(|condition| events::is_telling(condition));
    let left = telling.clone().fold(events, |events, condition| events.and(Events::of(condition)));
    if left.is_empty() {
        return Some(Contradiction {
            paths: telling.rev().map(|condition| condition.name.to_string()).collect(),
            message: "no event has this code, type and kind together, as far as is known".to_owned(),
            help: "`openeventd decode` shows what an event has".to_owned(),
        });
    }
    let codes = || telling.clone().rev().map(|condition| condition.name.to_string());
    let facts = conditions.iter().filter(|condition| !events::is_telling(condition));
    let having = facts.filter_map(|condition| Some((condition.field?, Events::of(condition).and(left))));
    let telling_facts: Vec<(Field, Events)> = having.filter(|(_, having)| *having != left).collect();
    if let Some((field, _)) = telling_facts.iter().find(|(_, having)| having.is_empty()) {
        let (message, help) = lacking(*field, left);
        let paths = iter::once(field.name().to_owned()).chain(codes()).collect();
        return Some(Contradiction { paths, message, help });
    }
    let together = telling_facts.iter().fold(left, |events, (_, having)| events.and(*having));
    let (field, _) = telling_facts.last().filter(|_| together.is_empty())?;
    let names: Vec<String> = telling_facts.iter().map(|(field, _)| format!("`{}`", field.name())).collect();
    Some(Contradiction {
        message: format!("no event has {} together, as far as is known", names.join(" and ")),
        help: who_has(*field),
        paths: telling_facts.iter().rev().map(|(field, _)| field.name().to_owned()).chain(codes()).collect(),
    })
}

/// That none of the `events` has a fact, or has it with such a value: in words, and what there is instead.
fn lacking(field: Field, events: Events) -> (String, String) {
    let name = field.name();
    let having = events::having(field).and(events);
    if having.is_empty() {
        return (format!("{} no `{name}`, as far as is known", subject(events)), who_has(field));
    }
    let statuses = having.rows().flat_map(|row| row.family.statuses()).map(|status| status.as_str());
    let help = format!("one of {}", statuses.collect::<Vec<_>>().join(", "));
    (format!("{} no such `{name}`, as far as is known", subject(events)), help)
}

/// The events by their codes, as the beginning of a sentence.
fn subject(events: Events) -> String {
    let codes: Vec<&str> = events.rows().map(|row| row.code).collect();
    match codes.as_slice() {
        [code] => format!("the event {code} has"),
        [first, second] => format!("the events {first} and {second} have"),
        _ => format!("these {} events have", codes.len()),
    }
}

/// Which events have a fact, for a help.
fn who_has(field: Field) -> String {
    let codes: Vec<&str> = events::having(field).rows().map(|row| row.code).collect();
    let of_those = match codes.as_slice() {
        [] => return "no event has it".to_owned(),
        few if few.len() <= 6 => few.join(", "),
        [first, second, third, rest @ ..] => format!("{first}, {second}, {third} and {} more", rest.len()),
        _ => String::new(),
    };
    format!("the events that have `{}`: {of_those}", field.name())
}
