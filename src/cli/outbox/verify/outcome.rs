//! What a look-up came to, and whether more is to be expected of it. Pure.

use std::collections::BTreeMap;

use anstyle::Style;

use crate::action::{ActionState, HeldReason};
use crate::cli::instant::age;
use crate::cli::terminal::{Columns, DIM, GOOD, TITLE, WARNING};
use crate::operation::recipe::Verdict;
use crate::store::operator::verdict::Verified;

/// What the look-up of one action came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was executed, or was not.
    Certain { verdict: Verdict, reason: String, state: ActionState, held: Option<HeldReason> },
    /// It cannot be told, so far or at all.
    Ambiguous { reason: String, next_ms: Option<i64> },
    /// Nobody has looked.
    NotYet,
    /// A late response or a person was faster.
    MovedOn(ActionState),
    /// Retention has removed it.
    Gone,
}

impl Outcome {
    /// The outcome of what was asked for at `asked_at_ms`, as the database has it.
    pub(super) fn of(row: Option<&Verified>, asked_at_ms: i64) -> Self {
        let Some(row) = row else { return Outcome::Gone };
        let answered = row.verified_at_ms.is_some_and(|at| at >= asked_at_ms);
        match row.verdict.filter(|_| answered) {
            None if row.state == ActionState::Unresolved => Outcome::NotYet,
            // What was to be told of it, whoever moved it on tells.
            Some(Verdict::Ambiguous) if row.state == ActionState::Unresolved => {
                Outcome::Ambiguous { reason: row.reason.clone(), next_ms: row.verify_at_ms }
            }
            None | Some(Verdict::Ambiguous) => Outcome::MovedOn(row.state),
            Some(verdict) => Outcome::Certain {
                verdict,
                reason: row.reason.clone(),
                state: row.state,
                held: row.held_reason,
            },
        }
    }

    /// How it is shown, and what is said of it.
    fn told(&self, now_ms: i64) -> (Style, String) {
        match self {
            Outcome::Certain { verdict: Verdict::Happened, reason, .. } => {
                (GOOD, format!("happened, so it has succeeded: {reason}"))
            }
            Outcome::Certain { reason, state: ActionState::Held, held, .. } => {
                let held = held.map_or("held", HeldReason::as_str);
                (WARNING, format!("did not happen, and is held ({held}) instead of sent again: {reason}"))
            }
            Outcome::Certain { reason, .. } => {
                (GOOD, format!("did not happen, so it is sent again: {reason}"))
            }
            Outcome::Ambiguous { reason, next_ms: Some(next) } => {
                let next = age(next.saturating_sub(now_ms));
                (WARNING, format!("cannot be told yet, looked up again in {next}: {reason}"))
            }
            Outcome::Ambiguous { reason, next_ms: None } => (WARNING, format!("cannot be told: {reason}")),
            Outcome::NotYet => (DIM, "not looked up yet".to_owned()),
            Outcome::MovedOn(state) => (GOOD, format!("is {} by now", state.as_str())),
            Outcome::Gone => (WARNING, "is gone".to_owned()),
        }
    }
}

/// The outcomes by action.
pub(super) fn table(outcomes: &[(i64, Outcome)], now_ms: i64) -> Columns {
    let mut columns = Columns::new();
    for (number, outcome) in outcomes {
        let (style, told) = outcome.told(now_ms);
        columns.row([(TITLE, "action"), (Style::new(), number.to_string().as_str()), (style, told.as_str())]);
    }
    columns
}

/// Verdicts after which another is expected: by action, when the one that leaves it open was given.
#[derive(Debug, Default)]
pub(super) struct Expected(BTreeMap<i64, Option<i64>>);

impl Expected {
    /// Whether something certain may still come of `row` until `until_ms`.
    pub(super) fn is_open(&mut self, row: &Verified, asked_at_ms: i64, until_ms: i64) -> bool {
        match Outcome::of(Some(row), asked_at_ms) {
            Outcome::NotYet => true,
            Outcome::Ambiguous { next_ms, .. } => {
                if next_ms.is_some_and(|next| next < until_ms) {
                    self.0.insert(row.number, row.verified_at_ms);
                    return true;
                }
                // While it is being looked at, its next look is put off.
                self.0.get(&row.number) == Some(&row.verified_at_ms)
            }
            Outcome::Certain { .. } | Outcome::MovedOn(_) | Outcome::Gone => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED_AT: i64 = 1_000;

    fn row(state: ActionState, verdict: Option<Verdict>, verified_at_ms: i64) -> Verified {
        Verified {
            number: 7,
            state,
            held_reason: None,
            verify_at_ms: None,
            verdict,
            reason: "because".into(),
            verified_at_ms: Some(verified_at_ms),
        }
    }

    #[test]
    fn a_verdict_from_before_the_question_is_no_answer() {
        let (unresolved, ambiguous) = (ActionState::Unresolved, Some(Verdict::Ambiguous));
        assert_eq!(Outcome::of(Some(&row(unresolved, ambiguous, 999)), ASKED_AT), Outcome::NotYet);
        let told = Outcome::of(Some(&row(unresolved, ambiguous, 1_000)), ASKED_AT);
        assert_eq!(told, Outcome::Ambiguous { reason: "because".into(), next_ms: None });
        let other = Outcome::of(Some(&row(ActionState::Cancelled, ambiguous, 999)), ASKED_AT);
        assert_eq!(other, Outcome::MovedOn(ActionState::Cancelled));
        assert_eq!(Outcome::of(None, ASKED_AT), Outcome::Gone);
    }

    #[test]
    fn what_is_looked_up_again_in_time_is_waited_for_also_while_it_is_looked_at() {
        let mut expected = Expected::default();
        let open = |next, verified_at| Verified {
            verify_at_ms: next,
            ..row(ActionState::Unresolved, Some(Verdict::Ambiguous), verified_at)
        };
        assert!(!expected.is_open(&open(Some(9_000), 2_000), ASKED_AT, 8_000), "too late");
        assert!(expected.is_open(&open(Some(5_000), 2_000), ASKED_AT, 8_000));
        assert!(expected.is_open(&open(Some(65_000), 2_000), ASKED_AT, 8_000), "it is being looked at");
        assert!(!expected.is_open(&open(Some(300_000), 5_001), ASKED_AT, 8_000), "it was");
        assert!(!expected.is_open(&open(None, 5_001), ASKED_AT, 8_000));
    }
}
