//! Planning: what the rules that matched an event ask for.
//!
//! [`plan`](crate::action::plan::plan) is pure: it renders parameters, applies the belts (trust, mode, age, policy,
//! calls in an hour, expiry) and gives decisions; nothing is sent or stored here. What it remembers
//! between events is in [`PlanState`], and becomes permanent only when the caller says that the batch
//! was committed.
//!
//! Next: [`crate::rule_test`].

use crate::operation::Operation;

pub mod plan;

mod identity;

mod limits;

pub mod repeat;

mod state;

pub use identity::{ActionId, EventIdentity};
pub use limits::PlanState;
pub use state::ActionState;

/// What was decided for one rule and one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The rule's name.
    pub rule: String,
    /// The rule's file, as in its rule set.
    pub rule_path: String,
    /// What was decided.
    pub outcome: DecisionOutcome,
    /// The event's age when it was accepted, milliseconds; negative if its clock is ahead.
    pub age_ms: i64,
    /// Calls that the rule had planned in the hour before.
    pub calls_in_hour: u32,
    /// The action, if the rule has a step and it could be planned.
    pub action: Option<PlannedAction>,
}

/// What came of a rule that matched, or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecisionOutcome {
    /// There is an action, in whatever state.
    Planned,
    /// The rule has no step: its match is all there is to say.
    Recorded,
    /// The event's account or workspace is outside the allow-list: never acted on.
    Untrusted,
    /// The rule could not be evaluated or its parameters not rendered; why.
    Failed(String),
}

/// One call to make, a row of the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedAction {
    /// The same for the same event, rule and step, always.
    pub id: ActionId,
    /// The rule's name.
    pub rule: String,
    /// The step's place in its rule, from 0.
    pub step: u32,
    /// What to call.
    pub operation: &'static Operation,
    /// The account that signs the call.
    pub account: String,
    /// The rendered parameters; a secret is `{"$secret": "name"}` until it is sent.
    pub params: serde_json::Map<String, serde_json::Value>,
    /// Actions with the same key run in order.
    pub in_order_by: Option<String>,
    /// Higher goes first; 0 for everything but verdicts.
    pub priority: i32,
    /// Whether it may be sent.
    pub state: PlannedState,
    /// A write is not sent later than this, milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
}

/// The state that an action begins in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlannedState {
    /// To be sent.
    Planned,
    /// The rule observes: never sent.
    Observed,
    /// A person must release it.
    Held(HeldReason),
}

/// Why an action is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeldReason {
    /// The rule asks for a person's consent.
    Approve,
    /// The event is older than the rule's `max_event_age`.
    Stale,
    /// The rule has planned its `max_calls` in the last hour.
    MaxCalls,
    /// An emergency brake was pulled.
    Brake,
    /// A person stopped the rule.
    Stopped,
    /// A write is due too long after its event.
    Expired,
    /// The event is an echo of our own calls.
    Loop,
    /// The policy does not allow the write for this event's workspace.
    Policy,
}

impl DecisionOutcome {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            DecisionOutcome::Planned => "planned",
            DecisionOutcome::Recorded => "recorded",
            DecisionOutcome::Untrusted => "untrusted",
            DecisionOutcome::Failed(_) => "failed",
        }
    }
}

impl PlannedState {
    /// The action's state as stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PlannedState::Planned => "planned",
            PlannedState::Observed => "observed",
            PlannedState::Held(_) => "held",
        }
    }
}

impl HeldReason {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            HeldReason::Approve => "approve",
            HeldReason::Stale => "stale",
            HeldReason::MaxCalls => "max_calls",
            HeldReason::Brake => "brake",
            HeldReason::Stopped => "stopped",
            HeldReason::Expired => "expired",
            HeldReason::Loop => "loop",
            HeldReason::Policy => "policy",
        }
    }

    /// The reason written as `text`.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}
