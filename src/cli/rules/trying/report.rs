//! What a trial came to: one JSON object for programs, a screen for people.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cost::{Calls, budget, calendar, day_limit};
use super::tally::{Examples, Tally};
use super::trial::{Side, Trial};
use crate::cli::instant::utc;
use crate::config::RuleSettings;
use crate::store::look::stored::Stretch;

// For people.
mod screen;

/// Days of an account that are told: more is for a copy and SQL.
const DAYS_MAX: usize = 400;

/// What the rules that are tried are compared with.
#[derive(Debug)]
pub(super) enum Against {
    /// The rules in force, since then.
    Rules { loaded_at_ms: i64 },
    /// The database holds no rules.
    Nothing,
    /// The rules in force are refused by this program or these settings; why.
    Unfit(String),
}

/// Which events were run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ran {
    pub(super) since_ms: i64,
    pub(super) until_ms: i64,
    pub(super) stretch: Stretch,
    pub(super) is_cut: bool,
}

/// All that a trial came to; the names are those of the JSON.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    since: String,
    until: String,
    events: Events<'a>,
    tried: Set<'a>,
    /// `None`: there is nothing to compare with.
    running: Option<Set<'a>>,
    /// Why the rules in force are not run beside them.
    not_compared: Option<String>,
    /// Events that rules of only one of both sets matched.
    only_tried: &'a Examples,
    only_running: &'a Examples,
    rules: &'a BTreeMap<String, Tally>,
    cost: Vec<AccountCost<'a>>,
}

#[derive(Debug, Serialize)]
struct Events<'a> {
    run: u64,
    matched: u64,
    /// Events of that time that have left by retention.
    retired: i64,
    /// Older events of that time that were not run, by the limit.
    left_out: i64,
    undecodable: &'a Examples,
}

#[derive(Debug, Serialize)]
struct Set<'a> {
    hash: &'a str,
    rules: usize,
    loaded_at: Option<String>,
}

/// What an account would be called.
#[derive(Debug, Serialize)]
struct AccountCost<'a> {
    account: &'a str,
    region: Option<&'a str>,
    /// Calls a day; `None` is no limit, or none that is known.
    day_limit: Option<u64>,
    largest_day: Option<Day>,
    running_largest_day: Option<Day>,
    days: Vec<Day>,
    /// Whether the settings know the account.
    #[serde(skip)]
    is_known: bool,
}

#[derive(Debug, Clone, Serialize)]
struct Day {
    begins_at: String,
    calls: u64,
    reads: u64,
    writes: u64,
}

impl<'a> Report<'a> {
    /// What `trial` came to.
    pub(super) fn of(trial: &'a Trial<'_>, ran: Ran, settings: &'a RuleSettings, against: &Against) -> Self {
        let tallies = &trial.tallies;
        let Stretch { kept, .. } = ran.stretch;
        let run = i64::try_from(tallies.events + tallies.undecodable.events).unwrap_or(i64::MAX);
        let loaded_at = match against {
            Against::Rules { loaded_at_ms } => Some(utc(*loaded_at_ms)),
            Against::Nothing | Against::Unfit(_) => None,
        };
        Report {
            since: utc(ran.since_ms),
            until: utc(ran.until_ms),
            events: Events {
                run: tallies.events,
                matched: tallies.matched,
                retired: ran.stretch.retired(),
                left_out: if ran.is_cut { kept.saturating_sub(run) } else { 0 },
                undecodable: &tallies.undecodable,
            },
            tried: set(&trial.tried, None),
            running: trial.running.as_ref().map(|side| set(side, loaded_at)),
            not_compared: match against {
                Against::Rules { .. } => None,
                Against::Nothing => Some("the database holds no rules: no daemon has run on it".to_owned()),
                Against::Unfit(why) => Some(format!("the rules in force do not pass here: {why}")),
            },
            only_tried: &tallies.only_tried,
            only_running: &tallies.only_running,
            rules: &tallies.rules,
            cost: costs(trial, settings),
        }
    }

    /// One line of JSON.
    pub(super) fn as_json(&self) -> String {
        // Only a map whose keys are no text could fail here.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

fn set(side: &Side, loaded_at: Option<String>) -> Set<'_> {
    Set { hash: &side.rules.hash, rules: side.rules.rules.len(), loaded_at }
}

/// The accounts that either rule set would have called.
fn costs<'a>(trial: &'a Trial<'_>, settings: &'a RuleSettings) -> Vec<AccountCost<'a>> {
    let (tried, running) = (&trial.tried.cost, trial.running.as_ref().map(|side| &side.cost));
    let mut accounts: Vec<&str> = tried.accounts.keys().map(String::as_str).collect();
    accounts.extend(running.into_iter().flat_map(|cost| cost.accounts.keys()).map(String::as_str));
    accounts.sort_unstable();
    accounts.dedup();
    let of = |account: &'a str| {
        let budget = budget(&settings.budgets, account);
        let calendar = calendar(budget);
        let day = |(begins_ms, calls): (i64, Calls)| Day {
            begins_at: calendar.written(begins_ms),
            calls: calls.all(),
            reads: calls.reads,
            writes: calls.writes,
        };
        let days = tried.accounts.get(account).into_iter().flatten();
        AccountCost {
            account,
            region: budget.map(|budget| budget.region.as_str()),
            day_limit: day_limit(budget),
            largest_day: tried.largest(account).map(day),
            running_largest_day: running.and_then(|cost| cost.largest(account)).map(day),
            days: days.rev().take(DAYS_MAX).map(|(at, calls)| day((*at, *calls))).collect(),
            is_known: budget.is_some(),
        }
    };
    accounts.into_iter().map(of).collect()
}
