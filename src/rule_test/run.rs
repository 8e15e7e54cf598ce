//! Running a test: the daemon's own decoding, matching and planning, and what differs from the expectation.
//!
//! Belts that look at the clock or at earlier events hold no call back here: the event is accepted when it is published,
//! and nothing was planned before it. Whose events are trusted plays no part either.

use super::difference::{self, Line};
use super::{Expected, RuleTest};
use crate::action::plan::{PlanContext, Trust, plan};
use crate::action::{Decision, DecisionOutcome, EventIdentity, PlanState};
use crate::event::Event;
use crate::event::decode::{DecodeError, Limits, decode};
use crate::record::Record;
use crate::rule::{Policy, RuleIndex, RuleSet};

/// One way in which a test failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What is not as expected, naming the rule.
    pub message: String,
    /// Expected and got, if there is more to see.
    pub lines: Vec<Line>,
    /// Of a rule that should match: each condition that fails, in the words of `openeventd explain`.
    pub conditions: Vec<String>,
}

impl Failure {
    fn new(message: String) -> Self {
        Failure { message, lines: Vec::new(), conditions: Vec::new() }
    }

    fn with_lines(message: String, lines: Vec<Line>) -> Self {
        Failure { message, lines, conditions: Vec::new() }
    }
}

/// Runs `test` with `rules`: every failure, none if it passed. Steps that name no account use `default_account`.
#[must_use]
pub fn run(test: &RuleTest, rules: &RuleSet, policy: &Policy, default_account: &str) -> Vec<Failure> {
    match decode(&Record::of_payload(test.event.as_bytes()), &Limits::default()) {
        Ok(event) => {
            let decisions = decisions(&event, rules, policy, default_account);
            judge(&test.expected, &decisions, &|rule| failing_conditions(&event, rules, rule))
        }
        Err(DecodeError { message, .. }) => {
            vec![Failure::new(format!("the event cannot be decoded: {message}"))]
        }
    }
}

/// What follows from `event`: one decision for each rule that matched or could not be evaluated.
fn decisions(event: &Event<'_>, rules: &RuleSet, policy: &Policy, default_account: &str) -> Vec<Decision> {
    let (mut matched, mut failed) = (Vec::new(), Vec::new());
    rules.matches(event, &mut matched, &mut failed);
    let identity = EventIdentity::Named { source: "", id: "", event_type: "" };
    let (trust, mut state) = (Trust::default(), PlanState::default());
    let accepted_at_ms = event.published_ms.unwrap_or(0);
    let context =
        PlanContext { accepted_at_ms, policy, trust: &trust, default_account: Some(default_account) };
    plan(event, &identity, None, &matched, &failed, rules, &context, &mut state)
}

/// The conditions of the rule `name` that fail for `event`.
fn failing_conditions(event: &Event<'_>, rules: &RuleSet, name: &str) -> Vec<String> {
    let Some((place, _)) = (0..).zip(&rules.rules).find(|(_, rule)| rule.name == name) else {
        return Vec::new();
    };
    let judged = rules.explaining(event).conditions(RuleIndex(place));
    judged.iter().filter(|judged| !judged.holds).map(ToString::to_string).collect()
}

fn judge(
    expected: &Expected,
    decisions: &[Decision],
    failing_conditions: &dyn Fn(&str) -> Vec<String>,
) -> Vec<Failure> {
    let decided = |rule: &str| decisions.iter().find(|decision| decision.rule == rule);
    let mut failures = Vec::new();
    let mut matching: Vec<&str> = expected.matching().collect();
    matching.sort_unstable();
    matching.dedup();
    for rule in &matching {
        match decided(rule) {
            None => failures.push(Failure {
                conditions: failing_conditions(rule),
                ..Failure::new(format!("{rule} does not match the event, and should"))
            }),
            Some(decision) => failures.extend(judge_match(expected, rule, decision)),
        }
    }
    for rule in expected.not_matches.iter().filter(|rule| decided(rule).is_some()) {
        failures.push(Failure::new(format!("{rule} matches the event, and should not")));
    }
    if expected.only {
        let others = decisions.iter().map(|decision| decision.rule.as_str());
        let others = others
            .filter(|rule| !matching.contains(rule) && !expected.not_matches.iter().any(|own| own == rule));
        failures.extend(
            others.map(|rule| Failure::new(format!("{rule} matches the event too, and only = true"))),
        );
    }
    failures
}

/// What is wrong with what a rule that matched has come to.
fn judge_match(expected: &Expected, rule: &str, decision: &Decision) -> Option<Failure> {
    let failure = expected.fails.iter().find(|failure| failure.rule == rule);
    let call = expected.calls.iter().find(|call| call.rule == rule);
    match (&decision.outcome, failure) {
        (DecisionOutcome::Failed(reason), Some(failure)) => {
            let part = failure.reason.as_deref().unwrap_or_default();
            if reason.contains(part) {
                return None;
            }
            let lines = vec![Line::Expected(part.to_owned()), Line::Got(reason.clone())];
            Some(Failure::with_lines(format!("{rule} fails for another reason"), lines))
        }
        (DecisionOutcome::Failed(reason), None) => {
            Some(Failure::new(format!("{rule} matches, but its call cannot be made: {reason}")))
        }
        (_, Some(_)) => Some(Failure::new(format!("{rule} should fail, and does not"))),
        (_, None) => match (call?, &decision.action) {
            (call, Some(action)) => difference::of(call, action)
                .map(|lines| Failure::with_lines(format!("{rule} makes another call"), lines)),
            (_, None) => Some(Failure::new(format!("{rule} matches, but calls nothing: it has no step"))),
        },
    }
}
