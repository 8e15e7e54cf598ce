//! What a person names: an event, an action, or an object.

use std::fmt;

use super::super::{Exit, Failure};
use crate::diagnostic::nearest;
use crate::store::look::event::ObjectKind;

/// Characters of an action's id.
const ACTION_ID_LENGTH: usize = 32;

/// What was named. What looks like a number or an action may still be the id of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Target {
    /// An event's number.
    Number(i64),
    /// An action's id.
    Action(String),
    /// An object of events.
    Object(ObjectKind, String),
    /// An event's own id.
    Id(String),
}

/// What follows the kind of an object is none of its ids.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no {kind}: expected {expected}")]
pub(in crate::cli) struct WrongId {
    text: String,
    kind: &'static str,
    expected: &'static str,
}

impl From<WrongId> for Failure {
    fn from(error: WrongId) -> Self {
        Failure::new(Exit::Usage, error)
    }
}

impl Target {
    /// What `text` names.
    ///
    /// # Errors
    /// An object whose id is none.
    pub(in crate::cli) fn of(text: &str) -> Result<Self, WrongId> {
        if let Some((kind, id)) = text.split_once(':')
            && let Some(kind) = ObjectKind::ALL.into_iter().find(|known| known.as_str() == kind)
        {
            let wrong = |expected| WrongId { text: text.to_owned(), kind: kind.as_str(), expected };
            let id = id_of(kind, id).map_err(wrong)?;
            return Ok(Target::Object(kind, id));
        }
        let is_hex = text.len() == ACTION_ID_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        Ok(match text.parse() {
            Ok(number) => Target::Number(number),
            Err(_) if is_hex => Target::Action(text.to_owned()),
            Err(_) => Target::Id(text.to_owned()),
        })
    }
}

/// The object that was meant by `text`, whose kind is none of ours but near to one.
pub(in crate::cli) fn meant(text: &str) -> Option<String> {
    let (kind, id) = text.split_once(':')?;
    let kind = nearest(kind, ObjectKind::ALL.map(ObjectKind::as_str))?;
    Some(format!("{kind}:{id}"))
}

/// The id as it is stored, or what was expected: SQLite would read the number that a text begins with.
fn id_of(kind: ObjectKind, id: &str) -> Result<String, &'static str> {
    match kind {
        ObjectKind::Instance | ObjectKind::Node | ObjectKind::File | ObjectKind::Workspace => {
            let number: i64 = id.parse().map_err(|_| "a whole number after the colon")?;
            Ok(number.to_string())
        }
        ObjectKind::Table | ObjectKind::Operator if id.is_empty() => Err("something after the colon"),
        ObjectKind::Table | ObjectKind::Operator => Ok(id.to_owned()),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Number(number) => write!(f, "{number}"),
            Target::Action(id) | Target::Id(id) => f.write_str(id),
            Target::Object(kind, id) => write!(f, "{}:{id}", kind.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_told_by_its_form() {
        for (text, target) in [
            ("1042", Target::Number(1042)),
            ("0123456789abcdef0123456789abcdef", Target::Action("0123456789abcdef0123456789abcdef".into())),
            ("instance:739", Target::Object(ObjectKind::Instance, "739".into())),
            ("table:odps.a:b", Target::Object(ObjectKind::Table, "odps.a:b".into())),
            (
                "539fd8f4-4ea1-4625-aa8b-6c906674b60e",
                Target::Id("539fd8f4-4ea1-4625-aa8b-6c906674b60e".into()),
            ),
            ("urn:1", Target::Id("urn:1".into())),
            ("99999999999999999999", Target::Id("99999999999999999999".into())),
        ] {
            assert_eq!(target.to_string(), text);
            assert_eq!(Target::of(text), Ok(target), "{text}");
        }
    }

    #[test]
    fn a_kind_that_is_misspelt_leads_to_the_one_that_was_meant() {
        for (text, expected) in [
            ("Instance:1", Some("instance:1")),
            ("nodes:1:2", Some("node:1:2")),
            ("foo:1", None),
            ("urn:1", None),
            ("instance", None),
        ] {
            assert_eq!(meant(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_id_of_its_kind_is_refused() {
        for text in
            ["instance:739-typo", "instance:", "node:1.5", "file:99999999999999999999", "table:", "operator:"]
        {
            let told = Target::of(text).expect_err(text).to_string();
            assert!(told.contains(text) && told.contains("after the colon"), "{told}");
        }
        assert_eq!(Target::of("node:007"), Ok(Target::Object(ObjectKind::Node, "7".into())));
    }
}
