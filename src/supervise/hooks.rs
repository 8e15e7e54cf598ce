//! What the Kafka edge asks its owner, answered by the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::service;
use crate::clock::now_ms;
use crate::diagnostic::chain;
use crate::ingest::accepting::Progress;
use crate::ingest::start::{StartAt, decide};
use crate::kafka::{Assigned, Condition, TopicPartition};
use crate::monitoring::Board;
use crate::store::positions::{Gap, Positions};
use crate::store::{StoreError, Writer};

/// What the answers are made from.
pub(super) struct Hooks {
    pub(super) runtime: Handle,
    pub(super) writer: Writer,
    pub(super) positions: Positions,
    pub(super) start_at: StartAt,
    /// Batches sent to the writer; together with `progress` this tells what is in flight.
    pub(super) sent: Arc<AtomicU64>,
    pub(super) progress: watch::Receiver<Progress>,
    pub(super) drain_timeout: Duration,
    pub(super) board: Arc<Board>,
}

impl Hooks {
    pub(super) fn for_consumer(self) -> crate::kafka::Hooks {
        let Hooks { runtime, writer, positions, start_at, sent, mut progress, drain_timeout, board } = self;
        let draining = runtime.clone();
        crate::kafka::Hooks {
            start: Box::new(move |assigned| {
                let offsets = runtime
                    .block_on(start(&writer, &positions, assigned, start_at))
                    .map_err(|error| chain(&error))?;
                let now_ms = now_ms();
                board.change(|condition| _ = condition.ready_at_ms.get_or_insert(now_ms));
                service::ready();
                Ok(offsets)
            }),
            drain: Box::new(move |partitions| {
                let all = sent.load(Ordering::Acquire);
                let durable = progress.wait_for(|progress| progress.batches >= all);
                let waited =
                    draining.block_on(async { tokio::time::timeout(drain_timeout, durable).await.is_ok() });
                log_drained(partitions, waited);
            }),
            condition: Box::new(|condition| log_condition(&condition)),
        }
    }
}

/// Decides where each assigned partition starts; gaps are durable before the first record is read.
async fn start(
    writer: &Writer,
    positions: &Positions,
    assigned: &[Assigned],
    start_at: StartAt,
) -> Result<Vec<i64>, StoreError> {
    let mut offsets = Vec::with_capacity(assigned.len());
    let mut gaps: Vec<Gap> = Vec::new();
    for partition in assigned {
        let stored = positions.next_offset(&partition.topic, partition.partition).await?;
        let decision = decide(partition, stored, start_at);
        tracing::info!(
            topic = %partition.topic,
            partition = partition.partition,
            committed = partition.committed,
            stored,
            low = partition.low,
            high = partition.high,
            start = decision.offset,
            "partition assigned"
        );
        if let Some(gap) = decision.gap {
            tracing::error!(
                id = "gap",
                topic = %gap.topic,
                partition = gap.partition,
                first_offset = gap.first_offset,
                end_offset = gap.end_offset,
                reason = gap.reason.as_str(),
                "records were never seen: a gap is recorded"
            );
            gaps.push(gap);
        }
        offsets.push(decision.offset);
    }
    if !gaps.is_empty() {
        writer.record_gaps(gaps, now_ms()).await?;
    }
    Ok(offsets)
}

fn log_drained(partitions: &[TopicPartition], durable: bool) {
    if durable {
        tracing::info!(partitions = partitions.len(), "partitions given up, all of them accepted");
    } else {
        tracing::warn!(
            partitions = partitions.len(),
            "partitions given up with a batch in flight: its records come again and are recognised"
        );
    }
}

fn log_condition(condition: &Condition) {
    match condition {
        Condition::Failing(fault) => {
            tracing::error!(
                id = "kafka_failing",
                kind = fault.kind.as_str(),
                subject = %fault.subject,
                fix = %fault.fix,
                "{}",
                fault.message
            );
        }
        Condition::Recovered { kind, subject } => {
            tracing::info!(id = "kafka_failing", kind = kind.as_str(), subject = %subject, "over: recovered");
        }
    }
}
