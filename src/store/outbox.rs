//! The outbox: claiming due actions, settling attempts, recovering what a crash left in flight.
//!
//! A claim makes the attempt durable before anything is sent. Every change of state is guarded by the
//! state and the attempt it starts from, so a late or repeated settle cannot undo a newer truth.

use super::StoreError;
use super::parking::Parked;
use super::spending::Debit;
use super::writer::Writer;
use crate::operation::Access;
use crate::quota::Budget;

mod claim;

mod candidate;

pub mod lookup;

pub mod outside;

pub(super) mod order;

mod recover;

mod settle;

pub use order::OrderReleased;
pub use recover::Recovered;
pub use settle::{Change, Evidence, Outcome, Settled, Settlement};

/// What to claim.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The account whose actions are wanted.
    pub account: String,
    /// Its region.
    pub region: String,
    /// What it may spend.
    pub budget: Budget,
    /// Only reads, only writes, or both.
    pub access: Option<Access>,
    /// How many at most.
    pub limit: usize,
    /// How long the claim holds.
    pub lease_ms: i64,
    /// How long after its first attempt a call that converges may be repeated blindly.
    pub repeat_within_ms: i64,
}

/// What a claim gives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// Actions whose attempt is durable and may be sent.
    pub claimed: Vec<Claimed>,
    /// What parks the account, if something does; one action may be claimed then that finds out.
    pub parked: Option<Parked>,
    /// When the next planned action is due, if nothing was claimed and there is one.
    pub next_due_ms: Option<i64>,
}

/// A claimed action: its attempt is durable and may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The attempt's row.
    pub attempt: i64,
    /// The action's row.
    pub action: i64,
    /// The action's id, as people see it.
    pub id: String,
    /// Which attempt of the action this is, from 1.
    pub attempt_number: i64,
    /// The same, counted from when a person last had the action sent again, without those that never left.
    pub attempt_of_life: i64,
    /// Attempts up to this number belong to earlier lives; 0 in the first.
    pub requeued_after: i64,
    /// The event that caused it.
    pub event: i64,
    /// The rule that planned it.
    pub rule: String,
    /// The rule's file.
    pub rule_path: String,
    /// What paid for the attempt.
    pub debit: Debit,
    /// The operation's name.
    pub operation: String,
    /// The operation's API version.
    pub version: String,
    /// Rendered parameters, a JSON object.
    pub params: String,
    /// The event's workspace.
    pub workspace: Option<i64>,
    /// The region of its account when it was planned, if it had one.
    pub region: Option<String>,
    /// When its event was written to Kafka, or else accepted, or else when the action was planned.
    pub event_at_ms: i64,
    /// When the first attempt of this life was claimed.
    pub first_sent_at_ms: i64,
    /// Earlier attempts of this life that left and were not throttled.
    pub earlier_tries: i64,
    /// Earlier attempts of all lives that left.
    pub earlier_sent: i64,
    /// What the earlier attempts of this life may have done.
    pub past: Past,
}

/// What earlier attempts of an action may have done. What a person had sent again begins a new life: they
/// have answered for the attempts before it (`action.requeued_after`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// None of them was executed.
    Clear,
    /// One of them may have been executed, or a part of it.
    Unknown,
}

/// Calls of rules, look-ups, and calls of people: the endpoint counts them all.
const LAST_SENT: &str = "SELECT max(at) FROM ( \
    SELECT max(coalesce(finished_at, started_at)) AS at FROM attempt \
    WHERE id > (SELECT coalesce(max(id), 0) FROM attempt) - 1000 \
    UNION ALL SELECT max(coalesce(finished_at, started_at)) FROM lookup \
    WHERE id > (SELECT coalesce(max(id), 0) FROM lookup) - 1000 \
    UNION ALL SELECT max(coalesce(ended_at, given_up_at)) FROM outside_call \
    WHERE id > (SELECT coalesce(max(id), 0) FROM outside_call) - 1000)";

impl Writer {
    /// Claims due actions: each is in flight with a durable attempt, and paid for, when this returns.
    ///
    /// What is behind another action of its key, stopped or parked is passed over. Actions whose time has
    /// passed become `held` (expired) instead.
    ///
    /// # Errors
    /// The commit failed; nothing was claimed.
    pub async fn claim(&self, wanted: Wanted, now_ms: i64) -> Result<Claims, StoreError> {
        self.run(move |state| Box::pin(async move { claim::claim(state, &wanted, now_ms).await })).await
    }

    /// The last moment at which a call may have been on its way, if there was any.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn last_sent(&self) -> Result<Option<i64>, StoreError> {
        self.run(|state| {
            Box::pin(async move {
                sqlx::query_scalar(LAST_SENT)
                    .fetch_one(&mut state.connection)
                    .await
                    .map_err(StoreError::sql("look for the last attempt"))
            })
        })
        .await
    }
}
