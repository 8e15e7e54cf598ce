//! A pattern as it is written, brought into the form that every bus takes: strict JSON, nested.
//!
//! It mirrors the compiler, which says what the short forms of TOML and dotted keys mean. What is made here keeps
//! the places of what it was made from.

use super::compile::Form;
use super::item::{Item, ItemKind, Key};
use super::operator;

/// `item` without the short forms: every path ends in a list, null is null. Where it can be said so, dotted keys are
/// nested.
pub(crate) fn strict(item: &Item, form: Form) -> Item {
    let ItemKind::Map(entries) = &item.kind else { return item.clone() };
    let entries = object(entries, form);
    let kind = ItemKind::Map(nested(&entries).unwrap_or(entries));
    Item { span: item.span.clone(), kind }
}

fn object(entries: &[(Key, Item)], form: Form) -> Vec<(Key, Item)> {
    let entry = |(key, value): &(Key, Item)| {
        let kind = match &value.kind {
            ItemKind::List(alternatives) if key.text == "$or" => ItemKind::List(
                alternatives
                    .iter()
                    .map(|alternative| within(alternative, |inner| object(inner, form)))
                    .collect(),
            ),
            ItemKind::Map(inner) if form == Form::Json || !is_operator(inner) => {
                ItemKind::Map(object(inner, form))
            }
            ItemKind::List(members) => ItemKind::List(members.iter().map(|one| member(one, form)).collect()),
            _ => ItemKind::List(vec![member(value, form)]),
        };
        (key.clone(), Item { span: value.span.clone(), kind })
    };
    entries.iter().map(entry).collect()
}

/// As the compiler tells a TOML table that is an operator from one with fields.
fn is_operator(entries: &[(Key, Item)]) -> bool {
    !entries.is_empty() && entries.iter().all(|(key, _)| operator::is_name(&key.text))
}

fn member(item: &Item, form: Form) -> Item {
    let ItemKind::Map(entries) = &item.kind else { return item.clone() };
    let kind = match entries.as_slice() {
        [(key, _)] if key.text == "null" && form == Form::Toml => ItemKind::Null,
        [(key, operand)] if key.text == "not" => {
            let operand = match &operand.kind {
                ItemKind::List(members) => Item {
                    span: operand.span.clone(),
                    kind: ItemKind::List(members.iter().map(|one| member(one, form)).collect()),
                },
                _ => member(operand, form),
            };
            ItemKind::Map(vec![(key.clone(), operand)])
        }
        _ => return item.clone(),
    };
    Item { span: item.span.clone(), kind }
}

/// The same item, an object's entries changed.
fn within(item: &Item, change: impl FnOnce(&[(Key, Item)]) -> Vec<(Key, Item)>) -> Item {
    match &item.kind {
        ItemKind::Map(entries) => Item { span: item.span.clone(), kind: ItemKind::Map(change(entries)) },
        _ => item.clone(),
    }
}

/// Dotted keys as nested objects; `None` where a path has both a list and something below it.
fn nested(entries: &[(Key, Item)]) -> Option<Vec<(Key, Item)>> {
    let mut made = Vec::new();
    for (key, value) in entries {
        let kind = match &value.kind {
            ItemKind::Map(inner) => ItemKind::Map(nested(inner)?),
            ItemKind::List(alternatives) if key.text == "$or" => {
                let nested = alternatives.iter().map(|one| {
                    let ItemKind::Map(inner) = &one.kind else { return Some(one.clone()) };
                    Some(Item { span: one.span.clone(), kind: ItemKind::Map(nested(inner)?) })
                });
                ItemKind::List(nested.collect::<Option<_>>()?)
            }
            other => other.clone(),
        };
        insert(&mut made, key, &key.text, Item { span: value.span.clone(), kind })?;
    }
    Some(made)
}

fn insert(entries: &mut Vec<(Key, Item)>, key: &Key, path: &str, value: Item) -> Option<()> {
    let (name, rest) = match path.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    };
    let there = entries.iter_mut().find(|(there, _)| there.text == name).map(|(_, there)| &mut there.kind);
    match (there, rest) {
        (None, None) => entries.push((Key { span: key.span.clone(), text: name.to_owned() }, value)),
        (None, Some(rest)) => {
            let mut inner = Vec::new();
            let span = value.span.clone();
            insert(&mut inner, key, rest, value)?;
            let key = Key { span: key.span.clone(), text: name.to_owned() };
            entries.push((key, Item { span, kind: ItemKind::Map(inner) }));
        }
        (Some(ItemKind::Map(there)), Some(rest)) => insert(there, key, rest, value)?,
        (Some(ItemKind::Map(there)), None) => {
            let ItemKind::Map(inner) = value.kind else { return None };
            for (key, value) in inner {
                let path = key.text.clone();
                insert(there, &key, &path, value)?;
            }
        }
        (Some(_), _) => return None,
    }
    Some(())
}
