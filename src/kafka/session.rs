//! What the client tells between two polls: rebalances, errors, statistics, log lines.
//!
//! Callbacks run on the polling thread while it polls. A new assignment is only noted here and started by
//! the consumer after the poll; a revocation is served at once, since the group waits for it: the owner
//! drains, what it stored is committed, and only then are the partitions given up. Lost partitions belong
//! to somebody else already: nothing is drained or committed for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::types::RDKafkaRespErr;

use super::Settings;
use super::diagnosis::Diagnosis;
use super::fault::{Conditions, FaultKind};
use super::hooks::{Drain, TopicPartition};
use super::lag::{Digest, PartitionLag, digest};
use super::recreated::Recreated;
use crate::batch::Epoch;

/// Where we are in one assigned partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    pub(super) epoch: Epoch,
    /// The offset of the next record to be polled.
    pub(super) next: i64,
    /// The offset stored last, or the one where this assignment began: storing never goes back.
    pub(super) stored: i64,
}

/// What happened during a poll that the consumer has to act on.
#[derive(Debug, Default)]
pub(super) struct Rebalanced {
    /// The partitions that we held are gone: what was polled of them must not be returned.
    pub(super) revoked: bool,
    /// Partitions assigned and not yet started.
    pub(super) assigned: Option<Vec<TopicPartition>>,
}

/// The client's context: state shared between callbacks, the polling thread and the async side.
pub(super) struct Session {
    pub(super) conditions: Arc<Conditions>,
    drain: Mutex<Drain>,
    progress: Mutex<BTreeMap<TopicPartition, Progress>>,
    rebalanced: Mutex<Rebalanced>,
    /// Set with `rebalanced`, so that a poll without a rebalance takes no lock.
    pub(super) has_rebalanced: AtomicBool,
    pub(super) closing: AtomicBool,
    lags: Mutex<Vec<PartitionLag>>,
    log_gate: Mutex<LogGate>,
    /// Whether the user asked for the client's debug lines.
    verbose: bool,
    pub(super) recreated: Recreated,
    diagnosis: Diagnosis,
}

impl Session {
    pub(super) fn new(settings: &Settings, drain: Drain, conditions: Conditions) -> std::io::Result<Self> {
        let conditions = Arc::new(conditions);
        let diagnosis = Diagnosis::new(settings, Arc::clone(&conditions))?;
        Ok(Session {
            conditions,
            drain: Mutex::new(drain),
            progress: Mutex::default(),
            rebalanced: Mutex::default(),
            has_rebalanced: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            lags: Mutex::default(),
            log_gate: Mutex::default(),
            verbose: settings.properties.contains_key("debug"),
            recreated: Recreated::default(),
            diagnosis,
        })
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, BTreeMap<TopicPartition, Progress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the last poll changed; taken once.
    pub(super) fn take_rebalanced(&self) -> Rebalanced {
        self.has_rebalanced.store(false, Ordering::Release);
        std::mem::take(&mut *self.rebalanced.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn lags(&self) -> Vec<PartitionLag> {
        self.lags.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The group let us in and told us where to read: what was wrong with group and topics is over.
    pub(super) fn started(&self, topics: &BTreeSet<&str>) {
        self.conditions.clear(|kind, subject| match kind {
            FaultKind::GroupDenied | FaultKind::PollTooLate => true,
            FaultKind::TopicDenied | FaultKind::TopicUnknown => topics.contains(subject),
            _ => false,
        });
    }

    fn note(&self, change: impl FnOnce(&mut Rebalanced)) {
        change(&mut self.rebalanced.lock().unwrap_or_else(PoisonError::into_inner));
        self.has_rebalanced.store(true, Ordering::Release);
    }

    fn revoke(&self, client: &BaseConsumer<Self>) {
        let held: Vec<TopicPartition> = self.progress().keys().cloned().collect();
        if client.assignment_lost() {
            tracing::warn!(
                partitions = held.len(),
                "partitions lost to the group, nothing is committed for them"
            );
        } else if !held.is_empty() {
            (self.drain.lock().unwrap_or_else(PoisonError::into_inner))(&held);
            // While closing, giving up the partitions commits as well, and within the deadline.
            if !self.closing.load(Ordering::Acquire) {
                commit(client);
            }
        }
        self.progress().clear();
        if let Err(error) = client.unassign() {
            tracing::error!(%error, "cannot give up revoked partitions");
        }
        self.note(|state| *state = Rebalanced { revoked: true, assigned: None });
    }

    fn digested(&self, digest: Digest) {
        let Digest { lags, brokers } = digest;
        *self.lags.lock().unwrap_or_else(PoisonError::into_inner) = lags;
        self.diagnosis.seen(&brokers);
    }
}

/// Commits what is stored and waits for the broker's answer.
fn commit(client: &BaseConsumer<Session>) {
    match client.commit_consumer_state(CommitMode::Sync) {
        Ok(()) | Err(ClientError::ConsumerCommit(Code::NoOffset)) => {}
        Err(error) => {
            tracing::warn!(%error, "the last offsets are not committed; their records will come again");
        }
    }
}

impl ClientContext for Session {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.recreated.read_line(line);
        if matches!(level, RDKafkaLogLevel::Debug) && !self.verbose {
            return;
        }
        let mut gate = self.log_gate.lock().unwrap_or_else(PoisonError::into_inner);
        match gate.pass(Instant::now()) {
            Gate::Open { suppressed: 0 } => tracing::debug!(facility, "librdkafka: {line}"),
            Gate::Open { suppressed } => tracing::debug!(facility, suppressed, "librdkafka: {line}"),
            Gate::Shut => {}
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match digest(statistics) {
            Ok(digest) => self.digested(digest),
            Err(error) => tracing::warn!(%error, "cannot read the client's statistics"),
        }
    }

    fn error(&self, error: ClientError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            if matches!(code, Code::UnknownTopicOrPartition | Code::UnknownTopic) {
                for held in self.progress().keys().filter(|held| reason.contains(&*held.topic)) {
                    self.recreated.vanished(&held.topic);
                }
            }
            self.diagnosis.said(code, reason);
        }
    }
}

impl ConsumerContext for Session {
    fn rebalance(&self, client: &BaseConsumer<Self>, kind: RDKafkaRespErr, list: &mut TopicPartitionList) {
        if kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            let assigned = list
                .elements()
                .iter()
                .map(|e| TopicPartition { topic: Arc::from(e.topic()), partition: e.partition() })
                .collect();
            self.note(|state| state.assigned = Some(assigned));
        } else {
            self.revoke(client);
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        match result {
            Ok(()) | Err(ClientError::ConsumerCommit(Code::NoOffset)) => {}
            Err(error) => tracing::warn!(%error, "offsets are not committed; the next commit tries again"),
        }
    }
}

/// Lets a few of the client's log lines through per interval: it writes one per failed connection.
#[derive(Debug, Default)]
struct LogGate {
    since: Option<Instant>,
    passed: u32,
    suppressed: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Gate {
    Open { suppressed: u64 },
    Shut,
}

const LOG_LINES_MAX: u32 = 50;
const LOG_INTERVAL: Duration = Duration::from_secs(10);

impl LogGate {
    fn pass(&mut self, now: Instant) -> Gate {
        if self.since.is_none_or(|since| now.duration_since(since) >= LOG_INTERVAL) {
            self.since = Some(now);
            self.passed = 0;
        }
        if self.passed >= LOG_LINES_MAX {
            self.suppressed += 1;
            return Gate::Shut;
        }
        self.passed += 1;
        Gate::Open { suppressed: std::mem::take(&mut self.suppressed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_gate_counts_what_it_holds_back() {
        let (start, mut gate) = (Instant::now(), LogGate::default());
        for _ in 0..LOG_LINES_MAX {
            assert_eq!(gate.pass(start), Gate::Open { suppressed: 0 });
        }
        assert_eq!(gate.pass(start), Gate::Shut);
        assert_eq!(gate.pass(start + LOG_INTERVAL), Gate::Open { suppressed: 1 });
    }
}
