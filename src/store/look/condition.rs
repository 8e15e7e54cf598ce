//! How the daemon does: its own row, what waits, what failed, and how much room there is.
//!
//! Every part is bounded: it takes an index, or the newest rows only, so that the answer comes at once
//! from a database of any size.

use std::path::Path;

use super::super::{Reader, StoreError, beside};
use super::rows::{Bounds, Row};

/// Events looked at for the last of each code.
pub const EVENTS_LOOKED_AT: i64 = 50_000;

/// Records looked at for what is quarantined and not replayed.
pub const QUARANTINED_LOOKED_AT: i64 = 10_000;

/// Held actions whose reasons are counted.
const HELD_LOOKED_AT: i64 = 50_000;

const HOUR_MS: i64 = 3_600_000;

/// How the daemon does.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The row of view `daemons`, with `alive_ms`, `stopped_ms`, `started_ms` and what is known of its `rules`
    /// and `rules_loaded_at`. None: no daemon of this version has run on this database.
    pub daemon: Option<Row>,
    /// The last event of each `code`: `seq`, `accepted_at`, and `events` of those looked at; nulls for a code
    /// that is not among them.
    pub codes: Vec<Row>,
    /// Numbers of actions: `due`, `oldest_due_at`, `later`, `in_flight`, `waiting`, `dead`, `unresolved`.
    pub backlog: Row,
    /// What is held: `held_reason`, `actions`.
    pub held: Vec<Row>,
    /// `records` not replayed, and when the `last_at` was quarantined.
    pub quarantined: Row,
    /// `gaps` in all, and when the last was noticed.
    pub gaps: Row,
    /// The calls of the last hour: `outcome`, `calls`.
    pub calls: Vec<Row>,
    /// Stops in force: columns of view `stops`.
    pub stops: Vec<Row>,
    /// What is parked: columns of view `parkings`.
    pub parkings: Vec<Row>,
    /// What each account has spent of the quota's present day: columns of view `quota_days`.
    pub quota: Vec<Row>,
    /// Bytes of the database file.
    pub database_bytes: u64,
    /// Bytes of the write-ahead log.
    pub wal_bytes: u64,
}

const DAEMON: &str = "SELECT v.*, d.alive_at AS alive_ms, d.stopped_at AS stopped_ms, d.started_at AS started_ms, \
    r.rules, strftime('%Y-%m-%dT%H:%M:%fZ', r.loaded_at / 1000.0, 'unixepoch') AS rules_loaded_at \
    FROM daemon d, daemons v LEFT JOIN rule_set r ON r.id = d.rule_set";
const CODES: &str = "SELECT o.code, max(l.seq) AS seq, \
    strftime('%Y-%m-%dT%H:%M:%fZ', max(l.accepted_at) / 1000.0, 'unixepoch') AS accepted_at, count(l.seq) AS events \
    FROM origin o LEFT JOIN (SELECT origin, seq, accepted_at FROM event ORDER BY seq DESC LIMIT ?1) l ON l.origin = o.id \
    GROUP BY o.code ORDER BY max(l.seq) DESC, o.code";
// A partial index is taken only where its own condition stands in the statement, word for word.
const BACKLOG: &str = "SELECT coalesce(p.due, 0) AS due, \
    strftime('%Y-%m-%dT%H:%M:%fZ', p.oldest_due_at / 1000.0, 'unixepoch') AS oldest_due_at, \
    coalesce(p.later, 0) AS later, f.in_flight, coalesce(w.waiting, 0) AS waiting, coalesce(w.held, 0) AS held, \
    coalesce(w.dead, 0) AS dead, coalesce(w.unresolved, 0) AS unresolved FROM \
    (SELECT sum(due_at <= ?1) AS due, sum(due_at > ?1) AS later, \
        min(CASE WHEN due_at <= ?1 THEN due_at END) AS oldest_due_at \
        FROM action INDEXED BY action_due WHERE state = 'planned') p, \
    (SELECT count(*) AS in_flight FROM action INDEXED BY action_in_flight WHERE state = 'in_flight') f, \
    (SELECT sum(state = 'waiting') AS waiting, sum(state = 'held') AS held, sum(state = 'dead') AS dead, \
        sum(state = 'unresolved') AS unresolved \
        FROM action INDEXED BY action_attention WHERE state IN ('held', 'dead', 'unresolved', 'waiting')) w";
const HELD: &str = "SELECT held_reason, count(*) AS actions FROM ( \
    SELECT held_reason FROM action INDEXED BY action_attention \
    WHERE state IN ('held', 'dead', 'unresolved', 'waiting') AND state = 'held' ORDER BY number DESC LIMIT ?1) \
    GROUP BY held_reason ORDER BY actions DESC, held_reason";
const QUARANTINED: &str = "SELECT count(*) AS records, \
    strftime('%Y-%m-%dT%H:%M:%fZ', max(quarantined_at) / 1000.0, 'unixepoch') AS last_at FROM ( \
    SELECT replayed_at, quarantined_at FROM quarantined_record ORDER BY id DESC LIMIT ?1) WHERE replayed_at IS NULL";
const GAPS: &str = "SELECT count(*) AS gaps, \
    strftime('%Y-%m-%dT%H:%M:%fZ', max(noticed_at) / 1000.0, 'unixepoch') AS last_at FROM gap";
const CALLS: &str = "SELECT coalesce(outcome, 'in_flight') AS outcome, count(*) AS calls FROM attempt \
    WHERE started_at >= ?1 GROUP BY 1 ORDER BY calls DESC, 1";
// Another offset of the calendar makes days overlap once: the younger one is in force.
const QUOTA: &str = "SELECT account, region, \
    strftime('%Y-%m-%dT%H:%M:%fZ', max(begins_at) / 1000.0, 'unixepoch') AS begins_at, \
    strftime('%Y-%m-%dT%H:%M:%fZ', ends_at / 1000.0, 'unixepoch') AS ends_at, sent, succeeded, throttled \
    FROM quota_day WHERE begins_at <= ?1 AND ends_at > ?1 GROUP BY account, region ORDER BY account, region";

const LOOKING: &str = "look at the daemon's condition";

impl Reader {
    /// How the daemon does at `now_ms`.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn condition(&mut self, now_ms: i64) -> Result<Condition, StoreError> {
        Ok(Condition {
            daemon: self.row(LOOKING, sqlx::query(DAEMON)).await?,
            codes: self.rows(LOOKING, sqlx::query(CODES).bind(EVENTS_LOOKED_AT), Bounds::WIDE).await?.rows,
            backlog: self.only(sqlx::query(BACKLOG).bind(now_ms)).await?,
            held: self.rows(LOOKING, sqlx::query(HELD).bind(HELD_LOOKED_AT), Bounds::WIDE).await?.rows,
            quarantined: self.only(sqlx::query(QUARANTINED).bind(QUARANTINED_LOOKED_AT)).await?,
            gaps: self.only(sqlx::query(GAPS)).await?,
            calls: self.rows(LOOKING, sqlx::query(CALLS).bind(now_ms - HOUR_MS), Bounds::WIDE).await?.rows,
            stops: self.stops().await?,
            parkings: self.parkings().await?,
            quota: self.rows(LOOKING, sqlx::query(QUOTA).bind(now_ms), Bounds::WIDE).await?.rows,
            database_bytes: bytes(&self.path),
            wal_bytes: bytes(&beside(&self.path, "-wal")),
        })
    }

    async fn only(
        &mut self,
        query: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> Result<Row, StoreError> {
        let none = || StoreError::Corrupt { place: "a count", found: "no row".to_owned() };
        self.row(LOOKING, query).await?.ok_or_else(none)
    }
}

/// The size of a file; one that is not there is empty.
fn bytes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}
