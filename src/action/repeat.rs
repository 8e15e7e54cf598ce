//! Whether a call whose outcome is unknown may be sent again.
//!
//! One rule for a lost response and for a crash with the call in flight: what repeats without effect
//! is sent again; what converges is sent again for a while, since a person may have undone it later;
//! anything else is for a person to look at.

use crate::operation::RepeatEffect;

/// What may follow a call whose outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Sending it again does no harm.
    Again,
    /// It may have happened, and once is enough.
    Never,
}

/// Judges a call that was first sent at `first_sent_ms` and is unknown at `now_ms`.
#[must_use]
pub fn after_unknown(effect: RepeatEffect, first_sent_ms: i64, now_ms: i64, repeat_within_ms: i64) -> Repeat {
    match effect {
        RepeatEffect::None => Repeat::Again,
        RepeatEffect::Converges if now_ms.saturating_sub(first_sent_ms) <= repeat_within_ms => Repeat::Again,
        RepeatEffect::Converges | RepeatEffect::Duplicates | RepeatEffect::Unknown => Repeat::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_calls_are_sent_again() {
        let within = 600_000;
        let cases = [
            (RepeatEffect::None, 0, Repeat::Again),
            (RepeatEffect::None, 999_999_999, Repeat::Again),
            (RepeatEffect::Converges, 600_000, Repeat::Again),
            (RepeatEffect::Converges, 600_001, Repeat::Never),
            (RepeatEffect::Duplicates, 0, Repeat::Never),
            (RepeatEffect::Unknown, 0, Repeat::Never),
        ];
        for (effect, elapsed, expected) in cases {
            assert_eq!(
                after_unknown(effect, 1_000, 1_000 + elapsed, within),
                expected,
                "{effect:?} after {elapsed}"
            );
        }
    }
}
