//! Warnings about conditions below `data`: fields that were never seen there, and values of another type.

use std::ops::Range;

use super::Places;
use super::events::Events;
use crate::diagnostic::nearest;
use crate::event::payload::{self, Kinds, Payload};
use crate::rule::field::Field;
use crate::rule::pattern::findings::Findings;
use crate::rule::pattern::leaf::{Leaf, Test};
use crate::rule::pattern::{Branch, Condition};

/// What a fact tells as a number or list, and how payloads write it.
const FACTS: [(&str, &str); 4] = [
    ("dataRowSize", "rows"),
    ("queryDwProjectId", "workspace"),
    ("taskIds", "instances"),
    ("nodeIds", "nodes"),
];

struct Payloads<'l> {
    list: Vec<&'static Payload>,
    /// The events may also be some that the catalogue does not know.
    has_others: bool,
    places: &'l Places<'l>,
    origins: &'l [Range<usize>],
}

/// Warns of the conditions below `data` in a branch that is for `events`.
pub(super) fn lint(
    branch: &Branch,
    events: Events,
    places: &Places<'_>,
    origins: &[Range<usize>],
    findings: &mut Findings,
) {
    let of_data = |condition: &&Condition| condition.field == Some(Field::Data);
    let mut conditions = branch.conditions.iter().filter(of_data).peekable();
    if conditions.peek().is_none() {
        return;
    }
    let list = events.rows().filter_map(|row| payload::of_code(row.code)).collect();
    let payloads = Payloads { list, has_others: events.has_others(), places, origins };
    for condition in conditions {
        payloads.below(condition, "", findings);
    }
}

impl Payloads<'_> {
    fn below(&self, condition: &Condition, path: &str, findings: &mut Findings) {
        for inner in condition.below.iter().flat_map(|below| &below.conditions) {
            let own = if path.is_empty() { inner.name.to_string() } else { format!("{path}.{}", inner.name) };
            if self.is_published(path)
                && !self.list.iter().any(|payload| payload.fields.contains_key(own.as_str()))
            {
                self.unknown(&own, path, findings);
                continue;
            }
            for leaf in &inner.leaves {
                self.kinds(&own, leaf, findings);
            }
            self.below(inner, &own, findings);
        }
    }

    /// The fields of all payloads; one that several have comes several times.
    fn paths(&self) -> impl Iterator<Item = &'static str> {
        self.list.iter().flat_map(|payload| payload.fields.keys().copied())
    }

    /// Whether all that can stand below `path` is known.
    fn is_published(&self, path: &str) -> bool {
        let has_fields = path.is_empty() || self.paths().any(|own| payload::is_below(own, path));
        has_fields && !self.has_others && self.are_known()
    }

    fn are_known(&self) -> bool {
        self.list.iter().all(|payload| payload.is_known)
    }

    fn unknown(&self, own: &str, parent: &str, findings: &mut Findings) {
        let name = own.rsplit('.').next().unwrap_or(own);
        let beside = self.paths().filter(|path| parent_of(path) == parent);
        let help = match nearest(name, beside.map(|path| path.rsplit('.').next().unwrap_or(path))) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "a field that DataWorks has not published works all the same, if it is sent".to_owned(),
        };
        let message = match self.list.as_slice() {
            [_] => "no field of this event, as far as is known",
            _ => "no field of these events, as far as is known",
        };
        let key = format!("data.{own}");
        findings.warning(&self.places.of(&key, self.origins), &key, message, help);
    }

    fn kinds(&self, own: &str, leaf: &Leaf, findings: &mut Findings) {
        // What nobody knows is not judged, unless it is only among all that there is.
        if !self.has_others && !self.are_known() {
            return;
        }
        let known = self.list.iter().filter(|payload| payload.is_known);
        let known = known.filter_map(|payload| payload.fields.get(own).copied());
        let Some(kinds) = known.reduce(Kinds::and) else { return };
        let has_numeric = leaf.tests.iter().any(|test| matches!(test, Test::Within(_)));
        let (message, help) = if kinds.is_text() && (has_numeric || !leaf.numbers.is_empty()) {
            let fact = FACTS.iter().find(|(field, _)| *field == own);
            let help = match fact {
                Some((_, fact)) => format!("the fact `{fact}` is a number"),
                None => "write it as text, in quotes".to_owned(),
            };
            ("sent as text: a number never matches", help)
        } else if kinds.is_number() && !leaf.texts.is_empty() {
            ("sent as a number: text never matches", "write it without quotes".to_owned())
        } else {
            return;
        };
        let key = format!("data.{own}");
        findings.warning(&self.places.of(&key, self.origins), &key, message, help);
    }
}

fn parent_of(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}
