//! The values of a document at the paths that rules look at, found in one walk.

use std::collections::HashMap;

use super::Hasher;
use super::key::Key;
use super::values::Values;
use crate::event::json::Node;
use crate::rule::pattern::decimal::Decimal;
use crate::rule::pattern::leaf::Scalar;

/// The paths below one place of a document.
#[derive(Debug, Default)]
pub(super) struct Paths {
    values: Option<Box<Values>>,
    below: HashMap<Box<str>, Paths, Hasher>,
}

impl Paths {
    /// Files a rule at the place that `path` leads to.
    pub(super) fn file(&mut self, path: &[&str], key: Key<'_>, place: u32) {
        match path.split_first() {
            None => self.values.get_or_insert_default().file(key, place),
            Some((name, rest)) => match self.below.get_mut(*name) {
                Some(paths) => paths.file(rest, key, place),
                None => self.below.entry((*name).into()).or_default().file(rest, key, place),
            },
        }
    }

    /// Makes ready what was filed.
    pub(super) fn finish(&mut self) {
        if let Some(values) = &mut self.values {
            values.finish();
        }
        self.below.values_mut().for_each(Paths::finish);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_none() && self.below.is_empty()
    }

    /// Gives the rules that may match by `node` or what stands below it. A document's depth bounds the recursion.
    pub(super) fn find(&self, node: &Node<'_>, found: &mut Vec<u32>) {
        if let Some(values) = &self.values {
            values.find_present(found);
        }
        self.find_below(node, found);
    }

    fn find_below(&self, node: &Node<'_>, found: &mut Vec<u32>) {
        let scalar = match node {
            Node::List(elements) => {
                return elements.iter().for_each(|element| self.find_below(element, found));
            }
            Node::Map(entries) => {
                for (name, value) in entries {
                    if let Some(paths) = self.below.get(&**name) {
                        paths.find(value, found);
                    }
                }
                return;
            }
            Node::Null => Scalar::Null,
            Node::Bool(value) => Scalar::Bool(*value),
            Node::Text(text) => Scalar::Text(text),
            Node::Number(text) => match text.parse() {
                Ok(integer) => Scalar::Integer(integer),
                Err(_) => Scalar::Decimal(Decimal::parse(text)),
            },
        };
        if let Some(values) = &self.values {
            values.find(scalar, found);
        }
    }
}
