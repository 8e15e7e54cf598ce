//! What a condition sees, and where, as text.

use std::fmt;

use serde_json::Value;

use crate::event::json::Node;
use crate::rule::field::FieldValue;

/// Bytes of a value that are kept; a longer one ends with `…`.
const VALUE_BYTES_MAX: usize = 16 * 1024;

/// What stands where a condition looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Nothing.
    Missing,
    /// Nothing, since what the payload holds for it, this JSON, is none that is known.
    Unknown(String),
    /// A part of the event is no JSON, although its decoding said so.
    Unreadable,
    /// This value, as JSON; a very long one is cut.
    Value(String),
}

/// Where a condition looks.
pub(super) enum Path<'p> {
    /// A field or attribute of the event.
    Top(&'p str),
    /// What is called so below.
    Name(&'p Path<'p>, &'p str),
    /// An element of a list, from 0.
    Element(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Top(name) => f.write_str(name),
            Path::Name(above, name) => write!(f, "{above}.{name}"),
            Path::Element(above, place) => write!(f, "{above}[{place}]"),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Seen::Missing => f.write_str("is missing"),
            // The only fact whose values are known one by one.
            Seen::Unknown(written) => {
                write!(f, "is missing (data.status is {written}, which is no known status)")
            }
            Seen::Unreadable => f.write_str("cannot be read"),
            Seen::Value(value) => write!(f, "is {value}"),
        }
    }
}

impl Seen {
    pub(super) fn of_node(value: Option<&Node<'_>>) -> Self {
        let Some(value) = value else { return Seen::Missing };
        let mut text = String::new();
        write_node(value, &mut text);
        Seen::Value(cut(text))
    }

    pub(super) fn unknown(written: &str) -> Self {
        Seen::Unknown(cut(written.to_owned()))
    }

    pub(super) fn of_field(value: FieldValue<'_>) -> Self {
        Seen::Value(match value {
            FieldValue::Missing => return Seen::Missing,
            FieldValue::Text(text) => cut(Value::from(text).to_string()),
            FieldValue::Integer(number) => number.to_string(),
            FieldValue::Integers(numbers) => cut(Value::from(numbers).to_string()),
        })
    }
}

/// Stops where nothing more would be kept.
fn write_node(node: &Node<'_>, text: &mut String) {
    if text.len() > VALUE_BYTES_MAX {
        return;
    }
    match node {
        Node::Null => text.push_str("null"),
        Node::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Node::Number(number) => text.push_str(number),
        Node::Text(own) => text.push_str(&Value::from(own.as_ref()).to_string()),
        Node::List(elements) => {
            text.push('[');
            for (place, element) in elements.iter().enumerate() {
                if text.len() > VALUE_BYTES_MAX {
                    return;
                }
                text.push_str(if place == 0 { "" } else { "," });
                write_node(element, text);
            }
            text.push(']');
        }
        Node::Map(entries) => {
            text.push('{');
            for (place, (name, value)) in entries.iter().enumerate() {
                if text.len() > VALUE_BYTES_MAX {
                    return;
                }
                text.push_str(if place == 0 { "" } else { "," });
                text.push_str(&Value::from(name.as_ref()).to_string());
                text.push(':');
                write_node(value, text);
            }
            text.push('}');
        }
    }
}

fn cut(mut text: String) -> String {
    if text.len() > VALUE_BYTES_MAX {
        text.truncate(text.floor_char_boundary(VALUE_BYTES_MAX));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_as_json_and_cut_where_it_is_very_long() {
        let shown = |text: &str| Seen::of_node(Some(&Node::parse(text).expect("JSON")));
        let text = r#"{"a":[1.50,"x\"",null,true,{}],"ä":[]}"#;
        assert_eq!(shown(text), Seen::Value(text.to_owned()));
        let long = format!("[{}\"{}\"]", "1,".repeat(3), "ä".repeat(20_000));
        let Seen::Value(cut) = shown(&long) else { panic!("it is a value") };
        assert!(cut.len() <= VALUE_BYTES_MAX + '…'.len_utf8() && cut.ends_with("ä…"));
        assert_eq!(Seen::of_node(None), Seen::Missing);
        let path = Path::Name(&Path::Top("data"), "tasks");
        assert_eq!(Path::Name(&Path::Element(&path, 2), "state").to_string(), "data.tasks[2].state");
    }
}
