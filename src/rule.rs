//! Rules: what to look for in an event, and what to do about it.
//!
//! [`parse`](crate::rule::parse::parse) turns the files of `rules.d/` into a
//! [`RuleSet`], or into one report of every problem of every file.
//! [`RuleSet::matches`](crate::rule::RuleSet::matches) is the only evaluator: the daemon and the commands
//! that explain use the same one. A rule that panics while it is evaluated stops no other rule.
//!
//! Next: [`crate::operation`].

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};

use crate::event::Event;
use crate::operation::Operation;
use pattern::evaluate::{self, Subject, Unreadable};

pub mod parse;

pub(crate) mod report;

// What is odd about rules beside each other.
mod lint;

pub mod outline;

mod surroundings;

mod step;

// What templates read of events.
mod reads;

pub(crate) mod parameter;

pub mod pattern;

pub(crate) mod field;

pub mod index;

pub mod policy;

pub mod template;

pub mod exchange;

pub mod schema;

mod engine;

mod scope;

pub mod explain;

pub mod kept;

pub use policy::Policy;

/// The text of one rule file, read by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// Path below the rule directory, with `/`; names the file in every message and in the audit.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// A place in [`RuleSet::rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub u32);

/// All rules of one load, indexed, with the texts that they came from.
#[derive(Debug)]
pub struct RuleSet {
    /// In order of file path, then of place in the file.
    pub rules: Vec<Rule>,
    /// The files, by path: kept in the audit under [`RuleSet::hash`].
    pub files: Vec<RuleFile>,
    /// SHA-256 over the files' paths and texts, 64 hex digits.
    pub hash: String,
    pub(crate) index: index::Index,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Unique in the rule set.
    pub name: String,
    /// The file that holds it, as [`RuleFile::path`].
    pub path: String,
    /// The line of its table in that file, from 1.
    pub line: usize,
    /// Whether its actions are sent.
    pub mode: Mode,
    /// What events it is for.
    pub pattern: pattern::Pattern,
    /// What to call; a rule without a step only records its match.
    pub step: Option<Step>,
    /// Older events are held: milliseconds.
    pub max_event_age_ms: i64,
    /// Calls planned in any hour before further ones are held.
    pub max_calls: u32,
    /// A planned write is not sent later than this after its event: milliseconds.
    pub expires_ms: i64,
}

/// Whether a rule's actions are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Nothing is sent: the action is recorded as `observed`.
    #[default]
    Observe,
    /// The action is held until a person releases it.
    Approve,
    /// The action is sent.
    Live,
}

/// One call that a rule asks for.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// The operation, from the embedded catalogue.
    pub operation: &'static Operation,
    /// The account whose credentials sign the call; `None` is the only one configured.
    pub account: Option<String>,
    /// Parameter name to compiled template.
    pub params: BTreeMap<String, template::Value>,
    /// Actions with the same rendered key run in order.
    pub in_order_by: Option<template::Value>,
}

/// What came of one rule's evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firing {
    /// The rule fires.
    Yes,
    /// Its pattern does not hold.
    No,
    /// It could not be evaluated.
    Failed,
}

/// Evaluates every candidate; one that panics has failed, and the others are evaluated all the same.
fn collect(
    candidates: impl Fn(&mut dyn FnMut(u32)),
    evaluate: impl Fn(u32) -> Firing,
    matched: &mut Vec<RuleIndex>,
    failed: &mut Vec<RuleIndex>,
) {
    let (matched_before, failed_before) = (matched.len(), failed.len());
    // One guard around all candidates costs nothing; after a panic each gets its own.
    let together = panic::catch_unwind(AssertUnwindSafe(|| {
        candidates(&mut |place| record(RuleIndex(place), evaluate(place), matched, failed));
    }));
    if together.is_err() {
        matched.truncate(matched_before);
        failed.truncate(failed_before);
        candidates(&mut |place| {
            let alone = panic::catch_unwind(AssertUnwindSafe(|| evaluate(place)));
            record(RuleIndex(place), alone.unwrap_or(Firing::Failed), matched, failed);
        });
    }
    sort_from(matched, matched_before);
    sort_from(failed, failed_before);
}

fn record(index: RuleIndex, firing: Firing, matched: &mut Vec<RuleIndex>, failed: &mut Vec<RuleIndex>) {
    match firing {
        Firing::Yes => matched.push(index),
        Firing::Failed => failed.push(index),
        Firing::No => {}
    }
}

/// Brings what was appended into rule order; a rule found twice (by two of its values) stands once.
fn sort_from(list: &mut Vec<RuleIndex>, start: usize) {
    if list.len().saturating_sub(start) < 2 {
        return;
    }
    let mut tail = list.split_off(start);
    tail.sort_unstable();
    tail.dedup();
    list.append(&mut tail);
}

impl Mode {
    /// All modes.
    pub(crate) const ALL: [Mode; 3] = [Mode::Observe, Mode::Approve, Mode::Live];

    /// As written in rules and stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Observe => "observe",
            Mode::Approve => "approve",
            Mode::Live => "live",
        }
    }
}

impl RuleSet {
    /// Appends the rules that fire for `event` to `matched`, in rule order.
    ///
    /// A rule whose evaluation panics is appended to `failed` instead.
    pub fn matches(&self, event: &Event<'_>, matched: &mut Vec<RuleIndex>, failed: &mut Vec<RuleIndex>) {
        let subject = Subject::new(event);
        let candidates =
            |found: &mut dyn FnMut(u32)| self.index.candidates(&subject).into_iter().for_each(found);
        collect(candidates, |place| self.fires(place, &subject), matched, failed);
    }

    fn fires(&self, place: u32, subject: &Subject<'_>) -> Firing {
        let Some(rule) = self.rule(RuleIndex(place)) else { return Firing::No };
        match evaluate::event(&rule.pattern, subject) {
            Ok(true) => Firing::Yes,
            Ok(false) => Firing::No,
            Err(Unreadable) => Firing::Failed,
        }
    }

    /// The rule at `index`, which came from this set.
    #[must_use]
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules.get(index.0 as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_panics_has_failed_and_stops_no_other() {
        let candidates = |found: &mut dyn FnMut(u32)| [4, 2, 3, 2, 1].into_iter().for_each(found);
        let evaluate = |place| match place {
            3 => panic!("planted"),
            1 => Firing::No,
            _ => Firing::Yes,
        };
        let (mut matched, mut failed) = (vec![RuleIndex(9)], vec![]);
        collect(candidates, evaluate, &mut matched, &mut failed);
        assert_eq!(matched, [RuleIndex(9), RuleIndex(2), RuleIndex(4)]);
        assert_eq!(failed, [RuleIndex(3)]);
    }
}
