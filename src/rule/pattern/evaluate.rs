//! Judging an event, or any JSON document, by a pattern.
//!
//! A list matches if one element does, and all conditions below it look at the same element: so a
//! condition does not only hold or fail, it holds by a value or by an absence ([`Fit`]), and only a value
//! picks an element. Nothing depends on the order of keys.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::decimal::Decimal;
use super::item::DEPTH_MAX;
use super::leaf::{Leaf, Scalar};
use super::{Branch, Condition, Pattern};
use crate::event::Event;
use crate::event::json::Node;
use crate::rule::field::{Field, FieldValue};

/// How a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rule) enum Fit {
    No,
    /// Only because something is missing: that picks no element of a list.
    ByAbsence,
    ByValue,
}

/// A part of the event is no JSON, although its decoding said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// An event while rules look at it: its payload is parsed when the first of them asks for it.
pub(crate) struct Subject<'e> {
    pub(crate) event: &'e Event<'e>,
    data: OnceCell<Result<Node<'e>, Unreadable>>,
}

impl<'e> Subject<'e> {
    pub(crate) fn new(event: &'e Event<'e>) -> Self {
        Subject { event, data: OnceCell::new() }
    }

    pub(in crate::rule) fn data(&self) -> Result<&Node<'e>, Unreadable> {
        self.data.get_or_init(|| parse(&self.event.data)).as_ref().map_err(|unreadable| *unreadable)
    }

    pub(in crate::rule) fn extension(&self, name: &str) -> Result<Option<Node<'e>>, Unreadable> {
        match self.event.extensions.iter().find(|(own, _)| own == name) {
            Some((_, text)) => parse(text).map(Some),
            None => Ok(None),
        }
    }
}

fn parse(text: &str) -> Result<Node<'_>, Unreadable> {
    let node = Node::parse(text).map_err(|_| Unreadable)?;
    Ok(if may_have_dotted_key(text.as_bytes()) { undotted(node) } else { node })
}

/// Whether a pattern holds for an event.
pub(crate) fn event(pattern: &Pattern, subject: &Subject<'_>) -> Result<bool, Unreadable> {
    if !holds_for(&pattern.common, subject)? {
        return Ok(false);
    }
    for choice in &pattern.choices {
        let mut one_holds = false;
        for alternative in &choice.alternatives {
            if holds_for(alternative, subject)? {
                one_holds = true;
                break;
            }
        }
        if !one_holds {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the conditions at the top of an event hold.
pub(in crate::rule) fn holds_for(branch: &Branch, subject: &Subject<'_>) -> Result<bool, Unreadable> {
    for condition in &branch.conditions {
        let fit = match condition.field {
            Some(Field::Data) => condition_fit(condition, Some(subject.data()?)),
            Some(field) => field_fit(condition, field.value(subject.event)),
            None => condition_fit(condition, subject.extension(&condition.name)?.as_ref()),
        };
        if fit == Fit::No {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a pattern holds for a JSON document; what is no object has no fields.
pub(crate) fn document(pattern: &Pattern, document: Node<'_>) -> bool {
    let document = undotted(document);
    let object = matches!(document, Node::Map(_)).then_some(&document);
    let holds = |branch: &Branch| branch_fit(branch, object) != Fit::No;
    holds(&pattern.common) && pattern.choices.iter().all(|choice| choice.alternatives.iter().any(holds))
}

fn both(left: Fit, right: impl FnOnce() -> Fit) -> Fit {
    match left {
        Fit::No => Fit::No,
        Fit::ByAbsence => right(),
        Fit::ByValue if right() == Fit::No => Fit::No,
        Fit::ByValue => Fit::ByValue,
    }
}

fn condition_fit(condition: &Condition, value: Option<&Node<'_>>) -> Fit {
    let leaves = condition.leaves.iter();
    let own = leaves.fold(Fit::ByAbsence, |fit, leaf| both(fit, || leaf_fit(leaf, value)));
    both(own, || condition.below.as_ref().map_or(Fit::ByAbsence, |below| branch_fit(below, value)))
}

fn field_fit(condition: &Condition, value: FieldValue<'_>) -> Fit {
    let leaves = condition.leaves.iter();
    let own = leaves.fold(Fit::ByAbsence, |fit, leaf| both(fit, || plain_fit(leaf, value)));
    // Nothing stands below a plain value.
    both(own, || condition.below.as_ref().map_or(Fit::ByAbsence, |below| branch_fit(below, None)))
}

/// How the conditions below `value` hold.
pub(in crate::rule) fn branch_fit(branch: &Branch, value: Option<&Node<'_>>) -> Fit {
    match value {
        Some(Node::List(elements)) if !elements.is_empty() => {
            let mut all_by_absence = true;
            for element in elements {
                match branch_fit(branch, Some(element)) {
                    Fit::ByValue => return Fit::ByValue,
                    Fit::ByAbsence => {}
                    Fit::No => all_by_absence = false,
                }
            }
            if all_by_absence { Fit::ByAbsence } else { Fit::No }
        }
        _ => {
            let mut fit = Fit::ByAbsence;
            for condition in &branch.conditions {
                fit = both(fit, || condition_fit(condition, child(value, &condition.name)));
                if fit == Fit::No {
                    break;
                }
            }
            fit
        }
    }
}

/// The value under `name`; of a repeated key the last one counts.
pub(in crate::rule) fn child<'n, 'e>(value: Option<&'n Node<'e>>, name: &str) -> Option<&'n Node<'e>> {
    match value {
        Some(Node::Map(entries)) => entries.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value),
        _ => None,
    }
}

/// How a list holds for a value of a document.
pub(in crate::rule) fn leaf_fit(leaf: &Leaf, value: Option<&Node<'_>>) -> Fit {
    match value {
        Some(value) if picks(leaf, value) => Fit::ByValue,
        Some(value) if leaf.absent && !exists(value) => Fit::ByAbsence,
        None if leaf.absent => Fit::ByAbsence,
        _ => by_negation(leaf, |own| leaf_fit(own, value)),
    }
}

/// How a list holds for an attribute or fact.
pub(in crate::rule) fn plain_fit(leaf: &Leaf, value: FieldValue<'_>) -> Fit {
    let by_value = match value {
        FieldValue::Missing => false,
        FieldValue::Text(text) => leaf.holds(Scalar::Text(text)),
        FieldValue::Integer(value) => leaf.holds(Scalar::Integer(value)),
        FieldValue::Integers(values) => values.iter().any(|value| leaf.holds(Scalar::Integer(*value))),
    };
    match value {
        _ if by_value => Fit::ByValue,
        FieldValue::Missing if leaf.absent => Fit::ByAbsence,
        _ => by_negation(leaf, |own| plain_fit(own, value)),
    }
}

/// `not` holds where its own list does not: like an absence, it picks no element of a list.
fn by_negation(leaf: &Leaf, fit: impl Fn(&Leaf) -> Fit) -> Fit {
    if leaf.nots.iter().any(|own| fit(own) == Fit::No) { Fit::ByAbsence } else { Fit::No }
}

/// Whether the value, or one element of it, satisfies the leaf.
fn picks(leaf: &Leaf, value: &Node<'_>) -> bool {
    match value {
        Node::Null => leaf.holds(Scalar::Null),
        Node::Bool(value) => leaf.holds(Scalar::Bool(*value)),
        Node::Number(text) => leaf.holds(Scalar::Decimal(Decimal::parse(text))),
        Node::Text(text) => leaf.holds(Scalar::Text(text)),
        Node::List(elements) => elements.iter().any(|element| picks(leaf, element)),
        Node::Map(_) => leaf.present && exists(value),
    }
}

/// Whether a plain value, null included, stands at or below.
fn exists(value: &Node<'_>) -> bool {
    match value {
        Node::List(elements) => elements.iter().any(exists),
        Node::Map(entries) => entries.iter().any(|(_, value)| exists(value)),
        _ => true,
    }
}

/// Whether a key in the JSON text may hold a dot, told faster than by a look at every key: from a dot inside of it the
/// next quote is its end, and a colon follows. An escape could hide both.
fn may_have_dotted_key(text: &[u8]) -> bool {
    if memchr::memchr(b'\\', text).is_some() {
        return true;
    }
    let mut rest = text;
    while let Some(dot) = memchr::memchr(b'.', rest) {
        let from_dot = rest.split_at(dot).1;
        let Some(quote) = memchr::memchr(b'"', from_dot) else { return false };
        rest = from_dot.split_at(quote + 1).1;
        if rest.trim_ascii_start().first() == Some(&b':') {
            return true;
        }
    }
    false
}

/// Turns dotted keys into nested ones, so that both are the same path.
fn undotted(node: Node<'_>) -> Node<'_> {
    if has_dotted_key(&node) { resolved(node, 0) } else { node }
}

fn has_dotted_key(node: &Node<'_>) -> bool {
    match node {
        Node::List(elements) => elements.iter().any(has_dotted_key),
        Node::Map(entries) => entries.iter().any(|(key, value)| key.contains('.') || has_dotted_key(value)),
        _ => false,
    }
}

fn resolved(node: Node<'_>, depth: usize) -> Node<'_> {
    match node {
        Node::List(elements) => {
            Node::List(elements.into_iter().map(|element| resolved(element, depth + 1)).collect())
        }
        Node::Map(entries) => Node::Map(nested(entries, depth)),
        plain => plain,
    }
}

/// Everything that stands under one name: plain values, lists, and the fields of all objects.
#[derive(Default)]
struct Group<'e> {
    values: Vec<Node<'e>>,
    /// Those of all objects together.
    below: Vec<(Cow<'e, str>, Node<'e>)>,
}

impl<'e> Group<'e> {
    fn add(&mut self, value: Node<'e>) {
        match value {
            Node::Map(entries) if !entries.is_empty() => self.below.extend(entries),
            other => self.values.push(other),
        }
    }

    /// One value as it is; of several each counts, as in a list.
    fn node(self, depth: usize) -> Node<'e> {
        let mut values: Vec<Node<'e>> =
            self.values.into_iter().map(|value| resolved(value, depth + 1)).collect();
        if !self.below.is_empty() {
            values.push(Node::Map(nested(self.below, depth + 1)));
        }
        match values.pop() {
            Some(only) if values.is_empty() => only,
            last => Node::List(values.into_iter().chain(last).collect()),
        }
    }
}

/// A pattern cannot look deeper than [`DEPTH_MAX`], so a key is not taken apart beyond it: an event
/// cannot make a tree that is deeper than the stack.
fn nested<'e>(entries: Vec<(Cow<'e, str>, Node<'e>)>, depth: usize) -> Vec<(Cow<'e, str>, Node<'e>)> {
    let mut groups: BTreeMap<String, Group<'e>> = BTreeMap::new();
    for (key, value) in entries {
        match key.split_once('.').filter(|_| depth < DEPTH_MAX) {
            Some((name, rest)) => {
                let below = Node::Map(vec![(Cow::Owned(rest.to_owned()), value)]);
                groups.entry(name.to_owned()).or_default().add(below);
            }
            None => groups.entry(key.into_owned()).or_default().add(value),
        }
    }
    groups.into_iter().map(|(name, group)| (Cow::Owned(name), group.node(depth))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_dotted_key_is_passed_over() {
        for (text, expected) in [
            (r#"{"a.b": 1}"#, true),
            (r#"{"a": {".": 1}}"#, true),
            (r#"[{"x": "1.2", "a.": []}]"#, true),
            ("{\"a.b\" \n: 1}", true),
            (r#"{"a\u002eb": 1}"#, true),
            (r#"{"a": "b.c", "d": 1.5, "e": ["f.g", ".", "h"]}"#, false),
            (r#"{"a": 1.5}"#, false),
            (r#"{"ab": 1}"#, false),
        ] {
            assert_eq!(may_have_dotted_key(text.as_bytes()), expected, "{text}");
            let node = Node::parse(text).expect("a document");
            assert!(!has_dotted_key(&node) || expected, "{text}");
        }
    }
}
