//! What a trial comes to; the names are those of the JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::compared::{Apart, Only};
use super::cost::Calls;
use super::side::{Side, Tally};
use super::{Running, Trial};
use crate::cli::instant::Utc;
use crate::config::Planning;
use crate::quota::{Calendar, Urgency};
use crate::rule::{Rule, RuleIndex};

/// All of it.
#[derive(Serialize)]
pub(super) struct Figures<'a> {
    pub(super) directory: String,
    pub(super) rule_set: &'a str,
    pub(super) since: Utc,
    pub(super) events: Events<'a>,
    /// Rules that matched an event, or failed.
    pub(super) rules: Vec<OfTried<'a>>,
    /// Names of the others.
    pub(super) unmatched: Vec<&'a str>,
    /// `None`: they could not run.
    pub(super) in_force: Option<Beside<'a>>,
    /// Why they could not.
    pub(super) not_compared: Option<&'a str>,
    pub(super) accounts: Vec<OfAccount<'a>>,
}

#[derive(Serialize)]
pub(super) struct Events<'a> {
    pub(super) read: u64,
    /// Accepted in that time, and their rows have left.
    pub(super) retired: u64,
    pub(super) undecodable: u64,
    pub(super) undecodable_example: Option<Example<'a>>,
}

/// An event, and what was wrong with it.
#[derive(Serialize)]
pub(super) struct Example<'a> {
    pub(super) event: i64,
    pub(super) message: &'a str,
}

#[derive(Serialize)]
pub(super) struct OfTried<'a> {
    pub(super) name: &'a str,
    pub(super) path: &'a str,
    pub(super) mode: &'static str,
    pub(super) matches: u64,
    pub(super) calls: u64,
    pub(super) calls_if_live: u64,
    pub(super) held_if_live: &'a BTreeMap<&'static str, u64>,
    pub(super) recorded: u64,
    pub(super) untrusted: u64,
    pub(super) failed: u64,
    pub(super) failure: Option<Example<'a>>,
}

/// The rules in force beside the tried ones.
#[derive(Serialize)]
pub(super) struct Beside<'a> {
    pub(super) rule_set: &'a str,
    /// Events that some rule of one set matched, and none of the other.
    pub(super) events_only_tried: u64,
    pub(super) events_only_in_force: u64,
    pub(super) differences: Vec<Difference<'a>>,
}

/// A rule that did not do the same in both.
#[derive(Serialize)]
pub(super) struct Difference<'a> {
    pub(super) name: &'a str,
    pub(super) only: Option<&'a Only>,
    /// `None`: the set has no such rule, or it did nothing.
    pub(super) tried: Option<Did>,
    pub(super) in_force: Option<Did>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Did {
    pub(super) mode: &'static str,
    pub(super) matches: u64,
    pub(super) calls: u64,
    pub(super) calls_if_live: u64,
    pub(super) failed: u64,
}

/// Calls of an account.
#[derive(Serialize)]
pub(super) struct OfAccount<'a> {
    /// Empty: no account is configured.
    pub(super) account: &'a str,
    pub(super) region: Option<&'a str>,
    pub(super) edition: Option<&'static str>,
    /// What the account may spend, but for verdicts; `None` is no limit, or not known.
    pub(super) limit_per_day: Option<u64>,
    pub(super) limit_per_month: Option<u64>,
    pub(super) worst_day: Option<Day>,
    pub(super) worst_day_if_live: Option<Day>,
    /// The worst day of the rules in force.
    pub(super) worst_day_in_force: Option<Day>,
    pub(super) days: Vec<Day>,
    #[serde(skip)]
    pub(super) calendar: Calendar,
}

#[derive(Clone, Copy, Serialize)]
pub(super) struct Day {
    pub(super) begins_at: Utc,
    pub(super) calls: Calls,
}

/// What `trial` comes to.
pub(super) fn of<'a>(trial: &'a Trial, planning: &'a Planning) -> Figures<'a> {
    let Trial { side, stretch, events, .. } = trial;
    let accepted = u64::try_from(stretch.accepted).unwrap_or_default();
    let (in_force, not_compared) = match &trial.running {
        Running::Ran { hash, side: running, apart } => (Some(beside(hash, side, running, apart)), None),
        Running::NotCompared(reason) => (None, Some(reason.as_str())),
    };
    let each = |(index, tally): (&RuleIndex, &'a Tally)| {
        Some(of_rule(side.rules.rule(*index)?, side.mode(*index).as_str(), tally))
    };
    let ran: BTreeSet<&str> = names(side).collect();
    let all = side.rules.rules.iter().map(|rule| rule.name.as_str());
    Figures {
        directory: trial.directory.display().to_string(),
        rule_set: &side.rules.hash,
        since: Utc(trial.since_ms),
        events: Events {
            read: *events,
            retired: accepted.saturating_sub(*events),
            undecodable: trial.undecodable,
            undecodable_example: example(trial.refused.as_ref()),
        },
        rules: side.tallies.iter().filter_map(each).collect(),
        unmatched: all.filter(|name| side.counts(name) && !ran.contains(name)).collect(),
        in_force,
        not_compared,
        accounts: accounts(trial, planning),
    }
}

fn example(found: Option<&(i64, String)>) -> Option<Example<'_>> {
    found.map(|(event, message)| Example { event: *event, message })
}

fn of_rule<'a>(rule: &'a Rule, mode: &'static str, tally: &'a Tally) -> OfTried<'a> {
    OfTried {
        name: &rule.name,
        path: &rule.path,
        mode,
        matches: tally.matches,
        calls: tally.calls,
        calls_if_live: tally.calls_if_live,
        held_if_live: &tally.held,
        recorded: tally.recorded,
        untrusted: tally.untrusted,
        failed: tally.failed,
        failure: example(tally.failure.as_ref()),
    }
}

/// The names of the rules that matched or failed.
fn names(side: &Side) -> impl Iterator<Item = &str> {
    side.tallies.keys().filter_map(|index| side.rules.rule(*index)).map(|rule| rule.name.as_str())
}

fn did(side: &Side) -> BTreeMap<&str, Did> {
    let each = |(index, tally): (&RuleIndex, &Tally)| {
        let Tally { matches, calls, calls_if_live, failed, .. } = *tally;
        let mode = side.mode(*index).as_str();
        let name = side.rules.rule(*index)?.name.as_str();
        Some((name, Did { mode, matches, calls, calls_if_live, failed }))
    };
    side.tallies.iter().filter_map(each).collect()
}

fn beside<'a>(hash: &'a str, tried: &'a Side, running: &'a Side, apart: &'a Apart) -> Beside<'a> {
    let (ours, theirs) = (did(tried), did(running));
    let all: BTreeSet<&str> = ours.keys().chain(theirs.keys()).copied().collect();
    let difference = |name: &'a str| {
        let (tried, in_force) = (ours.get(name).copied(), theirs.get(name).copied());
        let only = apart.rules.get(name);
        (only.is_some() || tried != in_force).then_some(Difference { name, only, tried, in_force })
    };
    Beside {
        rule_set: hash,
        events_only_tried: apart.only_tried,
        events_only_in_force: apart.only_running,
        differences: all.into_iter().filter_map(difference).collect(),
    }
}

fn accounts<'a>(trial: &'a Trial, planning: &'a Planning) -> Vec<OfAccount<'a>> {
    let ours = &trial.side.cost.accounts;
    let theirs = match &trial.running {
        Running::Ran { side, .. } => Some(&side.cost.accounts),
        Running::NotCompared(_) => None,
    };
    let names: BTreeSet<&String> = ours.keys().chain(theirs.into_iter().flat_map(BTreeMap::keys)).collect();
    let account = |name: &'a String| {
        let known = planning.budgets.iter().find(|known| known.account == *name);
        let budget = known.map(|known| &known.budget);
        let days: Vec<Day> = ours.get(name).map(as_days).unwrap_or_default();
        let before = theirs.and_then(|theirs| theirs.get(name)).map(as_days).unwrap_or_default();
        OfAccount {
            account: name,
            region: known.map(|known| known.region.as_str()),
            edition: known.map(|known| known.edition.as_str()),
            limit_per_day: budget.and_then(|budget| budget.day_limit(Urgency::Usual)),
            limit_per_month: budget.and_then(|budget| budget.month_limit(Urgency::Usual)),
            worst_day: worst(&days, Calls::all),
            worst_day_if_live: worst(&days, Calls::all_if_live),
            worst_day_in_force: worst(&before, Calls::all),
            days,
            calendar: budget.map(|budget| budget.calendar).unwrap_or_default(),
        }
    };
    names.into_iter().map(account).collect()
}

fn as_days(days: &BTreeMap<i64, Calls>) -> Vec<Day> {
    days.iter().map(|(begins_ms, calls)| Day { begins_at: Utc(*begins_ms), calls: *calls }).collect()
}

/// The day with the most calls, if there were any; the first one of several.
fn worst(days: &[Day], calls: impl Fn(&Calls) -> u64) -> Option<Day> {
    days.iter().rev().max_by_key(|day| calls(&day.calls)).filter(|day| calls(&day.calls) > 0).copied()
}

/// One line of JSON.
pub(super) fn as_json(figures: &Figures<'_>) -> String {
    // Only a map whose keys are no text could fail here.
    let mut line = serde_json::to_string(figures).unwrap_or_default();
    line.push('\n');
    line
}
