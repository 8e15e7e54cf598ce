//! From matched rules to decisions.
//!
//! Every rule that matched, or failed, gets one decision. The belts are applied in a fixed order: trust,
//! then mode, then age, policy, calls in an hour, expiry; the first that speaks gives the reason. A rule
//! whose rendering fails or panics gets a decision that says so, and stops no other rule.

use std::panic::{self, AssertUnwindSafe};

use crate::action::{
    ActionId, Decision, DecisionOutcome, EventIdentity, HeldReason, PlanState, PlannedAction, PlannedState,
};
use crate::event::Event;
use crate::operation::Access;
use crate::rule::template::Scope;
use crate::rule::{Mode, Policy, Rule, RuleIndex, RuleSet, Step, parameter, template};

/// Whose events may be acted on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Alibaba Cloud accounts; empty trusts all, otherwise an event without account is not trusted.
    pub accounts: Vec<String>,
    /// Workspaces; empty trusts all, otherwise an event without workspace is not trusted.
    pub workspaces: Vec<i64>,
}

/// What a decision depends on besides event and rules.
#[derive(Debug, Clone, Copy)]
pub struct PlanContext<'a> {
    /// When the batch is accepted, milliseconds since 1970.
    pub accepted_at_ms: i64,
    /// Which writes are allowed.
    pub policy: &'a Policy,
    /// Whose events may be acted on.
    pub trust: &'a Trust,
    /// The account of steps that name none.
    pub default_account: Option<&'a str>,
}

/// An event's times as belts see them.
#[derive(Debug, Clone, Copy)]
struct Timing {
    age_ms: i64,
    /// The event's time, never in the future.
    event_ms: i64,
}

impl Trust {
    /// Whether events like this one may be acted on.
    #[must_use]
    pub fn trusts(&self, event: &Event<'_>) -> bool {
        let account = || event.account.as_deref().is_some_and(|own| self.accounts.iter().any(|a| a == own));
        let workspace = || event.workspace.is_some_and(|own| self.workspaces.contains(&own));
        (self.accounts.is_empty() || account()) && (self.workspaces.is_empty() || workspace())
    }
}

/// Decides what follows from an event: one decision for each rule that matched or failed.
#[expect(clippy::too_many_arguments, reason = "a pure function is told everything it depends on")]
pub fn plan(
    event: &Event<'_>,
    identity: &EventIdentity<'_>,
    kafka_timestamp_ms: Option<i64>,
    matched: &[RuleIndex],
    failed: &[RuleIndex],
    rules: &RuleSet,
    context: &PlanContext<'_>,
    state: &mut PlanState,
) -> Vec<Decision> {
    if matched.is_empty() && failed.is_empty() {
        return Vec::new();
    }
    let timing = timing(event, kafka_timestamp_ms, context.accepted_at_ms);
    let trusted = context.trust.trusts(event);
    let mut scope = None;
    let mut decisions = Vec::with_capacity(matched.len() + failed.len());
    for rule in matched.iter().filter_map(|index| rules.rule(*index)) {
        let mut decision = decision(rule, timing, context, state);
        match &rule.step {
            None => decision.outcome = DecisionOutcome::Recorded,
            Some(_) if !trusted => decision.outcome = DecisionOutcome::Untrusted,
            Some(step) => {
                let scope = scope.get_or_insert_with(|| Scope::of_event(event)).for_rule(&rule.name);
                match guarded(|| render(step, &scope, context)) {
                    Err(reason) => decision.outcome = DecisionOutcome::Failed(reason),
                    Ok(rendered) => {
                        let held = belts(rule, step, event, timing, decision.calls_in_hour, context);
                        if held == PlannedState::Planned {
                            state.stage(&rule.name, context.accepted_at_ms);
                        }
                        decision.action = Some(action(rule, step, identity, timing, rendered, held));
                    }
                }
            }
        }
        decisions.push(decision);
    }
    for rule in failed.iter().filter_map(|index| rules.rule(*index)) {
        let reason = "the rule's pattern could not be evaluated for this event".to_owned();
        let outcome = DecisionOutcome::Failed(reason);
        decisions.push(Decision { outcome, ..decision(rule, timing, context, state) });
    }
    decisions
}

/// The earlier of the two receipt times counts; an event that has neither is as old as its acceptance.
fn timing(event: &Event<'_>, kafka_timestamp_ms: Option<i64>, accepted_at_ms: i64) -> Timing {
    let event_ms =
        [kafka_timestamp_ms, event.published_ms].into_iter().flatten().min().unwrap_or(accepted_at_ms);
    Timing { age_ms: accepted_at_ms.saturating_sub(event_ms), event_ms: event_ms.min(accepted_at_ms) }
}

fn decision(rule: &Rule, timing: Timing, context: &PlanContext<'_>, state: &PlanState) -> Decision {
    Decision {
        rule: rule.name.clone(),
        rule_path: rule.path.clone(),
        outcome: DecisionOutcome::Planned,
        age_ms: timing.age_ms,
        calls_in_hour: state.calls_in_hour(&rule.name, context.accepted_at_ms),
        action: None,
    }
}

fn belts(
    rule: &Rule,
    step: &Step,
    event: &Event<'_>,
    timing: Timing,
    calls_in_hour: u32,
    context: &PlanContext<'_>,
) -> PlannedState {
    let is_write = step.operation.access == Access::Write;
    let expires_at_ms = timing.event_ms.saturating_add(rule.expires_ms);
    let reason = match rule.mode {
        Mode::Observe => return PlannedState::Observed,
        Mode::Approve => HeldReason::Approve,
        Mode::Live if timing.age_ms > rule.max_event_age_ms => HeldReason::Stale,
        Mode::Live if !context.policy.allows_call(step.operation, &rule.path, event.workspace) => {
            HeldReason::Policy
        }
        Mode::Live if calls_in_hour >= rule.max_calls => HeldReason::MaxCalls,
        Mode::Live if is_write && expires_at_ms <= context.accepted_at_ms => HeldReason::Expired,
        Mode::Live => return PlannedState::Planned,
    };
    PlannedState::Held(reason)
}

/// A step rendered for one event.
struct Rendered {
    account: String,
    params: serde_json::Map<String, serde_json::Value>,
    in_order_by: Option<String>,
}

fn render(step: &Step, scope: &Scope, context: &PlanContext<'_>) -> Result<Rendered, String> {
    let account = step.account.as_deref().or(context.default_account);
    let mut params = serde_json::Map::new();
    for (name, value) in &step.params {
        let rendered = value.render(scope).map_err(|error| error.to_string())?;
        if let Some(declared) = step.operation.params.iter().find(|declared| declared.name == name) {
            parameter::check_rendered(declared.param_type, value.path(), &rendered)
                .map_err(|misfit| format!("{}: {}", misfit.path, misfit.message))?;
        }
        params.insert(name.clone(), rendered);
    }
    let in_order_by = step.in_order_by.as_ref().map(|key| order_key(key, scope)).transpose()?;
    let account = match account {
        Some(account) => account.to_owned(),
        // A rule that only observes may be written before any account is configured.
        None => String::new(),
    };
    Ok(Rendered { account, params, in_order_by })
}

fn order_key(key: &template::Value, scope: &Scope) -> Result<String, String> {
    match key.render(scope).map_err(|error| error.to_string())? {
        serde_json::Value::String(text) => Ok(text),
        value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => Ok(value.to_string()),
        _ => Err(format!("{}: expected text or a number, the event gave another value", key.path())),
    }
}

fn action(
    rule: &Rule,
    step: &Step,
    identity: &EventIdentity<'_>,
    timing: Timing,
    rendered: Rendered,
    state: PlannedState,
) -> PlannedAction {
    let expires_at_ms = timing.event_ms.saturating_add(rule.expires_ms);
    PlannedAction {
        id: ActionId::of(identity, &rule.name, 0),
        rule: rule.name.clone(),
        step: 0,
        operation: step.operation,
        account: rendered.account,
        params: rendered.params,
        in_order_by: rendered.in_order_by,
        priority: 0,
        state,
        expires_at_ms: (step.operation.access == Access::Write).then_some(expires_at_ms),
    }
}

/// A panic while rendering is that rule's failure and nobody else's.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err("the rule's parameters could not be rendered: the template engine panicked".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_while_rendering_is_a_failure_of_that_rule() {
        let result = guarded::<()>(|| panic!("planted"));
        assert!(result.is_err_and(|reason| reason.contains("panicked")));
        assert_eq!(guarded(|| Ok(1)), Ok(1));
    }
}
