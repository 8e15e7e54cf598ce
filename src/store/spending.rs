//! What accounts spend: debits of claims and look-ups, and what became of them.
//!
//! A debit is in the same commit as the attempt that it pays for, so neither a restart nor a crash
//! forgets it. Within one commit the changes are gathered and written once, before it ends.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::StoreError;
use crate::quota::{Calendar, Days, Span, Spent};

/// Whose counter a call adds to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spender {
    /// The rule that planned it.
    Rule(String),
    /// The rule whose lost call is looked up.
    Lookup(String),
    /// A command of a person.
    Command(&'static str),
}

/// One call that is paid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debit {
    /// The account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// The quota's days in which it may count.
    pub days: Days,
    /// Who spends.
    pub spender: Spender,
}

/// What became of a call that was paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paid {
    /// It succeeded, or may have.
    Succeeded,
    /// It was sent and came to nothing.
    Failed,
    /// It was refused for the number of calls.
    Throttled,
    /// It never left: the debit is given back.
    NotSent,
}

/// What an account has spent, as far as it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spendings {
    /// Calls on their way among what succeeded: they may.
    pub(super) spent: Spent,
    /// Calls on their way.
    pub(super) in_flight: u64,
    /// The days in which a call counts now.
    pub(super) days: Days,
    /// The one of them of which most is spent.
    pub(super) fullest: Span,
    /// The month.
    pub(super) month: Span,
}

/// The changes of the running commit.
#[derive(Debug, Default)]
pub(super) struct Spending {
    days: BTreeMap<(String, String, i64, i64), [i64; 3]>,
    spenders: BTreeMap<(String, String, i64, Spender), [i64; 2]>,
}

const SPENT: &str = "SELECT \
    (SELECT coalesce(sum(sent), 0) FROM quota_day \
     WHERE account = ?1 AND region = ?2 AND ends_at > ?3 AND begins_at < ?4), \
    (SELECT coalesce(sum(sent), 0) FROM quota_day \
     WHERE account = ?1 AND region = ?2 AND ends_at > ?5 AND begins_at < ?6), \
    (SELECT coalesce(sum(succeeded), 0) FROM quota_day \
     WHERE account = ?1 AND region = ?2 AND ends_at > ?7 AND begins_at < ?8), \
    (SELECT count(*) FROM action INDEXED BY action_in_flight WHERE state = 'in_flight' AND account = ?1) \
    + (SELECT count(*) FROM outside_call INDEXED BY outside_call_open \
       WHERE ended_at IS NULL AND account = ?1 AND given_up_at > ?9)";
// A negative change meets a row that is there: what is given back was debited before.
const ADD_DAY: &str = "INSERT INTO quota_day (account, region, begins_at, ends_at, sent, succeeded, throttled) \
    VALUES (?1, ?2, ?3, ?4, max(0, ?5), max(0, ?6), max(0, ?7)) ON CONFLICT (account, region, begins_at) \
    DO UPDATE SET sent = max(0, sent + ?5), succeeded = max(0, succeeded + ?6), throttled = max(0, throttled + ?7)";
const ADD_SPENDER: &str = "INSERT INTO quota_day_spender (account, region, begins_at, kind, name, sent, succeeded) \
    VALUES (?1, ?2, ?3, ?4, ?5, max(0, ?6), max(0, ?7)) ON CONFLICT (account, region, begins_at, kind, name) \
    DO UPDATE SET sent = max(0, sent + ?6), succeeded = max(0, succeeded + ?7)";

impl Spender {
    /// As stored and shown: kind and name.
    #[must_use]
    pub fn as_words(&self) -> (&'static str, &str) {
        match self {
            Spender::Rule(rule) => ("rule", rule),
            Spender::Lookup(rule) => ("lookup", rule),
            Spender::Command(command) => ("command", command),
        }
    }
}

/// What `account` has spent in `region`, by its calendar at `now_ms`.
pub(super) async fn spendings(
    connection: &mut SqliteConnection,
    (account, region): (&str, &str),
    calendar: Calendar,
    now_ms: i64,
) -> Result<Spendings, StoreError> {
    let failed = || StoreError::sql("read what was spent of the quota");
    let (days, month) = (calendar.days(now_ms), calendar.month(now_ms));
    let (today, neighbour) = (days.today, days.neighbour.unwrap_or(days.today));
    let mut query = sqlx::query(SPENT).bind(account).bind(region);
    for span in [today, neighbour, month] {
        query = query.bind(span.begins_ms).bind(span.ends_ms);
    }
    let row = query.bind(now_ms).fetch_one(connection).await.map_err(failed())?;
    let number = |at: usize| {
        row.try_get::<i64, _>(at).map(|number| u64::try_from(number).unwrap_or(0)).map_err(failed())
    };
    let (of_today, nearby, succeeded, in_flight) = (number(0)?, number(1)?, number(2)?, number(3)?);
    Ok(Spendings {
        spent: Spent { day_sent: of_today.max(nearby), month_succeeded: succeeded.saturating_add(in_flight) },
        in_flight,
        days,
        fullest: if nearby > of_today { neighbour } else { today },
        month,
    })
}

impl Spending {
    /// A call is about to be sent.
    pub(super) fn debit(&mut self, debit: &Debit) {
        self.change(debit, [1, 0, 0]);
    }

    /// What became of it.
    pub(super) fn paid(&mut self, debit: &Debit, paid: Paid) {
        match paid {
            Paid::Succeeded => self.change(debit, [0, 1, 0]),
            Paid::Failed => {}
            Paid::Throttled => self.change(debit, [0, 0, 1]),
            Paid::NotSent => self.change(debit, [-1, 0, 0]),
        }
    }

    fn change(&mut self, debit: &Debit, [sent, succeeded, throttled]: [i64; 3]) {
        self.change_day(debit, debit.days.today, [sent, succeeded, throttled]);
        // The provider counts it in one of them, and in which is not known.
        if let Some(neighbour) = debit.days.neighbour.filter(|_| sent != 0) {
            self.change_day(debit, neighbour, [sent, 0, 0]);
        }
    }

    fn change_day(&mut self, debit: &Debit, day: Span, [sent, succeeded, throttled]: [i64; 3]) {
        let Debit { account, region, spender, .. } = debit;
        let of = |begins| (account.clone(), region.clone(), begins);
        let (account_, region_, begins) = of(day.begins_ms);
        let total = self.days.entry((account_, region_, begins, day.ends_ms)).or_default();
        for (total, change) in total.iter_mut().zip([sent, succeeded, throttled]) {
            *total += change;
        }
        let (account_, region_, begins) = of(day.begins_ms);
        let total = self.spenders.entry((account_, region_, begins, spender.clone())).or_default();
        for (total, change) in total.iter_mut().zip([sent, succeeded]) {
            *total += change;
        }
    }

    /// Writes the changes; before the commit ends, and before anybody reads the counters.
    pub(super) async fn flush(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let failed = || StoreError::sql("count what was spent of the quota");
        for ((account, region, begins, ends), [sent, succeeded, throttled]) in std::mem::take(&mut self.days)
        {
            sqlx::query(ADD_DAY)
                .bind(account)
                .bind(region)
                .bind(begins)
                .bind(ends)
                .bind(sent)
                .bind(succeeded)
                .bind(throttled)
                .execute(&mut *connection)
                .await
                .map_err(failed())?;
        }
        for ((account, region, begins, spender), [sent, succeeded]) in std::mem::take(&mut self.spenders) {
            let (kind, name) = spender.as_words();
            sqlx::query(ADD_SPENDER)
                .bind(account)
                .bind(region)
                .bind(begins)
                .bind(kind)
                .bind(name.to_owned())
                .bind(sent)
                .bind(succeeded)
                .execute(&mut *connection)
                .await
                .map_err(failed())?;
        }
        Ok(())
    }
}
