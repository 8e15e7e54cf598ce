//! Reads topics without a group: partitions are assigned by hand, nothing is committed or stored.
//!
//! The client wants a group's name all the same and asks for its coordinator. What comes of that is of no
//! account here, so a user without any permission on the group can look. Everything else that is wrong with
//! the connection is told as the daemon tells it. Records come exactly as the daemon gets them: with its
//! client configuration, and copied by the same function.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};

use super::configuration::client_config;
use super::consumer::push;
use super::diagnosis::Diagnosis;
use super::error::KafkaError;
use super::fault::{Changed, Conditions};
use super::hooks::TopicPartition;
use super::polled::{BatchLimits, Cause, OutOfRange, Polled};
use super::{Settings, properties};
use crate::batch::RecordBatch;

// What the cluster knows of the topics.
mod facts;

// What the client tells.
mod watch;

use watch::Watch;

/// Where reading begins, in every partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At the first record that the broker has.
    Earliest,
    /// At what comes from now on.
    Latest,
    /// At this offset, or at the nearest that the broker has.
    Offset(i64),
    /// At the first record of this time or later, milliseconds since 1970.
    Time(i64),
}

/// A partition, and what of it is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition within the topic.
    pub partition: i32,
    /// The offset where reading begins.
    pub start: i64,
    /// The offset that the next record had when reading began.
    pub end: i64,
}

impl Place {
    fn key(&self) -> TopicPartition {
        TopicPartition { topic: Arc::clone(&self.topic), partition: self.partition }
    }
}

/// A reader that belongs to no group.
pub struct Tail {
    client: BaseConsumer<Watch>,
    topics: Vec<Arc<str>>,
    /// Where reading stands; empty until it has begun.
    next: BTreeMap<TopicPartition, i64>,
    ends: BTreeMap<TopicPartition, i64>,
    /// Some position is gone, and it is not known yet which.
    stands_still: bool,
    lost: VecDeque<OutOfRange>,
    /// How long the next asking for the topics may take.
    patience: Duration,
}

/// How long asking for the topics may take at first: what is wrong is told in between.
const PATIENCE_MIN: Duration = Duration::from_millis(250);
/// And at last. A connection that is just being made goes on being made meanwhile; only the asking ends.
const PATIENCE_MAX: Duration = Duration::from_secs(2);
/// Between two tries to begin; what the client has to tell is told meanwhile.
const TELLING: Duration = Duration::from_millis(100);

impl Tail {
    /// Makes a client. Nothing is connected yet when this returns: what is wrong with the connection is told
    /// to `condition`.
    pub fn new(settings: &Settings, condition: Changed) -> Result<Self, KafkaError> {
        properties::check(&settings.properties).map_err(KafkaError::Properties)?;
        let mut config = client_config(settings)?;
        config.set("enable.auto.commit", "false");
        let conditions = Arc::new(Conditions::new(condition));
        let diagnosis = Diagnosis::new(settings, conditions).map_err(KafkaError::Thread)?;
        let client = config.create_with_context(Watch { diagnosis }).map_err(KafkaError::Create)?;
        let topics = settings.topics.iter().map(|topic| Arc::from(topic.as_str())).collect();
        let (next, ends, lost) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        Ok(Tail { client, topics, next, ends, stands_still: false, lost, patience: PATIENCE_MIN })
    }

    /// Tries to begin reading; `None` if the cluster did not answer in a second or two, or not as hoped: why is
    /// told as a condition. Try again.
    ///
    /// # Errors
    ///
    /// They may pass; trying again is right.
    pub fn try_start(&mut self, begin: Begin) -> Result<Option<Vec<Place>>, KafkaError> {
        let found = self.partitions();
        self.patience = PATIENCE_MAX.min(self.patience * 2);
        // Nothing is assigned yet, so that this gives no record and only serves what is to be told.
        drop(self.client.poll(if found.is_some() { Duration::ZERO } else { TELLING }));
        let Some(partitions) = found else { return Ok(None) };
        let mut places = Vec::with_capacity(partitions.len());
        for TopicPartition { topic, partition } in partitions {
            let (low, high) = self.watermarks(&topic, partition)?;
            let start = match begin {
                Begin::Earliest => low,
                Begin::Latest | Begin::Time(_) => high,
                Begin::Offset(offset) => offset.clamp(low, high),
            };
            places.push(Place { topic, partition, start, end: high });
        }
        if let Begin::Time(ms) = begin {
            self.find_times(&mut places, ms)?;
        }
        self.next = places.iter().map(|place| (place.key(), place.start)).collect();
        self.ends = places.iter().map(|place| (place.key(), place.end)).collect();
        self.assign()?;
        Ok(Some(places))
    }

    /// Takes up partitions that were added since reading began, from their first record: all of them are new.
    /// Gives those, and waits for the cluster as long as [`Tail::try_start`].
    ///
    /// # Errors
    ///
    /// They may pass; what was not taken up now is the next time.
    pub fn take_up_added(&mut self) -> Result<Vec<Place>, KafkaError> {
        let mut places = Vec::new();
        for TopicPartition { topic, partition } in self.added() {
            let (start, end) = self.watermarks(&topic, partition)?;
            places.push(Place { topic, partition, start, end });
        }
        if !places.is_empty() {
            self.next.extend(places.iter().map(|place| (place.key(), place.start)));
            self.assign()?;
        }
        Ok(places)
    }

    /// Fills `batch` until a limit is reached, or `wait` passed without a record. Where Kafka no longer has the
    /// position of a partition, that is told and reading goes on at its first record.
    ///
    /// # Errors
    ///
    /// All but [`KafkaError::Fatal`] may pass; polling again is right.
    pub fn poll_batch(
        &mut self,
        batch: &mut RecordBatch,
        limits: &BatchLimits,
        wait: Duration,
    ) -> Result<Polled, KafkaError> {
        batch.clear();
        if self.stands_still {
            self.go_on_at_the_first()?;
            self.stands_still = false;
        }
        if let Some(place) = self.lost.pop_front() {
            return Ok(Polled::OutOfRange(place));
        }
        let mut deadline = Instant::now() + wait;
        while batch.len() < limits.records_max && batch.byte_len() < limits.bytes_max {
            match self.client.poll(deadline.saturating_duration_since(Instant::now())) {
                Some(Ok(message)) => {
                    if batch.is_empty() {
                        deadline = Instant::now() + limits.linger;
                    }
                    push(batch, &message);
                    continue;
                }
                Some(Err(ClientError::MessageConsumption(Code::AutoOffsetReset))) => {
                    // Told once only. Asking the broker may fail, and must not cost the records above.
                    self.stands_still = true;
                    break;
                }
                Some(Err(ClientError::MessageConsumptionFatal(code))) => return Err(self.fatal(code)),
                // Told by the callback, with the full text.
                Some(Err(_)) | None => {}
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        for range in batch.ranges() {
            let key = TopicPartition { topic: Arc::clone(&range.topic), partition: range.partition };
            self.next.insert(key, range.last.saturating_add(1));
        }
        Ok(if batch.is_empty() { Polled::Idle } else { Polled::Records })
    }

    /// Partitions that have not been read up to where they ended when reading began, with how far they are.
    ///
    /// # Errors
    ///
    /// The client does not tell its positions.
    pub fn unfinished(&self) -> Result<Vec<Place>, KafkaError> {
        // Behind the last record there may be marks of transactions, which only the client's position counts.
        let positions = self.client.position().map_err(KafkaError::Position)?;
        let reached = |key: &TopicPartition| {
            let told = positions.find_partition(&key.topic, key.partition);
            let told = told.and_then(|element| element.offset().to_raw()).unwrap_or_default();
            self.next.get(key).map_or(told, |next| told.max(*next))
        };
        let left = self.ends.iter().map(|(key, end)| Place {
            topic: Arc::clone(&key.topic),
            partition: key.partition,
            start: reached(key),
            end: *end,
        });
        Ok(left.filter(|place| place.start < place.end).collect())
    }

    fn assign(&self) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::with_capacity(self.next.len());
        for (key, next) in &self.next {
            list.add_partition_offset(&key.topic, key.partition, Offset::Offset(*next))
                .map_err(KafkaError::Assign)?;
        }
        self.client.assign(&list).map_err(KafkaError::Assign)
    }

    /// The client says that some position is gone, not which: those that the broker does not have begin anew.
    fn go_on_at_the_first(&mut self) -> Result<(), KafkaError> {
        let standing: Vec<_> = self.next.iter().map(|(key, next)| (key.clone(), *next)).collect();
        for (key, offset) in standing {
            let TopicPartition { topic, partition } = key.clone();
            let (low, high) = self.watermarks(&topic, partition)?;
            if !(low..=high).contains(&offset) {
                let cause = if offset > high { Cause::Recreated } else { Cause::Removed };
                self.lost.push_back(OutOfRange { topic, partition, offset, low, high, cause });
                self.next.insert(key, low);
            }
        }
        self.assign()
    }

    fn fatal(&self, code: Code) -> KafkaError {
        let (code, reason) = self.client.client().fatal_error().unwrap_or((code, code.to_string()));
        KafkaError::Fatal { code, reason }
    }
}
