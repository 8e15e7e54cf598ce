//! Alarms: how often each was raised, and which are on.
//!
//! An alarm is a log line of level ERROR with a field `id`. One that ends has a later line of level INFO
//! with the same `id`, and the same `kind` and `subject` if it names some: the same alarm may be on for
//! several servers at once. Nothing but these lines raises or ends an alarm, so log and metrics agree;
//! [`crate::telemetry`] reads them whatever the log's level is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::daemon::Failing;

/// Whether an alarm has an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// A line tells when it is over.
    WhenOver,
    /// It tells of something that happened.
    AtOnce,
}

/// Every alarm by its id.
pub const ALARMS: [(&str, Ends); 13] = [
    ("calls_parked", Ends::WhenOver),
    ("credentials_failing", Ends::WhenOver),
    ("disk_nearly_full", Ends::WhenOver),
    ("gap", Ends::AtOnce),
    ("intake_stalled", Ends::WhenOver),
    ("kafka_failing", Ends::WhenOver),
    ("kafka_poll_failed", Ends::AtOnce),
    ("monitoring_failed", Ends::AtOnce),
    ("rules_degraded", Ends::WhenOver),
    ("rules_invalid", Ends::AtOnce),
    ("settle_failed", Ends::AtOnce),
    ("store_write_failed", Ends::WhenOver),
    ("wal_too_large", Ends::WhenOver),
];

/// More alarms that are on at once are counted, not kept.
const ACTIVE_MAX: usize = 256;

/// What a line tells of an alarm; a field that it does not have is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The alarm.
    pub id: String,
    /// What kind of it.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// What was seen.
    pub message: String,
    /// How to mend it.
    pub fix: String,
}

/// The alarms of this process; a clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Alarms(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    raised: [AtomicU64; ALARMS.len()],
    active: Mutex<BTreeMap<Key, Failing>>,
}

/// Which alarm, its kind and its subject.
type Key = (usize, String, String);

impl Alarms {
    /// An alarm was raised; one without an end is only counted.
    pub fn raise(&self, told: Told, now_ms: i64) {
        let Some((at, ends)) = find(&told.id) else { return };
        if let Some(raised) = self.0.raised.get(at) {
            raised.fetch_add(1, Ordering::Relaxed);
        }
        let mut active = self.0.active.lock().unwrap_or_else(PoisonError::into_inner);
        if ends == Ends::WhenOver && active.len() < ACTIVE_MAX {
            let key = (at, told.kind.clone(), told.subject.clone());
            let Told { id, kind, subject, message, fix } = told;
            let kind = if kind.is_empty() { id } else { kind };
            active.entry(key).or_insert(Failing { kind, subject, message, fix, since: now_ms });
        }
    }

    /// An alarm is over.
    pub fn end(&self, told: &Told) {
        if let Some((at, _)) = find(&told.id) {
            let key = (at, told.kind.clone(), told.subject.clone());
            self.0.active.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        }
    }

    /// What is wrong now, the oldest first.
    #[must_use]
    pub fn active(&self) -> Vec<Failing> {
        let active = self.0.active.lock().unwrap_or_else(PoisonError::into_inner);
        let mut failing: Vec<Failing> = active.values().cloned().collect();
        failing.sort_by_key(|failing| failing.since);
        failing
    }

    /// How often each alarm was raised.
    pub fn raised(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ALARMS.iter().zip(&self.0.raised).map(|((id, _), raised)| (*id, raised.load(Ordering::Relaxed)))
    }

    /// How often each alarm that ends is on.
    pub fn on(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let active = self.0.active.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |at: usize| active.keys().filter(|(alarm, ..)| *alarm == at).count();
        let ending = ALARMS.iter().enumerate().filter(|(_, (_, ends))| *ends == Ends::WhenOver);
        let on: Vec<_> = ending.map(|(at, (id, _))| (*id, count(at))).collect();
        on.into_iter()
    }
}

fn find(id: &str) -> Option<(usize, Ends)> {
    let at = ALARMS.iter().position(|(known, _)| *known == id)?;
    ALARMS.get(at).map(|(_, ends)| (at, *ends))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: &str, subject: &str) -> Told {
        Told { id: id.into(), subject: subject.into(), ..Told::default() }
    }

    #[test]
    fn an_alarm_is_on_for_each_subject_until_its_own_end() {
        let alarms = Alarms::default();
        for (at, subject) in [(1, "h:1"), (2, "h:2"), (3, "h:1")] {
            alarms.raise(told("kafka_failing", subject), at);
        }
        alarms.raise(told("gap", ""), 4);
        alarms.raise(told("of_another_program", ""), 5);
        let since: Vec<_> = alarms.active().iter().map(|one| (one.subject.clone(), one.since)).collect();
        assert_eq!(since, [("h:1".into(), 1), ("h:2".into(), 2)]);
        alarms.end(&told("kafka_failing", "h:1"));
        alarms.end(&told("disk_nearly_full", ""));
        assert_eq!(alarms.on().find(|(id, _)| *id == "kafka_failing"), Some(("kafka_failing", 1)));
        let raised: Vec<_> = alarms.raised().filter(|(_, times)| *times > 0).collect();
        assert_eq!(raised, [("gap", 1), ("kafka_failing", 3)]);
    }
}
