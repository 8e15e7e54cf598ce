//! People's commands: a second, short-lived connection beside the daemon's.
//!
//! It changes the states of actions, asks for replays, and writes down who did what and why, each command
//! in one transaction that touches only what the person was shown. It never inserts events, actions or
//! attempts: their numbers belong to the daemon's writer. A change that finds its row in another state
//! than the one shown leaves the row alone and says so. What fails changes nothing.
//!
//! # Why
//! A daemon under load holds the write lock nearly all the time, with short moments between two commits.
//! SQLite's own waiting looks ever more rarely and may miss them all; here it begins anew every few
//! milliseconds, so that a command gets its turn among hundreds of commits a second.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::Access;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::StoreError;
use super::open::{reader_options, refuse_unfit, shown};
use super::{columns, primary_code};

pub mod act;

pub mod outside;

pub mod quarantine;

pub mod select;

pub mod stop;

pub mod story;

pub mod verdict;

/// How long a command waits for its turn to write.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one try waits: SQLite looks several times in it, and then ever more rarely.
const TRY: Duration = Duration::from_millis(20);

/// A connection for one command of a person.
#[derive(Debug)]
pub struct Operator {
    path: PathBuf,
    connection: SqliteConnection,
    /// Closed last: a reading connection that does so leaves the -wal and -shm files in place, which
    /// members of the file's group need and cannot create.
    last: SqliteConnection,
}

/// Who does something, to what, and why: a row of `operator_actions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed<'a> {
    /// Who.
    pub who: &'a str,
    /// What was chosen, in words.
    pub target: &'a str,
    /// Why.
    pub reason: &'a str,
    /// When, milliseconds since 1970.
    pub now_ms: i64,
}

/// What a target is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Action,
    Quarantined,
}

const INSERT_DEED: &str = "INSERT INTO operator_action (at, who, verb, target, reason, affected) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id";
const INSERT_TARGETS: &str = "INSERT INTO operator_target (operator_action, kind, id) \
    SELECT ?1, ?2, value FROM json_each(?3)";

impl Operator {
    /// Opens the existing database at `path` for changes.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::NotPermitted`], [`StoreError::Foreign`],
    /// [`StoreError::Newer`] or [`StoreError::Older`].
    pub async fn open(path: &Path) -> Result<Operator, StoreError> {
        permitted(path)?;
        refuse_unfit(path).await?.or_older(path)?;
        let refused = |error| refusal(path, "open the audit database for a change", error);
        let last = reader_options(path).connect().await.map_err(refused)?;
        let connection = options(path).connect().await.map_err(refused)?;
        Ok(Operator { path: path.to_owned(), connection, last })
    }

    /// Ends the use of the database.
    ///
    /// # Errors
    /// A connection did not close; what was committed stays.
    pub async fn close(self) -> Result<(), StoreError> {
        let failed = || StoreError::sql("close the audit database");
        self.connection.close().await.map_err(failed())?;
        self.last.close().await.map_err(failed())
    }

    /// Waits for its turn and begins a transaction.
    async fn begin(&mut self) -> Result<(), StoreError> {
        let until = Instant::now() + PATIENCE;
        loop {
            let Err(error) = self.connection.execute("BEGIN IMMEDIATE").await else { return Ok(()) };
            if primary_code(&error) != Some(5) {
                return Err(refusal(&self.path, "begin a change", error));
            }
            if Instant::now() >= until {
                return Err(StoreError::Busy { path: shown(&self.path), seconds: PATIENCE.as_secs() });
            }
        }
    }

    /// Ends the transaction: what `done` says is kept, or nothing.
    async fn end<T>(&mut self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        let failed = match done {
            Ok(done) => match self.connection.execute("COMMIT").await {
                Ok(_) => return Ok(done),
                Err(error) => StoreError::sql("commit a change")(error),
            },
            Err(error) => error,
        };
        // SQLite may have rolled back by itself (a full disk does that), so this may find nothing.
        if let Err(error) = self.connection.execute("ROLLBACK").await {
            tracing::debug!(error = %error, "rollback");
        }
        Err(failed)
    }
}

/// Writes down what a person did to `targets`.
async fn record(
    connection: &mut SqliteConnection,
    verb: &str,
    deed: &Deed<'_>,
    (kind, targets): (Kind, &[i64]),
) -> Result<(), StoreError> {
    let id = note(connection, verb, deed, targets.len()).await?;
    sqlx::query(INSERT_TARGETS)
        .bind(id)
        .bind(match kind {
            Kind::Action => "action",
            Kind::Quarantined => "quarantined",
        })
        .bind(columns::json_numbers(targets))
        .execute(connection)
        .await
        .map(drop)
        .map_err(StoreError::sql("write down who did what"))
}

/// Writes down what a person did that `affected` so many rows, and gives the number of that.
async fn note(
    connection: &mut SqliteConnection,
    verb: &str,
    deed: &Deed<'_>,
    affected: usize,
) -> Result<i64, StoreError> {
    sqlx::query_scalar(INSERT_DEED)
        .bind(deed.now_ms)
        .bind(deed.who)
        .bind(verb)
        .bind(deed.target)
        .bind(deed.reason)
        .bind(columns::count(affected))
        .fetch_one(connection)
        .await
        .map_err(StoreError::sql("write down who did what"))
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        .busy_timeout(TRY)
        // Moving the log into the database is the daemon's work, and no person should wait for it.
        .pragma("wal_autocheckpoint", "0")
        .pragma("cache_size", "-2048")
        .pragma("temp_store", "memory")
        .thread_name(|_| "store-operator".into())
}

/// Whether this user may write the file, which SQLite would say late and less plainly. Asked without opening
/// it: closing a file ends all locks that this process has on it.
fn permitted(path: &Path) -> Result<(), StoreError> {
    let asked = rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK).map_err(io::Error::from);
    asked.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => StoreError::Missing { path: shown(path) },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::NotPermitted { path: shown(path), source: Arc::new(error) }
        }
        _ => StoreError::Open { path: shown(path), source: Arc::new(error) },
    })
}

fn refusal(path: &Path, action: &'static str, error: sqlx::Error) -> StoreError {
    match primary_code(&error) {
        // 3 no permission, 8 read-only, 14 cannot open: the files beside the database, or its directory.
        Some(3 | 8 | 14) => {
            StoreError::NotPermitted { path: shown(path), source: Arc::new(io::Error::other(error)) }
        }
        _ => StoreError::sql(action)(error),
    }
}
