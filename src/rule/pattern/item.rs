//! One tree for what a pattern is written in: TOML with places, or JSON text.
//!
//! Numbers stay text and keys keep their repetitions, so that the pattern compiler sees what the author
//! wrote. JSON is strict: no comments, no trailing commas, nothing after the value.

use std::borrow::Cow;
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
    /// Bytes in the file.
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

    /// The JSON text's value; the text stands at byte `start` of its file.
    pub(crate) fn of_json(text: &str, start: usize) -> Result<Self, ItemError> {
        // Nothing else bounds the recursion of what follows.
        let raw: &RawValue =
            serde_json::from_str(text).map_err(|error| ItemError::of(text, start, &error))?;
        Json { text, start }.item(raw, 0)
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

/// Why a text is no JSON that can be a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ItemError {
    /// Where, in bytes of the file.
    pub(crate) at: usize,
    pub(crate) message: String,
}

impl ItemError {
    fn of(text: &str, start: usize, error: &serde_json::Error) -> Self {
        let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
        let at = lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
        let message = error.to_string();
        // The place is told in the file's own lines.
        let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
        ItemError { at: start + at.min(text.len()), message }
    }
}

/// A JSON text within a file.
struct Json<'a> {
    text: &'a str,
    start: usize,
}

impl<'a> Json<'a> {
    fn item(&self, raw: &'a RawValue, depth: usize) -> Result<Item, ItemError> {
        let span = self.span(raw.get());
        if depth > DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX} levels");
            return Err(ItemError { at: span.start, message });
        }
        let text = raw.get();
        let kind = match text.as_bytes().first() {
            Some(b'{') => ItemKind::Map(self.entries(text, &span, depth)?),
            Some(b'[') => ItemKind::List(
                parsed::<Vec<&RawValue>>(text, &span)?
                    .into_iter()
                    .map(|value| self.item(value, depth + 1))
                    .collect::<Result<_, ItemError>>()?,
            ),
            Some(b'"') => ItemKind::Text(parsed(text, &span)?),
            Some(b't' | b'f') => ItemKind::Bool(parsed(text, &span)?),
            Some(b'n') => ItemKind::Null,
            _ => ItemKind::Number(text.to_owned()),
        };
        Ok(Item { span, kind })
    }

    fn entries(
        &self,
        text: &'a str,
        span: &Range<usize>,
        depth: usize,
    ) -> Result<Vec<(Key, Item)>, ItemError> {
        let pairs = parsed::<Pairs<'_>>(text, span)?;
        pairs
            .0
            .into_iter()
            .map(|(key, value)| {
                let value = self.item(value, depth + 1)?;
                // A key with escapes is no piece of the text; its value stands behind it.
                let span = match &key {
                    Cow::Borrowed(key) => self.span(key),
                    Cow::Owned(_) => value.span.clone(),
                };
                Ok((Key { span, text: key.into_owned() }, value))
            })
            .collect()
    }

    /// Where a piece of the text stands in the file.
    fn span(&self, piece: &str) -> Range<usize> {
        let offset = piece.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        let start = self.start + offset;
        start..start + piece.len()
    }
}

fn parsed<'a, T: Deserialize<'a>>(text: &'a str, span: &Range<usize>) -> Result<T, ItemError> {
    serde_json::from_str(text).map_err(|error| ItemError::of(text, span.start, &error))
}

/// An object's entries with all repetitions.
struct Pairs<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A key, borrowed from the text if it can be.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

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
                while let Some((Name(key), value)) = map.next_entry()? {
                    pairs.push((key, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
