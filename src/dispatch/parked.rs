//! Alarms of what is parked: raised once, and ended when calls go on.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::store::parking::{ParkReason, Parked};

/// More parkings at once are logged and not remembered.
const TOLD_MAX: usize = 1_024;

/// What was told and is not over: subject to reason.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<HashMap<String, ParkReason>>);

impl Told {
    /// An account as a claim found it: parked, or not.
    pub(super) fn account(&self, account: &str, parked: Option<&Parked>) {
        match parked {
            Some(parked) => self.begins(parked),
            None => self.ends(account),
        }
    }

    /// Something is parked.
    pub(super) fn begins(&self, parked: &Parked) {
        // A pause of seconds at a limit that others share is no alarm; the quota counts them.
        if parked.reason == ParkReason::Throttled {
            return;
        }
        let subject = subject(parked);
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.get(&subject).copied();
        if before == Some(parked.reason) {
            return;
        }
        if let Some(before) = before {
            over(&subject, before);
        }
        if told.len() < TOLD_MAX {
            told.insert(subject.clone(), parked.reason);
        }
        tracing::error!(
            id = "calls_parked",
            kind = parked.reason.as_str(),
            subject = %subject,
            until_ms = parked.until_ms,
            fix = fix(parked.reason),
            "{}: {}",
            what(parked.reason),
            parked.message
        );
    }

    /// Calls go on.
    pub(super) fn ends(&self, subject: &str) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = told.remove(subject) {
            over(subject, reason);
        }
    }
}

fn over(subject: &str, reason: ParkReason) {
    tracing::info!(id = "calls_parked", kind = reason.as_str(), subject = %subject, "over: calls go on");
}

/// The account, and the operation and workspace if only they are parked.
pub(super) fn subject(parked: &Parked) -> String {
    match (&parked.operation, parked.workspace) {
        (None, _) => parked.account.clone(),
        (Some(operation), None) => format!("{} {operation}", parked.account),
        (Some(operation), Some(workspace)) => format!("{} {operation} workspace {workspace}", parked.account),
    }
}

fn what(reason: ParkReason) -> &'static str {
    match reason {
        ParkReason::DaySpent => "the day's calls are spent, actions wait for the next day",
        ParkReason::MonthSpent => "the month's calls are spent, actions wait for the next month",
        ParkReason::DayRefused => "DataWorks says that the day's calls are used up",
        ParkReason::MonthRefused => "DataWorks says that the calls of this edition are used up",
        ParkReason::Throttled => "DataWorks refuses calls for their number",
        ParkReason::Credentials => "the access key is refused",
        ParkReason::Clock => "the time of the calls is refused",
        ParkReason::Endpoint => "the endpoint fails",
        ParkReason::Forbidden => "DataWorks forbids the call",
    }
}

fn fix(reason: ParkReason) -> &'static str {
    match reason {
        ParkReason::DaySpent | ParkReason::MonthSpent => "`openeventd quota` shows who spends",
        ParkReason::DayRefused | ParkReason::MonthRefused | ParkReason::Throttled => {
            "other programs spend the same quota: leave them room by others_share, or take a larger edition"
        }
        ParkReason::Credentials => "`openeventd credentials` tells which key is used; mend it, then restart",
        ParkReason::Clock => {
            "set this machine's clock (`timedatectl`), and look for a proxy that changes responses"
        }
        ParkReason::Endpoint => "look at the network, the proxy and account.NAME.endpoint",
        ParkReason::Forbidden => {
            "grant the permission to the key's user (`openeventd policy ram`), then requeue what is dead"
        }
    }
}
