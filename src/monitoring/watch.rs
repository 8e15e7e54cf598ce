//! Looks every second at what moves by itself, and keeps the row of the daemon.
//!
//! A look takes the lag and the two pulses from memory; what waits is counted every few seconds beside
//! the writer, and less often if counting takes long. The row is renewed when something changed, and
//! every ten seconds as a sign of life. Whatever fails here is an alarm, and the daemon goes on.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Board;
use super::board::{Observed, Quota, Stage};
use crate::diagnostic::chain;
use crate::quota::{Budget, Urgency};
use crate::store::backlog::{Backlog, Backlogs};
use crate::store::daemon::{Daemon, Intake, Partition};
use crate::store::retries::Work;
use crate::store::wal::{self, WalSize};
use crate::store::{StoreError, Writer};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Between two counts of what waits, at least.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// Counting takes no more than one part in so many of the time.
const COUNT_SHARE: u32 = 50;

/// Without a change, the row is renewed so often.
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// No renewal is waited for longer.
const RENEW_TIME_MAX: Duration = Duration::from_secs(5);

/// What has not moved for so long stands still: the polls and the writer move every few seconds.
pub const STALLED_AFTER: Duration = Duration::from_secs(20);

/// The writer is given up later: SQLite moves a large write-ahead log in one call, within which nothing can
/// be seen to move, and after a restart it would begin anew.
pub const WRITER_LIFELESS_AFTER: Duration = Duration::from_mins(5);

/// What the Kafka side tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// How many partitions are ours.
    pub assigned: usize,
    /// Where each of them stands.
    pub partitions: Vec<Partition>,
    /// Whether they are paused.
    pub paused: Paused,
}

/// Whether the partitions are paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paused {
    /// They are.
    Yes,
    /// They are not.
    No,
}

/// Something that counts as long as it goes on.
#[derive(Debug)]
pub struct Pulse {
    name: &'static str,
    beats: Arc<AtomicU64>,
    seen: u64,
    since: Instant,
    lifeless_after: Duration,
}

/// Something that stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// What, and for how long.
    pub text: String,
    still: Duration,
    lifeless_after: Duration,
}

/// Those of `stalls` that a restart is to end. What stands still may wait for another that does, so the
/// longest patience holds for all.
#[must_use]
pub fn lifeless(stalls: &[Stall]) -> Vec<String> {
    let patience = stalls.iter().map(|stall| stall.lifeless_after).max().unwrap_or_default();
    stalls.iter().filter(|stall| stall.still >= patience).map(|stall| stall.text.clone()).collect()
}

impl Pulse {
    /// The pulse of what is called `name` in a sentence.
    #[must_use]
    pub fn new(name: &'static str, beats: Arc<AtomicU64>) -> Self {
        Pulse { name, beats, seen: 0, since: Instant::now(), lifeless_after: STALLED_AFTER }
    }

    /// The same, with more patience before a restart is wanted.
    #[must_use]
    pub fn lifeless_after(self, lifeless_after: Duration) -> Self {
        Pulse { lifeless_after, ..self }
    }

    /// Tells of it if it has stood still for too long.
    pub fn stalled(&mut self) -> Option<Stall> {
        let beats = self.beats.load(Ordering::Relaxed);
        if beats != self.seen {
            self.seen = beats;
            self.since = Instant::now();
        }
        let still = self.since.elapsed();
        (still >= STALLED_AFTER).then(|| Stall {
            text: format!("{} has not moved for {} s", self.name, still.as_secs()),
            still,
            lifeless_after: self.lifeless_after,
        })
    }
}

/// An account whose spending is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spender {
    /// The account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// What it may spend.
    pub budget: Budget,
}

/// The watching part.
pub struct Watching {
    /// Where it is noted.
    pub board: Arc<Board>,
    /// Where the row is kept.
    pub writer: Writer,
    /// What counts what waits.
    pub backlogs: Backlogs,
    /// What the configured accounts may spend.
    pub spenders: Vec<Spender>,
    /// Asks the Kafka side.
    pub see: Box<dyn Fn() -> Seen + Send + Sync>,
    /// What must go on.
    pub pulses: Vec<Pulse>,
    /// The database file.
    pub path: PathBuf,
    /// Milliseconds since 1970.
    pub now_ms: fn() -> i64,
}

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watching").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What the last looks left.
#[derive(Debug, Default)]
struct Memory {
    backlog: Option<Backlog>,
    quotas: Vec<Quota>,
    count_at: Option<Instant>,
    /// The row as it was renewed last, and when.
    renewed: Option<(Instant, Daemon)>,
    is_stalled: bool,
    /// Whether the last renewal failed: told once.
    failed: bool,
}

/// What is to be told of stalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn<'a> {
    Begins(&'a String),
    Ends,
    Nothing,
}

impl Memory {
    fn tell_of_stalls(&mut self, stage: Stage, stalled: &[String]) {
        match self.turn(stage, stalled) {
            Turn::Begins(first) => tracing::error!(
                id = "intake_stalled",
                "{first}: the service manager restarts the daemon if it stays so"
            ),
            Turn::Ends => tracing::info!(id = "intake_stalled", "over: everything moves again"),
            Turn::Nothing => {}
        }
    }

    fn turn<'a>(&mut self, stage: Stage, stalled: &'a [String]) -> Turn<'a> {
        match (stage, stalled, self.is_stalled) {
            (Stage::Running, [first, ..], false) => {
                self.is_stalled = true;
                Turn::Begins(first)
            }
            (Stage::Running, [], true) => {
                self.is_stalled = false;
                Turn::Ends
            }
            // After the stop began nobody looks any more, so nothing is known to move again.
            _ => Turn::Nothing,
        }
    }
}

impl Watching {
    /// Looks until `stop` turns true, and renews the row a last time.
    ///
    /// # Errors
    /// None: the result is that of every part.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), StoreError> {
        match self.backlogs.last_events().await {
            Ok(last) => {
                for (code, at_ms) in &last {
                    self.board.metrics.last_event_before(code, *at_ms);
                }
            }
            Err(error) => tracing::warn!(error = %chain(&error), "the last event of each code is not known"),
        }
        let mut memory = Memory::default();
        let mut changed = self.board.follow();
        while !*stop.borrow() {
            self.look(&mut memory).await;
            self.renew_if_due(&mut memory).await;
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = changed.changed() => {}
                _ = stop.changed() => {}
            }
        }
        self.renew(&mut memory).await;
        Ok(())
    }

    async fn look(&mut self, memory: &mut Memory) {
        let now = Instant::now();
        if memory.count_at.is_none_or(|at| at <= now) {
            match self.count().await {
                Ok((backlog, quotas)) => (memory.backlog, memory.quotas) = (Some(backlog), quotas),
                // Old figures would pass for new ones.
                Err(error) => {
                    memory.quotas.clear();
                    if memory.backlog.take().is_some() || memory.count_at.is_none() {
                        tracing::warn!(error = %chain(&error), "what waits is not counted; it is tried again");
                    } else {
                        tracing::debug!(error = %chain(&error), "what waits is still not counted");
                    }
                }
            }
            memory.count_at = Some(Instant::now() + COUNT_EVERY.max(now.elapsed() * COUNT_SHARE));
        }
        let Seen { assigned, partitions, paused } = (self.see)();
        let condition = self.board.condition();
        let stalls: Vec<Stall> = match condition.stage {
            Stage::Running => self.pulses.iter_mut().filter_map(Pulse::stalled).collect(),
            // The polls have ended, as they should.
            Stage::Stopping | Stage::Stopped { .. } => Vec::new(),
        };
        let stalled: Vec<String> = stalls.iter().map(|stall| stall.text.clone()).collect();
        memory.tell_of_stalls(condition.stage, &stalled);
        let intake = match paused {
            _ if !stalled.is_empty() => Intake::Stalled,
            Paused::Yes => Intake::Paused,
            Paused::No if condition.ready_at_ms.is_none() => Intake::Starting,
            Paused::No => Intake::Polling,
        };
        let (WalSize::Normal { bytes: wal_bytes } | WalSize::Alarming { bytes: wal_bytes }) =
            wal::measure(&self.path, u64::MAX);
        self.board.observe(Observed {
            intake,
            stalled,
            lifeless: lifeless(&stalls),
            assigned,
            partitions,
            backlog: memory.backlog.clone(),
            quotas: memory.quotas.clone(),
            database_bytes: std::fs::metadata(&self.path).ok().map(|metadata| metadata.len()),
            wal_bytes,
            disk_free_bytes: crate::upkeep::free_bytes(&self.path),
        });
    }

    /// Counts what waits, and what was spent.
    async fn count(&self) -> Result<(Backlog, Vec<Quota>), StoreError> {
        let backlog = self.backlogs.count().await?;
        let mut quotas = Vec::with_capacity(self.spenders.len());
        for Spender { account, region, budget } in &self.spenders {
            let now_ms = (self.now_ms)();
            let spans = (budget.calendar.day(now_ms), budget.calendar.month(now_ms));
            let spent = self.backlogs.spent((account, region), spans).await?;
            quotas.push(Quota {
                account: account.clone(),
                region: region.clone(),
                day_sent: spent.day_sent,
                day_limit: budget.day_limit(Urgency::Usual),
                month_succeeded: spent.month_succeeded,
                month_limit: budget.month_limit(Urgency::Usual),
            });
        }
        Ok((backlog, quotas))
    }

    async fn renew_if_due(&self, memory: &mut Memory) {
        let row = self.board.row(0);
        let due = memory.renewed.as_ref().is_none_or(|(at, last)| {
            at.elapsed() >= RENEW_EVERY || Daemon { partitions: last.partitions.clone(), ..row } != *last
        });
        if due {
            self.renew(memory).await;
        }
    }

    async fn renew(&self, memory: &mut Memory) {
        let row = self.board.row((self.now_ms)());
        memory.renewed = Some((Instant::now(), Daemon { alive_at_ms: 0, ..row.clone() }));
        // A writer that hangs must not keep us from seeing just that.
        let renewed = tokio::time::timeout(RENEW_TIME_MAX, self.writer.renew_daemon(row)).await;
        match renewed {
            Ok(Ok(())) => {
                self.writer.retries().over(Work::Row, "");
                memory.failed = false;
            }
            Ok(Err(error)) if error.is_passing() => self.writer.retries().failed(Work::Row, "", &error),
            Err(_elapsed) => tracing::debug!("the row of the daemon still waits for the writer"),
            Ok(Err(error)) if memory.failed || matches!(error, StoreError::Closed) => {
                tracing::debug!(error = %chain(&error), "the row of the daemon is still not renewed");
            }
            Ok(Err(error)) => {
                tracing::error!(
                    id = "monitoring_failed",
                    error = %chain(&error),
                    "the row of the daemon is not renewed; it is tried again"
                );
                memory.failed = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_told_once_and_a_stop_does_not_end_it() {
        let (mut memory, still, none) = (Memory::default(), ["it stands".to_owned()], []);
        assert_eq!(memory.turn(Stage::Running, &none), Turn::Nothing);
        assert_eq!(memory.turn(Stage::Running, &still), Turn::Begins(&still[0]));
        assert_eq!(memory.turn(Stage::Running, &still), Turn::Nothing);
        assert_eq!(memory.turn(Stage::Running, &none), Turn::Ends);
        assert_eq!(memory.turn(Stage::Running, &still), Turn::Begins(&still[0]));
        assert_eq!(memory.turn(Stage::Stopping, &none), Turn::Nothing);
        assert_eq!(memory.turn(Stage::Stopped { at_ms: 1 }, &none), Turn::Nothing);
    }
}
