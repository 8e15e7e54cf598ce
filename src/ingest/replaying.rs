//! Replays of quarantined records that people asked for, in steps small enough that intake does not feel
//! them.
//!
//! Each step takes a few records, decodes and matches them with what is in force today, and accepts them in
//! one commit. A failure that passes leaves them asked for, and the next step tries again. After any other
//! they are replayed in ever smaller parts, and the ones that fail alone are given up, with the reason. No
//! record keeps another from its replay, nor the daemon from its work.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::accepting::log_decisions;
use super::{Gate, decode_batch};
use crate::batch::RecordBatch;
use crate::diagnostic::chain;
use crate::event::decode::Limits;
use crate::monitoring::Metrics;
use crate::store::accept::{Deciding, Quarantined, Replayed, ToReplay};
use crate::store::identity::Remaining;
use crate::store::retries::Work;
use crate::store::{StoreError, Writer};

/// Between two looks for something to replay.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// After a step that failed though it should not have.
const REST: Duration = Duration::from_secs(10);

/// Records of one step.
const STEP_RECORDS_MAX: usize = 100;

/// Payload bytes of one step; a single larger record is a step of its own.
const STEP_BYTES_MAX: usize = 4 << 20;

/// Replays what is asked for.
pub struct Replaying {
    /// Where records are read and accepted.
    pub writer: Writer,
    /// What is accepted of a record before it is parsed.
    pub limits: Limits,
    /// The rules in force.
    pub deciding: watch::Receiver<Arc<Deciding>>,
    /// Told when actions were planned.
    pub planned: Arc<Notify>,
    /// Where replayed records are counted, as others are.
    pub metrics: Arc<Metrics>,
    /// Closed while the disk is nearly full: what is asked for waits then, as intake does.
    pub gate: Arc<Gate>,
    /// Milliseconds since 1970.
    pub now_ms: fn() -> i64,
}

impl Replaying {
    /// Works until `stop` turns true.
    ///
    /// # Errors
    /// The writer has ended.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), StoreError> {
        while !*stop.borrow() {
            let mut pause = LOOK_AGAIN;
            let stepped = self.step().await;
            if stepped.is_ok() {
                self.writer.retries().over(Work::Replay, "");
            }
            match stepped {
                Ok(Remaining::More) => continue,
                Ok(Remaining::Nothing) => {}
                Err(StoreError::Closed) => return Err(StoreError::Closed),
                Err(error) => {
                    self.writer.retries().failed(Work::Replay, "", &error);
                    // What does not pass concerns the replay alone: a person's wish must not stop the daemon.
                    pause = if error.is_passing() { LOOK_AGAIN } else { REST };
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => {}
            }
        }
        Ok(())
    }

    /// Replays a few records, and gives whether there may be more to do now.
    ///
    /// # Errors
    /// A commit failed; the next step does it again.
    pub async fn step(&self) -> Result<Remaining, StoreError> {
        if self.gate.is_closed() {
            return Ok(Remaining::Nothing);
        }
        let ToReplay { records, quarantined, unreadable } =
            self.writer.to_replay(STEP_RECORDS_MAX, STEP_BYTES_MAX).await?;
        if quarantined.is_empty() && unreadable.is_empty() {
            return Ok(Remaining::Nothing);
        }
        if !quarantined.is_empty() {
            self.replay(records, quarantined.into()).await?;
        }
        for (id, problem) in unreadable {
            self.refuse(id, problem).await?;
        }
        Ok(Remaining::More)
    }

    /// Replays `records` together, or in halves where one of them cannot be, down to that one.
    async fn replay(&self, records: RecordBatch, quarantined: Arc<[Quarantined]>) -> Result<(), StoreError> {
        let deciding = Arc::clone(&self.deciding.borrow());
        let batch = Arc::new(decode_batch(records, &self.limits, &deciding.rules));
        let whole = 0..quarantined.len();
        let mut parts = vec![whole];
        while let Some(part) = parts.pop() {
            let handed_over = Instant::now();
            let (batch, deciding, now_ms) = (Arc::clone(&batch), Arc::clone(&deciding), (self.now_ms)());
            match self.writer.replay(batch, Arc::clone(&quarantined), part.clone(), deciding, now_ms).await {
                Ok(replayed) => self.tell(&replayed, handed_over.elapsed()),
                Err(error) if error.is_passing() || matches!(error, StoreError::Closed) => return Err(error),
                Err(_) if part.len() > 1 => {
                    let middle = part.start.midpoint(part.end);
                    parts.extend([middle..part.end, part.start..middle]);
                }
                // It would fail again each time.
                Err(error) => {
                    for record in quarantined.get(part).unwrap_or_default() {
                        self.refuse(record.id, chain(&error)).await?;
                    }
                }
            }
        }
        Ok(())
    }

    fn tell(&self, replayed: &Replayed, took: Duration) {
        if replayed.undecodable > 0 {
            tracing::info!(undecodable = replayed.undecodable, "replayed records still are no events");
        }
        let Some(accepted) = &replayed.accepted else { return };
        self.metrics.accepted(accepted, took);
        if accepted.planned > 0 {
            self.planned.notify_waiters();
        }
        log_decisions(accepted);
        tracing::info!(
            batch = accepted.batch,
            events = accepted.events,
            duplicates = accepted.duplicates,
            planned = accepted.planned,
            "replay"
        );
    }

    async fn refuse(&self, id: i64, problem: String) -> Result<(), StoreError> {
        tracing::warn!(record = id, error = %problem, "a replay failed and is given up");
        self.writer.refuse_replay(id, problem).await
    }
}
