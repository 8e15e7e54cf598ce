//! Calls a day, by account, in the days of its quota. Pure.

use std::collections::BTreeMap;

use crate::action::{Decision, PlannedState};
use crate::config::AccountBudget;
use crate::operation::Access;
use crate::quota::{Calendar, Urgency};

/// Calls of one account in one day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Calls {
    pub(super) reads: u64,
    pub(super) writes: u64,
}

impl Calls {
    /// Both together.
    pub(super) fn all(self) -> u64 {
        self.reads.saturating_add(self.writes)
    }
}

/// Calls by account and by the beginning of their day, milliseconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Cost {
    pub(super) accounts: BTreeMap<String, BTreeMap<i64, Calls>>,
}

impl Cost {
    /// Counts the calls that are due to be sent.
    pub(super) fn add(&mut self, decisions: &[Decision], accepted_at_ms: i64, budgets: &[AccountBudget]) {
        for action in decisions.iter().filter_map(|decision| decision.action.as_ref()) {
            if action.state != PlannedState::Planned {
                continue;
            }
            let begins_ms = calendar(budget(budgets, &action.account)).day(accepted_at_ms).begins_ms;
            let days = self.accounts.entry(action.account.clone()).or_default();
            let calls = days.entry(begins_ms).or_default();
            match action.operation.access {
                Access::Read => calls.reads += 1,
                Access::Write => calls.writes += 1,
            }
        }
    }

    /// The day on which `account` would be called most; of several, the first.
    pub(super) fn largest(&self, account: &str) -> Option<(i64, Calls)> {
        let days = self.accounts.get(account)?;
        let largest = days.values().map(|calls| calls.all()).max()?;
        days.iter().find(|(_, calls)| calls.all() == largest).map(|(begins_ms, calls)| (*begins_ms, *calls))
    }
}

/// What `account` may spend, if the settings say so.
pub(super) fn budget<'a>(budgets: &'a [AccountBudget], account: &str) -> Option<&'a AccountBudget> {
    budgets.iter().find(|budget| budget.account == account)
}

/// By which calendar the days of an account are counted.
pub(super) fn calendar(budget: Option<&AccountBudget>) -> Calendar {
    budget.map(|budget| budget.budget.calendar).unwrap_or_default()
}

/// Calls a day for everything but verdicts; `None` is no limit, or none that is known.
pub(super) fn day_limit(budget: Option<&AccountBudget>) -> Option<u64> {
    budget?.budget.day_limit(Urgency::Usual)
}
