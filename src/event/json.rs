//! A small borrowed tree of a JSON document, for patterns and templates.
//!
//! [`Node::parse`] takes any text and gives the tree or the place of the error. Numbers keep the text they
//! were written in, so nothing is rounded; of a repeated name the last value counts; half of a surrogate
//! pair becomes U+FFFD. It is meant for events that some rule may match, not for every event.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::scan::{self, Names, Reader, Seen, unescape};

/// No document deeper than this is parsed, whatever a setting says: levels.
///
/// Below the 128 levels at which `serde_json` gives up, so that a document accepted here can be parsed
/// everywhere; and it bounds the stack.
pub const DEPTH_CEILING: usize = 100;

/// One value of a JSON document.
#[derive(Debug, Clone, PartialEq)]
pub enum Node<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as written.
    Number(&'a str),
    /// A string, escapes resolved.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Node<'a>>),
    /// An object, in the order written; every name once.
    Map(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// Why a text is no JSON document for us.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The text is not JSON.
    #[error("expected a JSON document")]
    Parse(#[source] serde_json::Error),
    /// The document nests too deep.
    #[error("expected at most {DEPTH_CEILING} nested levels of JSON")]
    Depth,
}

impl<'a> Node<'a> {
    /// The tree of `text`, which is one JSON document.
    ///
    /// # Errors
    /// [`JsonError::Parse`] with line and column, or [`JsonError::Depth`].
    pub fn parse(text: &'a str) -> Result<Node<'a>, JsonError> {
        if scan::deeper_than(DEPTH_CEILING, text.as_bytes()) {
            return Err(JsonError::Depth);
        }
        serde_json::from_str::<&RawValue>(text).map_err(JsonError::Parse)?;
        // An accepted text always has a tree; the fallback only keeps this free of a panic.
        Ok(node(&mut Reader::new(text)).unwrap_or(Node::Null))
    }
}

/// Recursion is bounded by [`DEPTH_CEILING`].
fn node<'a>(reader: &mut Reader<'a>) -> Option<Node<'a>> {
    Some(match reader.peek()? {
        b'"' => Node::Text(unescape(reader.string()?)),
        b'{' => map(reader)?,
        b'[' => list(reader)?,
        b'n' => reader.value().map(|_| Node::Null)?,
        b't' | b'f' => Node::Bool(reader.value()? == "true"),
        _ => Node::Number(reader.value()?),
    })
}

fn list<'a>(reader: &mut Reader<'a>) -> Option<Node<'a>> {
    let mut elements = Vec::new();
    reader.pass(b'[')?;
    while reader.peek()? != b']' {
        elements.push(node(reader)?);
        if reader.peek()? == b',' {
            reader.pass(b',')?;
        }
    }
    reader.pass(b']')?;
    Some(Node::List(elements))
}

fn map<'a>(reader: &mut Reader<'a>) -> Option<Node<'a>> {
    let mut members = Vec::new();
    let (mut names, mut repeated) = (Names::default(), false);
    reader.pass(b'{')?;
    while reader.peek()? != b'}' {
        let name = unescape(reader.string()?);
        repeated |= names.add(name.clone()) == Seen::Before;
        reader.pass(b':')?;
        members.push((name, node(reader)?));
        if reader.peek()? == b',' {
            reader.pass(b',')?;
        }
    }
    reader.pass(b'}')?;
    Some(Node::Map(if repeated { last_of_each_name(members) } else { members }))
}

fn last_of_each_name<'a>(members: Vec<(Cow<'a, str>, Node<'a>)>) -> Vec<(Cow<'a, str>, Node<'a>)> {
    let mut last: BTreeMap<Cow<'a, str>, usize> = BTreeMap::new();
    for (at, (name, _)) in members.iter().enumerate() {
        last.insert(name.clone(), at);
    }
    let kept = members.into_iter().enumerate();
    kept.filter(|(at, (name, _))| last.get(name) == Some(at)).map(|(_, member)| member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_becomes_a_tree_with_numbers_as_written() {
        let tree =
            Node::parse(" {\"a\":[1e999, -0.10,{}],\"b\\n\":null,\"c\":[true,false,\"x\\u0041\", []]} ");
        let expected = Node::Map(vec![
            ("a".into(), Node::List(vec![Node::Number("1e999"), Node::Number("-0.10"), Node::Map(vec![])])),
            ("b\n".into(), Node::Null),
            (
                "c".into(),
                Node::List(vec![
                    Node::Bool(true),
                    Node::Bool(false),
                    Node::Text("xA".into()),
                    Node::List(vec![]),
                ]),
            ),
        ]);
        assert_eq!(tree.expect("the document is valid"), expected);
        assert_eq!(
            Node::parse("9007199254740993").expect("a number is valid"),
            Node::Number("9007199254740993")
        );
    }

    #[test]
    fn the_last_of_a_repeated_name_counts() {
        let tree = Node::parse(r#"{"a":1,"b":2,"\u0061":3}"#).expect("the document is valid");
        assert_eq!(tree, Node::Map(vec![("b".into(), Node::Number("2")), ("a".into(), Node::Number("3"))]));
    }

    #[test]
    fn text_that_is_not_one_document_is_refused() {
        for text in ["", "{", "{'a':1}", "[1,]", "{} {}", "nul", "01", "\"\u{1}\""] {
            assert!(matches!(Node::parse(text), Err(JsonError::Parse(_))), "{text}");
        }
        assert!(matches!(Node::parse(&"[".repeat(100_000)), Err(JsonError::Depth)));
        let deepest = format!("{}{}", "[".repeat(DEPTH_CEILING), "]".repeat(DEPTH_CEILING));
        assert!(Node::parse(&deepest).is_ok());
    }
}
