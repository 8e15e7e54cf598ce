//! The one writer: a queue of jobs, drained into shared commits.
//!
//! A job runs inside the open transaction and is answered after the commit. Waiting jobs share a
//! commit, so that many small settles cost one `fsync`. A job or commit that fails undoes the whole
//! group: the writer rolls back and reloads its memory from the database; nothing is half done. Whoever
//! failed gets the error. Jobs that only shared the commit are handed in again, a few times, and then get
//! [`StoreError::Undone`], which passes.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::accept::Stream;
use super::identity::IdentityLog;
use super::parking::Parkings;
use super::retries::Retries;
use super::spending::Spending;
use super::stop::Swept;
use super::wal::{self, Wal};
use super::{StoreError, columns, plan_state};
use crate::action::PlanState;
use crate::event::Event;

/// Jobs that wait for the writer; more make their senders wait.
const QUEUE_JOBS_MAX: usize = 256;

/// Jobs of one commit.
const COMMIT_JOBS_MAX: usize = 64;

/// A job is handed in so often when other jobs of its commit fail. Whoever fails for good does not come
/// back, so this is far more than one bad job can cause.
const HAND_INS_MAX: usize = 8;

/// Without a job for so long, the writer looks whether the write-ahead log can be emptied.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Origins remembered; the table holds all.
const ORIGINS_MAX: usize = 4096;

/// A handle to the writer: cheap to clone, usable from everywhere.
#[derive(Debug, Clone)]
pub struct Writer {
    queue: mpsc::Sender<Job>,
    beats: Arc<AtomicU64>,
    retries: Retries,
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What runs in the transaction; without one it only answers with the error.
struct Job(Box<Run>);

type Run = dyn for<'s> FnOnce(Result<&'s mut State, StoreError>) -> BoxFuture<'s, Ran> + Send;

/// A job that ran, and still waits for the commit.
struct Ran {
    failed: Option<StoreError>,
    tell: Box<dyn FnOnce(Option<StoreError>) + Send>,
}

/// What the writer keeps in memory; all of it can be read back from the database.
#[derive(Debug)]
pub(super) struct State {
    pub(super) connection: SqliteConnection,
    pub(super) identities: IdentityLog,
    pub(super) streams: HashMap<(String, i32), Stream>,
    pub(super) plan: PlanState,
    pub(super) parkings: Parkings,
    pub(super) spending: Spending,
    /// The last key whose order was looked at.
    pub(super) mended_up_to: String,
    /// How far stops were applied to what is planned.
    pub(super) stopped: Swept,
    /// By the hash of their content; the content itself is compared.
    origins: HashMap<u64, (Origin, i64)>,
    pub(super) next_event: i64,
    pub(super) next_batch: i64,
    pub(super) next_quarantined: i64,
    pub(super) next_action: i64,
    pub(super) next_attempt: i64,
    pub(super) last_accepted_at: i64,
}

/// What repeats from event to event: source, type, code, kind, account, region.
type Origin = [Option<String>; 6];

/// The writer's own task: run it until every handle is gone.
#[derive(Debug)]
pub struct WriterTask {
    state: State,
    queue: mpsc::Receiver<Job>,
    wal: Wal,
    beats: Arc<AtomicU64>,
}

/// How a commit is kept, as the writing connection itself says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    /// `PRAGMA journal_mode`: `wal`.
    pub journal_mode: String,
    /// `PRAGMA synchronous`: 2 is FULL.
    pub synchronous: i64,
}

/// Rows leave by retention and their numbers must never come again (identities name them), so
/// retention writes down how far each numbering had come.
const LAST_NUMBERS: &str = "SELECT \
    max((SELECT coalesce(max(seq), 0) FROM event), coalesce((SELECT value FROM upkeep WHERE name = 'last_event'), 0)), \
    max((SELECT coalesce(max(id), 0) FROM batch), coalesce((SELECT value FROM upkeep WHERE name = 'last_batch'), 0)), \
    max((SELECT coalesce(max(id), 0) FROM quarantined_record), \
        coalesce((SELECT value FROM upkeep WHERE name = 'last_quarantined'), 0)), \
    max((SELECT coalesce(max(number), 0) FROM action), coalesce((SELECT value FROM upkeep WHERE name = 'last_action'), 0)), \
    max((SELECT coalesce(max(id), 0) FROM attempt), coalesce((SELECT value FROM upkeep WHERE name = 'last_attempt'), 0)), \
    max((SELECT coalesce(max(accepted_at), 0) FROM batch), \
        coalesce((SELECT value FROM upkeep WHERE name = 'last_accepted_at'), 0))";
const JOURNAL_MODE: &str = "SELECT journal_mode FROM pragma_journal_mode";
const SYNCHRONOUS: &str = "SELECT synchronous FROM pragma_synchronous";
const FIND_ORIGIN: &str = "SELECT id FROM origin WHERE source IS ?1 AND type IS ?2 AND code IS ?3 AND kind IS ?4 \
    AND account IS ?5 AND region IS ?6";
const INSERT_ORIGIN: &str = "INSERT INTO origin (source, type, code, kind, account, region) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id";

impl Writer {
    /// A writer over `connection`, and the task that does its work.
    pub(super) async fn over(
        connection: SqliteConnection,
        now_ms: i64,
    ) -> Result<(Writer, WriterTask), StoreError> {
        let state = State::load(connection, now_ms).await?;
        let (sender, queue) = mpsc::channel(QUEUE_JOBS_MAX);
        let beats = Arc::new(AtomicU64::new(0));
        let task = WriterTask { state, queue, wal: Wal::left_by_an_earlier_run(), beats: Arc::clone(&beats) };
        Ok((Writer { queue: sender, beats, retries: Retries::default() }, task))
    }

    /// Counts the rounds of the writer, with work or without, with success or without, so that a watchdog
    /// sees whether they go on: there is one every few seconds. Whether writes succeed, [`Self::retries`] knows.
    #[must_use]
    pub fn beats(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.beats)
    }

    /// Where whoever tries a failed write again tells it.
    #[must_use]
    pub fn retries(&self) -> &Retries {
        &self.retries
    }

    /// What the writing connection says about the durability of its commits.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn durability(&self) -> Result<Durability, StoreError> {
        self.run(|state| {
            Box::pin(async move {
                let failed = || StoreError::sql("ask how commits are kept");
                let connection = &mut state.connection;
                Ok(Durability {
                    journal_mode: sqlx::query_scalar(JOURNAL_MODE)
                        .fetch_one(&mut *connection)
                        .await
                        .map_err(failed())?,
                    synchronous: sqlx::query_scalar(SYNCHRONOUS)
                        .fetch_one(connection)
                        .await
                        .map_err(failed())?,
                })
            })
        })
        .await
    }

    /// Runs `job` in the next commit and gives its result once that is durable. It runs again if another
    /// job undid that commit.
    pub(super) async fn run<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'s> FnOnce(&'s mut State) -> BoxFuture<'s, Result<T, StoreError>> + Clone + Send + 'static,
    {
        for _ in 1..HAND_INS_MAX {
            match self.hand_in(job.clone()).await {
                Err(StoreError::Undone) => {}
                result => return result,
            }
        }
        self.hand_in(job).await
    }

    /// Runs `job` once.
    async fn hand_in<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'s> FnOnce(&'s mut State) -> BoxFuture<'s, Result<T, StoreError>> + Send + 'static,
    {
        let (done, answer) = oneshot::channel();
        let job = Job(Box::new(move |state| {
            Box::pin(async move {
                let result = match state {
                    Ok(state) => job(state).await,
                    Err(error) => Err(error),
                };
                let failed = result.as_ref().err().cloned();
                let tell = Box::new(move |undone: Option<StoreError>| {
                    // Nobody listens any more when the caller was cancelled; the commit stands.
                    let _ = done.send(match undone {
                        None => result,
                        Some(error) => Err(error),
                    });
                });
                Ran { failed, tell }
            })
        }));
        self.queue.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl WriterTask {
    /// Serves jobs until every [`Writer`] is dropped, then closes the write connection.
    ///
    /// # Errors
    /// The memory could not be reloaded after a failed commit: nothing more can be promised.
    pub async fn run(mut self) -> Result<(), StoreError> {
        let mut jobs = Vec::with_capacity(COMMIT_JOBS_MAX);
        let mut looked_at = Instant::now();
        loop {
            if jobs.is_empty() {
                let waiting = self.queue.recv_many(&mut jobs, COMMIT_JOBS_MAX);
                if let Ok(0) = tokio::time::timeout(LOOK_EVERY, waiting).await {
                    break;
                }
            }
            if !jobs.is_empty()
                && let Err(error) = self.commit(&mut jobs).await
            {
                tracing::warn!(error = %error, "commit failed, nothing of it was kept");
                self.state.reload().await?;
            }
            // Asked now and then only: each question is a round trip that an accept would wait for.
            if jobs.is_empty() && looked_at.elapsed() >= LOOK_EVERY {
                self.wal.empty_when_quiet(&mut self.state.connection).await;
                looked_at = Instant::now();
            }
            self.beats.fetch_add(1, Ordering::Relaxed);
        }
        // The file alone is then the whole database: what is copied now is a backup.
        wal::truncate(&mut self.state.connection).await;
        self.state.connection.close().await.map_err(StoreError::sql("close the write connection"))
    }

    /// Runs the waiting jobs in one transaction and answers them after its end; jobs behind a failed
    /// one stay for the next transaction.
    async fn commit(&mut self, jobs: &mut Vec<Job>) -> Result<(), StoreError> {
        let mut ran = Vec::with_capacity(jobs.len());
        let result = self.run_group(jobs, &mut ran).await;
        if result.is_err() {
            // SQLite may have rolled back by itself (a full disk does that), so this may find nothing.
            if let Err(error) = self.state.connection.execute("ROLLBACK").await {
                tracing::debug!(error = %error, "rollback");
            }
        } else {
            self.state.plan.commit();
        }
        let by_a_job = ran.iter().any(|ran| ran.failed.is_some());
        for Ran { failed, tell } in ran {
            tell(match &result {
                Ok(()) => None,
                Err(_) if failed.is_some() => failed,
                Err(_) if by_a_job => Some(StoreError::Undone),
                Err(error) => Some(error.clone()),
            });
        }
        result
    }

    async fn run_group(&mut self, jobs: &mut Vec<Job>, ran: &mut Vec<Ran>) -> Result<(), StoreError> {
        if let Err(error) = self.state.connection.execute("BEGIN IMMEDIATE").await {
            let error = StoreError::sql("begin a write transaction")(error);
            for Job(job) in jobs.drain(..) {
                ran.push(job(Err(error.clone())).await);
            }
            return Err(error);
        }
        while !jobs.is_empty() {
            let Job(job) = jobs.remove(0);
            let done = job(Ok(&mut self.state)).await;
            let failed = done.failed.clone();
            ran.push(done);
            if let Some(error) = failed {
                return Err(error);
            }
        }
        self.state.spending.flush(&mut self.state.connection).await?;
        self.state.connection.execute("COMMIT").await.map(drop).map_err(StoreError::sql("commit"))
    }
}

impl State {
    async fn load(mut connection: SqliteConnection, now_ms: i64) -> Result<State, StoreError> {
        let identities = IdentityLog::load(&mut connection).await?;
        let plan = plan_state::load(&mut connection, now_ms).await?;
        let parkings = Parkings::load(&mut connection).await?;
        let mut state = State {
            connection,
            identities,
            streams: HashMap::new(),
            plan,
            parkings,
            spending: Spending::default(),
            mended_up_to: String::new(),
            stopped: Swept::default(),
            origins: HashMap::new(),
            next_event: 0,
            next_batch: 0,
            next_quarantined: 0,
            next_action: 0,
            next_attempt: 0,
            last_accepted_at: 0,
        };
        state.load_numbers().await?;
        Ok(state)
    }

    /// Forgets what a failed transaction left in memory.
    async fn reload(&mut self) -> Result<(), StoreError> {
        self.streams.clear();
        self.origins.clear();
        self.identities = IdentityLog::load(&mut self.connection).await?;
        self.plan = plan_state::load(&mut self.connection, self.last_accepted_at).await?;
        self.parkings = Parkings::load(&mut self.connection).await?;
        self.spending = Spending::default();
        self.stopped = Swept::default();
        self.load_numbers().await
    }

    async fn load_numbers(&mut self) -> Result<(), StoreError> {
        let failed = || StoreError::sql("read where the numbering stands");
        let row = sqlx::query(LAST_NUMBERS).fetch_one(&mut self.connection).await.map_err(failed())?;
        let number = |index: usize| row.try_get::<i64, _>(index).map_err(failed());
        self.next_event = number(0)? + 1;
        self.next_batch = number(1)? + 1;
        self.next_quarantined = number(2)? + 1;
        self.next_action = number(3)? + 1;
        self.next_attempt = number(4)? + 1;
        self.last_accepted_at = number(5)?;
        Ok(())
    }

    /// The row of what `event` shares with its like.
    pub(super) async fn origin(&mut self, event: &Event<'_>) -> Result<i64, StoreError> {
        let parts = [
            event.source.as_deref(),
            event.event_type.as_deref(),
            event.code.as_deref(),
            event.kind.map(columns::kind),
            event.account.as_deref(),
            event.region.as_deref(),
        ];
        let mut hasher = DefaultHasher::new();
        parts.hash(&mut hasher);
        let hash = hasher.finish();
        if let Some((origin, id)) = self.origins.get(&hash)
            && origin.iter().map(Option::as_deref).eq(parts)
        {
            return Ok(*id);
        }
        let id = match self.bind_origin(FIND_ORIGIN, parts).await? {
            Some(id) => id,
            None => self.bind_origin(INSERT_ORIGIN, parts).await?.unwrap_or_default(),
        };
        if self.origins.len() >= ORIGINS_MAX {
            self.origins.clear();
        }
        self.origins.insert(hash, (parts.map(|part| part.map(str::to_owned)), id));
        Ok(id)
    }

    async fn bind_origin(
        &mut self,
        statement: &'static str,
        parts: [Option<&str>; 6],
    ) -> Result<Option<i64>, StoreError> {
        let query = parts.into_iter().fold(sqlx::query_scalar(statement), sqlx::query::QueryScalar::bind);
        query
            .fetch_optional(&mut self.connection)
            .await
            .map_err(StoreError::sql("keep the origin of an event"))
    }
}
