//! Warnings about patterns that are valid and yet cannot be meant: what no event of DataWorks can meet.

use std::iter;

use super::Pattern;
use super::findings::Findings;
use super::item::{Item, Key};
use super::leaf::{Leaf, Test};
use crate::diagnostic::nearest;
use crate::rule::field::{Field, KNOWN_EXTENSIONS, Shape};
use crate::rule::pattern::Condition;

/// Warns of conditions at the top of a rule's pattern that no event can meet.
pub(crate) fn event_pattern(entries: &[(Key, Item)], pattern: &Pattern, findings: &mut Findings) {
    let branches = iter::once(&pattern.common).chain(pattern.choices.iter().flatten());
    for condition in branches.flat_map(|branch| &branch.conditions) {
        let is_here = |key: &&(Key, Item)| key.0.text.split('.').next() == Some(&*condition.name);
        let Some((key, _)) = entries.iter().find(is_here) else { continue };
        match condition.field {
            Some(field) => lint_field(field, condition, key, findings),
            None if KNOWN_EXTENSIONS.contains(&&*condition.name) => {}
            None => {
                let names = Field::ALL.into_iter().map(Field::name).chain(KNOWN_EXTENSIONS);
                let help = match nearest(&condition.name, names) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => "fields of the payload stand under `data`".to_owned(),
                };
                let message = "not an attribute of events; only an extension attribute can have this name";
                findings.warning(&key.span, &condition.name, message, help);
            }
        }
    }
}

fn lint_field(field: Field, condition: &Condition, key: &Key, findings: &mut Findings) {
    if condition.leaves.is_empty() {
        if field != Field::Data {
            let message = "a plain value: nothing stands below it";
            findings.warning(&key.span, field.name(), message, "fields of the payload stand under `data`");
        }
        return;
    }
    for leaf in &condition.leaves {
        lint_leaf(field, leaf, key, findings);
    }
}

fn lint_leaf(field: Field, leaf: &Leaf, key: &Key, findings: &mut Findings) {
    match field.shape() {
        Shape::Integer if !leaf.texts.is_empty() => {
            let help = "write it without quotes";
            findings.warning(&key.span, field.name(), "a number in every event: text never matches", help);
        }
        Shape::Text if !leaf.numbers.is_empty() => {
            let help = "write it in quotes";
            findings.warning(&key.span, field.name(), "text in every event: a number never matches", help);
        }
        _ => {}
    }
    if field.is_list() && leaf.tests.iter().any(|test| matches!(test, Test::AnythingBut(_))) {
        let message = "a list: one element outside the set is enough for `anything-but`";
        findings.warning(&key.span, field.name(), message, "");
    }
    let Some(known) = field.all_texts() else { return };
    for text in leaf.texts.iter().filter(|text| !known.contains(&&***text)) {
        let help = match nearest(text, known.iter().copied()) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => format!("one of {}", known.join(", ")),
        };
        findings.warning(&key.span, field.name(), format!("no event has the value \"{text}\""), help);
    }
}
