//! What a command does to an action in a given state, or why it leaves it alone. Pure.

use crate::action::ActionState;
use crate::operation::RepeatEffect;
use crate::store::operator::act::Verb;

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

/// What `verb` does to an action that is `state` and whose repetition has `effect`.
pub(super) fn effect(verb: Verb, state: ActionState, effect: RepeatEffect, if_done: IfDone) -> Effect {
    use ActionState as S;
    match (verb, state) {
        (Verb::Release, S::Held)
        | (Verb::Requeue, S::Dead)
        | (Verb::Cancel, S::Held | S::Dead | S::Unresolved | S::Planned | S::Waiting) => Effect::Done,
        (Verb::Requeue, S::Unresolved) => match (effect, if_done) {
            (RepeatEffect::None, _) => Effect::Done,
            (RepeatEffect::Converges, _) | (_, IfDone::Again) => Effect::PerhapsTwice,
            (RepeatEffect::Duplicates | RepeatEffect::Unknown, IfDone::LeaveAlone) => Effect::LeftAlone(
                "DataWorks may have executed it: look there first, then requeue with --even-if-done, or cancel",
            ),
        },
        (Verb::Release, S::Dead | S::Unresolved) => {
            Effect::LeftAlone("it was sent already: see `outbox requeue`")
        }
        (Verb::Requeue, S::Held) => {
            Effect::LeftAlone("it is held and was not given up: see `outbox release`")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_changes_the_states_it_is_there_for() {
        use ActionState as S;
        let changed = |verb, if_done| -> Vec<ActionState> {
            let done = |state: &S| {
                !matches!(effect(verb, *state, RepeatEffect::Duplicates, if_done), Effect::LeftAlone(_))
            };
            S::ALL.into_iter().filter(done).collect()
        };
        assert_eq!(changed(Verb::Release, IfDone::Again), [S::Held]);
        assert_eq!(changed(Verb::Requeue, IfDone::LeaveAlone), [S::Dead]);
        assert_eq!(changed(Verb::Requeue, IfDone::Again), [S::Dead, S::Unresolved]);
        let cancelled = [S::Planned, S::Waiting, S::Held, S::Dead, S::Unresolved];
        assert_eq!(changed(Verb::Cancel, IfDone::LeaveAlone), cancelled);
    }

    #[test]
    fn what_may_be_done_twice_needs_another_word() {
        let unresolved = |repeat, if_done| effect(Verb::Requeue, ActionState::Unresolved, repeat, if_done);
        assert_eq!(unresolved(RepeatEffect::None, IfDone::LeaveAlone), Effect::Done);
        assert_eq!(unresolved(RepeatEffect::Converges, IfDone::LeaveAlone), Effect::PerhapsTwice);
        for repeat in [RepeatEffect::Duplicates, RepeatEffect::Unknown] {
            assert!(matches!(unresolved(repeat, IfDone::LeaveAlone), Effect::LeftAlone(_)));
            assert_eq!(unresolved(repeat, IfDone::Again), Effect::PerhapsTwice);
        }
    }
}
