//! From Kafka to the accepted batch.
//!
//! One thread polls, decodes and matches; one task accepts each batch in one commit and stores its
//! offsets afterwards, and only then. Two batches are in flight: one being written, one being decoded.
//! When the writer falls behind, the polling thread pauses the partitions and polls on, so that the
//! group keeps us; on a revocation it waits until what is in flight is durable.
//!
//! Next: [`crate::dispatch`].

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::batch::{Content, DecodedBatch, Entry, RecordBatch};
use crate::diagnostic::chain;
use crate::event::decode::{DecodeError, Limits, decode};
use crate::kafka::{BatchLimits, Consumer, KafkaError, OutOfRange, Polled};
use crate::record::Record;
use crate::rule::RuleSet;
use crate::store::Writer;
use crate::store::accept::Deciding;

pub mod accepting;

pub mod replaying;

pub mod start;

/// How the intake works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where a partition without any position starts.
    pub start_at: start::StartAt,
    /// When a batch is full.
    pub batch: BatchLimits,
    /// What is accepted of a record before it is parsed.
    pub limits: Limits,
}

/// How long one poll waits for a first record.
const POLL_WAIT: Duration = Duration::from_millis(200);

/// How long the polling thread waits for the writer before it pauses the partitions.
const WRITER_WAIT: Duration = Duration::from_millis(500);

/// A decoded batch on its way to the writer.
#[derive(Debug)]
pub struct Intake {
    /// Records, events, matches.
    pub batch: Arc<DecodedBatch>,
    /// What it was matched against.
    pub deciding: Arc<Deciding>,
}

/// What may keep the intake from taking more, besides a slow writer.
#[derive(Debug, Default)]
pub struct Gate {
    closed: AtomicBool,
}

impl Gate {
    /// Lets no new batch in; the partitions pause.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Lets batches in again.
    pub fn open(&self) {
        self.closed.store(false, Ordering::Release);
    }

    /// Whether batches must wait.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// The polling half of the intake; runs on a thread of its own.
pub struct Polling {
    /// The group member.
    pub consumer: Arc<Consumer>,
    /// How the intake works.
    pub settings: Settings,
    /// Records that wait for the writer: at most what was fetched when the partitions paused.
    pub held: VecDeque<RecordBatch>,
    /// Whether the partitions are paused.
    pub flow: Flow,
    /// A position that Kafka no longer has, until reading goes on elsewhere.
    pub lost_place: Option<OutOfRange>,
    /// The rules in force; changes between batches.
    pub deciding: watch::Receiver<Arc<Deciding>>,
    /// Where batches go.
    pub batches: mpsc::Sender<Intake>,
    /// How many batches went there.
    pub sent: Arc<AtomicU64>,
    /// Where gaps are written.
    pub writer: Writer,
    /// What may keep us from taking more.
    pub gate: Arc<Gate>,
    /// Counts the polls, so that a watchdog sees whether they go on.
    pub heartbeat: Arc<AtomicU64>,
    /// Set when the daemon stops.
    pub stop: Arc<AtomicBool>,
    /// The runtime of the writer.
    pub runtime: Handle,
    /// Milliseconds since 1970.
    pub now_ms: fn() -> i64,
}

impl std::fmt::Debug for Polling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Polling").finish_non_exhaustive()
    }
}

/// Whether the partitions are paused for the writer's sake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    /// They are not.
    #[default]
    Open,
    /// They are, or are to be.
    Paused,
}

/// Whether the polling goes on.
enum Goes {
    On,
    Ending,
}

impl Polling {
    /// Polls until told to stop or until nobody takes the batches any more.
    ///
    /// # Errors
    /// The client cannot go on. Errors that a later poll may heal are logged and tried again.
    pub fn run(mut self) -> Result<(), KafkaError> {
        while !self.stop.load(Ordering::Acquire) {
            match self.step() {
                Ok(Goes::On) => {}
                Ok(Goes::Ending) => break,
                Err(error @ KafkaError::Fatal { .. }) => return Err(error),
                Err(error) => {
                    tracing::error!(error = %chain(&error), id = "kafka_poll_failed", "polling failed, trying again");
                    // The client reports some errors at once on every poll: do not spin on them.
                    std::thread::park_timeout(POLL_WAIT);
                }
            }
        }
        Ok(())
    }

    /// One poll: a batch handed over, nothing, or a position that Kafka no longer has.
    fn step(&mut self) -> Result<Goes, KafkaError> {
        let Some(permit) = self.room()? else { return Ok(Goes::Ending) };
        if self.held.is_empty() {
            self.poll()?;
        }
        if let Some(records) = self.held.pop_front() {
            let deciding = Arc::clone(&self.deciding.borrow_and_update());
            let batch = decode_batch(records, &self.settings.limits, &deciding.rules);
            self.sent.fetch_add(1, Ordering::AcqRel);
            permit.send(Intake { batch: Arc::new(batch), deciding });
        }
        Ok(Goes::On)
    }

    /// Polls once; records join those that wait for the writer.
    fn poll(&mut self) -> Result<(), KafkaError> {
        self.heartbeat.fetch_add(1, Ordering::Relaxed);
        self.find_lost_place()?;
        let mut records = RecordBatch::new();
        match self.consumer.poll_batch(&mut records, &self.settings.batch, POLL_WAIT)? {
            Polled::Idle => {}
            // The consumer tells of it once: it is kept until its gap is written and reading goes on.
            Polled::OutOfRange(place) => self.lost_place = Some(place),
            Polled::Records => self.held.push_back(records),
        }
        self.find_lost_place()
    }

    /// Goes on after a position that Kafka no longer has, as often as it takes.
    fn find_lost_place(&mut self) -> Result<(), KafkaError> {
        let Some(place) = self.lost_place.take() else { return Ok(()) };
        match self.go_on_after(&place) {
            // The partition is somebody else's by now, or starts anew: its start decides.
            Ok(()) | Err(KafkaError::NotAssigned { .. }) => Ok(()),
            Err(error) => {
                self.lost_place = Some(place);
                Err(error)
            }
        }
    }

    /// Waits for room in the queue to the writer, polling with paused partitions while it takes long;
    /// `None` when nobody takes batches any more.
    fn room(&mut self) -> Result<Option<mpsc::OwnedPermit<Intake>>, KafkaError> {
        let room = loop {
            if self.stop.load(Ordering::Acquire) {
                break None;
            }
            if !self.gate.is_closed() {
                let reserve = self.batches.clone().reserve_owned();
                let waited =
                    self.runtime.block_on(async { tokio::time::timeout(WRITER_WAIT, reserve).await });
                match waited {
                    Ok(Ok(permit)) => break Some(permit),
                    Ok(Err(_closed)) => break None,
                    Err(_elapsed) => {}
                }
            }
            if self.flow == Flow::Open {
                // Noted first: whatever fails from here on, the partitions are resumed once there is room.
                self.flow = Flow::Paused;
                tracing::info!("the writer is behind: intake is paused");
                self.consumer.pause()?;
            }
            // The poll serves the group. It may still give what had been fetched before the pause.
            self.poll()?;
        };
        if room.is_some() && self.flow == Flow::Paused {
            self.consumer.resume()?;
            self.flow = Flow::Open;
            tracing::info!("intake goes on");
        }
        Ok(room)
    }

    /// Kafka no longer has what follows our position: writes the gap down, then goes on at the earliest.
    fn go_on_after(&self, place: &OutOfRange) -> Result<(), KafkaError> {
        let gap = start::gap_out_of_range(place);
        tracing::error!(
            id = "gap",
            topic = %place.topic,
            partition = place.partition,
            position = place.offset,
            low = place.low,
            high = place.high,
            reason = gap.reason.as_str(),
            "records were lost before we saw them: a gap is recorded"
        );
        let recorded = self.runtime.block_on(self.writer.record_gaps(vec![gap], (self.now_ms)()));
        recorded.map_err(|error| KafkaError::Start { reason: chain(&error) })?;
        self.consumer.seek(&place.topic, place.partition, place.low)
    }
}

/// Decodes every record of a poll and matches every event.
#[must_use]
pub fn decode_batch(records: RecordBatch, limits: &Limits, rules: &RuleSet) -> DecodedBatch {
    DecodedBatch::of(records, |records| {
        let mut entries = Vec::with_capacity(records.len());
        entries.extend(records.records().map(|record| decode_record(record, limits, rules)));
        entries
    })
}

/// One record; a panic of the decoder is that record's quarantine.
fn decode_record<'a>(record: Record<'a>, limits: &Limits, rules: &RuleSet) -> Entry<'a> {
    let decoded = catch_unwind(AssertUnwindSafe(|| decode(&record, limits))).unwrap_or_else(|_| {
        Err(DecodeError {
            reason: "panic",
            message: "the decoder failed on this record: please report it".into(),
        })
    });
    let content = match decoded {
        Err(reason) => Content::Quarantined(reason),
        Ok(event) => {
            let (mut matched, mut failed) = (Vec::new(), Vec::new());
            rules.matches(&event, &mut matched, &mut failed);
            Content::Event { event, matched, failed }
        }
    };
    Entry { record, content }
}
