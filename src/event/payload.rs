//! What is known of the payloads: which fields the events of each code have, and what they hold.
//!
//! It serves warnings only: DataWorks may send more than was ever published, and what it sends is never refused.
//! `payloads.txt` has a line for each code: its name, `*` if its payload was not published, then each field with
//! the letters of what it holds: text, number, bool, object; of a list, what its elements are.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::diagnostic::nearest;

static PAYLOADS: LazyLock<BTreeMap<&'static str, Payload>> =
    LazyLock::new(|| read(include_str!("payloads.txt")));

/// The payload of one event code.
#[derive(Debug)]
pub(crate) struct Payload {
    /// Its fields were published.
    pub(crate) is_known: bool,
    /// By dotted path, through lists too.
    pub(crate) fields: BTreeMap<&'static str, Kinds>,
}

/// What a field holds, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Kinds {
    text: bool,
    number: bool,
    other: bool,
}

impl Kinds {
    /// Text, and never anything else.
    pub(crate) fn is_text(self) -> bool {
        self.text && !self.number && !self.other
    }

    /// Numbers, and never anything else.
    pub(crate) fn is_number(self) -> bool {
        self.number && !self.text && !self.other
    }

    /// What either holds.
    pub(crate) fn and(self, other: Self) -> Self {
        Kinds {
            text: self.text || other.text,
            number: self.number || other.number,
            // Of a field that holds nothing known, anything may be held.
            other: self.other || other.other || self.is_empty() || other.is_empty(),
        }
    }

    fn is_empty(self) -> bool {
        self == Kinds::default()
    }
}

impl Payload {
    /// An object with every field. It holds what facts of each kind can be read of: a number is one, or text, or a list.
    pub(crate) fn filled(&self) -> Value {
        let mut entries = Map::new();
        // A field comes before those below it.
        self.fields.keys().for_each(|path| insert(&mut entries, path));
        Value::Object(entries)
    }
}

fn insert(entries: &mut Map<String, Value>, path: &str) {
    let Some((name, rest)) = path.split_once('.') else {
        entries.insert(path.to_owned(), Value::from(1));
        return;
    };
    let place = entries.entry(name).or_insert(Value::Null);
    if !place.is_object() {
        *place = Value::Object(Map::new());
    }
    if let Some(below) = place.as_object_mut() {
        insert(below, rest);
    }
}

/// The payload of `code`, if the catalogue has it.
pub(crate) fn of_code(code: &str) -> Option<&'static Payload> {
    PAYLOADS.get(code)
}

/// The payloads of some events, looked at together.
#[derive(Debug)]
pub(crate) struct Payloads(Vec<&'static Payload>);

/// A field that none of these events has, as far as is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownField<'p> {
    /// Its path below `data`.
    pub(crate) path: &'p str,
    /// A field beside it that may be meant.
    meant: Option<&'static str>,
    is_of_one_event: bool,
}

impl Payloads {
    /// Of the events of `codes`, as far as the catalogue has them.
    pub(crate) fn of<'c>(codes: impl IntoIterator<Item = &'c str>) -> Self {
        Payloads(codes.into_iter().filter_map(of_code).collect())
    }

    /// What those whose fields were published hold at the dotted `path` below `data`, if one of them has it.
    pub(crate) fn kinds(&self, path: &str) -> Option<Kinds> {
        let known = self.0.iter().filter(|payload| payload.is_known);
        known.filter_map(|payload| payload.fields.get(path).copied()).reduce(Kinds::and)
    }

    /// Whether the fields of all of them were published.
    pub(crate) fn are_known(&self) -> bool {
        self.0.iter().all(|payload| payload.is_known)
    }

    /// The first part of the dotted `path` below `data` that no event has; `None` too where anything may stand.
    pub(crate) fn unknown<'p>(&self, path: &'p str) -> Option<UnknownField<'p>> {
        if self.0.is_empty() || !self.are_known() {
            return None;
        }
        let ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
        for part in ends.filter_map(|end| path.get(..end)) {
            if self.0.iter().any(|payload| payload.fields.contains_key(part)) {
                continue;
            }
            let (parent, name) = part.rsplit_once('.').unwrap_or(("", part));
            let fields = self.0.iter().flat_map(|payload| payload.fields.keys().copied());
            let beside = fields.filter_map(|own| {
                let (above, name) = own.rsplit_once('.').unwrap_or(("", own));
                (above == parent).then_some(name)
            });
            let beside: Vec<&'static str> = beside.collect();
            let is_of_one_event = self.0.len() == 1;
            let meant = nearest(name, beside.iter().copied());
            // Of an object whose fields were not published, any may be meant.
            return (!beside.is_empty()).then_some(UnknownField { path: part, meant, is_of_one_event });
        }
        None
    }
}

impl UnknownField<'_> {
    /// What is wrong with it.
    pub(crate) fn message(&self) -> &'static str {
        if self.is_of_one_event {
            "no field of this event, as far as is known"
        } else {
            "no field of these events, as far as is known"
        }
    }

    /// What may be meant, or `otherwise`.
    pub(crate) fn help(&self, otherwise: &str) -> String {
        self.meant.map_or_else(|| otherwise.to_owned(), |meant| format!("did you mean `{meant}`?"))
    }
}

/// Whether the field at `path` holds objects in every payload that has it.
pub(crate) fn is_object(path: &str) -> bool {
    let mut holding = PAYLOADS.values().filter(|payload| payload.fields.contains_key(path)).peekable();
    holding.peek().is_some() && holding.all(|payload| payload.fields.keys().any(|own| is_below(own, path)))
}

/// Whether the field at `path` stands below the one at `parent`.
fn is_below(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent).is_some_and(|rest| rest.starts_with('.'))
}

fn read(text: &'static str) -> BTreeMap<&'static str, Payload> {
    text.lines()
        .filter_map(|line| line.split_once(' ').map(|(code, rest)| (code, read_payload(rest))))
        .collect()
}

fn read_payload(text: &'static str) -> Payload {
    let field = |word: &'static str| {
        let (path, letters) = word.split_once(':')?;
        let has = |letter| letters.contains(letter);
        Some((path, Kinds { text: has('t'), number: has('n'), other: has('b') || has('o') }))
    };
    let is_known = !text.split(' ').any(|word| word == "*");
    Payload { is_known, fields: text.split(' ').filter_map(field).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::catalogue;

    #[test]
    fn every_code_has_its_payload_and_the_traps_are_known() {
        assert_eq!(PAYLOADS.len(), catalogue::all().count());
        for row in catalogue::all() {
            let payload = of_code(row.code).expect(row.code);
            assert!(payload.fields.contains_key(row.workspace_field) || !payload.is_known, "{}", row.code);
            assert!(payload.fields.contains_key("eventCode"), "{}", row.code);
        }
        let kinds = |code, path| of_code(code).expect(code).fields.get(path).copied().expect(path);
        assert!(kinds("download-resources", "dataRowSize").is_text());
        assert!(kinds("instance-status-changes", "status").is_number());
        assert!(is_object("process.approvalContent") && !is_object("process.status") && !is_object("nobody"));
        assert!(!of_code("review-file").expect("a code").is_known);
    }

    #[test]
    fn a_field_is_unknown_where_all_that_can_stand_there_is_known() {
        let unknown = |codes: &[&'static str], path: &'static str| {
            let found = Payloads::of(codes.iter().copied()).unknown(path);
            found.map(|found| (found.path, found.help("")))
        };
        let meant = |path, meant: &str| Some((path, format!("did you mean `{meant}`?")));
        let instance = "instance-status-changes";
        assert_eq!(unknown(&[instance], "taskId"), None);
        assert_eq!(unknown(&[instance], "taksId"), meant("taksId", "taskId"));
        assert_eq!(unknown(&[instance, "commit-file"], "fileNam.x"), meant("fileNam", "fileName"));
        assert_eq!(
            unknown(&["approval-change-before-create"], "order.applyReson"),
            meant("order.applyReson", "applyReason")
        );
        // A text has no fields that were not published, and what is not known may have any.
        assert_eq!(unknown(&[instance], "taskId.deeper"), None);
        assert_eq!(unknown(&[instance, "review-file"], "taksId"), None);
        assert_eq!(unknown(&["no-such-code"], "taksId"), None);
    }
}
