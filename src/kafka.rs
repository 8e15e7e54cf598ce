//! The Kafka edge: the only place that names the Kafka client.
//!
//! Polls batches of records on its own thread, starts partitions where its owner says, pauses them,
//! stores offsets for commit after their records are durable, and reports what is wrong with the
//! connection by its cause and its fix.
//!
//! Next: [`crate::store`].

// The consumer: polling, storing offsets, leaving.
mod consumer;

// Why it fails.
mod error;

// What is wrong with the connection, and how to mend it.
mod fault;

// What the owner decides and is told.
mod hooks;

// How far behind we are.
mod lag;

// What polling and storing take and come to.
mod polled;

// Reading without a group.
mod tail;

// Which properties of the client a user may set.
pub mod properties;

// A broker in this process, for the demonstration.
pub mod embedded;

mod assignment;
mod configuration;
mod diagnosis;
mod probe;
mod recreated;
mod session;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

pub use configuration::ConfigurationError;
pub use consumer::Consumer;
pub use error::KafkaError;
pub use fault::{Changed, Condition, Fault, FaultKind};
pub use hooks::{Assigned, Drain, Hooks, Start, TopicPartition};
pub use lag::PartitionLag;
pub use polled::{BatchLimits, Cause, OutOfRange, Polled, Stored};
pub use tail::{Begin, Place, Tail};

/// How to reach the topics.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `host:port`, one or more.
    pub bootstrap_servers: Vec<String>,
    /// Topics to consume, one or more.
    pub topics: Vec<String>,
    /// The consumer group.
    pub group_id: String,
    /// How the connection is protected.
    pub protocol: SecurityProtocol,
    /// How we identify ourselves; with the SASL protocols only.
    pub sasl: Option<Sasl>,
    /// Certificates of the authorities that we trust, a PEM file; `None` is the system's.
    pub ssl_ca_location: Option<PathBuf>,
    /// Whether the broker's host name is checked against its certificate.
    pub ssl_endpoint_identification: EndpointIdentification,
    /// Without a heartbeat for so long the group drops us.
    pub session_timeout: Duration,
    /// Bytes that the client may hold in its queues.
    pub queue_bytes_max: usize,
    /// Further librdkafka properties, checked by [`Settings`]' owner with `kafka::properties::check`.
    pub properties: BTreeMap<String, String>,
}

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityProtocol {
    /// No protection, no user: own clusters only.
    Plaintext,
    /// A user without TLS: own clusters only.
    SaslPlaintext,
    /// TLS without a user.
    Ssl,
    /// TLS and a user.
    SaslSsl,
}

/// A Kafka user.
#[derive(Debug, Clone)]
pub struct Sasl {
    /// How the password is proven.
    pub mechanism: SaslMechanism,
    /// The user.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

/// How a password is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaslMechanism {
    /// PLAIN.
    Plain,
    /// SCRAM-SHA-256.
    ScramSha256,
    /// SCRAM-SHA-512.
    ScramSha512,
}

/// Whether the broker's host name is checked against its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointIdentification {
    /// It is.
    Https,
    /// It is not: ApsaraMQ's and DataWorks' certificates name no host.
    None,
}
