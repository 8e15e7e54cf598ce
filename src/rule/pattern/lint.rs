//! Warnings about patterns that are valid and yet cannot be meant: what no event of DataWorks can meet.

use std::collections::BTreeMap;
use std::ops::Range;

use self::contradiction::Contradiction;
use self::places::Places;
use super::decimal::Number;
use super::evaluate::{Fit, plain_fit};
use super::events::{self, Events};
use super::findings::{Findings, Origins};
use super::item::{Item, Key};
use super::leaf::{Leaf, Test};
use super::{Branch, Condition, Pattern};
use crate::diagnostic::nearest;
use crate::event::{Status, catalogue};
use crate::rule::field::{Field, FieldValue, KNOWN_EXTENSIONS, Shape};
use crate::rule::parse;

mod payload;

mod contradiction;

mod places;

/// Warns of conditions of a rule's pattern that no event can meet.
pub(crate) fn event_pattern(entries: &[(Key, Item)], pattern: &Pattern, findings: &mut Findings) {
    let places = Places::new(entries);
    let named = Events::named_by(&pattern.common);
    let of_choices: Vec<Events> = pattern.choices.iter().map(Events::named_by_one).collect();
    let beside = |own: Option<usize>| {
        let others = of_choices.iter().enumerate().filter(|(at, _)| Some(*at) != own);
        others.fold(named, |left, (_, events)| left.and(*events))
    };
    let common: Vec<&Condition> = pattern.common.conditions.iter().collect();
    names(&pattern.common, &places, &[], findings);
    if let Some(found) = contradiction::find(&common, Events::ALL) {
        never(&found, &[], &places, findings);
    } else {
        let mut seen = payload::Seen::default();
        payload::lint(&pattern.common, beside(None), &places, &[], &mut seen, findings);
        let origins = std::mem::take(&mut findings.origins);
        for ((at, choice), origins) in pattern.choices.iter().enumerate().zip(&origins) {
            let events = beside(Some(at));
            let told = choice.alternatives.iter().zip(origins).map(|(branch, origins)| {
                names(branch, &places, origins, findings);
                let conditions: Vec<&Condition> = common.iter().copied().chain(&branch.conditions).collect();
                let found = contradiction::find(&conditions, events);
                if found.is_none() {
                    payload::lint(
                        branch,
                        events.and(Events::named_by(branch)),
                        &places,
                        origins,
                        &mut seen,
                        findings,
                    );
                }
                (found, origins)
            });
            let told: Vec<(Option<Contradiction>, &Origins)> = told.collect();
            alternatives(&told, &places, findings);
        }
    }
}

fn never(found: &Contradiction, origins: &[Range<usize>], places: &Places<'_>, findings: &mut Findings) {
    let path = found.paths.first().map_or("", String::as_str);
    let message = format!("never matches: {}", found.message);
    findings.warning(&places.of(path, origins), path, message, found.help.clone());
}

/// Warns of the objects in a `$or` that nothing can be made of which could match: beside others, or by themselves.
fn alternatives(told: &[(Option<Contradiction>, &Origins)], places: &Places<'_>, findings: &mut Findings) {
    let mut hopeless: BTreeMap<usize, (Range<usize>, Option<&Contradiction>)> = BTreeMap::new();
    for (found, origins) in told {
        for origin in *origins {
            let entry = hopeless.entry(origin.start).or_insert_with(|| (origin.clone(), found.as_ref()));
            if found.is_none() {
                entry.1 = None;
            }
        }
    }
    let mut end = 0;
    for (origin, found) in hopeless.into_values() {
        // What stands within one that was told has its reason there.
        let (Some(found), true) = (found, origin.start >= end) else { continue };
        end = origin.end;
        let within =
            found.paths.iter().find_map(|path| Some((path.as_str(), places.beneath(path, &origin)?)));
        let (path, at) = within.unwrap_or(("$or", origin));
        let message = format!("this alternative never matches: {}", found.message);
        findings.warning(&at, path, message, found.help.clone());
    }
}

fn names(branch: &Branch, places: &Places<'_>, origins: &[Range<usize>], findings: &mut Findings) {
    for condition in &branch.conditions {
        lint_name(condition, places, origins, findings);
    }
}

fn lint_name(condition: &Condition, places: &Places<'_>, origins: &[Range<usize>], findings: &mut Findings) {
    match condition.field {
        Some(field) => lint_field(field, condition, places, origins, findings),
        None if KNOWN_EXTENSIONS.contains(&&*condition.name) => {}
        None => {
            let names = Field::ALL.into_iter().map(Field::name).chain(KNOWN_EXTENSIONS);
            let help = match nearest(&condition.name, names) {
                _ if parse::KEYS.contains(&&*condition.name) => {
                    format!("`{}` is a key of the rule: write it above `[rule.match]`", condition.name)
                }
                Some(name) => format!("did you mean `{name}`?"),
                None => "fields of the payload stand under `data`".to_owned(),
            };
            let message = "not an attribute of events; only an extension attribute can have this name";
            findings.warning(&places.of(&condition.name, origins), &condition.name, message, help);
        }
    }
}

fn lint_field(
    field: Field,
    condition: &Condition,
    places: &Places<'_>,
    origins: &[Range<usize>],
    findings: &mut Findings,
) {
    let at = || places.of(&condition.name, origins);
    if condition.leaves.is_empty() && field != Field::Data {
        let message = "a plain value: nothing stands below it";
        findings.warning(&at(), field.name(), message, "fields of the payload stand under `data`");
    }
    for leaf in &condition.leaves {
        if let Some((message, help)) = kinds(field, leaf) {
            findings.warning(&at(), field.name(), message, help);
        }
        if field.is_list() && leaf.tests.iter().any(|test| matches!(test, Test::AnythingBut(_))) {
            let message = "a list: one element outside the set is enough for `anything-but`";
            findings.warning(&at(), field.name(), message, "`not` holds only if no element is in the set");
        }
        for text in leaf.every_text().filter(|text| !is_value(field, text)) {
            let at = places.of_value(&condition.name, text, origins);
            findings.warning(
                &at,
                field.name(),
                format!("no event has the value \"{text}\""),
                meant(field, text),
            );
        }
        if matches!(field, Field::Code | Field::Type) && !leaf.has_values() && fits_none(field, leaf) {
            let help = "`openeventd rules test` has a sample of every event";
            findings.warning(&at(), field.name(), "no event in the catalogue has such a value", help);
        }
    }
}

/// What of a leaf is of another kind than the field, and what to write instead.
fn kinds(field: Field, leaf: &Leaf) -> Option<(&'static str, String)> {
    let (numbers_out, texts_out) = leaf.shuts_out();
    let of_status = leaf.numbers.first().and_then(Number::as_integer).and_then(Status::from_code);
    match field.shape() {
        Shape::Integer if !leaf.texts.is_empty() || leaf.tests.iter().any(Test::is_of_text) => {
            Some(("a number in every event: text never matches", "write numbers, without quotes".to_owned()))
        }
        Shape::Integer if texts_out => {
            Some(("a number in every event: no text is shut out", "write numbers, without quotes".to_owned()))
        }
        Shape::Text if !leaf.numbers.is_empty() || leaf.tests.iter().any(Test::is_of_numbers) => {
            let help = match of_status.filter(|_| field == Field::Status) {
                Some(status) => format!("write \"{}\"", status.as_str()),
                None => "write texts, in quotes".to_owned(),
            };
            Some(("text in every event: a number never matches", help))
        }
        Shape::Text if numbers_out => {
            Some(("text in every event: no number is shut out", "write texts, in quotes".to_owned()))
        }
        Shape::Integer | Shape::Text if leaf.is_null_or_bool() => {
            let help = "`{ exists = false }` asks for what an event does not have";
            Some(("never null, true or false", help.to_owned()))
        }
        _ => None,
    }
}

fn meant(field: Field, text: &str) -> String {
    let known: Vec<&str> = match field {
        Field::Code => catalogue::all().map(|row| row.code).collect(),
        Field::Type => catalogue::all().map(|row| row.event_type).collect(),
        _ => field.all_texts().unwrap_or_default(),
    };
    match nearest(text, known.iter().copied()) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None if known.len() > 10 => "a code or type that is not in the catalogue of events".to_owned(),
        None => format!("one of {}", known.join(", ")),
    }
}

/// Whether operators on a code or type hold for none in the catalogue.
fn fits_none(field: Field, leaf: &Leaf) -> bool {
    let value = |row: &catalogue::EventType| if field == Field::Code { row.code } else { row.event_type };
    let is_of_text = !leaf.tests.is_empty() && leaf.tests.iter().all(Test::is_of_text);
    is_of_text && !catalogue::all().any(|row| plain_fit(leaf, FieldValue::Text(value(row))) != Fit::No)
}

/// Whether an event can have the text, as far as all texts of the field are known.
fn is_value(field: Field, text: &str) -> bool {
    match field {
        Field::Code | Field::Type | Field::Kind => events::named(field, text).is_some(),
        Field::Status => Status::from_word(text).is_some(),
        _ => true,
    }
}
