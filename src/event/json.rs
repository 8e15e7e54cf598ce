//! JSON text as a tree that keeps every number as written.
//!
//! Numbers are text, so that integers of any length stay exact; keys keep their order and their
//! repetitions. The text must be valid JSON.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Node<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as written.
    Number(&'a str),
    /// Text, its escapes resolved.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Node<'a>>),
    /// An object, as written.
    Map(Vec<(Cow<'a, str>, Node<'a>)>),
}

struct Pairs<'a>(Vec<(Key<'a>, &'a RawValue)>);

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

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

impl<'a> Node<'a> {
    /// Parses JSON text.
    ///
    /// # Errors
    /// The text is not JSON.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        Self::of_raw(serde_json::from_str(text)?)
    }

    fn of_raw(raw: &'a RawValue) -> Result<Self, serde_json::Error> {
        let text = raw.get();
        Ok(match text.as_bytes().first() {
            Some(b'{') => Node::Map(
                serde_json::from_str::<Pairs<'a>>(text)?
                    .0
                    .into_iter()
                    .map(|(key, value)| Ok((key.0, Self::of_raw(value)?)))
                    .collect::<Result<_, serde_json::Error>>()?,
            ),
            Some(b'[') => Node::List(
                serde_json::from_str::<Vec<&'a RawValue>>(text)?
                    .into_iter()
                    .map(Self::of_raw)
                    .collect::<Result<_, _>>()?,
            ),
            Some(b'"') => Node::Text(serde_json::from_str::<Key<'a>>(text)?.0),
            Some(b't') => Node::Bool(true),
            Some(b'f') => Node::Bool(false),
            Some(b'n') => Node::Null,
            _ => Node::Number(text),
        })
    }
}
