//! One tree for what a pattern is written in: TOML with places, or JSON text.
//!
//! Numbers stay text and keys keep their repetitions, so that the pattern compiler sees what the author
//! wrote. JSON is strict: no comments, no trailing commas, nothing after the value.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use toml::Spanned;
use toml::de::{DeInteger, DeValue};

/// Levels that a pattern may be nested.
pub(crate) const DEPTH_MAX: usize = 64;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Bytes in the file; those of the whole text for JSON.
    pub(crate) span: Range<usize>,
    pub(crate) kind: ItemKind,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(crate) enum ItemKind {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Item>),
    Map(Vec<(Key, Item)>),
    /// What TOML has and JSON has not.
    Foreign(&'static str),
}

/// A key and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) span: Range<usize>,
    pub(crate) text: String,
}

impl Item {
    /// The TOML value as it stands in its file.
    pub(crate) fn of_toml(value: &Spanned<DeValue<'_>>) -> Self {
        let kind = match value.get_ref() {
            DeValue::String(text) => ItemKind::Text(text.to_string()),
            DeValue::Boolean(value) => ItemKind::Bool(*value),
            DeValue::Integer(integer) => integer_text(integer)
                .map_or(ItemKind::Foreign("an integer that is too long for its base"), ItemKind::Number),
            DeValue::Float(float) => {
                let text = float.as_str().trim_start_matches('+');
                if text.ends_with("inf") || text.ends_with("nan") {
                    ItemKind::Foreign("an infinite number")
                } else {
                    ItemKind::Number(text.to_owned())
                }
            }
            DeValue::Datetime(_) => ItemKind::Foreign("a TOML date"),
            DeValue::Array(array) => ItemKind::List(array.iter().map(Item::of_toml).collect()),
            DeValue::Table(table) => {
                let mut entries: Vec<(Key, Item)> = table
                    .iter()
                    .map(|(key, value)| {
                        let key = Key { span: key.span(), text: key.get_ref().to_string() };
                        (key, Item::of_toml(value))
                    })
                    .collect();
                entries.sort_by_key(|(key, _)| key.span.start);
                ItemKind::Map(entries)
            }
        };
        Item { span: value.span(), kind }
    }

    /// The JSON text's value; every part of it stands at `span`.
    pub(crate) fn of_json(text: &str, span: &Range<usize>) -> Result<Self, String> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Self::of_raw(raw, span, 0)
    }

    fn of_raw(raw: &RawValue, span: &Range<usize>, depth: usize) -> Result<Self, String> {
        if depth > DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX} levels"));
        }
        let text = raw.get();
        let kind = match text.as_bytes().first() {
            Some(b'{') => ItemKind::Map(
                parse_json::<Pairs<'_>>(text)?
                    .0
                    .into_iter()
                    .map(|(key, value)| {
                        Ok((Key { span: span.clone(), text: key }, Self::of_raw(value, span, depth + 1)?))
                    })
                    .collect::<Result<_, String>>()?,
            ),
            Some(b'[') => ItemKind::List(
                parse_json::<Vec<&RawValue>>(text)?
                    .into_iter()
                    .map(|value| Self::of_raw(value, span, depth + 1))
                    .collect::<Result<_, String>>()?,
            ),
            Some(b'"') => ItemKind::Text(parse_json(text)?),
            Some(b't' | b'f') => ItemKind::Bool(parse_json(text)?),
            Some(b'n') => ItemKind::Null,
            _ => ItemKind::Number(text.to_owned()),
        };
        Ok(Item { span: span.clone(), kind })
    }

    /// What it is, for messages.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            ItemKind::Null => "null".to_owned(),
            ItemKind::Bool(value) => value.to_string(),
            ItemKind::Number(text) => format!("the number {text}"),
            ItemKind::Text(text) => format!("the text \"{text}\""),
            ItemKind::List(_) => "a list".to_owned(),
            ItemKind::Map(_) => "a table".to_owned(),
            ItemKind::Foreign(what) => (*what).to_owned(),
        }
    }
}

/// Decimal integers of any length; those of another base up to 128 bits.
fn integer_text(integer: &DeInteger<'_>) -> Option<String> {
    if integer.radix() == 10 {
        return Some(integer.as_str().trim_start_matches('+').to_owned());
    }
    i128::from_str_radix(integer.as_str(), integer.radix()).ok().map(|value| value.to_string())
}

fn parse_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// An object's entries with all repetitions.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
