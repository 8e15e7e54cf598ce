//! What a batch brought, by event code and by reason of quarantine, counted while it is walked.
//!
//! A batch has few codes, so a look through those seen is cheaper than a map. A code that is not in the
//! catalogue is counted as [`OTHER`], so nobody who sends events decides how many counters there are.

use crate::event::catalogue;

/// The code of what the catalogue does not know.
pub const OTHER: &str = "other";

/// The counts of one batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// New events by code.
    pub codes: Vec<CodeTally>,
    /// Quarantined records by reason.
    pub reasons: Vec<(&'static str, u64)>,
}

/// The events of one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeTally {
    /// The event code, or [`OTHER`].
    pub code: &'static str,
    /// Those that a rule matched.
    pub matched: u64,
    /// Those that none matched.
    pub unmatched: u64,
    /// When the newest was written to Kafka, or accepted if Kafka does not say; milliseconds since 1970.
    pub last_at_ms: i64,
}

/// An event code as it is counted.
#[must_use]
pub fn counted_code(code: Option<&str>) -> &'static str {
    code.and_then(catalogue::by_code).map_or(OTHER, |row| row.code)
}

impl Tally {
    pub(super) fn event(&mut self, code: Option<&str>, matched: bool, at_ms: i64) {
        // The catalogue is asked only for a code that the batch has not brought yet.
        let at = self.place(code).or_else(|| self.place(Some(counted_code(code)))).unwrap_or_else(|| {
            let code = counted_code(code);
            self.codes.push(CodeTally { code, matched: 0, unmatched: 0, last_at_ms: at_ms });
            self.codes.len() - 1
        });
        if let Some(tally) = self.codes.get_mut(at) {
            tally.matched += u64::from(matched);
            tally.unmatched += u64::from(!matched);
            tally.last_at_ms = tally.last_at_ms.max(at_ms);
        }
    }

    fn place(&self, code: Option<&str>) -> Option<usize> {
        self.codes.iter().position(|tally| Some(tally.code) == code)
    }

    pub(super) fn quarantined(&mut self, reason: &'static str) {
        match self.reasons.iter_mut().find(|(seen, _)| *seen == reason) {
            Some((_, count)) => *count += 1,
            None => self.reasons.push((reason, 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_by_the_catalogues_codes_and_the_rest_together() {
        let mut tally = Tally::default();
        for (code, matched, at_ms) in [
            (Some("commit-file"), true, 5),
            (Some("made-up-1"), false, 1),
            (Some("commit-file"), false, 3),
            (Some("made-up-2"), false, 2),
            (None, true, 9),
        ] {
            tally.event(code, matched, at_ms);
        }
        let counted: Vec<_> =
            tally.codes.iter().map(|t| (t.code, t.matched, t.unmatched, t.last_at_ms)).collect();
        assert_eq!(counted, [("commit-file", 1, 1, 5), (OTHER, 1, 2, 9)]);
    }
}
