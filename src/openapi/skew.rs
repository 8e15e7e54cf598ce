//! How far the endpoints' clocks are from ours, as their refusals said.
//!
//! An endpoint refuses a request whose time is more than fifteen minutes off, and its response carries its
//! own time. That difference is used for every further request to the same base URL, until another refusal
//! says otherwise. Nothing is learned from other responses: within the fifteen minutes any clock will do.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Endpoints whose difference is remembered: far more than anybody has accounts for.
const ENDPOINTS_MAX: usize = 256;

/// A time of the endpoint that differs by more from the one already used is news.
const NEWS_MS_MIN: u64 = 60_000;

/// What is known of the endpoints' clocks.
#[derive(Debug, Default)]
pub(super) struct Skews {
    /// By base URL: what to add to our time, in milliseconds.
    by_base: Mutex<BTreeMap<String, i64>>,
}

impl Skews {
    /// What to add to our time for this endpoint, if it ever said so.
    pub(super) fn of(&self, base: &str) -> Option<i64> {
        self.map().get(base).copied()
    }

    /// Learns from a refusal: `used_ms` was added to our time for its request, and the endpoint's clock
    /// differs from ours by `seen_ms`. Whether a repetition will carry another time than this request did.
    pub(super) fn learn(&self, base: &str, used_ms: Option<i64>, seen_ms: i64) -> bool {
        if used_ms.is_some_and(|used_ms| used_ms.abs_diff(seen_ms) <= NEWS_MS_MIN) {
            return false;
        }
        let mut map = self.map();
        if map.len() >= ENDPOINTS_MAX && !map.contains_key(base) {
            // Whichever goes is learned again when it matters.
            map.pop_first();
        }
        map.insert(base.to_owned(), seen_ms);
        true
    }

    /// Each change is whole by itself, so a holder's panic leaves it usable.
    fn map(&self) -> MutexGuard<'_, BTreeMap<String, i64>> {
        self.by_base.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_learned_once_and_anew_when_the_clock_moved() {
        let skews = Skews::default();
        assert_eq!(skews.of("https://a"), None);
        for (used, seen, learned, then) in [
            (None, -3_600_000, true, -3_600_000),
            // Another request left before that was known.
            (None, -3_599_000, true, -3_599_000),
            (Some(-3_599_000), -3_600_000, false, -3_599_000),
            (Some(-3_599_000), -3_659_000, false, -3_599_000),
            (Some(-3_599_000), -3_659_001, true, -3_659_001),
            (Some(-3_659_001), 0, true, 0),
        ] {
            assert_eq!(skews.learn("https://a", used, seen), learned, "{used:?} {seen}");
            assert_eq!(skews.of("https://a"), Some(then));
        }
        assert_eq!(skews.of("https://b"), None, "each endpoint has its own clock");
    }

    #[test]
    fn no_more_endpoints_are_remembered_than_the_bound() {
        let skews = Skews::default();
        for number in 0..ENDPOINTS_MAX + 50 {
            assert!(skews.learn(&format!("https://{number:04}"), None, 1));
            assert_eq!(skews.of(&format!("https://{number:04}")), Some(1));
        }
        assert_eq!(skews.map().len(), ENDPOINTS_MAX);
    }
}
