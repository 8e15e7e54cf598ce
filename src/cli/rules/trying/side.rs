//! One rule set at work: what each rule would have done.
//!
//! Planning is told that every rule is live, so that its limits show; what the rule's own mode makes of a call is
//! told beside it. Rules do not depend on each other, so that both come from one planning.

use std::collections::BTreeMap;

use super::cost::Cost;
use crate::action::plan::{PlanContext, plan};
use crate::action::{DecisionOutcome, EventIdentity, PlanState, PlannedState};
use crate::config::Planning;
use crate::event::Event;
use crate::record::Record;
use crate::rule::{Mode, RuleIndex, RuleSet};

/// A rule set, and what came of it.
pub(super) struct Side {
    /// The rules, all of them live.
    pub(super) rules: RuleSet,
    /// Their own modes, in the same order.
    modes: Vec<Mode>,
    /// The name of the only rule that counts.
    only: Option<String>,
    state: PlanState,
    /// What came of each rule that matched or failed.
    pub(super) tallies: BTreeMap<RuleIndex, Tally>,
    /// What it would cost.
    pub(super) cost: Cost,
}

/// What came of one rule.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Events that it matched.
    pub(super) matches: u64,
    /// Of them, those that only this is recorded of: the rule has no step.
    pub(super) recorded: u64,
    /// Those outside of the allow-list.
    pub(super) untrusted: u64,
    /// Those for which pattern or parameters failed; the number of the first, and why.
    pub(super) failed: u64,
    pub(super) failure: Option<(i64, String)>,
    /// Calls that would have been made.
    pub(super) calls: u64,
    /// The same if the rule were live.
    pub(super) calls_if_live: u64,
    /// Calls that would have been held if the rule were live, by reason.
    pub(super) held: BTreeMap<&'static str, u64>,
}

impl Side {
    /// `rules`, of which only the one with the name `only` counts, if that is given.
    pub(super) fn of(mut rules: RuleSet, only: Option<String>) -> Self {
        let modes = rules.rules.iter().map(|rule| rule.mode).collect();
        for rule in &mut rules.rules {
            rule.mode = Mode::Live;
        }
        let (state, cost) = (PlanState::default(), Cost::default());
        Side { rules, modes, only, state, tallies: BTreeMap::new(), cost }
    }

    /// The mode that the rule itself has.
    pub(super) fn mode(&self, index: RuleIndex) -> Mode {
        usize::try_from(index.0).ok().and_then(|at| self.modes.get(at)).copied().unwrap_or_default()
    }

    /// Whether the rule counts.
    pub(super) fn counts(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == name)
    }

    /// Whether a rule could not be evaluated, or its parameters not rendered.
    pub(super) fn has_failed(&self) -> bool {
        self.tallies.values().any(|tally| tally.failed > 0)
    }

    /// What was planned so far counts for what comes.
    pub(super) fn commit(&mut self) {
        self.state.commit();
    }

    /// Decides about an event by the rules that `matched` and `failed`, of which those that do not count are taken out.
    pub(super) fn decide(
        &mut self,
        (event, record): (&Event<'_>, &Record<'_>),
        (matched, failed): (&mut Vec<RuleIndex>, &mut Vec<RuleIndex>),
        (number, accepted_at_ms): (i64, i64),
        planning: &Planning,
    ) {
        if self.only.is_some() {
            let counts =
                |index: &RuleIndex| self.rules.rule(*index).is_some_and(|rule| self.counts(&rule.name));
            matched.retain(counts);
            failed.retain(counts);
        }
        let context = PlanContext {
            accepted_at_ms,
            policy: &planning.policy,
            trust: &planning.trust,
            default_account: planning.default_account(),
        };
        let identity = identity(event, record);
        let decisions = plan(
            event,
            &identity,
            record.timestamp_ms,
            matched,
            failed,
            &self.rules,
            &context,
            &mut self.state,
        );
        for index in matched.iter() {
            self.tallies.entry(*index).or_default().matches += 1;
        }
        for (index, decision) in matched.iter().chain(failed.iter()).zip(decisions) {
            let is_live = self.mode(*index) == Mode::Live;
            let tally = self.tallies.entry(*index).or_default();
            match (decision.outcome, decision.action) {
                (DecisionOutcome::Recorded, _) => tally.recorded += 1,
                (DecisionOutcome::Untrusted, _) => tally.untrusted += 1,
                (DecisionOutcome::Failed(reason), _) => {
                    tally.failed += 1;
                    tally.failure.get_or_insert((number, reason));
                }
                (DecisionOutcome::Planned, None) => {}
                (DecisionOutcome::Planned, Some(action)) => match action.state {
                    PlannedState::Held(reason) => *tally.held.entry(reason.as_str()).or_default() += 1,
                    PlannedState::Planned | PlannedState::Observed => {
                        tally.calls_if_live += 1;
                        tally.calls += u64::from(is_live);
                        let budget = planning.budgets.iter().find(|known| known.account == action.account);
                        let calendar = budget.map(|known| known.budget.calendar).unwrap_or_default();
                        let day = calendar.day(accepted_at_ms);
                        self.cost.add((&action.account, day.begins_ms), action.operation.access, is_live);
                    }
                },
            }
        }
    }
}

/// Who the event is. Actions are told by it, and nobody looks at these, so that no payload is hashed.
fn identity<'a>(event: &'a Event<'_>, record: &'a Record<'_>) -> EventIdentity<'a> {
    match (&event.id, &event.source) {
        (Some(id), Some(source)) => {
            EventIdentity::Named { source, id, event_type: event.event_type.as_deref().unwrap_or("") }
        }
        _ => EventIdentity::Position {
            topic: record.topic,
            partition: record.partition,
            offset: record.offset,
            payload_hash: &[],
        },
    }
}
