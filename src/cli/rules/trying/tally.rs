//! What came of events, by rule, and where the two rule sets differ. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::action::{Decision, DecisionOutcome, PlannedState};
use crate::rule::Mode;

/// Events that are named of those that are counted.
const EXAMPLES_MAX: usize = 5;

/// Some events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Examples {
    /// How many.
    pub(super) events: u64,
    /// The numbers of the first.
    pub(super) examples: Vec<i64>,
}

/// What came of the events that a rule matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Came {
    pub(super) mode: &'static str,
    pub(super) matches: u64,
    /// Due to be sent.
    pub(super) calls: u64,
    /// By reason.
    pub(super) held: BTreeMap<&'static str, u64>,
    pub(super) observed: u64,
    /// The rule has no step.
    pub(super) recorded: u64,
    pub(super) untrusted: u64,
    pub(super) failed: u64,
    pub(super) first_failure: Option<FirstFailure>,
}

/// The first event for which a call could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct FirstFailure {
    pub(super) event: i64,
    pub(super) message: String,
}

/// One rule.
#[derive(Debug, Default, Serialize)]
pub(super) struct Tally {
    /// `None`: the rules that are tried have no such rule.
    pub(super) tried: Option<Came>,
    /// `None`: the rules in force have none, or are not known.
    pub(super) running: Option<Came>,
    /// Matched only by the rule that is tried.
    pub(super) only_tried: Examples,
    /// Matched only by the rule in force.
    pub(super) only_running: Examples,
}

/// All rules.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    pub(super) rules: BTreeMap<String, Tally>,
    /// Events that were run.
    pub(super) events: u64,
    /// Of them, those that some rule matched that is tried.
    pub(super) matched: u64,
    /// Events that only rules that are tried matched.
    pub(super) only_tried: Examples,
    /// Events that only rules in force matched.
    pub(super) only_running: Examples,
    /// Stored events that are none for this version of the program.
    pub(super) undecodable: Examples,
}

impl Examples {
    fn add(&mut self, event: i64) {
        self.events += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(event);
        }
    }
}

impl Came {
    fn nothing(mode: Mode) -> Self {
        Came {
            mode: mode.as_str(),
            matches: 0,
            calls: 0,
            held: BTreeMap::new(),
            observed: 0,
            recorded: 0,
            untrusted: 0,
            failed: 0,
            first_failure: None,
        }
    }

    fn add(&mut self, event: i64, decision: &Decision) {
        self.matches += 1;
        match (&decision.outcome, decision.action.as_ref().map(|action| action.state)) {
            (DecisionOutcome::Failed(message), _) => {
                self.failed += 1;
                self.first_failure.get_or_insert_with(|| FirstFailure { event, message: message.clone() });
            }
            (DecisionOutcome::Untrusted, _) => self.untrusted += 1,
            (DecisionOutcome::Recorded, _) | (DecisionOutcome::Planned, None) => self.recorded += 1,
            (DecisionOutcome::Planned, Some(PlannedState::Planned)) => self.calls += 1,
            (DecisionOutcome::Planned, Some(PlannedState::Observed)) => self.observed += 1,
            (DecisionOutcome::Planned, Some(PlannedState::Held(reason))) => {
                *self.held.entry(reason.as_str()).or_default() += 1;
            }
        }
    }
}

impl Tallies {
    /// Nothing has come of these rules so far.
    pub(super) fn of(tried: Vec<(String, Mode)>, running: Option<Vec<(String, Mode)>>) -> Self {
        let mut rules: BTreeMap<String, Tally> = BTreeMap::new();
        for (name, mode) in tried {
            rules.entry(name).or_default().tried = Some(Came::nothing(mode));
        }
        for (name, mode) in running.into_iter().flatten() {
            rules.entry(name).or_default().running = Some(Came::nothing(mode));
        }
        Tallies { rules, ..Tallies::default() }
    }

    /// What both rule sets decided about an event; `running` is `None` if there is nothing to compare with.
    pub(super) fn event(&mut self, event: i64, tried: &[Decision], running: Option<&[Decision]>) {
        self.events += 1;
        self.matched += u64::from(!tried.is_empty());
        for decision in tried {
            let Some(tally) = self.rules.get_mut(&decision.rule) else { continue };
            if let Some(came) = &mut tally.tried {
                came.add(event, decision);
            }
            if running.is_some_and(|running| !decides(running, &decision.rule)) {
                tally.only_tried.add(event);
            }
        }
        let Some(running) = running else { return };
        for decision in running {
            let Some(tally) = self.rules.get_mut(&decision.rule) else { continue };
            if let Some(came) = &mut tally.running {
                came.add(event, decision);
            }
            if !decides(tried, &decision.rule) {
                tally.only_running.add(event);
            }
        }
        match (tried.is_empty(), running.is_empty()) {
            (false, true) => self.only_tried.add(event),
            (true, false) => self.only_running.add(event),
            _ => {}
        }
    }

    /// A stored event is none for this version of the program.
    pub(super) fn undecodable(&mut self, event: i64) {
        self.undecodable.add(event);
    }
}

fn decides(decisions: &[Decision], rule: &str) -> bool {
    decisions.iter().any(|decision| decision.rule == rule)
}
