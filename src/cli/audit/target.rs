//! What a person names: an event, an action, or an object.

use std::fmt;

use crate::store::look::event::ObjectKind;

/// Characters of an action's id.
const ACTION_ID_LENGTH: usize = 32;

/// What was named. What looks like a number or an action may still be the id of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// An event's number.
    Number(i64),
    /// An action's id.
    Action(String),
    /// An object of events.
    Object(ObjectKind, String),
    /// An event's own id.
    Id(String),
}

impl Target {
    /// What `text` names.
    pub(super) fn of(text: &str) -> Self {
        if let Some((kind, id)) = text.split_once(':')
            && let Some(kind) = ObjectKind::ALL.into_iter().find(|known| known.as_str() == kind)
        {
            return Target::Object(kind, id.to_owned());
        }
        let is_hex = text.len() == ACTION_ID_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match text.parse() {
            Ok(number) => Target::Number(number),
            Err(_) if is_hex => Target::Action(text.to_owned()),
            Err(_) => Target::Id(text.to_owned()),
        }
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
            assert_eq!(Target::of(text), target, "{text}");
            assert_eq!(target.to_string(), text);
        }
    }
}
