//! What accounts have spent of their quota: by day and month, by whom, and what waits.
//!
//! A row of `quota_day` says where its own day lies, so a day or month that is asked for takes every row that
//! overlaps it, as the claim does: after a change of the calendar's offset it counts too much rather than too
//! little.

use super::super::{Reader, StoreError};
use super::rows::{Bounds, Row};
use crate::quota::Span;

/// More spenders than an account has.
const SPENDERS_MAX: i64 = 10_000;

/// Planned actions that are counted.
const PLANNED_MAX: i64 = 100_000;

/// An account and the present day and month of its calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// The day.
    pub day: Span,
    /// The month.
    pub month: Span,
}

/// What an account has spent, and what waits for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Spent {
    /// Of the day: `sent`, `succeeded`, `throttled`.
    pub day: Row,
    /// Of the month: the same columns, and what is `in_flight` now.
    pub month: Row,
    /// By whom, rules first and who spent most: `kind`, `name`, `sent_today`, `succeeded_today`, `sent_month`,
    /// `succeeded_month`.
    pub spenders: Vec<Row>,
    /// Actions of the account: `planned`, of them `due`, `behind` others of their key and `too_late` once the account
    /// is called again; and when the first `runs_at`.
    pub waiting: Row,
    /// What is parked: columns of view `parkings`.
    pub parkings: Vec<Row>,
}

const ACCOUNTS: &str = "SELECT DISTINCT account, region FROM quota_day ORDER BY account, region";
const OF_SPAN: &str = "SELECT coalesce(sum(sent), 0) AS sent, coalesce(sum(succeeded), 0) AS succeeded, \
    coalesce(sum(throttled), 0) AS throttled, \
    (SELECT count(*) FROM action INDEXED BY action_in_flight WHERE state = 'in_flight' AND account = ?1) AS in_flight \
    FROM quota_day WHERE account = ?1 AND region = ?2 AND ends_at > ?3 AND begins_at < ?4";
const SPENDERS: &str = "SELECT s.kind, s.name, \
    coalesce(sum(CASE WHEN d.ends_at > ?3 AND d.begins_at < ?4 THEN s.sent END), 0) AS sent_today, \
    coalesce(sum(CASE WHEN d.ends_at > ?3 AND d.begins_at < ?4 THEN s.succeeded END), 0) AS succeeded_today, \
    sum(s.sent) AS sent_month, sum(s.succeeded) AS succeeded_month \
    FROM quota_day d JOIN quota_day_spender s \
        ON s.account = d.account AND s.region = d.region AND s.begins_at = d.begins_at \
    WHERE d.account = ?1 AND d.region = ?2 AND (d.ends_at > ?5 AND d.begins_at < ?6 OR d.ends_at > ?3 AND d.begins_at < ?4) \
    GROUP BY s.kind, s.name ORDER BY s.kind = 'rule' DESC, sent_month DESC, s.kind, s.name LIMIT ?7";
// The latest parking decides, as in view `actions`.
const WAITING: &str = "WITH until (at) AS \
    (SELECT coalesce(max(until), 0) FROM parking WHERE account = ?1 AND operation IS NULL) \
    SELECT count(*) AS planned, coalesce(sum(behind = 0 AND due_at <= ?2), 0) AS due, \
    coalesce(sum(behind), 0) AS behind, coalesce(sum(expires_at <= max(due_at, (SELECT at FROM until))), 0) AS too_late, \
    strftime('%Y-%m-%dT%H:%M:%fZ', min(CASE WHEN behind = 0 THEN max(due_at, (SELECT at FROM until)) END) / 1000.0, \
        'unixepoch') AS runs_at \
    FROM (SELECT behind, due_at, expires_at FROM action WHERE state = 'planned' AND account = ?1 LIMIT ?3)";

const LOOKING: &str = "look at what was spent";

impl Reader {
    /// Accounts and regions that have ever spent something.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn spending_accounts(&mut self) -> Result<Vec<(String, String)>, StoreError> {
        let failed = self.failed(LOOKING);
        sqlx::query_as(ACCOUNTS).fetch_all(&mut self.connection).await.map_err(failed)
    }

    /// What the account has spent at `now_ms`.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn spent(&mut self, asked: &Asked, now_ms: i64) -> Result<Spent, StoreError> {
        let Asked { account, day, month, .. } = asked;
        let query = sqlx::query(SPENDERS)
            .bind(account.clone())
            .bind(asked.region.clone())
            .bind(day.begins_ms)
            .bind(day.ends_ms)
            .bind(month.begins_ms)
            .bind(month.ends_ms)
            .bind(SPENDERS_MAX);
        let spenders = self.rows(LOOKING, query, Bounds::WIDE).await?.rows;
        let waiting = sqlx::query(WAITING).bind(account.clone()).bind(now_ms).bind(PLANNED_MAX);
        let mut parkings = self.parkings().await?;
        parkings.retain(|row| row.text("account") == Some(account));
        Ok(Spent {
            day: self.of_span(asked, *day).await?,
            month: self.of_span(asked, *month).await?,
            spenders,
            waiting: self.row(LOOKING, waiting).await?.ok_or_else(none)?,
            parkings,
        })
    }

    async fn of_span(&mut self, asked: &Asked, span: Span) -> Result<Row, StoreError> {
        let query = sqlx::query(OF_SPAN)
            .bind(asked.account.clone())
            .bind(asked.region.clone())
            .bind(span.begins_ms)
            .bind(span.ends_ms);
        self.row(LOOKING, query).await?.ok_or_else(none)
    }
}

fn none() -> StoreError {
    StoreError::Corrupt { place: "a count", found: "no row".to_owned() }
}
