//! What a look can find: rows of the audit, as whoever watches needs them.

use sqlx::FromRow;

/// A look at everything that came since the last.
#[derive(Debug, Default)]
pub struct News {
    /// Accepted events.
    pub events: Vec<NewEvent>,
    /// Records that could not be decoded.
    pub quarantined: Vec<NewQuarantined>,
    /// Batches in which records came again, and planned nothing.
    pub duplicates: Vec<NewDuplicates>,
    /// Attempts that were settled, whatever they came to.
    pub attempts: Vec<NewAttempt>,
    /// What the first look-up of each lost call came to.
    pub verdicts: Vec<NewVerdict>,
    /// Calls that are not tried for a while.
    pub parkings: Vec<NewParking>,
}

impl News {
    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.quarantined.is_empty()
            && self.attempts.is_empty()
            && self.duplicates.is_empty()
            && self.verdicts.is_empty()
            && self.parkings.is_empty()
    }
}

/// An accepted event.
#[derive(Debug)]
pub struct NewEvent {
    /// Its number in the audit.
    pub seq: i64,
    /// When it was accepted, milliseconds since 1970.
    pub accepted_ms: i64,
    /// Its code.
    pub code: Option<String>,
    /// The workspace.
    pub workspace: Option<i64>,
    /// The instance.
    pub instance: Option<i64>,
    /// The node.
    pub node: Option<i64>,
    /// The file.
    pub file: Option<i64>,
    /// The table.
    pub table: Option<String>,
    /// The status of an instance or DAG.
    pub status: Option<String>,
    /// What the rules made of it.
    pub decisions: Vec<NewDecision>,
}

/// What one rule made of an event.
#[derive(Debug, FromRow)]
pub struct NewDecision {
    /// The event.
    pub event: i64,
    /// The rule.
    pub rule: String,
    /// What it came to: planned, recorded, untrusted, failed.
    pub outcome: String,
    /// Why it failed.
    pub message: Option<String>,
    /// The state of its action now.
    pub state: Option<String>,
    /// Why the action is held.
    pub held_reason: Option<String>,
    /// The operation.
    pub operation: Option<String>,
}

/// A record that could not be decoded.
#[derive(Debug, FromRow)]
pub struct NewQuarantined {
    /// Its number.
    pub id: i64,
    /// When it was, milliseconds since 1970.
    pub quarantined_at: i64,
    /// The reason, a stable word.
    pub reason: String,
    /// The reason in words.
    pub message: String,
}

/// Records of one batch that were known already.
#[derive(Debug, FromRow)]
pub struct NewDuplicates {
    /// The batch.
    pub id: i64,
    /// When it was accepted, milliseconds since 1970.
    pub accepted_at: i64,
    /// How many there were.
    pub duplicates: i64,
}

/// A settled attempt.
#[derive(Debug, FromRow)]
pub struct NewAttempt {
    /// Its number over all attempts.
    pub id: i64,
    /// The event that it is for.
    pub event: i64,
    /// When it was settled, milliseconds since 1970.
    pub finished_at: Option<i64>,
    /// The rule.
    pub rule: String,
    /// The operation.
    pub operation: String,
    /// Which attempt of its action, from 1.
    pub number: i64,
    /// What it came to: succeeded, due again, dead, unresolved, held; `None` while in flight.
    pub outcome: Option<String>,
    /// What happened to the call.
    pub class: Option<String>,
    /// The HTTP status, where there was a response.
    pub http_status: Option<i64>,
    /// The endpoint's error code.
    pub error_code: Option<String>,
    /// From sending to the last byte of the response, milliseconds.
    pub latency_ms: Option<i64>,
}

/// What a look-up found out about an attempt.
#[derive(Debug, FromRow)]
pub struct NewVerdict {
    /// The attempt's number over all attempts.
    pub attempt: i64,
    /// The event that it is for.
    pub event: i64,
    /// When it was found out, milliseconds since 1970.
    pub verified_at: i64,
    /// The operation whose response was lost.
    pub operation: String,
    /// `happened`, `did_not_happen` or `ambiguous`.
    pub verdict: String,
    /// What it rests on.
    pub reason: String,
}

/// Calls of an account, or of one operation for one workspace, were parked.
#[derive(Debug, FromRow)]
pub struct NewParking {
    pub(super) id: i64,
    /// The account.
    pub account: String,
    /// The operation, if only that is parked.
    pub operation: Option<String>,
    /// Its workspace.
    pub workspace: Option<i64>,
    /// Why, a stable word.
    pub reason: String,
    /// When it was, milliseconds since 1970.
    pub since: i64,
    /// When one call is tried, milliseconds since 1970.
    pub until: i64,
}
