//! The states of an action, as the outbox and its view spell them.

use super::HeldReason;

/// Where an action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ActionState {
    /// To be sent when it is due.
    Planned,
    /// An earlier step has not finished.
    Waiting,
    /// A person must release it.
    Held,
    /// Claimed: its call is on the way.
    InFlight,
    /// The API said yes.
    Succeeded,
    /// Rejected, or attempts exhausted.
    Dead,
    /// Sent, outcome unknown, not repeatable.
    Unresolved,
    /// A person gave it up.
    Cancelled,
    /// Its rule observes: never sent.
    Observed,
}

impl ActionState {
    /// All states.
    pub const ALL: [ActionState; 9] = [
        ActionState::Planned,
        ActionState::Waiting,
        ActionState::Held,
        ActionState::InFlight,
        ActionState::Succeeded,
        ActionState::Dead,
        ActionState::Unresolved,
        ActionState::Cancelled,
        ActionState::Observed,
    ];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ActionState::Planned => "planned",
            ActionState::Waiting => "waiting",
            ActionState::Held => "held",
            ActionState::InFlight => "in_flight",
            ActionState::Succeeded => "succeeded",
            ActionState::Dead => "dead",
            ActionState::Unresolved => "unresolved",
            ActionState::Cancelled => "cancelled",
            ActionState::Observed => "observed",
        }
    }

    /// The state written as `text`.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether something may still follow: the machine or a person has it to do.
    #[must_use]
    pub fn is_open(self) -> bool {
        !matches!(self, ActionState::Succeeded | ActionState::Cancelled | ActionState::Observed)
    }
}

impl HeldReason {
    /// All reasons.
    pub const ALL: [HeldReason; 8] = [
        HeldReason::Approve,
        HeldReason::Stale,
        HeldReason::MaxCalls,
        HeldReason::Brake,
        HeldReason::Stopped,
        HeldReason::Expired,
        HeldReason::Loop,
        HeldReason::Policy,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_and_reason_is_read_as_it_is_written() {
        for state in ActionState::ALL {
            assert_eq!(ActionState::from_text(state.as_str()), Some(state));
        }
        for reason in HeldReason::ALL {
            assert_eq!(HeldReason::from_text(reason.as_str()), Some(reason));
        }
    }
}
