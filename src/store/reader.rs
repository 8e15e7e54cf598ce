//! A reader from outside of the daemon: read-only, and bounded in time.
//!
//! Commands look at the database while the daemon writes it. An open read transaction keeps the
//! write-ahead log from being emptied, so every question ends with the reader's time limit, and
//! answers are gathered in memory before anything waits for a person.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions as _, Connection as _};

use super::open::{Unfit, reader_options, schema_of};
use super::{StoreError, primary_code};

// What keeps a file from being read.
mod unreadable;

/// The longest wait for somebody who holds the database exclusively.
const PATIENCE_MAX: Duration = Duration::from_secs(5);

/// Steps of SQLite's machine between two looks at the clock: well under a millisecond.
const STEPS_PER_LOOK: i32 = 10_000;

/// A connection that can only read, until its time is over.
#[derive(Debug)]
pub struct Reader {
    /// The database file.
    pub path: PathBuf,
    pub(super) connection: SqliteConnection,
    pub(super) time_limit: Duration,
}

impl Reader {
    /// Opens the existing database at `path`; every question asked within `time_limit` from now is
    /// answered, a later one or one that takes longer is [`StoreError::TooLong`].
    ///
    /// # Errors
    /// What the file is instead: [`StoreError::Missing`], [`StoreError::NotReadable`],
    /// [`StoreError::NotReadableThere`], [`StoreError::NotADatabase`], [`StoreError::Damaged`],
    /// [`StoreError::Foreign`], [`StoreError::Newer`] or [`StoreError::Older`]; or it is [`StoreError::Busy`].
    pub async fn open(path: &Path, time_limit: Duration) -> Result<Reader, StoreError> {
        unreadable::refuse(path)?;
        let until = Instant::now() + time_limit;
        let patience = time_limit.min(PATIENCE_MAX);
        let options = reader_options(path)
            .busy_timeout(patience)
            .immutable(unreadable::way(path) == unreadable::Way::Unchanging);
        let failed = |error| {
            let told = unreadable::of(path, &error, patience);
            told.unwrap_or_else(|| StoreError::sql("open the audit database")(error))
        };
        let schema = schema_of(path, &options).await.map_err(|unfit| match unfit {
            Unfit::Refused(error) => error,
            Unfit::Unreadable(error) => failed(error),
        })?;
        schema.or_older(path)?;
        let mut connection = options.connect().await.map_err(failed)?;
        limit_time(&mut connection, until).await.map_err(failed)?;
        Ok(Reader { path: path.to_owned(), connection, time_limit })
    }

    /// Begins the time limit anew: what is read in many short questions holds nothing open between them.
    ///
    /// # Errors
    /// The connection cannot be used.
    pub async fn renew_time(&mut self) -> Result<(), StoreError> {
        let until = Instant::now() + self.time_limit;
        let failed = self.failed("begin the time limit anew");
        limit_time(&mut self.connection, until).await.map_err(failed)
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
        let (path, time_limit) = (self.path.clone(), self.time_limit);
        move |error| {
            // SQLITE_INTERRUPT: the progress handler said no.
            if primary_code(&error) == Some(9) {
                return StoreError::TooLong { seconds: time_limit.as_secs() };
            }
            let told = unreadable::of(&path, &error, time_limit.min(PATIENCE_MAX));
            told.unwrap_or_else(|| StoreError::sql(action)(error))
        }
    }
}

/// Interrupts what still runs on `connection` at `until`, and all that comes later.
pub(super) async fn limit_time(connection: &mut SqliteConnection, until: Instant) -> Result<(), sqlx::Error> {
    connection.lock_handle().await?.set_progress_handler(STEPS_PER_LOOK, move || Instant::now() < until);
    Ok(())
}
