//! What planning remembers between events: each rule's calls of the last hour.
//!
//! Changes made while a batch is planned are seen by later events of that batch, and become permanent
//! with [`PlanState::commit`] or vanish with [`PlanState::discard`]. Nothing older than an hour is kept.

use std::collections::{HashMap, VecDeque};

/// How far back calls count.
pub(crate) const HOUR_MS: i64 = 60 * 60 * 1000;

/// Accept times of the calls that each rule planned.
#[derive(Debug, Default)]
pub struct PlanState {
    committed: HashMap<String, VecDeque<i64>>,
    staged: HashMap<String, Vec<i64>>,
}

impl PlanState {
    /// Sets what is known of `rule` at start-up: the accept times of its planned calls.
    pub fn restore(&mut self, rule: &str, mut accepted_at_ms: Vec<i64>) {
        accepted_at_ms.sort_unstable();
        self.committed.insert(rule.to_owned(), accepted_at_ms.into());
    }

    /// Calls that `rule` planned in the hour up to `accepted_at_ms`, those of the running batch included.
    #[must_use]
    pub fn calls_in_hour(&self, rule: &str, accepted_at_ms: i64) -> u32 {
        let recent = |at: &&i64| **at > accepted_at_ms.saturating_sub(HOUR_MS);
        let committed =
            self.committed.get(rule).map_or(0, |times| times.iter().rev().take_while(recent).count());
        let staged = self.staged.get(rule).map_or(0, |times| times.iter().filter(recent).count());
        u32::try_from(committed.saturating_add(staged)).unwrap_or(u32::MAX)
    }

    /// Counts one planned call, for now only within the running batch.
    pub(crate) fn stage(&mut self, rule: &str, accepted_at_ms: i64) {
        match self.staged.get_mut(rule) {
            Some(times) => times.push(accepted_at_ms),
            None => {
                self.staged.insert(rule.to_owned(), vec![accepted_at_ms]);
            }
        }
    }

    /// The batch is durable: what it planned counts from now on.
    pub fn commit(&mut self) {
        let Some(newest) = self.staged.values().flatten().copied().max() else { return };
        for (rule, mut times) in self.staged.drain() {
            times.sort_unstable();
            self.committed.entry(rule).or_default().extend(times);
        }
        let horizon = newest.saturating_sub(HOUR_MS);
        self.committed.retain(|_, times| {
            while times.front().is_some_and(|at| *at <= horizon) {
                times.pop_front();
            }
            !times.is_empty()
        });
    }

    /// The batch failed: what it planned never was.
    pub fn discard(&mut self) {
        self.staged.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn staged_calls_count_at_once_and_vanish_when_discarded() {
        let mut state = PlanState::default();
        state.stage("r", 10);
        assert_eq!(state.calls_in_hour("r", 10), 1);
        assert_eq!(state.calls_in_hour("other", 10), 0);
        state.discard();
        assert_eq!(state.calls_in_hour("r", 10), 0);
        state.stage("r", 20);
        state.commit();
        state.discard();
        assert_eq!(state.calls_in_hour("r", 20), 1);
    }

    #[test]
    fn calls_are_forgotten_after_an_hour() {
        let mut state = PlanState::default();
        state.restore("r", vec![3000, 1000, 2000]);
        assert_eq!(state.calls_in_hour("r", 1000 + HOUR_MS - 1), 3);
        assert_eq!(state.calls_in_hour("r", 1000 + HOUR_MS), 2);
        state.stage("other", 5000 + HOUR_MS);
        state.commit();
        assert!(!state.committed.contains_key("r"), "what no longer counts is not kept");
    }

    proptest! {
        #[test]
        fn counting_equals_a_plain_list(
            steps in proptest::collection::vec((0_i64..2_000_000, 0_u8..3, any::<bool>()), 0..60),
        ) {
            let (mut state, mut durable, mut running, mut now) = (PlanState::default(), vec![], vec![], 0_i64);
            for (later, ending, plans) in steps {
                now += later;
                if plans {
                    state.stage("r", now);
                    running.push(now);
                }
                match ending {
                    0 => { state.commit(); durable.append(&mut running); }
                    1 => { state.discard(); running.clear(); }
                    _ => {}
                }
                let expected = durable.iter().chain(&running).filter(|at| **at > now - HOUR_MS).count();
                prop_assert_eq!(state.calls_in_hour("r", now) as usize, expected);
            }
        }
    }
}
