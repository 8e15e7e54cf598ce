//! From what the client says to what is wrong.
//!
//! Errors are told apart by code; by text only where there is no code. What the client cannot tell is found
//! out by a probe, on a thread of its own, so that no poll waits for it.

use std::collections::BTreeMap;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode as Code;

use super::fault::{Conditions, Fault, FaultKind};
use super::lag::BrokerState;
use super::probe::{self, Target};
use super::{SaslMechanism, Settings};

/// Finds the fault behind the client's errors and raises it.
pub(super) struct Diagnosis {
    conditions: Arc<Conditions>,
    names: Names,
    doctor: SyncSender<()>,
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

impl Diagnosis {
    pub(super) fn new(settings: &Settings, conditions: Arc<Conditions>) -> std::io::Result<Self> {
        let suspects = Arc::new(Mutex::new(Suspects::default()));
        let doctor = start_doctor(settings, Arc::clone(&suspects), Arc::clone(&conditions))?;
        let names = Names {
            servers: settings.bootstrap_servers.clone(),
            topics: settings.topics.clone(),
            group: settings.group_id.clone(),
            user: settings.sasl.as_ref().map(|sasl| (sasl.username.clone(), sasl.mechanism)),
        };
        Ok(Diagnosis { conditions, names, doctor, suspects })
    }

    /// Takes the state of the brokers. Where one is connected and has let us in, what was wrong with it, and
    /// with servers that are gone, is over.
    pub(super) fn seen(&self, brokers: &BTreeMap<String, BrokerState>) {
        if !brokers.values().any(|state| *state == BrokerState::Up) {
            return;
        }
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner).all_down = 0;
        self.conditions.clear(|kind, subject| {
            kind.is_connection() && brokers.get(subject).is_none_or(|state| *state == BrokerState::Up)
        });
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
        let _due_already = self.doctor.try_send(());
    }

    /// Takes what the client said and finds out what it means.
    pub(super) fn said(&self, code: Code, reason: &str) {
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
                self.conditions.raise(probe::unresolved(&named, "the resolver knows no such name"));
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
            Code::TopicAuthorizationFailed => self.topic_denied(&self.topic_of(reason)),
            Code::UnknownTopicOrPartition | Code::UnknownTopic => self.topic_unknown(&self.topic_of(reason)),
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

    /// The user may not read `topic`.
    pub(super) fn topic_denied(&self, topic: &str) {
        self.conditions.raise(Fault {
            kind: FaultKind::TopicDenied,
            subject: topic.to_owned(),
            message: "the Kafka user may not read this topic".to_owned(),
            fix: "grant the user Read on the topic, or correct `topics`".to_owned(),
        });
    }

    /// There is no `topic`.
    pub(super) fn topic_unknown(&self, topic: &str) {
        self.conditions.raise(Fault {
            kind: FaultKind::TopicUnknown,
            subject: topic.to_owned(),
            message: "the topic does not exist on this cluster".to_owned(),
            fix: "correct `topics`, or create the topic; it is never created by the daemon".to_owned(),
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_read_from_the_text_that_names_it() {
        assert_eq!(server_of("sasl_ssl://a.b:9093/bootstrap: SSL handshake failed: x"), Some("a.b:9093"));
        assert_eq!(server_of("1/1 brokers are down"), None);
    }
}
