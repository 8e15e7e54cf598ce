//! A person's own SQL: one statement that reads, its columns and its rows.
//!
//! SQLite would make a value of a gigabyte if asked to, so its memory is bounded for the rest of the process:
//! what asks is a command that ends after the answer, never the daemon.

use std::collections::HashSet;

use sqlx::{AssertSqlSafe, Either, Executor as _, SqlSafeStr as _, Statement as _};

use super::super::{Reader, StoreError};
use super::rows::{Bounds, Extent, Rows};
use super::statement;

/// 256 MiB: several times the bytes of an answer, which pass from SQLite to us by copies.
const BOUND_MEMORY: &str = "PRAGMA hard_heap_limit = 268435456";

impl Reader {
    /// The answer to `sql`, as far as `bounds` allow; its columns are named even where there is no row.
    ///
    /// # Errors
    /// [`StoreError::NotAQuestion`], [`StoreError::Question`], [`StoreError::TooLarge`] or
    /// [`StoreError::TooLong`].
    pub async fn ask(&mut self, sql: &str, bounds: Bounds) -> Result<Rows, StoreError> {
        statement::refuse_unfit(sql)?;
        let bounded = sqlx::query(BOUND_MEMORY).execute(&mut self.connection).await;
        bounded.map_err(self.failed("bound the memory of an answer"))?;
        // What is executed is the person's own; nothing is put into it.
        let text = AssertSqlSafe(sql.to_owned()).into_sql_str();
        let prepared = match (&mut self.connection).prepare(text.clone()).await {
            Ok(prepared) => prepared,
            Err(error) => return Err(self.refused(error)),
        };
        if matches!(prepared.parameters(), Some(Either::Right(1..))) {
            let message =
                "it has parameters (?, :name, @name or $name), which nobody gives values: write the values";
            return Err(StoreError::Question { message: message.to_owned() });
        }
        let columns = distinct(prepared.columns().iter().map(sqlx::Column::name));
        drop(prepared);
        let rows = match self.gather(sqlx::query(text), bounds).await {
            Ok(rows) => rows,
            Err(error) => return Err(self.refused(error)),
        };
        if rows.rows.is_empty() && rows.extent == Extent::CutBySize {
            return Err(StoreError::TooLarge);
        }
        Ok(rows.named(columns))
    }

    fn refused(&self, error: sqlx::Error) -> StoreError {
        // The client library gives up on a value for which SQLite had no memory left.
        if matches!(error, sqlx::Error::WorkerCrashed) {
            return StoreError::TooLarge;
        }
        match self.failed("answer the question")(error) {
            StoreError::Sql { source, action } => match source.as_database_error() {
                // 8 is SQLITE_READONLY.
                Some(refused) if refused.code().is_some_and(|code| code == "8") => statement::writes(),
                // 7 is SQLITE_NOMEM, 18 SQLITE_TOOBIG.
                Some(refused) if refused.code().is_some_and(|code| code == "7" || code == "18") => {
                    StoreError::TooLarge
                }
                Some(refused) => StoreError::Question { message: refused.message().to_owned() },
                None => StoreError::Sql { source, action },
            },
            other => other,
        }
    }
}

/// The names of columns; one that was there before gets a number, so that no value hides another.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut known = HashSet::new();
    let mut distinct = Vec::new();
    for name in names {
        let mut own = name.to_owned();
        let mut number = 2;
        while !known.insert(own.clone()) {
            own = format!("{name}_{number}");
            number += 1;
        }
        distinct.push(own);
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_column_has_the_name_of_another() {
        let names = ["a", "a", "a_2", "b", "a"];
        assert_eq!(distinct(names.into_iter()), ["a", "a_2", "a_2_2", "b", "a_3"]);
    }
}
