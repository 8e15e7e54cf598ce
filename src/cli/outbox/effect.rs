//! What a command does to an action in a given state, or why it leaves it alone. Pure.

use crate::action::ActionState;
use crate::operation::RepeatEffect;
use crate::store::operator::act::Verb;
use crate::store::operator::select::Chosen;
use crate::store::outbox::Past;

/// What a command does to one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// What it is there for.
    Done,
    /// The same, but DataWorks may have executed an earlier attempt.
    PerhapsTwice,
    /// Nothing, and why.
    LeftAlone(&'static str),
}

/// Whether actions are requeued that may be done a second time by that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfDone {
    LeaveAlone,
    Again,
}

/// What is known of an action before a command changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: ActionState,
    /// What a repetition does.
    pub(super) repeat: RepeatEffect,
    /// What its attempts may have done.
    pub(super) past: Past,
}

impl From<&Chosen> for Standing {
    fn from(row: &Chosen) -> Self {
        Standing { state: row.state, repeat: row.repeat_effect, past: row.past }
    }
}

/// What `verb` does to an action that stands so.
pub(super) fn effect(verb: Verb, standing: Standing, if_done: IfDone) -> Effect {
    use ActionState as S;
    match (verb, standing.state) {
        (Verb::Requeue, S::Dead) => match standing.past {
            Past::Clear => Effect::Done,
            Past::Unknown => again(
                standing.repeat,
                if_done,
                "DataWorks may have executed a part of it: look there first, then requeue with \
                 --even-if-done, or cancel",
            ),
        },
        (Verb::Requeue, S::Unresolved) => again(
            standing.repeat,
            if_done,
            "DataWorks may have executed it: look there first, then requeue with --even-if-done, or cancel",
        ),
        (Verb::Verify, S::Unresolved)
        | (Verb::Release, S::Held)
        | (Verb::Cancel, S::Held | S::Dead | S::Unresolved | S::Planned | S::Waiting) => Effect::Done,
        (Verb::Release, S::Dead | S::Unresolved) => {
            Effect::LeftAlone("it was sent already: see `outbox requeue`")
        }
        (Verb::Requeue, S::Held) => {
            Effect::LeftAlone("it is held and was not given up: see `outbox release`")
        }
        (Verb::Verify, S::Held | S::Planned | S::Waiting | S::InFlight | S::Dead) => {
            Effect::LeftAlone("it is not unresolved: there is nothing to find out")
        }
        (Verb::Release | Verb::Requeue, S::Planned) => Effect::LeftAlone("it is to be sent anyway"),
        (Verb::Release | Verb::Requeue, S::Waiting) => Effect::LeftAlone("it waits for an earlier step"),
        (Verb::Release | Verb::Requeue, S::InFlight) => Effect::LeftAlone("it is being sent"),
        (Verb::Cancel, S::InFlight) => {
            Effect::LeftAlone("it is being sent: once that has ended, cancel what is left of it")
        }
        (_, S::Succeeded) => Effect::LeftAlone("it has succeeded"),
        (_, S::Cancelled) => Effect::LeftAlone("it was cancelled, and that is final"),
        (_, S::Observed) => Effect::LeftAlone(
            "its rule is in mode observe, which never sends: another mode holds for events to come",
        ),
    }
}

/// What sending again does to what may have been executed; `why` it may be left alone.
fn again(repeat: RepeatEffect, if_done: IfDone, why: &'static str) -> Effect {
    match (repeat, if_done) {
        (RepeatEffect::None, _) => Effect::Done,
        (RepeatEffect::Converges, _) | (_, IfDone::Again) => Effect::PerhapsTwice,
        (RepeatEffect::Duplicates | RepeatEffect::Unknown, IfDone::LeaveAlone) => Effect::LeftAlone(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_changes_the_states_it_is_there_for() {
        use ActionState as S;
        let changed = |verb, if_done| -> Vec<ActionState> {
            let done = |state: &S| {
                let standing =
                    Standing { state: *state, repeat: RepeatEffect::Duplicates, past: Past::Clear };
                !matches!(effect(verb, standing, if_done), Effect::LeftAlone(_))
            };
            S::ALL.into_iter().filter(done).collect()
        };
        assert_eq!(changed(Verb::Release, IfDone::Again), [S::Held]);
        assert_eq!(changed(Verb::Requeue, IfDone::LeaveAlone), [S::Dead]);
        assert_eq!(changed(Verb::Requeue, IfDone::Again), [S::Dead, S::Unresolved]);
        assert_eq!(changed(Verb::Verify, IfDone::LeaveAlone), [S::Unresolved]);
        let cancelled = [S::Planned, S::Waiting, S::Held, S::Dead, S::Unresolved];
        assert_eq!(changed(Verb::Cancel, IfDone::LeaveAlone), cancelled);
    }

    #[test]
    fn what_may_be_done_twice_needs_another_word() {
        let cases = [
            (ActionState::Unresolved, Past::Clear),
            (ActionState::Unresolved, Past::Unknown),
            (ActionState::Dead, Past::Unknown),
        ];
        for (state, past) in cases {
            let requeued = |repeat, if_done| effect(Verb::Requeue, Standing { state, repeat, past }, if_done);
            assert_eq!(requeued(RepeatEffect::None, IfDone::LeaveAlone), Effect::Done);
            assert_eq!(requeued(RepeatEffect::Converges, IfDone::LeaveAlone), Effect::PerhapsTwice);
            for repeat in [RepeatEffect::Duplicates, RepeatEffect::Unknown] {
                assert!(matches!(requeued(repeat, IfDone::LeaveAlone), Effect::LeftAlone(_)));
                assert_eq!(requeued(repeat, IfDone::Again), Effect::PerhapsTwice);
            }
        }
    }
}
