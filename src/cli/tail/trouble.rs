//! What is wrong with the connection: said once, and ended with if waiting cannot help.
//!
//! A refused user, topic or protocol stays refused until a person acts. A server that cannot be reached or
//! resolved may come back. One server's certificate is final only when every server of the configuration has
//! its fault: until then another may let us in.

use std::collections::BTreeSet;
use std::io;

use super::super::{Exit, Failure};
use super::say;
use crate::escape::Escaped;
use crate::kafka::{Condition, Fault, FaultKind};

/// A fault that waiting cannot mend.
#[derive(Debug, thiserror::Error)]
#[error("{}", Escaped(&shown(.0)))]
struct FinalFault(Fault);

/// What is wrong now.
#[derive(Debug)]
pub(super) struct Trouble {
    servers: usize,
    failing: BTreeSet<(FaultKind, String)>,
}

impl Trouble {
    /// Nothing yet, with a cluster of so many configured servers.
    pub(super) fn new(servers: usize) -> Self {
        Trouble { servers, failing: BTreeSet::new() }
    }

    /// Whether anything is wrong.
    pub(super) fn is_any(&self) -> bool {
        !self.failing.is_empty()
    }

    /// Says what changed.
    ///
    /// # Errors
    /// Waiting cannot help: the fault, and exit 69.
    pub(super) fn told(&mut self, change: Condition) -> Result<(), Failure> {
        let said = match change {
            Condition::Failing(fault) => {
                self.failing.insert((fault.kind, fault.subject.clone()));
                if self.is_final(fault.kind) {
                    return Err(Failure::new(Exit::Unavailable, FinalFault(fault)));
                }
                say(&format!("{}; waiting for it", Escaped(&shown(&fault))))
            }
            Condition::Recovered { kind, subject } => {
                let line = format!("{}: works again", Escaped(&subject));
                self.failing.remove(&(kind, subject));
                say(&line)
            }
        };
        said.map_err(|error: io::Error| Failure::new(Exit::Io, error))
    }

    fn is_final(&self, kind: FaultKind) -> bool {
        match kind {
            FaultKind::SaslMechanism
            | FaultKind::SaslCredentials
            | FaultKind::TopicDenied
            | FaultKind::TopicUnknown
            | FaultKind::Fatal => true,
            FaultKind::TlsToPlaintext
            | FaultKind::PlaintextToTls
            | FaultKind::TlsUntrusted
            | FaultKind::TlsHostName
            | FaultKind::Tls => self.failing_servers() >= self.servers,
            FaultKind::Dns
            | FaultKind::Unreachable
            | FaultKind::Disconnected
            | FaultKind::GroupDenied
            | FaultKind::PollTooLate => false,
        }
    }

    fn failing_servers(&self) -> usize {
        let servers: BTreeSet<&str> = self.failing.iter().map(|(_, subject)| subject.as_str()).collect();
        servers.len()
    }
}

/// The fault as the daemon's log tells it, kind included, so that it is found in the documentation.
fn shown(fault: &Fault) -> String {
    format!("{:?}: {fault}", fault.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(kind: FaultKind, subject: &str) -> Condition {
        let (message, fix) = ("is wrong".to_owned(), "mend it".to_owned());
        Condition::Failing(Fault { kind, subject: subject.to_owned(), message, fix })
    }

    #[test]
    fn a_certificate_is_final_once_no_server_is_left() {
        let mut trouble = Trouble::new(2);
        assert!(trouble.told(failing(FaultKind::TlsUntrusted, "a:1")).is_ok());
        assert!(trouble.told(failing(FaultKind::TlsUntrusted, "b:1")).is_err());
    }

    #[test]
    fn a_refused_password_is_final_and_a_lost_server_is_not() {
        let mut trouble = Trouble::new(1);
        assert!(trouble.told(failing(FaultKind::Unreachable, "a:1")).is_ok());
        assert!(trouble.is_any());
        let subject = "a:1".to_owned();
        assert!(trouble.told(Condition::Recovered { kind: FaultKind::Unreachable, subject }).is_ok());
        assert!(!trouble.is_any());
        assert!(trouble.told(failing(FaultKind::SaslCredentials, "alice")).is_err());
    }
}
