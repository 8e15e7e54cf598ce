//! Opening the database: lock, create, check, migrate.
//!
//! Guarantees that one daemon at most writes the file, that the file is ours and not newer than we
//! are, and that the durability settings are what promise 1 needs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection as _};

use super::positions::Positions;
use super::writer::{Writer, WriterTask};
use super::{Settings, StoreError, beside};

/// "OEvd": marks the file as ours (`PRAGMA application_id`).
pub const APPLICATION_ID: i64 = 0x4f45_7664;

/// Measured with 1 KB payloads: see docs/audit.md.
const PAGE_BYTES: u32 = 8192;

/// Pages in the WAL before the writer moves them into the database.
const WAL_CHECKPOINT_PAGES: &str = "2000";

/// What the WAL file is cut to when it starts anew, bytes.
const WAL_KEPT_BYTES: &str = "67108864";

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// Ends the database's use: runs the writer to its end, then lets the readers and the lock go.
#[derive(Debug)]
pub struct Closing {
    writer: WriterTask,
    readers: SqlitePool,
    lock: File,
}

impl Closing {
    /// Serves the writer until every handle is gone, then closes the database.
    ///
    /// # Errors
    /// The writer failed for good.
    pub async fn run(self) -> Result<(), StoreError> {
        // A reading connection that closes last leaves the -wal and -shm files in place, and members
        // of the file's group, who cannot create them, need them to query. Held, since the pool renews
        // its connections from time to time.
        let last = self.readers.acquire().await.map_err(StoreError::sql("hold a reading connection"))?;
        let written = self.writer.run().await;
        drop(last);
        self.readers.close().await;
        drop(self.lock);
        written
    }
}

/// The open database: the lock, the readers, and the one connection that writes.
#[derive(Debug)]
pub struct Store {
    /// The database file.
    pub path: PathBuf,
    pub(crate) connection: SqliteConnection,
    pub(crate) readers: SqlitePool,
    pub(crate) lock: File,
}

impl Store {
    /// Opens the database, creating and migrating it as needed.
    ///
    /// # Errors
    /// [`StoreError::Open`], [`StoreError::InUse`], [`StoreError::Foreign`], [`StoreError::Newer`] or
    /// [`StoreError::Migrate`]; the file is untouched by a refused open.
    pub async fn open(settings: &Settings) -> Result<Store, StoreError> {
        let path = settings.path.clone();
        let lock = lock(&path, settings.file_mode)?;
        create_file(&path, settings.file_mode)?;
        // What an older program wrote is migrated below.
        let _schema = refuse_unfit(&path).await?;
        let mut connection = writer_options(&path).connect().await.map_err(|error| StoreError::Open {
            path: shown(&path),
            source: Arc::new(io::Error::other(error)),
        })?;
        MIGRATOR
            .run(&mut connection)
            .await
            .map_err(|error| StoreError::Migrate { path: shown(&path), source: Arc::new(error) })?;
        let readers = SqlitePoolOptions::new()
            // One of them only stays open (see `Closing`).
            .max_connections(3)
            .min_connections(1)
            .connect_with(reader_options(&path))
            .await
            .map_err(StoreError::sql("open a reading connection"))?;
        Ok(Store { path, connection, readers, lock })
    }

    /// The writer, the positions, and what closes the database after the last use.
    ///
    /// # Errors
    /// What the writer keeps in memory cannot be read.
    pub async fn into_writer(self, now_ms: i64) -> Result<(Writer, Positions, Closing), StoreError> {
        let (writer, task) = Writer::over(self.connection, now_ms).await?;
        let positions = Positions::over(self.readers.clone());
        Ok((writer, positions, Closing { writer: task, readers: self.readers, lock: self.lock }))
    }
}

/// Takes the lock file beside the database; the kernel frees it when the process ends, however it ends.
fn lock(path: &Path, mode: u32) -> Result<File, StoreError> {
    let lock_path = beside(path, "-lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(mode)
        .open(&lock_path)
        .map_err(|error| StoreError::Open { path: shown(path), source: Arc::new(error) })?;
    give_to_owner(&file, path)
        .map_err(|error| StoreError::Open { path: shown(path), source: Arc::new(error) })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: shown(path) }),
        Err(TryLockError::Error(error)) => {
            Err(StoreError::Open { path: shown(path), source: Arc::new(error) })
        }
    }
}

/// A lock file that root made for one command must not shut out the daemon, whose database it is. (What
/// SQLite makes beside the database it gives to the owner itself.)
fn give_to_owner(lock: &File, path: &Path) -> io::Result<()> {
    let Ok(database) = std::fs::metadata(path) else { return Ok(()) };
    let own = lock.metadata()?;
    let is_ours = own.uid() == 0 && nix::unistd::geteuid().is_root();
    if !is_ours || database.uid() == own.uid() {
        return Ok(());
    }
    fchown(lock, Some(database.uid()), Some(database.gid()))
}

/// SQLite gives the WAL and its index the permissions of the database, so these decide for all three.
fn create_file(path: &Path, mode: u32) -> Result<(), StoreError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(mode)
        .open(path)
        .map(drop)
        .map_err(|error| StoreError::Open { path: shown(path), source: Arc::new(error) })
}

const APPLICATION: &str = "SELECT application_id FROM pragma_application_id";
const MIGRATED: &str = "SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
const VERSIONS: &str = "SELECT version FROM _sqlx_migrations ORDER BY version";

/// How far the schema of a fit file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schema {
    /// All migrations that we know.
    Current,
    /// Some are missing; an empty file has none.
    Older,
}

impl Schema {
    /// An older schema is an error to whoever may not migrate.
    pub(super) fn or_older(self, path: &Path) -> Result<(), StoreError> {
        match self {
            Schema::Current => Ok(()),
            Schema::Older => Err(StoreError::Older { path: shown(path) }),
        }
    }
}

/// Looks before anything is written: an empty file is new, any other must carry our mark and have no
/// migration that we do not know.
pub(super) async fn refuse_unfit(path: &Path) -> Result<Schema, StoreError> {
    let empty = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0);
    if empty {
        return Ok(Schema::Older);
    }
    schema_of(path, &reader_options(path)).await.map_err(|unfit| match unfit {
        Unfit::Refused(error) => error,
        Unfit::Unreadable(error) => {
            StoreError::Open { path: shown(path), source: Arc::new(io::Error::other(error)) }
        }
    })
}

/// Why a file is not fit.
pub(super) enum Unfit {
    /// It is not ours, or newer than we are.
    Refused(StoreError),
    /// SQLite cannot read it.
    Unreadable(sqlx::Error),
}

impl From<sqlx::Error> for Unfit {
    fn from(error: sqlx::Error) -> Self {
        Unfit::Unreadable(error)
    }
}

/// How far the schema of the file is that `options` open.
pub(super) async fn schema_of(path: &Path, options: &SqliteConnectOptions) -> Result<Schema, Unfit> {
    let mut connection = options.connect().await?;
    let found: i64 = sqlx::query_scalar(APPLICATION).fetch_one(&mut connection).await?;
    if found != APPLICATION_ID {
        return Err(Unfit::Refused(StoreError::Foreign { path: shown(path), found }));
    }
    let migrated: i64 = sqlx::query_scalar(MIGRATED).fetch_one(&mut connection).await?;
    let versions: Vec<i64> = if migrated == 0 {
        Vec::new()
    } else {
        sqlx::query_scalar(VERSIONS).fetch_all(&mut connection).await?
    };
    connection.close().await?;
    if let Some(version) = versions.iter().find(|version| !MIGRATOR.version_exists(**version)) {
        return Err(Unfit::Refused(StoreError::Newer { path: shown(path), version: *version }));
    }
    let is_current = MIGRATOR.iter().all(|migration| versions.contains(&migration.version));
    Ok(if is_current { Schema::Current } else { Schema::Older })
}

fn writer_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .page_size(PAGE_BYTES)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .pragma("application_id", APPLICATION_ID.to_string())
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        .busy_timeout(Duration::from_secs(5))
        .pragma("wal_autocheckpoint", WAL_CHECKPOINT_PAGES)
        .pragma("journal_size_limit", WAL_KEPT_BYTES)
        .pragma("cache_size", "-4096")
        .pragma("temp_store", "memory")
        .statement_cache_capacity(128)
        .thread_name(|_| "store-writer".into())
        .disable_statement_logging()
}

pub(super) fn reader_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .foreign_keys(false)
        .busy_timeout(Duration::from_secs(5))
        .pragma("cache_size", "-1024")
        .thread_name(|_| "store-reader".into())
        .disable_statement_logging()
}

pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}
