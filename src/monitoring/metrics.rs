//! What the halves count: records, events, decisions, attempts, and how long things took.
//!
//! Counted once a batch and once a call, always after the commit that makes it true. Labels come from
//! fixed lists: the event catalogue, the rules in force, the operations of the API, the words of the
//! audit. A rule that is no longer in force takes its series with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::store::accept::{Accepted, counted_code};

pub use crate::store::accept::OTHER;

/// Upper bounds of the times of a commit, seconds.
const COMMIT_SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Upper bounds of the times of a call, seconds.
const CALL_SECONDS: [f64; 10] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Upper bounds of the times from an event to its call, seconds.
const EVENT_SECONDS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0];

/// Upper bounds of the records of a batch.
const BATCH_RECORDS: [f64; 8] = [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 2_048.0, 16_384.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    code: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    rule: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    operation: &'static str,
    class: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LookupLabels {
    operation: &'static str,
    purpose: &'static str,
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabels {
    operation: &'static str,
    verdict: &'static str,
}

/// An attempt that is settled.
#[derive(Debug, Clone, Copy)]
pub struct Attempted {
    /// The operation's name from the catalogue, or [`OTHER`].
    pub operation: &'static str,
    /// What happened to the call.
    pub class: &'static str,
    /// What follows.
    pub outcome: &'static str,
    /// From sending to the end of the response, if there was one.
    pub latency: Option<Duration>,
    /// From the event to the first attempt; `None` for later ones.
    pub since_event: Option<Duration>,
}

/// The counts.
#[derive(Debug)]
pub struct Metrics {
    records: Family<OutcomeLabel, Counter>,
    events: Family<EventLabels, Counter>,
    last_event: Family<CodeLabel, Gauge>,
    quarantined: Family<ReasonLabel, Counter>,
    decisions: Family<DecisionLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    lookups: Family<LookupLabels, Counter>,
    verdicts: Family<VerdictLabels, Counter>,
    accept_seconds: Histogram,
    batch_records: Histogram,
    attempt_seconds: Histogram,
    event_to_attempt_seconds: Histogram,
    /// What each rule's decisions came to, to find its series when it goes.
    outcomes: Mutex<BTreeMap<String, BTreeSet<&'static str>>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Metrics {
            records: Family::default(),
            events: Family::default(),
            last_event: Family::default(),
            quarantined: Family::default(),
            decisions: Family::default(),
            attempts: Family::default(),
            lookups: Family::default(),
            verdicts: Family::default(),
            accept_seconds: Histogram::new(COMMIT_SECONDS),
            batch_records: Histogram::new(BATCH_RECORDS),
            attempt_seconds: Histogram::new(CALL_SECONDS),
            event_to_attempt_seconds: Histogram::new(EVENT_SECONDS),
            outcomes: Mutex::default(),
        };
        // So that the first one is an increase.
        for outcome in ["event", "duplicate", "quarantined"] {
            metrics.records.get_or_create(&OutcomeLabel { outcome }).inc_by(0);
        }
        metrics
    }
}

impl Metrics {
    /// A batch is durable, `took` after it was handed to the writer.
    pub fn accepted(&self, accepted: &Accepted, took: Duration) {
        for (outcome, records) in [
            ("event", accepted.events),
            ("duplicate", accepted.duplicates),
            ("quarantined", accepted.quarantined),
        ] {
            self.records.get_or_create(&OutcomeLabel { outcome }).inc_by(count(records));
        }
        for tally in &accepted.tally.codes {
            for (outcome, events) in [("matched", tally.matched), ("unmatched", tally.unmatched)] {
                self.events.get_or_create(&EventLabels { code: tally.code, outcome }).inc_by(events);
            }
            self.last_event(tally.code, tally.last_at_ms);
        }
        for (reason, records) in &accepted.tally.reasons {
            self.quarantined.get_or_create(&ReasonLabel { reason }).inc_by(*records);
        }
        self.decided(accepted);
        self.accept_seconds.observe(took.as_secs_f64());
        self.batch_records.observe(figure(accepted.records));
    }

    fn decided(&self, accepted: &Accepted) {
        let mut decisions: BTreeMap<(&str, &'static str), u64> = BTreeMap::new();
        for decided in &accepted.decisions {
            *decisions.entry((&decided.rule, decided.outcome)).or_default() += 1;
        }
        if decisions.is_empty() {
            return;
        }
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        for ((rule, outcome), times) in decisions {
            outcomes.entry(rule.to_owned()).or_default().insert(outcome);
            self.decisions.get_or_create(&DecisionLabels { rule: rule.to_owned(), outcome }).inc_by(times);
        }
    }

    /// The last event of a code that an earlier run accepted.
    pub fn last_event_before(&self, code: &str, at_ms: i64) {
        self.last_event(counted_code(Some(code)), at_ms);
    }

    fn last_event(&self, code: &'static str, at_ms: i64) {
        let gauge = self.last_event.get_or_create(&CodeLabel { code });
        let at = at_ms.div_euclid(1_000);
        if at > gauge.get() {
            gauge.set(at);
        }
    }

    /// An attempt's end is durable.
    pub fn attempted(&self, attempted: &Attempted) {
        let Attempted { operation, class, outcome, latency, since_event } = *attempted;
        self.attempts.get_or_create(&AttemptLabels { operation, class, outcome }).inc();
        if let Some(latency) = latency {
            self.attempt_seconds.observe(latency.as_secs_f64());
        }
        if let Some(since) = since_event {
            self.event_to_attempt_seconds.observe(since.as_secs_f64());
        }
    }

    /// The end of a read about a lost call is durable; `operation` is the one that reads.
    pub fn looked_up(&self, operation: &'static str, purpose: &'static str, class: &'static str) {
        self.lookups.get_or_create(&LookupLabels { operation, purpose, class }).inc();
    }

    /// A verdict on a lost call of `operation` is durable.
    pub fn verified(&self, operation: &'static str, verdict: &'static str) {
        self.verdicts.get_or_create(&VerdictLabels { operation, verdict }).inc();
    }

    /// Other rules are in force: the series of those that are gone end.
    pub fn rules_changed<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let names: BTreeSet<&str> = names.collect();
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.retain(|rule, known| {
            let stays = names.contains(rule.as_str());
            if !stays {
                for outcome in known.iter() {
                    self.decisions.remove(&DecisionLabels { rule: rule.clone(), outcome });
                }
            }
            stays
        });
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let Metrics {
            records, events, last_event, quarantined, decisions, attempts, lookups, verdicts, ..
        } = self;
        registry.register("records", "Kafka records accepted, by what they were", records.clone());
        registry.register("events", "New events, by code and whether a rule matched", events.clone());
        registry.register_with_unit(
            "last_event_timestamp",
            "When the newest event of each code was written to Kafka",
            Unit::Seconds,
            last_event.clone(),
        );
        registry.register("quarantined", "Records that could not be decoded, by reason", quarantined.clone());
        registry.register("decisions", "Decisions of rules, by outcome", decisions.clone());
        registry.register("attempts", "Calls that ended, by operation, class and outcome", attempts.clone());
        registry.register(
            "lookups",
            "Reads about lost calls, by operation, purpose and class",
            lookups.clone(),
        );
        registry.register("verdicts", "What look-ups of lost calls came to, by operation", verdicts.clone());
        for (name, help, histogram) in [
            ("accept_duration", "From a batch handed to the writer to its commit", &self.accept_seconds),
            ("attempt_duration", "From sending a call to the end of its response", &self.attempt_seconds),
            (
                "event_to_attempt",
                "From an event written to Kafka to its first call, waiting for limits and people included",
                &self.event_to_attempt_seconds,
            ),
        ] {
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        }
        registry.register("batch_records", "Records in a batch, one commit each", self.batch_records.clone());
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A count as a figure; exact for any that a batch can have.
fn figure(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}
