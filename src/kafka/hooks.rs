//! What the owner of a consumer decides and is told: where partitions start, when they go, what is wrong.

use std::sync::Arc;

use super::fault::Changed;

/// One partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition within the topic.
    pub partition: i32,
}

/// A partition given to us, and what is known to decide where it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition within the topic.
    pub partition: i32,
    /// The group's committed offset, if it has one.
    pub committed: Option<i64>,
    /// The first offset that the broker still has.
    pub low: i64,
    /// The offset that the next record will have.
    pub high: i64,
}

/// What the owner does when asked.
pub struct Hooks {
    /// Where each assigned partition starts, in the same order; called on the polling thread. An error
    /// keeps the partitions from being consumed and comes back from the poll, which tries again.
    pub start: Start,
    /// The partitions are about to be given up: block until what is in flight is durable and its offsets
    /// are stored. Called on the polling thread.
    pub drain: Drain,
    /// What is wrong with the connection changed; called from any thread.
    pub condition: Changed,
}

/// The hook that decides where partitions start.
pub type Start = Box<dyn FnMut(&[Assigned]) -> Result<Vec<i64>, String> + Send>;

/// The hook for partitions that are taken away.
pub type Drain = Box<dyn FnMut(&[TopicPartition]) + Send>;
