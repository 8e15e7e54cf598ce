//! What templates see of an event: the names of the normalised event, exact.
//!
//! Attributes and facts stand at the top under their own names, `event` is the whole (extension
//! attributes included), `data` the payload, `rule` the rule's name. What an event has not is undefined.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Object, Value};

use crate::event::Event;
use crate::event::json::Node;
use crate::rule::field::{Field, FieldValue};

/// Names at the top that are no fields of the event.
pub(crate) const EVENT: &str = "event";
/// The rule's name.
pub(crate) const RULE: &str = "rule";

/// What templates see of an event, prepared once an event.
#[derive(Debug, Clone)]
pub struct Scope {
    names: Arc<BTreeMap<String, Value>>,
    rule: Value,
}

impl Scope {
    /// The scope of `event`; `rule` is undefined until [`Scope::for_rule`] says which.
    #[must_use]
    pub fn of_event(event: &Event<'_>) -> Self {
        // Decoding has proven `data` and the extensions to be JSON; should that ever fail, the name is
        // undefined, and a template that asks for it is refused by its name.
        let parsed = |text: &str| Node::parse(text).map_or(Value::UNDEFINED, |node| value_of(&node));
        let mut names: BTreeMap<String, Value> =
            event.extensions.iter().map(|(name, text)| (name.to_string(), parsed(text))).collect();
        for field in Field::ALL {
            match field.value(event) {
                FieldValue::Text(text) => names.insert(field.name().to_owned(), Value::from(text)),
                FieldValue::Integer(value) => names.insert(field.name().to_owned(), Value::from(value)),
                FieldValue::Integers(values) => {
                    names.insert(field.name().to_owned(), Value::from(values.to_vec()))
                }
                FieldValue::Missing if field == Field::Data => {
                    names.insert(field.name().to_owned(), parsed(&event.data))
                }
                FieldValue::Missing => None,
            };
        }
        let whole = Value::from_pairs(names.iter().map(|(name, value)| (name.clone(), value.clone())));
        names.insert(EVENT.to_owned(), whole);
        Scope { names: Arc::new(names), rule: Value::UNDEFINED }
    }

    /// The same event as the rule `name` sees it.
    #[must_use]
    pub fn for_rule(&self, name: &str) -> Self {
        Scope { names: Arc::clone(&self.names), rule: Value::from(name) }
    }

    /// The scope as the root of a template.
    pub(crate) fn root(&self) -> Value {
        Value::from_object(Root(self.clone()))
    }

    /// The first part of a dotted path that this event has not.
    pub(crate) fn first_missing(&self, path: &str) -> Option<String> {
        let mut value = self.root();
        let mut seen = String::new();
        for name in path.split('.') {
            if !seen.is_empty() {
                seen.push('.');
            }
            seen.push_str(name);
            value = value.get_attr(name).unwrap_or(Value::UNDEFINED);
            if value.is_undefined() {
                return Some(seen);
            }
        }
        None
    }
}

#[derive(Debug)]
struct Root(Scope);

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            RULE => Some(self.0.rule.clone()),
            name => self.0.names.get(name).cloned(),
        }
    }
}

/// A payload's value. Of a repeated key the last one counts.
fn value_of(node: &Node<'_>) -> Value {
    match node {
        Node::Null => Value::from(()),
        Node::Bool(value) => Value::from(*value),
        Node::Number(text) => number(text),
        Node::Text(text) => Value::from(text.as_ref()),
        Node::List(elements) => elements.iter().map(value_of).collect(),
        Node::Map(entries) => {
            Value::from_pairs(entries.iter().map(|(key, value)| (key.to_string(), value_of(value))))
        }
    }
}

/// Integers stay exact, fractions are what 64 bits hold, and what fits neither stays text.
fn number(text: &str) -> Value {
    if let Ok(integer) = text.parse::<i64>() {
        return Value::from(integer);
    }
    if let Ok(integer) = text.parse::<i128>() {
        return Value::from(integer);
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && text.contains(['.', 'e', 'E']) => Value::from(value),
        _ => Value::from(text),
    }
}
