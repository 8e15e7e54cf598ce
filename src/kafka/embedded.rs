//! A broker in this process: librdkafka's mock cluster behind a front of ours.
//!
//! The mock cluster speaks Kafka over TCP, with topics, groups and commits, yet without TLS and users;
//! the front adds both, so that a client meets what it would meet at a real broker: `SASL_SSL`, PLAIN,
//! a certificate of an own authority. One broker, all in memory, on loopback, gone with [`Embedded`].
//!
//! The front guards only itself: the mock cluster listens on a loopback port of its own, plain and without
//! log-in, and takes records and commits from every program of this machine. So nothing in here is proof of
//! who wrote a record, and nothing private belongs into it. Meant for the demonstration: 5 MiB a partition,
//! then the oldest records are dropped in silence.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError as ClientError;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use secrecy::SecretString;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

mod certificate;

mod front;

mod protocol;

/// What the broker is to have.
#[derive(Debug)]
pub struct Settings {
    /// The one topic.
    pub topic: String,
    /// Its partitions.
    pub partitions: i32,
    /// The one user.
    pub username: String,
    /// Its password.
    pub password: SecretString,
}

/// Why there is no broker, or a record did not get into it.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// The certificates could not be made.
    #[error("cannot make certificates for the broker")]
    Certificate(#[source] openssl::error::ErrorStack),
    /// TLS refuses the certificate.
    #[error("cannot set up TLS for the broker")]
    Tls(#[source] tokio_rustls::rustls::Error),
    /// The mock cluster could not be started.
    #[error("cannot start the mock cluster of the Kafka client")]
    Start(#[source] ClientError),
    /// The mock cluster could not be reached, though it was started.
    #[error("the mock cluster of the Kafka client is not there")]
    Absent,
    /// The mock cluster gave no usable address.
    #[error("the mock cluster's address `{0}` is none")]
    Address(String),
    /// The topic could not be created.
    #[error("cannot create the topic {topic}")]
    CreateTopic {
        /// The topic.
        topic: String,
        /// What the client says.
        source: ClientError,
    },
    /// No port on loopback.
    #[error("cannot listen on 127.0.0.1")]
    Listen(#[source] std::io::Error),
    /// A record was refused.
    #[error("cannot put a record into partition {partition} of {topic}")]
    Put {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What the client says.
        source: ClientError,
    },
}

/// A record to put into the topic.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// The partition.
    pub partition: i32,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The key.
    pub key: String,
    /// The payload.
    pub payload: String,
}

/// The running broker. Dropping it ends it.
pub struct Embedded {
    topic: String,
    /// Holds the mock cluster as well, which lives as long as this.
    producer: FutureProducer,
    address: SocketAddr,
    authority: String,
    accepting: JoinHandle<()>,
}

/// A record is in the topic within this, or never.
const PUT_TIMEOUT: Duration = Duration::from_secs(5);

impl Embedded {
    /// Starts the broker with its topic.
    ///
    /// # Errors
    /// All but [`EmbeddedError::Put`].
    pub async fn start(settings: Settings) -> Result<Self, EmbeddedError> {
        let issued = certificate::issue().map_err(EmbeddedError::Certificate)?;
        // A client with this property brings its own cluster and is connected to it.
        let producer: FutureProducer = ClientConfig::new()
            .set("test.mock.num.brokers", "1")
            .set("message.timeout.ms", PUT_TIMEOUT.as_millis().to_string())
            .set("linger.ms", "0")
            .create()
            .map_err(EmbeddedError::Start)?;
        let broker = {
            let cluster = producer.client().mock_cluster().ok_or(EmbeddedError::Absent)?;
            cluster
                .create_topic(&settings.topic, settings.partitions, 1)
                .map_err(|source| EmbeddedError::CreateTopic { topic: settings.topic.clone(), source })?;
            let servers = cluster.bootstrap_servers();
            servers.parse().map_err(|_| EmbeddedError::Address(servers))?
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(EmbeddedError::Listen)?;
        let address = listener.local_addr().map_err(EmbeddedError::Listen)?;
        let authority = issued.authority.clone();
        let front = front::Front {
            tls: front::acceptor(issued).map_err(EmbeddedError::Tls)?,
            username: settings.username,
            password: settings.password,
            broker,
            port: address.port(),
        };
        let accepting = tokio::spawn(front::accept(listener, Arc::new(front)));
        Ok(Embedded { topic: settings.topic, producer, address, authority, accepting })
    }

    /// Where clients connect, by `SASL_SSL`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of the authority that clients have to trust, PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Puts a record into the topic, waits until it is there, and gives its offset.
    ///
    /// # Errors
    /// [`EmbeddedError::Put`].
    pub async fn put(&self, record: &NewRecord) -> Result<i64, EmbeddedError> {
        let new = FutureRecord::to(&self.topic)
            .partition(record.partition)
            .timestamp(record.timestamp_ms)
            .key(&record.key)
            .payload(&record.payload);
        let delivered = self.producer.send(new, PUT_TIMEOUT).await;
        delivered.map(|delivery| delivery.offset).map_err(|(source, _)| EmbeddedError::Put {
            topic: self.topic.clone(),
            partition: record.partition,
            source,
        })
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("address", &self.address).finish_non_exhaustive()
    }
}
