//! The consumer: polling, starting partitions, storing offsets, leaving.
//!
//! One dedicated thread polls; every other method may be called from anywhere. A partition starts exactly
//! where the owner's `start` hook says, after it was told what is committed and what the broker holds.
//! Offsets are committed only from what [`Consumer::store_offsets`] was given, in the background, on
//! revocation and when leaving. What was polled before a revocation or a seek can no longer move them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};

use super::Settings;
use super::configuration::{ConfigurationError, client_config};
use super::fault::{Condition, Conditions};
use super::lag::PartitionLag;
use super::properties::{self, PropertyError};
use super::session::{Progress, Session};
use crate::batch::{Epoch, NextOffset, RecordBatch};
use crate::record::{Headers, Record};

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
    pub drain: Box<dyn FnMut(&[TopicPartition]) + Send>,
    /// What is wrong with the connection changed; called from any thread.
    pub condition: Box<dyn Fn(Condition) + Send + Sync>,
}

/// The hook that decides where partitions start.
pub type Start = Box<dyn FnMut(&[Assigned]) -> Result<Vec<i64>, String> + Send>;

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
    /// The offset that the next record will have. Below `offset` the topic was re-created.
    pub high: i64,
}

/// What storing offsets came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stored {
    /// How many were stored and will be committed.
    pub stored: usize,
    /// Those of partitions that are no longer ours, or were sought or assigned anew since: their records
    /// come again, to us or to another member.
    pub fenced: Vec<NextOffset>,
}

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

/// A member of a consumer group.
pub struct Consumer {
    client: Arc<BaseConsumer<Session>>,
    polling: Mutex<Polling>,
    paused: AtomicBool,
    epochs: AtomicU64,
    group: String,
}

/// What only the polling thread uses.
struct Polling {
    start: Start,
    /// Assigned, and not started yet because something failed.
    pending: Option<Vec<TopicPartition>>,
    retry_at: Option<Instant>,
    out_of_range: VecDeque<OutOfRange>,
}

/// Facts about an assignment come from a group coordinator that may be electing itself.
const FACTS_TIMEOUT: Duration = Duration::from_secs(10);
/// A failed start is tried again after this time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Consumer {
    /// Makes a client and subscribes it. Nothing is connected yet when this returns: what is wrong with
    /// the connection comes through [`Hooks::condition`].
    pub fn new(settings: &Settings, hooks: Hooks) -> Result<Self, KafkaError> {
        properties::check(&settings.properties).map_err(KafkaError::Properties)?;
        let config = client_config(settings)?;
        let Hooks { start, drain, condition } = hooks;
        let session =
            Session::new(settings, drain, Conditions::new(condition)).map_err(KafkaError::Thread)?;
        let client: BaseConsumer<Session> =
            config.create_with_context(session).map_err(KafkaError::Create)?;
        let topics: Vec<&str> = settings.topics.iter().map(String::as_str).collect();
        client
            .subscribe(&topics)
            .map_err(|source| KafkaError::Subscribe { topics: topics.join(", "), source })?;
        Ok(Consumer {
            client: Arc::new(client),
            polling: Mutex::new(Polling {
                start,
                pending: None,
                retry_at: None,
                out_of_range: VecDeque::new(),
            }),
            paused: AtomicBool::new(false),
            epochs: AtomicU64::new(0),
            group: settings.group_id.clone(),
        })
    }

    /// Fills `batch` anew until a limit is reached, or `wait` passed without a record. Also serves
    /// rebalances, errors and statistics, so it must be called while paused too.
    ///
    /// # Errors
    ///
    /// All but [`KafkaError::Fatal`] may pass; polling again is right.
    pub fn poll_batch(
        &self,
        batch: &mut RecordBatch,
        limits: &BatchLimits,
        wait: Duration,
    ) -> Result<Polled, KafkaError> {
        let mut polling = self.polling.lock().unwrap_or_else(PoisonError::into_inner);
        batch.clear();
        self.start_pending(&mut polling)?;
        if let Some(found) = polling.out_of_range.pop_front() {
            return Ok(Polled::OutOfRange(found));
        }
        let mut deadline = Instant::now() + wait;
        while batch.len() < limits.records_max && batch.byte_len() < limits.bytes_max {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.client.poll(left) {
                Some(Ok(message)) => {
                    if batch.is_empty() {
                        deadline = Instant::now() + limits.linger;
                    }
                    push(batch, &message);
                    continue;
                }
                Some(Err(ClientError::MessageConsumption(Code::AutoOffsetReset))) => {
                    self.finish(batch);
                    self.find_out_of_range(&mut polling)?;
                    break;
                }
                // The session has been told by its callback, with the full text.
                Some(Err(error)) => self.refuse_fatal(&error)?,
                None => {}
            }
            self.settle(&mut polling, batch)?;
            if Instant::now() >= deadline {
                break;
            }
        }
        self.finish(batch);
        match (batch.is_empty(), polling.out_of_range.is_empty()) {
            (false, _) => Ok(Polled::Records),
            (true, true) => Ok(Polled::Idle),
            (true, false) => Ok(polling.out_of_range.pop_front().map_or(Polled::Idle, Polled::OutOfRange)),
        }
    }

    /// Marks offsets as ready for commit: everything before them is durable.
    ///
    /// # Errors
    ///
    /// Only if the client fails; offsets that are no longer ours to commit are reported as fenced.
    pub fn store_offsets(&self, offsets: &[NextOffset]) -> Result<Stored, KafkaError> {
        let mut result = Stored::default();
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        let mut progress = self.client.context().progress();
        for next in offsets {
            let key = TopicPartition { topic: Arc::clone(&next.topic), partition: next.partition };
            match progress.get_mut(&key) {
                Some(known) if known.epoch == next.epoch => {
                    // Batches may become durable out of order; the commit never goes back.
                    known.stored = known.stored.max(next.offset);
                    list.add_partition_offset(&next.topic, next.partition, Offset::Offset(known.stored))
                        .map_err(KafkaError::StoreOffsets)?;
                }
                _ => result.fenced.push(next.clone()),
            }
        }
        if list.count() > 0 {
            // The progress stays locked, so that no revocation comes between the check and the store. Of a
            // partition that the client has lost meanwhile it says so in the list.
            match self.client.store_offsets(&list) {
                Ok(()) | Err(ClientError::StoreOffset(Code::State | Code::UnknownPartition)) => {}
                Err(error) => return Err(KafkaError::StoreOffsets(error)),
            }
        }
        for element in list.elements() {
            if element.error().is_ok() {
                result.stored += 1;
            } else if let Some(next) =
                offsets.iter().find(|n| *n.topic == *element.topic() && n.partition == element.partition())
            {
                result.fenced.push(next.clone());
            }
        }
        Ok(result)
    }

    /// Stops fetching from all assigned partitions, and from those assigned later; go on polling.
    pub fn pause(&self) -> Result<(), KafkaError> {
        self.paused.store(true, Ordering::Release);
        self.client.pause(&self.assigned()?).map_err(KafkaError::Pause)
    }

    /// Fetches again.
    pub fn resume(&self) -> Result<(), KafkaError> {
        self.paused.store(false, Ordering::Release);
        self.client.resume(&self.assigned()?).map_err(KafkaError::Pause)
    }

    /// Goes on at `offset` in one partition; call it from the polling thread, between polls. Offsets of
    /// what was polled before are fenced.
    pub fn seek(&self, topic: &str, partition: i32, offset: i64) -> Result<(), KafkaError> {
        let key = TopicPartition { topic: Arc::from(topic), partition };
        let epoch = self.next_epoch();
        match self.client.context().progress().get_mut(&key) {
            Some(known) => *known = Progress { epoch, next: offset, stored: offset },
            None => return Err(KafkaError::NotAssigned { topic: topic.to_owned(), partition }),
        }
        // The client refuses to seek in a partition that stands out of range, and cannot be told to take
        // one partition anew: so all are assigned anew where they stand.
        self.assign()
    }

    /// How far behind each assigned partition is, by the last statistics.
    pub fn lag(&self) -> Vec<PartitionLag> {
        self.client.context().lags()
    }

    /// Leaves the group: drains through the hook, commits what is stored. Call it from the polling thread,
    /// as the last thing.
    ///
    /// # Errors
    ///
    /// [`KafkaError::Close`] past the deadline. The client is then left to the end of the process.
    pub fn close(&self, deadline: Duration) -> Result<(), KafkaError> {
        let until = Instant::now() + deadline;
        self.client.context().closing.store(true, Ordering::Release);
        if let Err(error) = self.client.close_queue() {
            // A client with a fatal error cannot leave; the broker has put it out already.
            tracing::debug!(%error, "the group cannot be left in order");
            return Ok(());
        }
        while !self.client.closed() {
            if Instant::now() >= until {
                // Dropping the client would wait for the group without a limit.
                std::mem::forget(Arc::clone(&self.client));
                return Err(KafkaError::Close { deadline });
            }
            // Records that come now belong to nobody here: their offsets are not stored.
            drop(self.client.poll(Duration::from_millis(50)));
        }
        Ok(())
    }

    /// Acts on what happened during the last poll.
    fn settle(
        &self,
        polling: &mut MutexGuard<'_, Polling>,
        batch: &mut RecordBatch,
    ) -> Result<(), KafkaError> {
        if !self.client.context().has_rebalanced.load(Ordering::Acquire) {
            return Ok(());
        }
        let change = self.client.context().take_rebalanced();
        if change.revoked {
            // The drain hook has not seen these records: whoever gets the partitions gets them.
            batch.clear();
            polling.out_of_range.clear();
            polling.pending = None;
        }
        if let Some(assigned) = change.assigned {
            polling.pending = Some(assigned);
            polling.retry_at = None;
            self.start_pending(polling)?;
        }
        Ok(())
    }

    fn start_pending(&self, polling: &mut MutexGuard<'_, Polling>) -> Result<(), KafkaError> {
        if polling.retry_at.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        let Some(pending) = polling.pending.take() else { return Ok(()) };
        let result = self.start(&pending, &mut polling.start);
        polling.retry_at = None;
        if result.is_err() {
            // The group must not wait for us while we cannot start.
            if let Err(error) = self.client.unassign() {
                tracing::debug!(%error, "cannot clear an assignment that could not be started");
            }
            polling.pending = Some(pending);
            polling.retry_at = Some(Instant::now() + RETRY_AFTER);
        }
        result
    }

    fn start(&self, pending: &[TopicPartition], start: &mut Start) -> Result<(), KafkaError> {
        let facts = self.facts(pending)?;
        let offsets = start(&facts).map_err(|reason| KafkaError::Start { reason })?;
        if offsets.len() != pending.len() || offsets.iter().any(|offset| *offset < 0) {
            let reason = format!("{} partitions, starts {offsets:?}", pending.len());
            return Err(KafkaError::Start { reason });
        }
        {
            let mut progress = self.client.context().progress();
            progress.clear();
            for (partition, offset) in pending.iter().zip(offsets) {
                let epoch = self.next_epoch();
                progress.insert(partition.clone(), Progress { epoch, next: offset, stored: offset });
            }
        }
        self.assign()?;
        self.client.context().started(&pending.iter().map(|p| &*p.topic).collect::<BTreeSet<_>>());
        Ok(())
    }

    fn facts(&self, pending: &[TopicPartition]) -> Result<Vec<Assigned>, KafkaError> {
        let mut list = TopicPartitionList::with_capacity(pending.len());
        for partition in pending {
            list.add_partition(&partition.topic, partition.partition);
        }
        let fail = |source| KafkaError::FetchCommitted { group: self.group.clone(), source };
        let committed = self.client.committed_offsets(list, FACTS_TIMEOUT).map_err(fail)?;
        pending
            .iter()
            .map(|TopicPartition { topic, partition }| {
                let committed = match committed.find_partition(topic, *partition) {
                    Some(element) => {
                        element.error().map_err(fail)?;
                        element.offset().to_raw().filter(|offset| *offset >= 0)
                    }
                    None => None,
                };
                let (low, high) = self.watermarks(topic, *partition)?;
                Ok(Assigned { topic: Arc::clone(topic), partition: *partition, committed, low, high })
            })
            .collect()
    }

    fn watermarks(&self, topic: &Arc<str>, partition: i32) -> Result<(i64, i64), KafkaError> {
        self.client
            .fetch_watermarks(topic, partition, FACTS_TIMEOUT)
            .map_err(|source| KafkaError::FetchWatermarks { topic: Arc::clone(topic), partition, source })
    }

    /// Assigns every partition where it stands.
    fn assign(&self) -> Result<(), KafkaError> {
        let list = self.assigned()?;
        self.client.assign(&list).map_err(KafkaError::Assign)?;
        if self.paused.load(Ordering::Acquire) {
            self.client.pause(&list).map_err(KafkaError::Pause)?;
        }
        Ok(())
    }

    fn assigned(&self) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::new();
        for (key, known) in self.client.context().progress().iter() {
            list.add_partition_offset(&key.topic, key.partition, Offset::Offset(known.next))
                .map_err(KafkaError::Assign)?;
        }
        Ok(list)
    }

    /// The client says that some partition is out of range, not which: those whose position the broker
    /// does not have.
    fn find_out_of_range(&self, polling: &mut MutexGuard<'_, Polling>) -> Result<(), KafkaError> {
        let standing: Vec<_> =
            self.client.context().progress().iter().map(|(key, known)| (key.clone(), known.next)).collect();
        polling.out_of_range.clear();
        for (TopicPartition { topic, partition }, offset) in standing {
            let (low, high) = self.watermarks(&topic, partition)?;
            if offset < low || offset > high {
                polling.out_of_range.push_back(OutOfRange { topic, partition, offset, low, high });
            }
        }
        if polling.out_of_range.is_empty() {
            // Records came meanwhile and the position is valid again; the client has stopped there.
            return self.assign();
        }
        Ok(())
    }

    /// Notes how far the batch went, and under which assignment.
    fn finish(&self, batch: &mut RecordBatch) {
        if batch.is_empty() {
            return;
        }
        let mut progress = self.client.context().progress();
        batch.stamp(|range| {
            let key = TopicPartition { topic: Arc::clone(&range.topic), partition: range.partition };
            progress.get_mut(&key).map_or(Epoch::default(), |known| {
                known.next = range.last.saturating_add(1);
                known.epoch
            })
        });
    }

    fn refuse_fatal(&self, error: &ClientError) -> Result<(), KafkaError> {
        let ClientError::MessageConsumptionFatal(code) = error else { return Ok(()) };
        let (code, reason) = self.client.client().fatal_error().unwrap_or_else(|| (*code, error.to_string()));
        Err(KafkaError::Fatal { code, reason })
    }

    fn next_epoch(&self) -> Epoch {
        // From 1: an epoch of 0 belongs to no assignment.
        Epoch(self.epochs.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// The one copy of a record's bytes.
fn push(batch: &mut RecordBatch, message: &BorrowedMessage<'_>) {
    batch.push(&Record {
        topic: message.topic(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().filter(|ms| *ms >= 0),
        key: message.key(),
        headers: Headers::NONE,
        payload: message.payload().unwrap_or_default(),
    });
    let Some(headers) = message.headers() else { return };
    for index in 0..headers.count() {
        // The client library panics on a header whose name is not UTF-8. Anybody who may write to the topic
        // can send one, and it must not stop us: such a header is kept as one without a readable name.
        let header = std::panic::catch_unwind(|| headers.try_get(index));
        match header {
            Ok(Some(header)) => batch.push_header(header.key, header.value),
            Ok(None) => {}
            Err(_) => batch.push_header("\u{fffd}", None),
        }
    }
}
