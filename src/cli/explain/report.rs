//! What is shown of an event and the rules that looked at it: one report, for people and for programs.

use serde::Serialize;
use serde_json::value::RawValue;

use super::input::{Given, Input};
use super::outcome::{Outcome, Tense};
use super::rules::{From, OfRules};
use crate::event::Event;
use crate::rule::explain::{Judged, Nearness, Seen};
use crate::rule::{Firing, Rule};

/// The event, and the rules in the order in which they are shown.
pub(super) struct Report<'a> {
    pub(super) input: &'a Input,
    pub(super) event: &'a Event<'a>,
    pub(super) rules: &'a OfRules,
    pub(super) shown: Vec<Shown<'a>>,
    /// Further rules, which are less near.
    pub(super) left_out: usize,
}

/// One rule.
pub(super) struct Shown<'a> {
    pub(super) rule: &'a Rule,
    pub(super) near: Nearness,
    pub(super) conditions: Vec<Judged<'a>>,
    pub(super) outcome: Option<Outcome>,
}

#[derive(Serialize)]
pub(super) struct ReportJson<'a> {
    event: EventJson<'a>,
    rule_set: RuleSetJson<'a>,
    rules: Vec<RuleJson<'a>>,
    left_out: usize,
}

#[derive(Serialize)]
struct EventJson<'a> {
    seq: Option<i64>,
    accepted_ms: Option<i64>,
    id: Option<&'a str>,
    r#type: Option<&'a str>,
    code: Option<&'a str>,
    workspace: Option<i64>,
}

#[derive(Serialize)]
struct RuleSetJson<'a> {
    from: &'static str,
    directory: Option<String>,
    hash: &'a str,
    rules: usize,
}

#[derive(Serialize)]
struct RuleJson<'a> {
    rule: &'a str,
    rule_path: &'a str,
    line: usize,
    mode: &'static str,
    result: &'static str,
    holding: usize,
    failing: usize,
    /// What came of it, for a stored event and the rules of its day.
    came_to: Option<&'a str>,
    /// What would come of it, for anything else.
    would_come_to: Option<&'a str>,
    why: Option<&'a str>,
    conditions: Vec<ConditionJson<'a>>,
}

#[derive(Serialize)]
struct ConditionJson<'a> {
    holds: bool,
    path: &'a str,
    expected: Option<Box<RawValue>>,
    /// JSON as text, as in columns of the views.
    seen: Option<&'a str>,
    missing: bool,
    choice: Option<usize>,
    alternative: Option<usize>,
    alternatives: Option<usize>,
}

impl<'a> Report<'a> {
    /// For programs.
    pub(super) fn as_json(&'a self) -> ReportJson<'a> {
        let accepted = match &self.input.given {
            Given::Stored { accepted, .. } => Some(accepted),
            Given::Record { .. } => None,
        };
        let (from, directory) = match &self.rules.from {
            From::ThatDay => ("audit", None),
            From::Directory { path, .. } => ("directory", Some(path.display().to_string())),
        };
        let rules = &self.rules.rules;
        ReportJson {
            event: EventJson {
                seq: accepted.map(|accepted| accepted.number),
                accepted_ms: accepted.map(|accepted| accepted.accepted_at_ms),
                id: self.event.id.as_deref(),
                r#type: self.event.event_type.as_deref(),
                code: self.event.code.as_deref(),
                workspace: self.event.workspace,
            },
            rule_set: RuleSetJson { from, directory, hash: &rules.hash, rules: rules.rules.len() },
            rules: self.shown.iter().map(Shown::as_json).collect(),
            left_out: self.left_out,
        }
    }
}

impl<'a> Shown<'a> {
    fn as_json(&'a self) -> RuleJson<'a> {
        let told = |tense| {
            let outcome = self.outcome.as_ref().filter(|outcome| outcome.tense == tense);
            outcome.map(|outcome| outcome.told.as_str())
        };
        RuleJson {
            rule: &self.rule.name,
            rule_path: &self.rule.path,
            line: self.rule.line,
            mode: self.rule.mode.as_str(),
            result: match self.near.firing {
                Firing::Yes => "fires",
                Firing::No => "does_not_fire",
                Firing::Failed => "failed",
            },
            holding: self.near.holding,
            failing: self.near.failing,
            came_to: told(Tense::Did),
            would_come_to: told(Tense::Would),
            why: self.outcome.as_ref().and_then(|outcome| outcome.why.as_deref()),
            conditions: self.conditions.iter().map(condition).collect(),
        }
    }
}

fn condition<'a>(judged: &'a Judged<'_>) -> ConditionJson<'a> {
    ConditionJson {
        holds: judged.holds,
        path: &judged.path,
        expected: RawValue::from_string(judged.expected()).ok(),
        seen: match &judged.seen {
            Seen::Value(text) => Some(text),
            Seen::Missing | Seen::Unknown(_) | Seen::Unreadable => None,
        },
        missing: matches!(judged.seen, Seen::Missing | Seen::Unknown(_)),
        choice: judged.choice.map(|choice| choice.number),
        alternative: judged.choice.map(|choice| choice.alternative),
        alternatives: judged.choice.map(|choice| choice.of),
    }
}
