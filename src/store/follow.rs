//! What is new since the last look, for whoever watches the daemon at work.
//!
//! Built on the read-only [`Reader`], so it shows what the audit knows and nothing else. Each look gives
//! what was accepted, quarantined and settled since the one before, in its order, a bounded number at a
//! time.

use std::collections::{BTreeMap, HashSet};

use sqlx::FromRow;
use sqlx::sqlite::SqliteConnection;

use super::{Reader, StoreError};

mod news;

pub use news::{
    NewAttempt, NewDecision, NewDuplicates, NewEvent, NewParking, NewQuarantined, NewVerdict, News,
};

/// Rows of one kind in one look.
const ROWS_MAX: i64 = 500;

/// How far the daemon is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Offsets that are accounted for, the last of each partition.
    pub reached: BTreeMap<i64, i64>,
    /// Actions that will be sent, or looked up for the first time, without anybody doing anything.
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
    /// Told as unresolved, and not looked up so far.
    unresolved: Vec<i64>,
    /// When the last parking was, and its id: ids are given anew when a parking is lifted.
    parking: (i64, i64),
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

const VERDICTS: &str = "SELECT t.id AS attempt, a.event, t.verified_at, a.operation, t.verdict, \
    coalesce(t.verdict_reason, '') AS reason \
    FROM json_each(?1) AS told JOIN attempt t ON t.id = told.value JOIN action a ON a.number = t.action \
    WHERE t.verified_at IS NOT NULL ORDER BY t.verified_at, t.id";

const PARKINGS: &str = "SELECT id, account, operation, workspace, reason, since, until FROM parking \
    WHERE (since, id) > (?1, ?2) ORDER BY since, id LIMIT ?3";

const REACHED: &str = "SELECT range.value ->> 'partition' AS partition, max(range.value ->> 'last') AS last \
    FROM batch, json_each(batch.ranges) AS range GROUP BY partition";

const OPEN: &str = "SELECT count(*) FROM action a WHERE state IN ('planned', 'waiting', 'in_flight') \
    OR state = 'unresolved' AND verify_at IS NOT NULL \
    AND NOT EXISTS (SELECT 1 FROM attempt t WHERE t.action = a.number AND t.verified_at IS NOT NULL)";

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
        Follower {
            reader,
            event: 0,
            quarantined: 0,
            batch: 0,
            attempt: 0,
            told: HashSet::new(),
            unresolved: Vec::new(),
            parking: (0, 0),
        }
    }

    /// What came since the last look.
    ///
    /// # Errors
    /// The database cannot be read, or the reader's time is over.
    pub async fn news(&mut self) -> Result<News, StoreError> {
        // What follows is read before its cause: each parking comes from an attempt, and each attempt from an
        // event, that the next question finds.
        let parkings = self.parkings().await?;
        let attempts = self.attempts().await?;
        let mut news = News { events: self.events().await?, parkings, ..News::default() };
        self.tell(attempts, &mut news);
        news.verdicts = self.verdicts().await?;
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
                if attempt.outcome.as_deref() == Some("unresolved") {
                    self.unresolved.push(id);
                }
                news.attempts.push(attempt);
            }
            all_told &= self.told.contains(&id);
            if all_told {
                self.told.remove(&id);
                self.attempt = id;
            }
        }
    }

    async fn verdicts(&mut self) -> Result<Vec<NewVerdict>, StoreError> {
        if self.unresolved.is_empty() {
            return Ok(Vec::new());
        }
        let failed = self.reader.failed("read the verdicts");
        let verdicts: Vec<NewVerdict> = sqlx::query_as(VERDICTS)
            .bind(serde_json::Value::from(self.unresolved.as_slice()).to_string())
            .fetch_all(self.connection())
            .await
            .map_err(failed)?;
        self.unresolved.retain(|id| verdicts.iter().all(|verdict| verdict.attempt != *id));
        Ok(verdicts)
    }

    async fn parkings(&mut self) -> Result<Vec<NewParking>, StoreError> {
        let ((since, id), failed) = (self.parking, self.reader.failed("read what is parked"));
        let parkings: Vec<NewParking> = sqlx::query_as(PARKINGS)
            .bind(since)
            .bind(id)
            .bind(ROWS_MAX)
            .fetch_all(self.connection())
            .await
            .map_err(failed)?;
        self.parking = parkings.last().map_or(self.parking, |last| (last.since, last.id));
        Ok(parkings)
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
