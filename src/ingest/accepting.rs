//! The accepting half of the intake: one commit a batch, then its offsets, and never the other way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};

use super::Intake;
use crate::diagnostic::chain;
use crate::kafka::Consumer;
use crate::monitoring::Metrics;
use crate::store::accept::Accepted;
use crate::store::retries::Work;
use crate::store::{StoreError, Writer};

/// Between two tries to accept a batch that the disk did not take.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// Accepts batches until the polling half has ended.
pub struct Accepting {
    /// Whose offsets are stored.
    pub consumer: Arc<Consumer>,
    /// Where batches are accepted.
    pub writer: Writer,
    /// Where batches come from.
    pub batches: mpsc::Receiver<Intake>,
    /// Told when actions were planned.
    pub planned: Arc<Notify>,
    /// How many records were accepted, for whoever waits until nothing is in flight.
    pub progress: watch::Sender<Progress>,
    /// Where batches are counted.
    pub metrics: Arc<Metrics>,
    /// Milliseconds since 1970.
    pub now_ms: fn() -> i64,
}

impl std::fmt::Debug for Accepting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accepting").finish_non_exhaustive()
    }
}

/// How far the accepting has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Batches whose offsets are stored.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// New events in them.
    pub events: u64,
    /// Records in them that were known.
    pub duplicates: u64,
    /// Records in them that could not be decoded.
    pub quarantined: u64,
}

impl Accepting {
    /// Accepts until no batch can come any more.
    ///
    /// # Errors
    /// The database refuses for good: intake must stop, and nothing unaccepted was committed to Kafka.
    pub async fn run(mut self) -> Result<(), StoreError> {
        while let Some(intake) = self.batches.recv().await {
            self.step(&intake).await?;
        }
        Ok(())
    }

    /// Accepts one batch, as often as it takes, and stores its offsets.
    async fn step(&self, intake: &Intake) -> Result<(), StoreError> {
        let handed_over = Instant::now();
        let accepted = loop {
            let (batch, deciding) = (Arc::clone(&intake.batch), Arc::clone(&intake.deciding));
            match self.writer.accept(batch, deciding, (self.now_ms)()).await {
                Ok(accepted) => {
                    self.writer.retries().over(Work::Batch, "");
                    break accepted;
                }
                Err(error) if error.is_passing() => {
                    self.writer.retries().failed(Work::Batch, "", &error);
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        };
        self.metrics.accepted(&accepted, handed_over.elapsed());
        match self.consumer.store_offsets(&intake.batch.records().next_offsets()) {
            Ok(stored) if stored.fenced.is_empty() => {}
            Ok(stored) => {
                tracing::info!(fenced = stored.fenced.len(), "partitions moved on: their records come again");
            }
            // The records come again and are recognised.
            Err(error) => tracing::warn!(error = %chain(&error), "offsets were not stored"),
        }
        if accepted.planned > 0 {
            self.planned.notify_waiters();
        }
        log_decisions(&accepted);
        tracing::debug!(
            batch = accepted.batch,
            records = accepted.records,
            events = accepted.events,
            matched = accepted.matched,
            duplicates = accepted.duplicates,
            quarantined = accepted.quarantined,
            planned = accepted.planned,
            "accept"
        );
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        self.progress.send_modify(|progress| {
            progress.batches += 1;
            progress.records += count(accepted.records);
            progress.events += count(accepted.events);
            progress.duplicates += count(accepted.duplicates);
            progress.quarantined += count(accepted.quarantined);
        });
        Ok(())
    }
}

/// One line for each decision.
pub(super) fn log_decisions(accepted: &Accepted) {
    for decided in &accepted.decisions {
        tracing::info!(
            event = decided.event,
            event_id = decided.event_id.as_deref(),
            rule = %decided.rule,
            outcome = decided.outcome,
            message = decided.message.as_deref(),
            action = decided.action.as_ref().map(|(id, _)| id.as_str()),
            state = decided.action.as_ref().map(|(_, state)| *state),
            "decision"
        );
    }
}
