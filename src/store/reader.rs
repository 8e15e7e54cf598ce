//! A reader from outside of the daemon: read-only, and bounded in time.
//!
//! Commands look at the database while the daemon writes it. An open read transaction keeps the
//! write-ahead log from being emptied, so every question ends with the reader's time limit, and
//! answers are gathered in memory before anything waits for a person.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions as _, Connection as _};

use super::StoreError;
use super::open::{reader_options, refuse_unfit, shown};

/// Steps of SQLite's machine between two looks at the clock: well under a millisecond.
const STEPS_PER_LOOK: i32 = 10_000;

/// A connection that can only read, until its time is over.
#[derive(Debug)]
pub struct Reader {
    /// The database file.
    pub path: PathBuf,
    pub(super) connection: SqliteConnection,
    time_limit: Duration,
}

impl Reader {
    /// Opens the existing database at `path`; every question asked within `time_limit` from now is
    /// answered, a later one or one that takes longer is [`StoreError::TooLong`].
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Open`], [`StoreError::Foreign`], [`StoreError::Newer`] or
    /// [`StoreError::Older`].
    pub async fn open(path: &Path, time_limit: Duration) -> Result<Reader, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing { path: shown(path) });
        }
        refuse_unfit(path).await?.or_older(path)?;
        let unreadable =
            |error| StoreError::Open { path: shown(path), source: Arc::new(io::Error::other(error)) };
        let mut connection = reader_options(path).connect().await.map_err(unreadable)?;
        let until = Instant::now() + time_limit;
        connection
            .lock_handle()
            .await
            .map_err(unreadable)?
            .set_progress_handler(STEPS_PER_LOOK, move || Instant::now() < until);
        Ok(Reader { path: path.to_owned(), connection, time_limit })
    }

    /// Ends the use of the database.
    ///
    /// # Errors
    /// The connection did not close.
    pub async fn close(self) -> Result<(), StoreError> {
        self.connection.close().await.map_err(StoreError::sql("close a reading connection"))
    }

    /// The error of a statement that was to `action`.
    pub(super) fn failed(&self, action: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError + use<> {
        let time_limit = self.time_limit;
        move |error| {
            let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
            // 9 is SQLITE_INTERRUPT: the progress handler said no.
            if code.is_some_and(|code| code == "9") {
                return StoreError::TooLong { seconds: time_limit.as_secs() };
            }
            StoreError::sql(action)(error)
        }
    }
}
