//! What follows from an attempt. Pure: the clock and the jitter are arguments.
//!
//! What was certainly not executed may be sent again; what may have been executed is judged by what a
//! repetition would do; what was refused as it is will be refused again.

use std::time::Duration;

use crate::action::repeat::{Repeat, after_unknown};
use crate::duration::whole_ms;
use crate::openapi::error::{Class, NextAllowance, Until};
use crate::operation::RepeatEffect;
use crate::quota::{Calendar, Span};
use crate::store::outbox::{Outcome, Past};
use crate::store::parking::{ParkReason, Pause};
use crate::store::spending::Paid;

/// When an action is given up, and how long it waits between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Attempts of one action.
    pub attempts_max: u32,
    /// The first pause is drawn from zero to this; each further one from twice the range.
    pub backoff_min: Duration,
    /// No pause is longer, except by the endpoint's own word.
    pub backoff_max: Duration,
    /// How long after its first attempt a call that converges may be repeated blindly.
    pub repeat_within: Duration,
}

/// The attempt that is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// What a repetition would do.
    pub effect: RepeatEffect,
    /// Which attempt of its action's life it was, from 1, without those that never left.
    pub attempt_number: u32,
    /// Which attempt it was of those that left and were refused neither for their number nor for our clock,
    /// from 1.
    pub tries: u32,
    /// What the earlier attempts may have done.
    pub past: Past,
    /// When the action's first attempt was claimed, milliseconds since 1970.
    pub first_sent_ms: i64,
    /// Now, milliseconds since 1970.
    pub now_ms: i64,
    /// Where the account's days and months begin.
    pub calendar: Calendar,
}

/// What follows from an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// For the action.
    pub outcome: Outcome,
    /// For calls like it, or all of the account.
    pub park: Option<(ParkReason, Pause)>,
    /// What no longer holds, as the response shows.
    pub lift: &'static [ParkReason],
    /// For the quota.
    pub paid: Paid,
}

/// Throttled calls, and those that went by a wrong clock, cost the account nothing and say nothing about the
/// action, so they are tried longer.
const UNCOUNTED_ATTEMPTS_MAX: u32 = 100;

/// What failed in a way that waiting seldom mends is tried no more often.
const FAULTY_TRIES_MAX: u32 = 2;

/// Calls parked until the next day or month return within this time after it, not all at once.
const BOUNDARY_SPREAD_MS: f64 = 300_000.0;

/// A key that is refused is tried again after so long at first, a permission after longer: only a person
/// mends them.
const KEY_PAUSE: Pause = Pause::Growing { first_ms: 60_000, max_ms: 900_000 };
/// Where others call for the same account, calls that are refused for their number spend the day's calls.
const THROTTLED_PAUSE_MS: i64 = 500;
const THROTTLED_PAUSE_MS_MAX: i64 = 20_000;
/// The longest pause that an endpoint may ask for: what is longer is a mistake, and would never be sent.
const ASKED_MS_MAX: i64 = 86_400_000;
const PERMISSION_PAUSE: Pause = Pause::Growing { first_ms: 600_000, max_ms: 6 * 3_600_000 };

/// Judges one attempt; `jitter` is drawn from 0 (inclusive) to 1.
#[must_use]
pub fn judge(result: Result<(), Class>, trial: &Trial, retry: &Retry, jitter: f64) -> Judgement {
    Judgement {
        outcome: outcome(result, trial, retry, jitter),
        park: park(result, trial.calendar, trial.now_ms, jitter),
        lift: lift(result),
        paid: paid(result),
    }
}

/// What calls like this one, or all of the account, would meet as well.
pub(super) fn park(
    result: Result<(), Class>,
    calendar: Calendar,
    now_ms: i64,
    jitter: f64,
) -> Option<(ParkReason, Pause)> {
    match result.err()? {
        Class::Forbidden => Some((ParkReason::Forbidden, PERMISSION_PAUSE)),
        Class::Credentials => Some((ParkReason::Credentials, KEY_PAUSE)),
        Class::Clock { corrected: true } => Some((ParkReason::Clock, KEY_PAUSE)),
        Class::Throttled { retry_after_ms, until: Until::Soon } => {
            let asked = retry_after_ms.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0);
            let first_ms = asked.clamp(THROTTLED_PAUSE_MS, THROTTLED_PAUSE_MS_MAX);
            Some((ParkReason::Throttled, Pause::Growing { first_ms, max_ms: THROTTLED_PAUSE_MS_MAX }))
        }
        Class::QuotaExhausted { until: NextAllowance::NextDay, .. } => {
            let day = calendar.day(now_ms);
            Some((ParkReason::DayRefused, after(day, jitter)))
        }
        Class::QuotaExhausted { until: NextAllowance::NextMonth, .. } => {
            let month = calendar.month(now_ms);
            Some((ParkReason::MonthRefused, after(month, jitter)))
        }
        _ => None,
    }
}

/// A little after its end: the provider's clock is not ours.
fn after(span: Span, jitter: f64) -> Pause {
    let spread = Duration::from_secs_f64(BOUNDARY_SPREAD_MS / 1000.0 * jitter.clamp(0.0, 1.0));
    Pause::Until(span.ends_ms.saturating_add(whole_ms(spread)))
}

/// What a response shows to be in order. A call that is throttled may not have come as far as its key.
pub(super) fn lift(result: Result<(), Class>) -> &'static [ParkReason] {
    use ParkReason::{Clock, Credentials, Endpoint, Forbidden, Throttled};
    match result {
        Ok(()) | Err(Class::FailedInBody | Class::PartialFailure) => {
            &[Endpoint, Throttled, Credentials, Clock, Forbidden]
        }
        Err(Class::Rejected | Class::Forbidden) => &[Endpoint, Throttled, Credentials, Clock],
        Err(Class::Credentials | Class::Clock { .. }) => &[Endpoint, Throttled],
        Err(Class::Throttled { .. } | Class::QuotaExhausted { .. }) => &[Endpoint],
        Err(Class::Unsendable | Class::Unreachable | Class::Unavailable | Class::Faulty | Class::Lost) => &[],
    }
}

/// How the quota counts the call. What success means to the provider is not told, so whatever may count as one does.
#[must_use]
pub fn paid(result: Result<(), Class>) -> Paid {
    match result {
        Ok(()) | Err(Class::FailedInBody | Class::PartialFailure | Class::Lost) => Paid::Succeeded,
        Err(Class::Unsendable | Class::Unreachable) => Paid::NotSent,
        Err(Class::Throttled { .. } | Class::QuotaExhausted { .. }) => Paid::Throttled,
        Err(
            Class::Rejected
            | Class::Unavailable
            | Class::Faulty
            | Class::Forbidden
            | Class::Credentials
            | Class::Clock { .. },
        ) => Paid::Failed,
    }
}

fn outcome(result: Result<(), Class>, trial: &Trial, retry: &Retry, jitter: f64) -> Outcome {
    let Err(class) = result else { return Outcome::Succeeded };
    let may_have_happened =
        trial.past == Past::Unknown || matches!(class, Class::Unavailable | Class::Faulty | Class::Lost);
    // Given up is not the same as not done.
    let given_up = match trial.effect {
        RepeatEffect::None => Outcome::Dead,
        _ if may_have_happened => Outcome::Unresolved,
        _ => Outcome::Dead,
    };
    let again = |tries: u32, tries_max: u32, delay_ms: i64| {
        if tries >= tries_max {
            given_up
        } else {
            Outcome::DueAgain { due_at_ms: trial.now_ms.saturating_add(delay_ms) }
        }
    };
    let backoff = backoff_ms(retry, trial.attempt_number, jitter);
    match class {
        Class::Unsendable
        | Class::Rejected
        | Class::Forbidden
        | Class::FailedInBody
        | Class::PartialFailure => given_up,
        Class::Unreachable => again(trial.tries, retry.attempts_max, backoff),
        // From now on calls go by the endpoint's clock.
        Class::Clock { corrected: false } => again(trial.attempt_number, UNCOUNTED_ATTEMPTS_MAX, 0),
        // Every call of the account meets the same: it says nothing about this one, which waits with the others
        // while the account is parked.
        Class::Credentials | Class::Clock { corrected: true } | Class::QuotaExhausted { .. } => {
            Outcome::DueAgain { due_at_ms: trial.now_ms }
        }
        Class::Throttled { retry_after_ms, until } => {
            let asked = retry_after_ms.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0);
            let asked = asked.min(ASKED_MS_MAX);
            let delay = match until {
                Until::Soon => asked.saturating_add(backoff),
                Until::Later => asked.saturating_add(backoff.saturating_mul(2)),
            };
            again(trial.attempt_number, UNCOUNTED_ATTEMPTS_MAX, delay)
        }
        Class::Unavailable | Class::Faulty | Class::Lost => {
            let within = whole_ms(retry.repeat_within);
            let most = if class == Class::Faulty { FAULTY_TRIES_MAX } else { u32::MAX };
            match after_unknown(trial.effect, trial.first_sent_ms, trial.now_ms, within) {
                Repeat::Again => again(trial.tries, retry.attempts_max.min(most), backoff),
                Repeat::Never => Outcome::Unresolved,
            }
        }
    }
}

/// Exponential back-off with full jitter: from zero to the bound, which doubles with each attempt.
fn backoff_ms(retry: &Retry, attempt_number: u32, jitter: f64) -> i64 {
    let doubled = 2_u32.saturating_pow(attempt_number.saturating_sub(1).min(30));
    let bound = retry.backoff_min.saturating_mul(doubled).min(retry.backoff_max);
    whole_ms(bound.mul_f64(jitter.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry {
        attempts_max: 3,
        backoff_min: Duration::from_secs(1),
        backoff_max: Duration::from_mins(1),
        repeat_within: Duration::from_mins(10),
    };

    fn trial(effect: RepeatEffect, attempt_number: u32) -> Trial {
        let (tries, past) = (attempt_number, Past::Clear);
        Trial {
            effect,
            attempt_number,
            tries,
            past,
            first_sent_ms: 1_000,
            now_ms: 11_000,
            calendar: Calendar::default(),
        }
    }

    #[test]
    fn each_class_and_repeat_effect_has_its_outcome() {
        use RepeatEffect::{Converges, Duplicates, None as Harmless, Unknown};
        let soon = Class::Throttled { retry_after_ms: Some(500), until: Until::Soon };
        let again = |delay: i64| Outcome::DueAgain { due_at_ms: 11_000 + delay };
        let spent = Class::QuotaExhausted { until: NextAllowance::NextDay, retry_after_ms: Some(1) };
        let (wrong, still_wrong) = (Class::Clock { corrected: false }, Class::Clock { corrected: true });
        let cases = [
            (Class::Unsendable, Harmless, 1, Outcome::Dead),
            (Class::Rejected, Harmless, 1, Outcome::Dead),
            (Class::Forbidden, Harmless, 1, Outcome::Dead),
            (Class::FailedInBody, Converges, 1, Outcome::Dead),
            (Class::PartialFailure, Duplicates, 1, Outcome::Dead),
            (Class::Unreachable, Duplicates, 1, again(500)),
            (Class::Unreachable, Duplicates, 2, again(1_000)),
            (Class::Unreachable, Duplicates, 3, Outcome::Dead),
            (Class::Credentials, Duplicates, 9, again(0)),
            (soon, Duplicates, 1, again(1_000)),
            (soon, Duplicates, 50, again(500 + 30_000)),
            (spent, Duplicates, 1, again(0)),
            (spent, Duplicates, 50, again(0)),
            (spent, Duplicates, 100, again(0)),
            (wrong, Duplicates, 1, again(0)),
            (wrong, Duplicates, 3, again(0)),
            (wrong, Duplicates, 100, Outcome::Dead),
            (still_wrong, Harmless, 100, again(0)),
            (still_wrong, Duplicates, 1, again(0)),
            (Class::Faulty, Harmless, 1, again(500)),
            (Class::Faulty, Harmless, 2, Outcome::Dead),
            (Class::Faulty, Converges, 1, again(500)),
            (Class::Faulty, Converges, 2, Outcome::Unresolved),
            (Class::Faulty, Duplicates, 1, Outcome::Unresolved),
            (Class::Lost, Harmless, 1, again(500)),
            (Class::Lost, Converges, 1, again(500)),
            (Class::Lost, Duplicates, 1, Outcome::Unresolved),
            (Class::Lost, Unknown, 1, Outcome::Unresolved),
            (Class::Unavailable, Harmless, 3, Outcome::Dead),
            (Class::Unavailable, Duplicates, 1, Outcome::Unresolved),
        ];
        for (class, effect, attempt, expected) in cases {
            assert_eq!(
                judge(Err(class), &trial(effect, attempt), &RETRY, 0.5).outcome,
                expected,
                "{class:?} {effect:?} {attempt}"
            );
        }
        assert_eq!(judge(Ok(()), &trial(Duplicates, 1), &RETRY, 0.5).outcome, Outcome::Succeeded);
    }

    #[test]
    fn what_is_given_up_and_may_have_happened_is_unresolved() {
        let past = |trial| Trial { past: Past::Unknown, ..trial };
        let last = trial(RepeatEffect::Converges, 3);
        assert_eq!(judge(Err(Class::Lost), &last, &RETRY, 0.5).outcome, Outcome::Unresolved);
        assert_eq!(judge(Err(Class::Unreachable), &last, &RETRY, 0.5).outcome, Outcome::Dead);
        assert_eq!(judge(Err(Class::Unreachable), &past(last), &RETRY, 0.5).outcome, Outcome::Unresolved);
        assert_eq!(judge(Err(Class::Rejected), &past(last), &RETRY, 0.5).outcome, Outcome::Unresolved);
        let read = past(trial(RepeatEffect::None, 3));
        assert_eq!(judge(Err(Class::Rejected), &read, &RETRY, 0.5).outcome, Outcome::Dead);
    }

    #[test]
    fn throttled_attempts_do_not_use_up_the_others() {
        let after_a_burst = Trial { tries: 1, ..trial(RepeatEffect::Converges, 9) };
        let outcome = judge(Err(Class::Unreachable), &after_a_burst, &RETRY, 0.0).outcome;
        assert_eq!(outcome, Outcome::DueAgain { due_at_ms: 11_000 });
    }

    #[test]
    fn what_converges_is_not_repeated_after_its_time() {
        let late = Trial { now_ms: 1_000 + 600_001, ..trial(RepeatEffect::Converges, 2) };
        assert_eq!(judge(Err(Class::Lost), &late, &RETRY, 0.5).outcome, Outcome::Unresolved);
    }

    #[test]
    fn a_refused_day_or_month_parks_the_account_until_it_ends_in_the_quota_s_calendar() {
        // 2026-11-22T15:59:00Z is one minute before midnight at +08:00.
        let now_ms = 1_795_363_140_000;
        let at = Trial { now_ms, ..trial(RepeatEffect::Duplicates, 1) };
        let day_ms = 86_400_000;
        for (until, reason, ends_ms) in [
            (NextAllowance::NextDay, ParkReason::DayRefused, now_ms + 60_000),
            (NextAllowance::NextMonth, ParkReason::MonthRefused, now_ms + 60_000 + 8 * day_ms),
        ] {
            let judged = judge(Err(Class::QuotaExhausted { retry_after_ms: None, until }), &at, &RETRY, 0.0);
            assert_eq!(judged.outcome, Outcome::DueAgain { due_at_ms: now_ms }, "it waits with the others");
            assert_eq!(judged.park, Some((reason, Pause::Until(ends_ms))));
            assert_eq!(judged.paid, Paid::Throttled);
        }
    }

    #[test]
    fn what_others_would_meet_too_is_parked_and_what_a_response_disproves_is_lifted() {
        use ParkReason::{Clock, Credentials, Endpoint, Forbidden, Throttled};
        let park = |class| {
            let judged = judge(Err(class), &trial(RepeatEffect::Converges, 1), &RETRY, 0.5);
            (judged.park.map(|(reason, _)| reason), judged.lift, judged.paid)
        };
        assert_eq!(
            park(Class::Forbidden),
            (Some(Forbidden), &[Endpoint, Throttled, Credentials, Clock][..], Paid::Failed)
        );
        assert_eq!(park(Class::Credentials), (Some(Credentials), &[Endpoint, Throttled][..], Paid::Failed));
        let still_wrong = Class::Clock { corrected: true };
        assert_eq!(park(still_wrong), (Some(Clock), &[Endpoint, Throttled][..], Paid::Failed));
        assert_eq!(park(Class::Clock { corrected: false }).0, None);
        assert_eq!(
            park(Class::Rejected),
            (None, &[Endpoint, Throttled, Credentials, Clock][..], Paid::Failed)
        );
        assert_eq!(
            park(Class::FailedInBody),
            (None, &[Endpoint, Throttled, Credentials, Clock, Forbidden][..], Paid::Succeeded)
        );
        assert_eq!(park(Class::Lost), (None, &[][..], Paid::Succeeded), "it may have succeeded");
        assert_eq!(park(Class::Unreachable), (None, &[][..], Paid::NotSent));
    }
}
