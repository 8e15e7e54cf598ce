//! Why the Kafka edge fails.
//!
//! What is wrong with the connection is no error here: it comes and goes, and is told through
//! [`super::hooks::Hooks`] as a condition.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};

use super::configuration::ConfigurationError;
use super::properties::PropertyError;

/// Why the Kafka edge failed.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// The settings make no client.
    #[error(transparent)]
    Configure(#[from] ConfigurationError),
    /// Properties that cannot be passed through.
    #[error("properties of the Kafka client cannot be used: {}", list(.0))]
    Properties(Vec<PropertyError>),
    /// The client could not be made.
    #[error("cannot create the Kafka client")]
    Create(#[source] ClientError),
    /// The thread that examines servers could not be started.
    #[error("cannot start a thread for the Kafka client")]
    Thread(#[source] std::io::Error),
    /// The subscription was refused by the client.
    #[error("cannot subscribe to {topics}")]
    Subscribe {
        /// The topics.
        topics: String,
        /// What the client says.
        source: ClientError,
    },
    /// The group's committed offsets could not be read; the next poll tries again.
    #[error("cannot read the committed offsets of group {group}")]
    FetchCommitted {
        /// The group.
        group: String,
        /// What the client says.
        source: ClientError,
    },
    /// The ends of a partition could not be read; the next poll tries again.
    #[error("cannot read the first and last offset of {topic} [{partition}]")]
    FetchWatermarks {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// What the client says.
        source: ClientError,
    },
    /// The offsets of a moment could not be read; the next try may.
    #[error("cannot read the offsets of that time")]
    FetchTimes(#[source] ClientError),
    /// The client could not tell how far it has read.
    #[error("cannot tell how far the partitions have been read")]
    Position(#[source] ClientError),
    /// The owner could not decide where to start; the next poll tries again.
    #[error("cannot decide where to start: {reason}")]
    Start {
        /// What the owner says.
        reason: String,
    },
    /// The client did not take the assignment; the next poll tries again.
    #[error("cannot start the assigned partitions")]
    Assign(#[source] ClientError),
    /// Offsets could not be stored.
    #[error("cannot store offsets for commit")]
    StoreOffsets(#[source] ClientError),
    /// Partitions could not be paused or resumed.
    #[error("cannot pause or resume the partitions")]
    Pause(#[source] ClientError),
    /// A partition that is not assigned cannot be sought.
    #[error("cannot seek in {topic} [{partition}]: it is not assigned to us")]
    NotAssigned {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// The client cannot go on; a new one is needed.
    #[error("the Kafka client cannot go on: {reason} ({code:?})")]
    Fatal {
        /// librdkafka's code.
        code: Code,
        /// librdkafka's text.
        reason: String,
    },
    /// The group was not left in time; the broker will notice by the session time-out.
    #[error("the consumer group was not left within {} ms", .deadline.as_millis())]
    Close {
        /// The time there was.
        deadline: Duration,
    },
}

fn list(errors: &[PropertyError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
