//! What the client tells between two polls: rebalances, errors, statistics, log lines.
//!
//! Callbacks run on the polling thread while it polls. A new assignment is only noted here and started by
//! the consumer after the poll; a revocation is served at once, since the group waits for it: the owner
//! drains, what it stored is committed, and only then are the partitions given up. Lost partitions belong
//! to somebody else already: nothing is drained or committed for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::types::RDKafkaRespErr;

use super::consumer::TopicPartition;
use super::fault::{Conditions, Fault, FaultKind};
use super::lag::{BrokerState, Digest, PartitionLag, digest};
use super::probe::{self, Target};
use super::{SaslMechanism, Settings};
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

/// The owner's hook for partitions that are taken away.
pub(super) type Drain = Box<dyn FnMut(&[TopicPartition]) + Send>;

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
    names: Names,
    doctor: Option<SyncSender<()>>,
    suspects: Arc<Mutex<Suspects>>,
}

/// What faults are about.
struct Names {
    servers: Vec<String>,
    topics: Vec<String>,
    group: String,
    user: Option<(String, SaslMechanism)>,
}

/// Servers to be examined, with what the client said of them.
#[derive(Debug, Default)]
struct Suspects {
    servers: BTreeMap<String, Option<Fault>>,
    /// How often all brokers were reported down since one was last connected.
    all_down: u32,
}

const SUSPECTS_MAX: usize = 64;
/// All brokers down once or twice, and nothing wrong to be seen: a restart, or a host with two addresses.
const ALL_DOWN_TOLERATED: u32 = 3;

impl Session {
    pub(super) fn new(settings: &Settings, drain: Drain, conditions: Conditions) -> std::io::Result<Self> {
        let conditions = Arc::new(conditions);
        let suspects = Arc::new(Mutex::new(Suspects::default()));
        let doctor = start_doctor(settings, Arc::clone(&suspects), Arc::clone(&conditions))?;
        Ok(Session {
            conditions,
            drain: Mutex::new(drain),
            progress: Mutex::default(),
            rebalanced: Mutex::default(),
            has_rebalanced: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            lags: Mutex::default(),
            log_gate: Mutex::default(),
            names: Names {
                servers: settings.bootstrap_servers.clone(),
                topics: settings.topics.clone(),
                group: settings.group_id.clone(),
                user: settings.sasl.as_ref().map(|sasl| (sasl.username.clone(), sasl.mechanism)),
            },
            doctor: Some(doctor),
            suspects,
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

    /// Looks at `server`, or at all bootstrap servers, without holding up the poll.
    fn suspect(&self, server: Option<&str>, said: Option<Fault>) {
        {
            let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
            match server {
                Some(server) if suspects.servers.len() < SUSPECTS_MAX => {
                    suspects.servers.insert(server.to_owned(), said);
                }
                Some(_) => {}
                None => {
                    suspects.all_down = suspects.all_down.saturating_add(1);
                    for server in &self.names.servers {
                        suspects.servers.entry(server.clone()).or_insert(None);
                    }
                }
            }
        }
        // Full means that a look is due already, and it will see what was added here.
        if let Some(doctor) = &self.doctor {
            let _due_already = doctor.try_send(());
        }
    }

    fn diagnose(&self, code: Code, reason: &str) {
        let server = server_of(reason);
        let named = server.unwrap_or("the cluster").to_owned();
        let fault = |kind, subject: &str, message: String, fix: &str| Fault {
            kind,
            subject: subject.to_owned(),
            message,
            fix: fix.to_owned(),
        };
        match code {
            Code::Authentication => self.conditions.raise(self.login_fault(reason)),
            Code::Resolve => {
                self.conditions.raise(probe::unresolved(&named, "the resolver knows no such name"))
            }
            Code::SSL => {
                let said = fault(
                    FaultKind::Tls,
                    &named,
                    format!("TLS failed: {reason}"),
                    "check the certificates of both sides",
                );
                self.suspect(server, Some(said));
            }
            Code::BrokerTransportFailure => self.suspect(server, None),
            Code::AllBrokersDown => self.suspect(None, None),
            Code::GroupAuthorizationFailed => self.conditions.raise(fault(
                FaultKind::GroupDenied,
                &self.names.group,
                "the Kafka user may not use this consumer group".to_owned(),
                "create the group in the Kafka console (ApsaraMQ does not create groups by themselves) and \
                 grant the user Read on it, or correct `group_id`",
            )),
            Code::TopicAuthorizationFailed => self.conditions.raise(fault(
                FaultKind::TopicDenied,
                &self.topic_of(reason),
                "the Kafka user may not read this topic".to_owned(),
                "grant the user Read on the topic, or correct `topics`",
            )),
            Code::UnknownTopicOrPartition | Code::UnknownTopic => self.conditions.raise(fault(
                FaultKind::TopicUnknown,
                &self.topic_of(reason),
                "the topic does not exist on this cluster".to_owned(),
                "correct `topics`, or create the topic; it is never created by the daemon",
            )),
            Code::PollExceeded => self.conditions.raise(fault(
                FaultKind::PollTooLate,
                &self.names.group,
                "the daemon polled too late and the group took its partitions away".to_owned(),
                "find what held it up (disk, memory, a stopped process); `max.poll.interval.ms` is the limit",
            )),
            Code::Fatal => self.conditions.raise(fault(
                FaultKind::Fatal,
                &self.names.group,
                format!("the client cannot go on: {reason}"),
                "restart the daemon; two members with one `group.instance.id` cause this too",
            )),
            other => tracing::debug!(code = ?other, reason, "the Kafka client reports"),
        }
    }

    /// One code for both; only the text tells whether the mechanism or the password was refused.
    fn login_fault(&self, reason: &str) -> Fault {
        let (user, mechanism) = self
            .names
            .user
            .as_ref()
            .map_or(("(none)", "none"), |(user, mechanism)| (user.as_str(), mechanism.name()));
        if let Some((_, offered)) = reason.split_once("supported mechanisms:") {
            return Fault {
                kind: FaultKind::SaslMechanism,
                subject: mechanism.to_owned(),
                message: format!("the server does not offer this SASL mechanism, it offers:{offered}"),
                fix: "set the mechanism of the Kafka user to one that the server offers".to_owned(),
            };
        }
        Fault {
            kind: FaultKind::SaslCredentials,
            subject: user.to_owned(),
            message: format!(
                "the server does not know this Kafka user, or the {mechanism} password is wrong"
            ),
            fix: "check username and password; a Kafka user's password is shown and reset only by an Open \
                  Platform Administrator or Tenant Administrator in the Developer Backend"
                .to_owned(),
        }
    }

    /// The client names the topic only in its text.
    fn topic_of(&self, reason: &str) -> String {
        self.names
            .topics
            .iter()
            .filter(|topic| reason.contains(&format!(" {topic}: ")))
            .max_by_key(|topic| topic.len())
            .cloned()
            .unwrap_or_else(|| self.names.topics.join(", "))
    }

    fn digested(&self, digest: Digest) {
        let Digest { lags, brokers } = digest;
        *self.lags.lock().unwrap_or_else(PoisonError::into_inner) = lags;
        let any_up = brokers.values().any(|state| *state == BrokerState::Up);
        if any_up {
            self.suspects.lock().unwrap_or_else(PoisonError::into_inner).all_down = 0;
            self.conditions.clear(|kind, subject| {
                kind.is_connection() && brokers.get(subject).is_none_or(|state| *state == BrokerState::Up)
            });
        }
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

/// `sasl_ssl://host:port/bootstrap: ...` names the server that it is about.
fn server_of(reason: &str) -> Option<&str> {
    let (_, rest) = reason.split_once("://")?;
    let (server, _) = rest.split_once('/')?;
    server.contains(':').then_some(server)
}

/// A thread that examines suspected servers, at most once a second; it ends with the session.
fn start_doctor(
    settings: &Settings,
    suspects: Arc<Mutex<Suspects>>,
    conditions: Arc<Conditions>,
) -> std::io::Result<SyncSender<()>> {
    let target = Target::of(settings);
    let all = settings.bootstrap_servers.join(",");
    let (due, calls) = sync_channel::<()>(1);
    std::thread::Builder::new().name("kafka-probe".to_owned()).spawn(move || {
        while calls.recv().is_ok() {
            let (servers, all_down) = {
                let mut suspects = suspects.lock().unwrap_or_else(PoisonError::into_inner);
                (std::mem::take(&mut suspects.servers), suspects.all_down)
            };
            for (server, said) in servers {
                if let Some(fault) = target.examine(&server).or(said) {
                    conditions.raise(fault);
                }
            }
            if all_down > ALL_DOWN_TOLERATED && !conditions.any(FaultKind::is_connection) {
                conditions.raise(dropped(&all));
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    })?;
    Ok(due)
}

fn dropped(servers: &str) -> Fault {
    Fault {
        kind: FaultKind::Disconnected,
        subject: servers.to_owned(),
        message: "every broker takes the connection and drops it, or is just starting".to_owned(),
        fix: "if it lasts, check that `security_protocol` is the one of this port".to_owned(),
    }
}

impl ClientContext for Session {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, line: &str) {
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
            self.diagnose(code, reason);
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

    #[test]
    fn the_server_is_read_from_the_text_that_names_it() {
        assert_eq!(server_of("sasl_ssl://a.b:9093/bootstrap: SSL handshake failed: x"), Some("a.b:9093"));
        assert_eq!(server_of("1/1 brokers are down"), None);
    }
}
