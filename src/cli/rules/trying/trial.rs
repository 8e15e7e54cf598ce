//! Events, planned by the rules that are tried and by those in force, as the daemon would have. Pure.

use super::cost::Cost;
use super::tally::Tallies;
use crate::action::plan::{self, PlanContext};
use crate::action::{Decision, EventIdentity, PlanState};
use crate::batch::Content;
use crate::config::RuleSettings;
use crate::event::Event;
use crate::event::decode::Limits;
use crate::event::json::DEPTH_CEILING;
use crate::ingest::decode_batch;
use crate::rule::{RuleIndex, RuleSet};
use crate::store::look::stored::{Acceptance, Stored};

/// What is stored as an event was within the limits when it came.
const LIMITS: Limits = Limits { payload_bytes_max: usize::MAX, depth_max: DEPTH_CEILING };

/// A rule set and what planning by it remembers.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) rules: RuleSet,
    state: PlanState,
    pub(super) cost: Cost,
}

/// A run of events through rules.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    settings: &'a RuleSettings,
    default_account: Option<&'a str>,
    pub(super) tried: Side,
    pub(super) running: Option<Side>,
    /// The only rule that is told of.
    only: Option<String>,
    /// The number of the first event that counts.
    counted_from: i64,
    pub(super) tallies: Tallies,
}

impl Side {
    /// These rules, which have planned nothing so far.
    pub(super) fn of(rules: RuleSet) -> Self {
        Side { rules, state: PlanState::default(), cost: Cost::default() }
    }

    fn plan(
        &mut self,
        event: &Event<'_>,
        kafka_at_ms: Option<i64>,
        (matched, failed): (&[RuleIndex], &[RuleIndex]),
        context: &PlanContext<'_>,
    ) -> Vec<Decision> {
        // Of the identity only the ids of actions are made, and nobody sees those.
        let identity = EventIdentity::Position { topic: "", partition: 0, offset: 0, payload_hash: &[] };
        let (rules, state) = (&self.rules, &mut self.state);
        plan::plan(event, &identity, kafka_at_ms, matched, failed, rules, context, state)
    }
}

impl<'a> Trial<'a> {
    /// Nothing has been run yet.
    pub(super) fn new(
        settings: &'a RuleSettings,
        (tried, running): (Side, Option<Side>),
        only: Option<String>,
        counted_from: i64,
    ) -> Self {
        let default_account = match settings.accounts.as_slice() {
            [only] => Some(only.name.as_str()),
            _ => None,
        };
        let is_told = |name: &str| only.as_deref().is_none_or(|only| only == name);
        let rules = |side: &Side| {
            let told = side.rules.rules.iter().filter(|rule| is_told(&rule.name));
            told.map(|rule| (rule.name.clone(), rule.mode)).collect::<Vec<_>>()
        };
        let tallies = Tallies::of(rules(&tried), running.as_ref().map(rules));
        Trial { settings, default_account, tried, running, only, counted_from, tallies }
    }

    /// Runs the events of one page.
    pub(super) fn page(&mut self, stored: Stored) {
        let batch = decode_batch(stored.records, &LIMITS, &self.tried.rules);
        for (entry, acceptance) in batch.entries().iter().zip(&stored.acceptances) {
            match &entry.content {
                Content::Event { event, matched, failed } => {
                    self.event(event, entry.record.timestamp_ms, (matched, failed), acceptance);
                }
                Content::Quarantined(_) if acceptance.number >= self.counted_from => {
                    self.tallies.undecodable(acceptance.number);
                }
                Content::Quarantined(_) => {}
            }
        }
        self.tried.state.commit();
        if let Some(running) = &mut self.running {
            running.state.commit();
        }
    }

    fn event(
        &mut self,
        event: &Event<'_>,
        kafka_at_ms: Option<i64>,
        fired: (&[RuleIndex], &[RuleIndex]),
        acceptance: &Acceptance,
    ) {
        let accepted_at_ms = acceptance.accepted_at_ms;
        let context = PlanContext {
            accepted_at_ms,
            policy: &self.settings.policy,
            trust: &self.settings.trust,
            default_account: self.default_account,
        };
        let mut tried = self.tried.plan(event, kafka_at_ms, fired, &context);
        let mut running = self.running.as_mut().map(|side| {
            let (mut matched, mut failed) = (Vec::new(), Vec::new());
            side.rules.matches(event, &mut matched, &mut failed);
            side.plan(event, kafka_at_ms, (&matched, &failed), &context)
        });
        if acceptance.number < self.counted_from {
            return;
        }
        if let Some(only) = &self.only {
            for decisions in [Some(&mut tried), running.as_mut()].into_iter().flatten() {
                decisions.retain(|decision| decision.rule == *only);
            }
        }
        self.tried.cost.add(&tried, accepted_at_ms, &self.settings.budgets);
        if let (Some(side), Some(decisions)) = (&mut self.running, &running) {
            side.cost.add(decisions, accepted_at_ms, &self.settings.budgets);
        }
        self.tallies.event(acceptance.number, &tried, running.as_deref());
    }
}
