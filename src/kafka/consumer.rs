//! The consumer: polling, starting partitions, storing offsets, leaving.
//!
//! One dedicated thread polls; every other method may be called from anywhere. A partition starts exactly
//! where the owner's `start` hook says, after it was told what is committed and what the broker holds.
//! Offsets are committed only from what [`Consumer::store_offsets`] was given, in the background, on
//! revocation and when leaving. What was polled before a revocation or a seek can no longer move them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};

use super::Settings;
use super::configuration::client_config;
use super::error::KafkaError;
use super::fault::Conditions;
use super::hooks::{Hooks, Start, TopicPartition};
use super::lag::PartitionLag;
use super::polled::{BatchLimits, OutOfRange, Polled, Stored};
use super::properties;
use super::session::{Progress, Session};
use crate::batch::{Epoch, NextOffset, RecordBatch};
use crate::record::{Headers, Record};

/// A member of a consumer group.
pub struct Consumer {
    pub(super) client: Arc<BaseConsumer<Session>>,
    polling: Mutex<Polling>,
    pub(super) paused: AtomicBool,
    pub(super) epochs: AtomicU64,
    pub(super) group: String,
}

/// What only the polling thread uses.
pub(super) struct Polling {
    pub(super) start: Start,
    /// Assigned, and not started yet because something failed.
    pub(super) pending: Option<Vec<TopicPartition>>,
    pub(super) retry_at: Option<Instant>,
    /// Some partition is out of range, and it is not known yet which.
    pub(super) stands_still: bool,
    pub(super) out_of_range: VecDeque<OutOfRange>,
}

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
                stands_still: false,
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
        if polling.stands_still {
            self.find_out_of_range(&mut polling)?;
            polling.stands_still = false;
        }
        self.find_recreated(&mut polling)?;
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
                    // Told once only. Asking the broker may fail, and must not cost the records above: the
                    // next poll asks, as often as it takes.
                    polling.stands_still = true;
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
        if self.client.context().recreated.is_changed() {
            // They may be of the new log, read from the old position: all come again after the seek.
            batch.clear();
        }
        self.finish(batch);
        Ok(if batch.is_empty() { Polled::Idle } else { Polled::Records })
    }

    /// Marks offsets as ready for commit: everything before them is durable.
    ///
    /// # Errors
    ///
    /// Only if the client fails; offsets that are no longer ours to commit are reported as fenced.
    pub fn store_offsets(&self, offsets: &[NextOffset]) -> Result<Stored, KafkaError> {
        let mut result = Stored::default();
        let mut progress = self.client.context().progress();
        // One entry a partition: of several the client would keep the last, and batches may become durable
        // out of order.
        let mut ours: BTreeMap<TopicPartition, i64> = BTreeMap::new();
        for next in offsets {
            let key = TopicPartition { topic: Arc::clone(&next.topic), partition: next.partition };
            match progress.get_mut(&key) {
                Some(known) if known.epoch == next.epoch => {
                    known.stored = known.stored.max(next.offset);
                    ours.insert(key, known.stored);
                }
                _ => result.fenced.push(next.clone()),
            }
        }
        let mut list = TopicPartitionList::with_capacity(ours.len());
        for (TopicPartition { topic, partition }, offset) in &ours {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
                .map_err(KafkaError::StoreOffsets)?;
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
            } else {
                let same =
                    |n: &&NextOffset| *n.topic == *element.topic() && n.partition == element.partition();
                result.fenced.extend(offsets.iter().filter(same).cloned());
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
    fn settle(&self, polling: &mut Polling, batch: &mut RecordBatch) -> Result<(), KafkaError> {
        if !self.client.context().has_rebalanced.load(Ordering::Acquire) {
            return Ok(());
        }
        let change = self.client.context().take_rebalanced();
        if change.revoked {
            // The drain hook has not seen these records: whoever gets the partitions gets them.
            batch.clear();
            polling.out_of_range.clear();
            polling.stands_still = false;
            polling.pending = None;
        }
        if let Some(assigned) = change.assigned {
            // Every partition starts anew, and what fails from here on must not cost records.
            batch.clear();
            polling.pending = Some(assigned);
            polling.retry_at = None;
            self.start_pending(polling)?;
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
}

/// The one copy of a record's bytes.
pub(super) fn push(batch: &mut RecordBatch, message: &BorrowedMessage<'_>) {
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
