//! What polling and storing take and come to.

use std::sync::Arc;
use std::time::Duration;

#[cfg(doc)]
use super::consumer::Consumer;
use crate::batch::NextOffset;

/// When a batch is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// At so many records.
    pub records_max: usize,
    /// At so many bytes; the record that reaches it is the last.
    pub bytes_max: usize,
    /// So long after its first record.
    pub linger: Duration,
}

/// What a poll came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Polled {
    /// The batch holds at least one record.
    Records,
    /// Nothing came within the time.
    Idle,
    /// The broker does not have the offset at which the partition stands, and the partition stands still:
    /// [`Consumer::seek`] to go on.
    OutOfRange(OutOfRange),
}

/// A partition whose position the broker does not have: retention, or a re-created topic.
///
/// A topic that was re-created and has grown past our position already is told by its id. Brokers before
/// 2.8 have no topic ids: there it is not seen here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfRange {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition within the topic.
    pub partition: i32,
    /// Where we stood: the next offset to be polled.
    pub offset: i64,
    /// The first offset that the broker has.
    pub low: i64,
    /// The offset that the next record will have.
    pub high: i64,
    /// Why the position is gone.
    pub cause: Cause,
}

/// Why a position is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The records were removed, as by retention.
    Removed,
    /// The topic was created anew: by its id, or because its log ends before our position.
    Recreated,
}

/// What storing offsets came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stored {
    /// For how many partitions an offset was stored, which will be committed.
    pub stored: usize,
    /// Those of partitions that are no longer ours, or were sought or assigned anew since: their records
    /// come again, to us or to another member.
    pub fenced: Vec<NextOffset>,
}
