//! Warnings about conditions below `data`: fields that were never seen there, and values of another type.

use std::collections::HashMap;
use std::ops::Range;

use super::Places;
use crate::event::Status;
use crate::event::payload::{Kinds, Payloads};
use crate::rule::field::Field;
use crate::rule::pattern::events::Events;
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

/// Which fields are unknown, by events, place and path: alternatives share what stands beside them.
pub(super) type Seen = HashMap<(Events, usize, String), bool>;

/// What is warned of below `data` in one branch.
struct Lint<'l, 'i> {
    payloads: Payloads,
    /// Those that the branch is for.
    events: Events,
    places: &'l Places<'i>,
    origins: &'l [Range<usize>],
}

/// Warns of the conditions below `data` in a branch that is for `events`.
pub(super) fn lint(
    branch: &Branch,
    events: Events,
    places: &Places<'_>,
    origins: &[Range<usize>],
    seen: &mut Seen,
    findings: &mut Findings,
) {
    let of_data = |condition: &&Condition| condition.field == Some(Field::Data);
    let mut conditions = branch.conditions.iter().filter(of_data).peekable();
    if conditions.peek().is_none() {
        return;
    }
    let payloads = Payloads::of(events.rows().map(|row| row.code));
    let lint = Lint { payloads, events, places, origins };
    for condition in conditions {
        lint.below(condition, "", seen, findings);
    }
}

impl Lint<'_, '_> {
    fn below(&self, condition: &Condition, path: &str, seen: &mut Seen, findings: &mut Findings) {
        for inner in condition.below.iter().flat_map(|below| &below.conditions) {
            let own = if path.is_empty() { inner.name.to_string() } else { format!("{path}.{}", inner.name) };
            let key = format!("data.{own}");
            let at = self.places.of(&key, self.origins);
            let is_unknown = *seen.entry((self.events, at.start, own.clone())).or_insert_with(|| {
                let unknown = self.payloads.unknown(&own).filter(|_| !self.events.has_others());
                if let Some(unknown) = &unknown {
                    let help = "a field that DataWorks has not published works all the same, if it is sent";
                    findings.warning(&at, &key, unknown.message(), unknown.help(help));
                }
                unknown.is_some()
            });
            if is_unknown {
                continue;
            }
            let kinds = self.kinds(&own);
            for (message, help) in inner.leaves.iter().filter_map(|leaf| misfit(&own, leaf, kinds?)) {
                findings.warning(&at, &key, message, help);
            }
            let is_plain = kinds.is_some_and(|kinds| kinds.is_text() || kinds.is_number());
            if inner.below.is_some() && is_plain && !self.events.has_others() {
                let help = "an operator is a table of one key that is the operator's name";
                findings.warning(&at, &key, "a plain value: nothing stands below it", help);
                continue;
            }
            self.below(inner, &own, seen, findings);
        }
    }

    /// What the events hold at `own`. What nobody knows is not judged, unless it is only among all that there is.
    fn kinds(&self, own: &str) -> Option<Kinds> {
        let is_judged = self.events.has_others() || self.payloads.are_known();
        self.payloads.kinds(own).filter(|_| is_judged)
    }
}

/// What of a leaf is of another kind than the field at `own`, and what to write instead.
fn misfit(own: &str, leaf: &Leaf, kinds: Kinds) -> Option<(&'static str, String)> {
    let has_numeric = leaf.tests.iter().any(|test| matches!(test, Test::Within(_)));
    if kinds.is_text() && (has_numeric || !leaf.numbers.is_empty()) {
        let help = match FACTS.iter().find(|(field, _)| *field == own) {
            Some((_, fact)) => format!("the fact `{fact}` is a number"),
            None => "write it as text, in quotes".to_owned(),
        };
        Some(("sent as text: a number never matches", help))
    } else if kinds.is_number() && !leaf.texts.is_empty() {
        let word = leaf.texts.iter().find(|text| own == "status" && Status::from_word(text).is_some());
        let help = match word {
            Some(word) => format!("the fact has words: `status = \"{word}\"`"),
            None => "write a number, without quotes".to_owned(),
        };
        Some(("sent as a number: text never matches", help))
    } else {
        None
    }
}
