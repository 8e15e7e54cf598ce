//! The write-ahead log: its size, and emptying it in quiet moments.
//!
//! The writer moves frames into the database by size (`wal_autocheckpoint`) and empties the file when
//! it is idle; both stop at the oldest open reader. So it grows without bound only while somebody reads
//! an old state: a large file has one likely cause, which the alarm names.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Executor as _, Row as _};
use tokio::time::Instant;

use super::beside;

/// Without a change for so long, the log is emptied. Jobs alone do not count: dispatch and upkeep look for
/// work all the time and mostly find none. Shorter than the daemon takes to renew its own row, which would
/// otherwise keep the log of an idle daemon from ever being emptied.
const IDLE_AFTER: Duration = Duration::from_secs(3);

/// The size of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalSize {
    /// Within bounds.
    Normal {
        /// Its bytes.
        bytes: u64,
    },
    /// Over `bytes_max`.
    Alarming {
        /// Its bytes.
        bytes: u64,
    },
}

/// Measures the write-ahead log of the database at `path`; a missing file is empty.
#[must_use]
pub fn measure(path: &Path, bytes_max: u64) -> WalSize {
    let bytes = std::fs::metadata(beside(path, "-wal")).map_or(0, |metadata| metadata.len());
    if bytes > bytes_max { WalSize::Alarming { bytes } } else { WalSize::Normal { bytes } }
}

/// Whether the log holds what a quiet moment could move into the database.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wal {
    /// Changed last at this time, by a connection that had made so many changes.
    Written { at: Instant, changes: i64 },
    /// Emptied after so many changes.
    Emptied { changes: i64 },
}

/// Whether the log could be emptied.
#[derive(Debug, Clone, Copy)]
pub(super) enum Truncation {
    Done,
    /// By a reader of an old state; the next quiet moment will do.
    Prevented,
}

const TOTAL_CHANGES: &str = "SELECT total_changes()";

impl Wal {
    /// What an earlier run left is moved at the first quiet moment.
    pub(super) fn left_by_an_earlier_run() -> Self {
        Wal::Written { at: Instant::now(), changes: 0 }
    }

    /// Moves the whole log into the database once nothing has changed for a while.
    pub(super) async fn empty_when_quiet(&mut self, connection: &mut SqliteConnection) {
        let asked = sqlx::query_scalar(TOTAL_CHANGES).fetch_one(&mut *connection).await;
        let changes: i64 = match asked {
            Ok(changes) => changes,
            Err(error) => {
                tracing::debug!(error = %error, "counting the changes");
                return;
            }
        };
        let now = Instant::now();
        *self = match *self {
            Wal::Emptied { changes: before } if before == changes => return,
            Wal::Written { at, changes: before } if before == changes => {
                if now.duration_since(at) < IDLE_AFTER {
                    return;
                }
                match truncate(connection).await {
                    Truncation::Done => Wal::Emptied { changes },
                    Truncation::Prevented => Wal::Written { at: now, changes },
                }
            }
            Wal::Written { .. } | Wal::Emptied { .. } => Wal::Written { at: now, changes },
        };
    }
}

/// Moves the whole log into the database, unless somebody reads an old state of it.
pub(super) async fn truncate(connection: &mut SqliteConnection) -> Truncation {
    let mut truncation = Truncation::Prevented;
    match connection.execute("PRAGMA busy_timeout = 0").await {
        Ok(_) => match connection.fetch_one("PRAGMA wal_checkpoint(TRUNCATE)").await {
            Ok(row) if row.try_get(0).is_ok_and(|busy: i64| busy == 0) => truncation = Truncation::Done,
            Ok(_) => {}
            Err(error) => tracing::debug!(error = %error, "truncating the write-ahead log"),
        },
        Err(error) => tracing::debug!(error = %error, "before truncating the write-ahead log"),
    }
    if let Err(error) = connection.execute("PRAGMA busy_timeout = 5000").await {
        tracing::debug!(error = %error, "after truncating the write-ahead log");
    }
    truncation
}
