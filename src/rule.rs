//! Rules: what to look for in an event, and what to do about it.
//!
//! [`parse`](parse::parse) turns the files of `rules.d/` into a [`RuleSet`] or into one report of every
//! problem of every file. [`RuleSet::matches`] is the only evaluator: the daemon and the commands that
//! explain use the same one. A rule that panics while it is evaluated stops no other rule.
//!
//! Next: [`crate::operation`].

use std::collections::BTreeMap;

use crate::event::Event;
use crate::operation::Operation;

pub mod index;

pub mod parse;

pub mod pattern;

pub mod policy;

pub mod template;

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
#[derive(Debug)]
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

impl RuleSet {
    /// Appends the rules that fire for `event` to `matched`, in rule order.
    ///
    /// A rule whose evaluation panics is appended to `failed` instead.
    pub fn matches(&self, event: &Event<'_>, matched: &mut Vec<RuleIndex>, failed: &mut Vec<RuleIndex>) {
        let _ = (event, matched, failed);
        todo!()
    }

    /// The rule at `index`, which came from this set.
    #[must_use]
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules.get(index.0 as usize)
    }
}
