//! Starting partitions: the facts, the owner's decision, and exactly those offsets.
//!
//! What fails here is tried again by a later poll; until then nothing is assigned, so that the group does
//! not wait for us and nothing is consumed from a place that nobody decided.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::{Offset, TopicPartitionList};

use super::consumer::{Consumer, Polling};
use super::error::KafkaError;
use super::hooks::{Assigned, Start, TopicPartition};
use super::polled::{Cause, OutOfRange};
use super::session::Progress;
use crate::batch::Epoch;

/// Facts about an assignment come from a group coordinator that may be electing itself.
const FACTS_TIMEOUT: Duration = Duration::from_secs(10);
/// A failed start is tried again after this time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Consumer {
    pub(super) fn start_pending(&self, polling: &mut Polling) -> Result<(), KafkaError> {
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
        let recreated = &self.client.context().recreated;
        let distrusted = recreated.distrusted();
        let mut facts = self.facts(pending)?;
        for partition in facts.iter_mut().filter(|partition| distrusted.contains(&*partition.topic)) {
            // What we committed on giving the partition up stands in the log that is gone.
            partition.committed = None;
        }
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
        recreated.forget_changed(&distrusted);
        recreated.started_anew(pending.iter().map(|p| &*p.topic));
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
    pub(super) fn assign(&self) -> Result<(), KafkaError> {
        let list = self.assigned()?;
        self.client.assign(&list).map_err(KafkaError::Assign)?;
        if self.paused.load(Ordering::Acquire) {
            self.client.pause(&list).map_err(KafkaError::Pause)?;
        }
        Ok(())
    }

    pub(super) fn assigned(&self) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::new();
        for (key, known) in self.client.context().progress().iter() {
            list.add_partition_offset(&key.topic, key.partition, Offset::Offset(known.next))
                .map_err(KafkaError::Assign)?;
        }
        Ok(list)
    }

    /// The client says that some partition is out of range, not which: those whose position the broker
    /// does not have.
    pub(super) fn find_out_of_range(&self, polling: &mut Polling) -> Result<(), KafkaError> {
        let standing: Vec<_> =
            self.client.context().progress().iter().map(|(key, known)| (key.clone(), known.next)).collect();
        polling.out_of_range.clear();
        for (TopicPartition { topic, partition }, offset) in standing {
            let (low, high) = self.watermarks(&topic, partition)?;
            if offset < low || offset > high {
                let cause = if offset > high { Cause::Recreated } else { Cause::Removed };
                polling.out_of_range.push_back(OutOfRange { topic, partition, offset, low, high, cause });
            }
        }
        if polling.out_of_range.is_empty() {
            // Records came meanwhile and the position is valid again; the client has stopped there.
            return self.assign();
        }
        Ok(())
    }

    /// Topics that were created anew while we read them: none of our positions in them means anything.
    pub(super) fn find_recreated(&self, polling: &mut Polling) -> Result<(), KafkaError> {
        let recreated = &self.client.context().recreated;
        let topics = recreated.changed();
        if topics.is_empty() {
            return Ok(());
        }
        let standing: Vec<_> =
            self.client.context().progress().iter().map(|(key, known)| (key.clone(), known.next)).collect();
        let mut found = VecDeque::new();
        for (TopicPartition { topic, partition }, offset) in standing {
            if topics.contains(&*topic) {
                let (low, high) = self.watermarks(&topic, partition).inspect_err(|_| {
                    // The group is served meanwhile; a record that comes now comes again after the seek.
                    drop(self.client.poll(Duration::ZERO));
                })?;
                found.push_back(OutOfRange { topic, partition, offset, low, high, cause: Cause::Recreated });
            }
        }
        if found.is_empty() {
            // Nothing of them is ours; yet what the poll had cleared must come again.
            self.assign()?;
        }
        recreated.started_anew(found.iter().map(|place| &*place.topic));
        recreated.forget_changed(&topics);
        polling.out_of_range.extend(found);
        Ok(())
    }

    pub(super) fn next_epoch(&self) -> Epoch {
        // From 1: an epoch of 0 belongs to no assignment.
        Epoch(self.epochs.fetch_add(1, Ordering::Relaxed) + 1)
    }
}
