//! Periodic repair, retention and checkpointing of the store, in steps small enough that intake does
//! not feel them.
//!
//! Each round: recover leases that ran out, let old rows leave, measure the write-ahead log and the free
//! disk. An alarm is one ERROR line with a stable id when it begins and one INFO line when it ends.
//!
//! Next: [`crate::monitoring`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::dispatch::Alive;
use crate::ingest::Gate;
use crate::store::identity::Remaining;
use crate::store::outbox::lookup::Lookups;
use crate::store::retention::Horizons;
use crate::store::retries::Work;
use crate::store::wal::{self, WalSize};
use crate::store::{StoreError, Writer};

/// How the store is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The database file.
    pub path: PathBuf,
    /// How long rows are kept.
    pub horizons: Horizons,
    /// A larger write-ahead log raises an alarm, bytes.
    pub wal_bytes_max: u64,
    /// With less free disk the intake pauses, bytes.
    pub disk_free_min: u64,
    /// How long after its first attempt a call that converges may be repeated blindly.
    pub repeat_within: Duration,
    /// Whether what is then unresolved is looked up.
    pub lookups: Lookups,
    /// An unresolved action keeps later ones of its key waiting no longer.
    pub order_block_max: Duration,
}

/// Between two rounds.
const ROUND: Duration = Duration::from_millis(500);

/// Steps of one round; the rest waits for the next.
const STEPS_PER_ROUND: usize = 16;

/// The periodic work.
#[derive(Debug)]
pub struct Upkeep {
    /// Where steps are done.
    pub writer: Writer,
    /// How the store is kept.
    pub settings: Settings,
    /// Attempts that this process has in flight.
    pub alive: Alive,
    /// Closed while the disk is nearly full.
    pub gate: Arc<Gate>,
    /// Milliseconds since 1970.
    pub now_ms: fn() -> i64,
}

/// Which alarms are on.
#[derive(Debug, Default)]
struct Alarms {
    wal: bool,
    disk: bool,
}

impl Upkeep {
    /// Works until `stop` turns true.
    ///
    /// # Errors
    /// The database refuses for good.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), StoreError> {
        let mut alarms = Alarms::default();
        while !*stop.borrow() {
            self.measure(&mut alarms);
            match self.step().await {
                Ok(()) => self.writer.retries().over(Work::Upkeep, ""),
                Err(error) if error.is_passing() => {
                    self.writer.retries().failed(Work::Upkeep, "", &error);
                }
                Err(error) => return Err(error),
            }
            tokio::select! {
                () = tokio::time::sleep(ROUND) => {}
                _ = stop.changed() => {}
            }
        }
        Ok(())
    }

    /// One round of repair and retention.
    ///
    /// # Errors
    /// A commit failed; the next round does it again.
    pub async fn step(&self) -> Result<(), StoreError> {
        let now_ms = (self.now_ms)();
        let within = crate::duration::whole_ms(self.settings.repeat_within);
        let recovered = self
            .writer
            .recover(now_ms, self.alive.snapshot(), (within, self.settings.lookups), now_ms)
            .await?;
        if recovered.due_again + recovered.unresolved > 0 {
            tracing::warn!(
                due_again = recovered.due_again,
                unresolved = recovered.unresolved,
                "leases ran out and were recovered"
            );
        }
        self.keep_order(now_ms).await?;
        for _ in 0..STEPS_PER_ROUND {
            if self.writer.hold_stopped(now_ms).await? == 0 {
                break;
            }
        }
        for _ in 0..STEPS_PER_ROUND {
            if self.writer.retire(self.settings.horizons, now_ms).await? == Remaining::Nothing {
                break;
            }
        }
        Ok(())
    }

    /// Nothing keeps a key waiting for ever.
    async fn keep_order(&self, now_ms: i64) -> Result<(), StoreError> {
        let block_max_ms = crate::duration::whole_ms(self.settings.order_block_max);
        let before_ms = now_ms.saturating_sub(block_max_ms);
        for released in self.writer.release_order(before_ms, now_ms).await? {
            tracing::warn!(
                action = %released.id,
                key = %released.key,
                "an unresolved action keeps later ones of its key waiting no longer (dispatch.order_block_max)"
            );
        }
        self.writer.mend_order(now_ms).await
    }

    /// Closes the gate if there is no room from the start: nothing may come in before the first round.
    pub fn guard(&self) {
        if self.is_full(free_bytes(&self.settings.path)) {
            self.gate.close();
        }
    }

    fn is_full(&self, free_bytes: Option<u64>) -> bool {
        free_bytes.is_some_and(|free| free < self.settings.disk_free_min)
    }

    fn measure(&self, alarms: &mut Alarms) {
        let size = wal::measure(&self.settings.path, self.settings.wal_bytes_max);
        match (size, alarms.wal) {
            (WalSize::Alarming { bytes }, false) => {
                tracing::error!(
                    id = "wal_too_large",
                    bytes,
                    bytes_max = self.settings.wal_bytes_max,
                    "the write-ahead log keeps growing: most likely a program reads the database in one long \
                     transaction; end it (`fuser -v` on the database shows who)"
                );
                alarms.wal = true;
            }
            (WalSize::Normal { bytes }, true) => {
                tracing::info!(id = "wal_too_large", bytes, "over: the write-ahead log is small again");
                alarms.wal = false;
            }
            _ => {}
        }
        let free = free_bytes(&self.settings.path);
        match (self.is_full(free), alarms.disk) {
            (true, false) => {
                tracing::error!(
                    id = "disk_nearly_full",
                    free_bytes = free,
                    free_min = self.settings.disk_free_min,
                    "intake is paused until there is room on the disk of the audit database"
                );
                self.gate.close();
                alarms.disk = true;
            }
            (false, true) => {
                tracing::info!(id = "disk_nearly_full", free_bytes = free, "over: there is room again");
                self.gate.open();
                alarms.disk = false;
            }
            _ => {}
        }
    }
}

/// Free bytes for us on the file system of `path`; `None` if it cannot be asked.
pub(crate) fn free_bytes(path: &std::path::Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}
