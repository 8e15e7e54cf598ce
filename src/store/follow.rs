//! What is new since the last look, for whoever watches the daemon at work.
//!
//! Built on the read-only [`Reader`], so it shows what the audit knows and nothing else. Each look gives
//! what was accepted, quarantined and settled since the one before, in its order, a bounded number at a
//! time.

use std::collections::{BTreeMap, HashSet};

use sqlx::FromRow;
use sqlx::sqlite::SqliteConnection;

use super::{Reader, StoreError};

/// Rows of one kind in one look.
const ROWS_MAX: i64 = 500;

/// A look at everything that came since the last.
#[derive(Debug, Default)]
pub struct News {
    /// Accepted events.
    pub events: Vec<NewEvent>,
    /// Records that could not be decoded.
    pub quarantined: Vec<NewQuarantined>,
    /// Batches in which records came again, and planned nothing.
    pub duplicates: Vec<NewDuplicates>,
    /// Attempts that were settled, whatever they came to.
    pub attempts: Vec<NewAttempt>,
}

impl News {
    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.quarantined.is_empty()
            && self.attempts.is_empty()
            && self.duplicates.is_empty()
    }
}

/// An accepted event.
#[derive(Debug)]
pub struct NewEvent {
    /// Its number in the audit.
    pub seq: i64,
    /// When it was accepted, milliseconds since 1970.
    pub accepted_ms: i64,
    /// Its code.
    pub code: Option<String>,
    /// The workspace.
    pub workspace: Option<i64>,
    /// The instance.
    pub instance: Option<i64>,
    /// The node.
    pub node: Option<i64>,
    /// The file.
    pub file: Option<i64>,
    /// The table.
    pub table: Option<String>,
    /// The status of an instance or DAG.
    pub status: Option<String>,
    /// What the rules made of it.
    pub decisions: Vec<NewDecision>,
}

/// What one rule made of an event.
#[derive(Debug, FromRow)]
pub struct NewDecision {
    /// The event.
    pub event: i64,
    /// The rule.
    pub rule: String,
    /// What it came to: planned, recorded, untrusted, failed.
    pub outcome: String,
    /// Why it failed.
    pub message: Option<String>,
    /// The state of its action now.
    pub state: Option<String>,
    /// Why the action is held.
    pub held_reason: Option<String>,
    /// The operation.
    pub operation: Option<String>,
}

/// A record that could not be decoded.
#[derive(Debug, FromRow)]
pub struct NewQuarantined {
    /// Its number.
    pub id: i64,
    /// When it was, milliseconds since 1970.
    pub quarantined_at: i64,
    /// The reason, a stable word.
    pub reason: String,
    /// The reason in words.
    pub message: String,
}

/// Records of one batch that were known already.
#[derive(Debug, FromRow)]
pub struct NewDuplicates {
    /// The batch.
    pub id: i64,
    /// When it was accepted, milliseconds since 1970.
    pub accepted_at: i64,
    /// How many there were.
    pub duplicates: i64,
}

/// A settled attempt.
#[derive(Debug, FromRow)]
pub struct NewAttempt {
    /// Its number over all attempts.
    pub id: i64,
    /// The event that it is for.
    pub event: i64,
    /// When it was settled, milliseconds since 1970.
    pub finished_at: Option<i64>,
    /// The rule.
    pub rule: String,
    /// The operation.
    pub operation: String,
    /// Which attempt of its action, from 1.
    pub number: i64,
    /// What it came to: succeeded, due again, dead, unresolved, held; `None` while in flight.
    pub outcome: Option<String>,
    /// What happened to the call.
    pub class: Option<String>,
    /// The HTTP status, where there was a response.
    pub http_status: Option<i64>,
    /// The endpoint's error code.
    pub error_code: Option<String>,
    /// From sending to the last byte of the response, milliseconds.
    pub latency_ms: Option<i64>,
}

/// How far the daemon is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Offsets that are accounted for, the last of each partition.
    pub reached: BTreeMap<i64, i64>,
    /// Actions that will be sent without anybody doing anything.
    pub open: i64,
}

/// Looks again and again.
#[derive(Debug)]
pub struct Follower {
    reader: Reader,
    event: i64,
    quarantined: i64,
    batch: i64,
    /// All attempts up to this one were told.
    attempt: i64,
    /// Attempts settle out of order, so those told above it are remembered.
    told: HashSet<i64>,
}

#[derive(FromRow)]
struct EventRow {
    seq: i64,
    accepted_ms: i64,
    code: Option<String>,
    workspace: Option<i64>,
    instance: Option<i64>,
    node: Option<i64>,
    file: Option<i64>,
    #[sqlx(rename = "table")]
    table_name: Option<String>,
    status: Option<String>,
}

const EVENTS: &str = "SELECT seq, accepted_ms, code, workspace, instance, node, file, \"table\", status FROM events \
    WHERE seq > ?1 ORDER BY seq LIMIT ?2";

const DECISIONS: &str = "SELECT d.event, d.rule, d.outcome, d.message, a.state, a.held_reason, a.operation \
    FROM decision d LEFT JOIN action a ON a.number = d.action \
    WHERE d.event > ?1 AND d.event <= ?2 ORDER BY d.event, d.position";

const QUARANTINED: &str =
    "SELECT id, quarantined_at, reason, message FROM quarantined_record WHERE id > ?1 ORDER BY id LIMIT ?2";

const BATCHES: &str = "SELECT id, accepted_at, duplicates FROM batch WHERE id > ?1 ORDER BY id LIMIT ?2";

const ATTEMPTS: &str = "SELECT t.id, a.event, t.finished_at, a.rule, a.operation, t.number, t.outcome, t.class, \
    t.http_status, t.error_code, t.latency_ms \
    FROM attempt t JOIN action a ON a.number = t.action WHERE t.id > ?1 ORDER BY t.id LIMIT ?2";

const REACHED: &str = "SELECT range.value ->> 'partition' AS partition, max(range.value ->> 'last') AS last \
    FROM batch, json_each(batch.ranges) AS range GROUP BY partition";

const OPEN: &str = "SELECT count(*) FROM action WHERE state IN ('planned', 'waiting', 'in_flight')";

impl Reader {
    /// The last offset that is accounted for, by partition, where there is one topic.
    ///
    /// # Errors
    /// The database cannot be read, or the reader's time is over.
    pub async fn reached(&mut self) -> Result<BTreeMap<i64, i64>, StoreError> {
        let failed = self.failed("read the ranges of the batches");
        let last: Vec<(i64, i64)> =
            sqlx::query_as(REACHED).fetch_all(&mut self.connection).await.map_err(failed)?;
        Ok(last.into_iter().collect())
    }
}

impl Follower {
    /// Begins before the first event.
    #[must_use]
    pub fn new(reader: Reader) -> Self {
        Follower { reader, event: 0, quarantined: 0, batch: 0, attempt: 0, told: HashSet::new() }
    }

    /// What came since the last look.
    ///
    /// # Errors
    /// The database cannot be read, or the reader's time is over.
    pub async fn news(&mut self) -> Result<News, StoreError> {
        // Attempts first: each of them belongs to an event that the next question finds.
        let attempts = self.attempts().await?;
        let mut news = News { events: self.events().await?, ..News::default() };
        self.tell(attempts, &mut news);
        let failed = self.reader.failed("read the quarantined records");
        news.quarantined = sqlx::query_as(QUARANTINED)
            .bind(self.quarantined)
            .bind(ROWS_MAX)
            .fetch_all(self.connection())
            .await
            .map_err(failed)?;
        self.quarantined = news.quarantined.last().map_or(self.quarantined, |last| last.id);
        let (after, failed) = (self.batch, self.reader.failed("read the batches"));
        let batches: Vec<NewDuplicates> = sqlx::query_as(BATCHES)
            .bind(after)
            .bind(ROWS_MAX)
            .fetch_all(self.connection())
            .await
            .map_err(failed)?;
        self.batch = batches.last().map_or(after, |last| last.id);
        news.duplicates = batches.into_iter().filter(|batch| batch.duplicates > 0).collect();
        Ok(news)
    }

    /// How far the daemon is now.
    ///
    /// # Errors
    /// As for [`Follower::news`].
    pub async fn standing(&mut self) -> Result<Standing, StoreError> {
        let failed = self.reader.failed("count the open actions");
        let open = sqlx::query_scalar(OPEN).fetch_one(self.connection()).await.map_err(failed)?;
        Ok(Standing { reached: self.reader.reached().await?, open })
    }

    async fn attempts(&mut self) -> Result<Vec<NewAttempt>, StoreError> {
        let (after, failed) = (self.attempt, self.reader.failed("read the attempts"));
        sqlx::query_as(ATTEMPTS).bind(after).bind(ROWS_MAX).fetch_all(self.connection()).await.map_err(failed)
    }

    /// Tells the attempts that are settled, of events that were told.
    fn tell(&mut self, attempts: Vec<NewAttempt>, news: &mut News) {
        let mut all_told = true;
        for attempt in attempts {
            let id = attempt.id;
            let is_told = self.told.contains(&id);
            if !is_told && attempt.outcome.is_some() && attempt.event <= self.event {
                self.told.insert(id);
                news.attempts.push(attempt);
            }
            all_told &= self.told.contains(&id);
            if all_told {
                self.told.remove(&id);
                self.attempt = id;
            }
        }
    }

    async fn events(&mut self) -> Result<Vec<NewEvent>, StoreError> {
        let (after, failed) = (self.event, self.reader.failed("read the events"));
        let rows: Vec<EventRow> = sqlx::query_as(EVENTS)
            .bind(after)
            .bind(ROWS_MAX)
            .fetch_all(self.connection())
            .await
            .map_err(failed)?;
        self.event = rows.last().map_or(after, |last| last.seq);
        let (last, failed) = (self.event, self.reader.failed("read the decisions"));
        let decisions: Vec<NewDecision> = sqlx::query_as(DECISIONS)
            .bind(after)
            .bind(last)
            .fetch_all(self.connection())
            .await
            .map_err(failed)?;
        let mut decisions = decisions.into_iter().peekable();
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let mut own = Vec::new();
            while let Some(decision) = decisions.next_if(|decision| decision.event == row.seq) {
                own.push(decision);
            }
            events.push(NewEvent {
                seq: row.seq,
                accepted_ms: row.accepted_ms,
                code: row.code,
                workspace: row.workspace,
                instance: row.instance,
                node: row.node,
                file: row.file,
                table: row.table_name,
                status: row.status,
                decisions: own,
            });
        }
        Ok(events)
    }

    fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.reader.connection
    }
}
