//! Which writes failed and are being tried again, and the alarm of it.
//!
//! Whoever tries a failed write again tells it here, and tells when it went well. The alarm
//! `store_write_failed` begins with the first failure and ends when nothing is left that failed. That some
//! commit succeeds would not be enough: one that changes nothing, or little, does so on a full disk too.

use std::fmt::{self, Display};
use std::sync::{Arc, Mutex, PoisonError};

use super::StoreError;
use crate::diagnostic::chain;

/// More that fails at once is told, but not waited for.
const FAILING_MAX: usize = 1_024;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// The records of a poll.
    Batch,
    /// Which actions are called next.
    Claim,
    /// What came of a call.
    Settle,
    /// A turn for a person's call.
    Grant,
    /// What became of a lost call.
    Verify,
    /// Records out of quarantine.
    Replay,
    /// Repair and retention.
    Upkeep,
    /// The row of the daemon.
    Row,
}

impl Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Work::Batch => "accepting a batch",
            Work::Claim => "claiming actions",
            Work::Settle => "settling a call",
            Work::Grant => "giving a person's call its turn",
            Work::Verify => "looking up a lost call",
            Work::Replay => "replaying records",
            Work::Upkeep => "upkeep",
            Work::Row => "renewing the row of the daemon",
        })
    }
}

/// What is being tried again; a clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Retries(Arc<Mutex<Vec<(Work, String)>>>);

impl Retries {
    /// `work` on `subject` failed, and is tried again.
    pub fn failed(&self, work: Work, subject: impl Display, error: &StoreError) {
        let (subject, error) = (subject.to_string(), chain(error));
        // The lines are written under the lock, so that they come in the order of what they tell.
        let mut failing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failing.is_empty() {
            tracing::error!(id = "store_write_failed", "{work} fails and is tried again: {error}");
        } else {
            tracing::warn!(work = %work, of = subject, error, "a write still fails and is tried again");
        }
        let known = failing.iter().any(|one| (one.0, one.1.as_str()) == (work, subject.as_str()));
        if !known && failing.len() < FAILING_MAX {
            failing.push((work, subject));
        }
    }

    /// `work` on `subject` went well, or is not tried any more.
    pub fn over(&self, work: Work, subject: impl Display) {
        let mut failing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failing.is_empty() {
            return;
        }
        let subject = subject.to_string();
        failing.retain(|one| (one.0, one.1.as_str()) != (work, subject.as_str()));
        if failing.is_empty() {
            tracing::info!(id = "store_write_failed", "over: all that failed is written");
        }
    }
}
