//! Replays of quarantined records that people asked for, in steps small enough that intake does not feel
//! them.
//!
//! Each step takes a few records, decodes and matches them with what is in force today, and accepts them in
//! one commit. A failure that passes leaves them asked for, and the next step tries again; any other gives
//! them up, with the reason.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::accepting::log_decisions;
use super::decode_batch;
use crate::diagnostic::chain;
use crate::event::decode::Limits;
use crate::monitoring::Metrics;
use crate::store::accept::{Deciding, Replayed};
use crate::store::identity::Remaining;
use crate::store::retries::Work;
use crate::store::{StoreError, Writer};

/// Between two looks for something to replay.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

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
    /// Milliseconds since 1970.
    pub now_ms: fn() -> i64,
}

impl Replaying {
    /// Works until `stop` turns true.
    ///
    /// # Errors
    /// The database refuses for good.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), StoreError> {
        while !*stop.borrow() {
            let stepped = self.step().await;
            if stepped.is_ok() {
                self.writer.retries().over(Work::Replay, "");
            }
            match stepped {
                Ok((_, Remaining::More)) => continue,
                Ok((_, Remaining::Nothing)) => {}
                Err(error) if error.is_passing() => {
                    self.writer.retries().failed(Work::Replay, "", &error);
                }
                Err(error) => return Err(error),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                _ = stop.changed() => {}
            }
        }
        Ok(())
    }

    /// Replays a few records; gives what they came to, and whether there may be more.
    ///
    /// # Errors
    /// The commit failed; the next step does it again.
    pub async fn step(&self) -> Result<(Replayed, Remaining), StoreError> {
        let (records, quarantined) = self.writer.to_replay(STEP_RECORDS_MAX, STEP_BYTES_MAX).await?;
        if quarantined.is_empty() {
            return Ok((Replayed::default(), Remaining::Nothing));
        }
        let deciding = Arc::clone(&self.deciding.borrow());
        let batch = Arc::new(decode_batch(records, &self.limits, &deciding.rules));
        let handed_over = Instant::now();
        let replayed = match self.writer.replay(batch, quarantined.clone(), deciding, (self.now_ms)()).await {
            Ok(replayed) => replayed,
            Err(error) if error.is_passing() || matches!(error, StoreError::Closed) => return Err(error),
            // It would fail again each time, and a person's wish must not stop the daemon.
            Err(error) => {
                let problem = chain(&error);
                tracing::warn!(error = %problem, records = quarantined.len(), "a replay failed and is given up");
                self.writer.refuse_replay(quarantined, problem).await?;
                return Ok((Replayed::default(), Remaining::More));
            }
        };
        self.metrics.accepted(&replayed.accepted, handed_over.elapsed());
        if replayed.accepted.planned > 0 {
            self.planned.notify_waiters();
        }
        log_decisions(&replayed.accepted);
        tracing::info!(
            batch = replayed.accepted.batch,
            events = replayed.accepted.events,
            duplicates = replayed.accepted.duplicates,
            planned = replayed.accepted.planned,
            undecodable = replayed.undecodable,
            "replay"
        );
        Ok((replayed, Remaining::More))
    }
}
