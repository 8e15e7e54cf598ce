//! The audit database and the outbox: the only place that names the database client.
//!
//! One [`Writer`] owns the only write connection. It drains a queue of commands into shared commits
//! and answers each command after the commit that holds it, so an answer is a durability promise.
//! Readers are short, read-only and bounded. A failed commit changes nothing: the writer rolls back,
//! reloads what it keeps in memory and answers every command of the group with the error.
//!
//! # Why
//! `synchronous=FULL`: with `NORMAL` a power cut can undo a commit whose offset Kafka already has.
//!
//! Next: [`crate::openapi`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

pub mod accept;

pub mod backlog;

mod columns;

pub mod daemon;

pub mod follow;

pub mod identity;

pub mod look;

pub mod open;

pub mod operator;

pub mod outbox;

pub mod parking;

mod plan_state;

pub mod positions;

pub mod reader;

pub mod retention;

pub mod retries;

pub mod spending;

pub mod stop;

pub mod totals;

pub mod versions;

pub mod wal;

pub mod writer;

pub use open::Store;
pub use reader::Reader;
pub use writer::Writer;

/// Where the database lies and how it is kept small.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The database file.
    pub path: PathBuf,
    /// The permission bits of a newly created file: 0600, or 0640 where a group may read.
    pub file_mode: u32,
}

/// What went wrong with the database.
///
/// Cloneable, since every command of a failed commit is answered with the same error.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// The file or its directory cannot be created or written.
    #[error(
        "cannot open the audit database {path}: check that the directory exists and that this user may write it"
    )]
    Open {
        /// The database file.
        path: String,
        /// The cause.
        source: Arc<std::io::Error>,
    },
    /// Another daemon holds the lock.
    #[error(
        "the audit database {path} is in use by another openeventd: stop it, or give this one its own store.path"
    )]
    InUse {
        /// The database file.
        path: String,
    },
    /// The file is some other program's database.
    #[error(
        "{path} is a SQLite database of another program (application_id {found}): set store.path to a file of its own"
    )]
    Foreign {
        /// The database file.
        path: String,
        /// The application id found.
        found: i64,
    },
    /// The schema has migrations that this program does not know.
    #[error(
        "the audit database {path} was written by a newer openeventd (schema version {version}): install that version or newer"
    )]
    Newer {
        /// The database file.
        path: String,
        /// The first unknown schema version.
        version: i64,
    },
    /// There is no database.
    #[error(
        "there is no audit database at {path}: name it with --database, or run the daemon once, which creates it"
    )]
    Missing {
        /// The database file.
        path: String,
    },
    /// The file may be read, not written.
    #[error(
        "not permitted to write the audit database {path}: act as its owner, as in `sudo -u openeventd openeventd ...`"
    )]
    NotPermitted {
        /// The database file.
        path: String,
        /// The cause.
        source: Arc<std::io::Error>,
    },
    /// The file may not be read.
    #[error(
        "not permitted to read the audit database {path}: join the group that it belongs to, as in `sudo usermod -aG openeventd alice`, and log in anew; or act as its owner"
    )]
    NotReadable {
        /// The database file.
        path: String,
    },
    /// The file may be read, but what reading needs beside it is missing and cannot be made.
    #[error(
        "the audit database {path} cannot be read where it is: files beside it are missing or not permitted, and this user may not write its directory; copy it, with its -wal if there is one, into a directory of your own, or act as its owner"
    )]
    NotReadableThere {
        /// The database file.
        path: String,
    },
    /// What was named is something else.
    #[error("{path} is {found}, not an audit database: name the file with --database, or set store.path")]
    NotADatabase {
        /// What was named.
        path: String,
        /// What it is.
        found: &'static str,
    },
    /// The file is an audit database that cannot be read.
    #[error(
        "the audit database {path} is damaged or its disk fails ({message}): `sqlite3 {path} 'pragma integrity_check'` tells how much, docs/operations.md how to restore a copy"
    )]
    Damaged {
        /// The database file.
        path: String,
        /// What was noticed.
        message: String,
    },
    /// Another writer did not let go in time.
    #[error("the audit database {path} is being written for longer than {seconds} s: try again")]
    Busy {
        /// The database file.
        path: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The schema lacks migrations of this program.
    #[error(
        "the audit database {path} was written by an older openeventd: start the daemon of this version once, it brings the schema up to date"
    )]
    Older {
        /// The database file.
        path: String,
    },
    /// A question took longer than its reader may keep the database open.
    #[error(
        "no answer within {seconds} s, given up so that the write-ahead log can be emptied: narrow the question (a time range helps most), or raise --time-limit"
    )]
    TooLong {
        /// The limit.
        seconds: u64,
    },
    /// A person's question is no SQL that can be answered.
    #[error(
        "the question cannot be answered: {message}; docs/audit.md describes the views, and `select name from sqlite_schema where type = 'view'` lists them"
    )]
    Question {
        /// What SQLite says.
        message: String,
    },
    /// The answer to a person's question has a value that is too large to be held.
    #[error(
        "the answer has a value that is too large, of more than some tens of megabytes: ask for a part of it, as `substr(payload, 1, 1000)` does"
    )]
    TooLarge,
    /// A person's question would change the database, or is more than one.
    #[error("only one statement that reads is answered here, {found}: {fix}")]
    NotAQuestion {
        /// What was found instead.
        found: &'static str,
        /// What to do instead.
        fix: &'static str,
    },
    /// The schema could not be brought up to date.
    #[error("cannot bring the schema of {path} up to date")]
    Migrate {
        /// The database file.
        path: String,
        /// The cause.
        source: Arc<sqlx::migrate::MigrateError>,
    },
    /// The disk has no room for a write.
    #[error("the disk of the audit database is full: free some space; nothing is lost, intake waits")]
    DiskFull,
    /// A statement failed.
    #[error("cannot {action}")]
    Sql {
        /// What was being done.
        action: &'static str,
        /// The cause.
        source: Arc<sqlx::Error>,
    },
    /// A row holds what this program never writes.
    #[error("the audit database holds an unexpected value in {place}: {found}")]
    Corrupt {
        /// Table and column.
        place: &'static str,
        /// What was found.
        found: String,
    },
    /// Another command of the same commit failed, not this one.
    #[error("another command of the same commit failed; nothing of it was kept: it is tried again")]
    Undone,
    /// The writer has stopped.
    #[error("the audit database is closed")]
    Closed,
}

impl StoreError {
    /// The error of a statement that was to `action`.
    pub(crate) fn sql(action: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
        move |source| {
            match primary_code(&source) {
                // SQLITE_FULL.
                Some(13) => StoreError::DiskFull,
                _ => StoreError::Sql { action, source: Arc::new(source) },
            }
        }
    }

    /// Whether the same command may succeed later without anybody changing the program.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            StoreError::DiskFull | StoreError::Undone => true,
            // 5 busy, 6 locked, 10 I/O: the disk or another process may recover.
            StoreError::Sql { source, .. } => matches!(primary_code(source), Some(5 | 6 | 10)),
            _ => false,
        }
    }
}

/// SQLite's result code of an error, if it is one of SQLite's; extended codes share the low byte.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code)?;
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

/// A file that lies beside the database at `path`, as SQLite names them: `-wal`, `-shm`, and our `-lock`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
