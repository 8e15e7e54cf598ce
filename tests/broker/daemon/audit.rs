//! The audit database as a person reads it, beside the running daemon.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{Connection as _, Row as _};

use crate::harness::wait_for;

use super::program::DEADLINE;

/// Reads one database.
pub(crate) struct Audit<'a> {
    path: &'a Path,
    runtime: tokio::runtime::Runtime,
}

impl<'a> Audit<'a> {
    pub(crate) fn of(path: &'a Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Audit { path, runtime }
    }

    /// All rows of a query.
    pub(crate) fn rows(&self, query: &'static str) -> Vec<SqliteRow> {
        self.runtime.block_on(async {
            let options = SqliteConnectOptions::new()
                .filename(self.path)
                .read_only(true)
                .busy_timeout(Duration::from_secs(10));
            let mut connection = SqliteConnection::connect_with(&options).await.expect("the audit opens");
            let rows = sqlx::query(query).fetch_all(&mut connection).await;
            let rows = rows.unwrap_or_else(|error| panic!("{query}: {error}"));
            connection.close().await.expect("the audit closes");
            rows
        })
    }

    /// The one number of a query.
    pub(crate) fn number(&self, query: &'static str) -> i64 {
        self.rows(query).first().and_then(|row| row.get(0)).unwrap_or_default()
    }

    /// The first column of a query.
    pub(crate) fn texts(&self, query: &'static str) -> Vec<String> {
        self.rows(query).iter().map(|row| row.get(0)).collect()
    }

    /// Waits until a query gives this number.
    pub(crate) fn until(&self, query: &'static str, expected: i64) {
        let mut last = None;
        let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for(query, DEADLINE, || {
                let found = self.number(query);
                last = Some(found);
                (found == expected).then_some(())
            });
        }));
        assert!(waited.is_ok(), "{query}: expected {expected}, at last {last:?}");
    }

    /// The operation and instance of every call that has an attempt without an outcome.
    pub(crate) fn objects_in_flight(&self) -> Vec<(String, i64)> {
        let rows = self.rows(
            "SELECT a.operation, e.instance FROM actions a JOIN events e ON e.seq = a.event \
             WHERE a.state = 'in_flight'",
        );
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// One past the last stored offset of each partition's present generation.
    pub(crate) fn positions(&self, topic: &str) -> Vec<(i32, i64)> {
        let rows = self.rows(
            "SELECT topic, partition, next_offset FROM stream s WHERE generation = \
             (SELECT max(generation) FROM stream t WHERE t.topic = s.topic AND t.partition = s.partition) \
             ORDER BY topic, partition",
        );
        let of_topic = rows.iter().filter(|row| row.get::<String, _>(0) == topic);
        of_topic.map(|row| (row.get(1), row.get(2))).collect()
    }
}
