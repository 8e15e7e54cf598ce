//! What is wrong with the connection, by the layer that failed, and how to mend it.
//!
//! The client reports a problem once and then is silent, or twenty times a second. [`Conditions`] keeps
//! what is wrong now and tells its owner only of changes.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A change of what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Something went wrong that was fine, or unknown, before.
    Failing(Fault),
    /// Something that was wrong is fine again.
    Recovered {
        /// What had been wrong.
        kind: FaultKind,
        /// With which server, topic or group.
        subject: String,
    },
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which layer failed, and how.
    pub kind: FaultKind,
    /// The server (`host:port`), topic, group or user that it is about.
    pub subject: String,
    /// What was seen, a lowercase fragment.
    pub message: String,
    /// How to mend it, a lowercase fragment.
    pub fix: String,
}

/// Which layer failed, and how; in the order in which a connection passes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// The host name does not resolve.
    Dns,
    /// No TCP connection: refused, or no answer.
    Unreachable,
    /// We speak TLS, the server does not.
    TlsToPlaintext,
    /// The server speaks TLS, we do not.
    PlaintextToTls,
    /// The server's certificate comes from no authority that we trust.
    TlsUntrusted,
    /// The certificate is trusted and names other hosts, or none.
    TlsHostName,
    /// TLS failed otherwise: expired certificate, no common cipher, client certificate refused.
    Tls,
    /// The server takes connections and drops them.
    Disconnected,
    /// The server does not offer our SASL mechanism.
    SaslMechanism,
    /// Unknown user or wrong password.
    SaslCredentials,
    /// The user may not use the group.
    GroupDenied,
    /// The user may not read the topic.
    TopicDenied,
    /// The topic does not exist.
    TopicUnknown,
    /// We polled too late, and the group went on without us.
    PollTooLate,
    /// The client cannot go on.
    Fatal,
}

impl FaultKind {
    /// Its name in logs, in the audit and in the documentation: it stays when the code is renamed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FaultKind::Dns => "Dns",
            FaultKind::Unreachable => "Unreachable",
            FaultKind::TlsToPlaintext => "TlsToPlaintext",
            FaultKind::PlaintextToTls => "PlaintextToTls",
            FaultKind::TlsUntrusted => "TlsUntrusted",
            FaultKind::TlsHostName => "TlsHostName",
            FaultKind::Tls => "Tls",
            FaultKind::Disconnected => "Disconnected",
            FaultKind::SaslMechanism => "SaslMechanism",
            FaultKind::SaslCredentials => "SaslCredentials",
            FaultKind::GroupDenied => "GroupDenied",
            FaultKind::TopicDenied => "TopicDenied",
            FaultKind::TopicUnknown => "TopicUnknown",
            FaultKind::PollTooLate => "PollTooLate",
            FaultKind::Fatal => "Fatal",
        }
    }

    /// Whether it is over once a server is connected and authenticated.
    pub(super) fn is_connection(self) -> bool {
        self <= FaultKind::SaslCredentials
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.subject, self.message, self.fix)
    }
}

/// What is wrong now; tells of changes only.
pub(super) struct Conditions {
    active: Mutex<BTreeSet<(FaultKind, String)>>,
    changed: Changed,
}

/// The hook that is told of changes, from any thread.
pub type Changed = Box<dyn Fn(Condition) + Send + Sync>;

/// More faults at once than a cluster has brokers and topics: the rest would add nothing.
const ACTIVE_MAX: usize = 256;

impl Conditions {
    pub(super) fn new(changed: Changed) -> Self {
        Conditions { active: Mutex::default(), changed }
    }

    /// Something is wrong; told once.
    pub(super) fn raise(&self, fault: Fault) {
        let new = {
            let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
            active.len() < ACTIVE_MAX && active.insert((fault.kind, fault.subject.clone()))
        };
        if new {
            (self.changed)(Condition::Failing(fault));
        }
    }

    /// Whether something is wrong for which `matches` holds.
    pub(super) fn any(&self, matches: impl Fn(FaultKind) -> bool) -> bool {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|(kind, _)| matches(*kind))
    }

    /// What is wrong and fits `over` is fine again.
    pub(super) fn clear(&self, over: impl Fn(FaultKind, &str) -> bool) {
        let ended: Vec<_> = {
            let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
            if active.is_empty() {
                return;
            }
            let ended = active.iter().filter(|(kind, subject)| over(*kind, subject)).cloned().collect();
            active.retain(|(kind, subject)| !over(*kind, subject));
            ended
        };
        for (kind, subject) in ended {
            (self.changed)(Condition::Recovered { kind, subject });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn fault(kind: FaultKind, subject: &str) -> Fault {
        Fault { kind, subject: subject.into(), message: "is down".into(), fix: "start it".into() }
    }

    #[test]
    fn a_fault_is_told_once_and_its_end_once() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&told);
        let conditions = Conditions::new(Box::new(move |change| sink.lock().expect("no panic").push(change)));
        for _ in 0..20 {
            conditions.raise(fault(FaultKind::Unreachable, "h:1"));
        }
        conditions.raise(fault(FaultKind::TopicUnknown, "t"));
        for _ in 0..2 {
            conditions.clear(|kind, subject| kind.is_connection() && subject == "h:1");
        }
        assert!(!conditions.any(FaultKind::is_connection));
        let recovered = Condition::Recovered { kind: FaultKind::Unreachable, subject: "h:1".into() };
        assert_eq!(
            *told.lock().expect("no panic"),
            [
                Condition::Failing(fault(FaultKind::Unreachable, "h:1")),
                Condition::Failing(fault(FaultKind::TopicUnknown, "t")),
                recovered
            ]
        );
    }
}
