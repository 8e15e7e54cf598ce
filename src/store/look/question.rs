//! A person's own SQL: one statement that reads, its columns and its rows.

use sqlx::{AssertSqlSafe, Column as _, Executor as _, SqlSafeStr as _, Statement as _};

use super::super::{Reader, StoreError};
use super::rows::{Bounds, Rows};
use super::statement;

impl Reader {
    /// The answer to `sql`, as far as `bounds` allow; its columns are named even where there is no row.
    ///
    /// # Errors
    /// [`StoreError::NotAQuestion`], [`StoreError::Question`] or [`StoreError::TooLong`].
    pub async fn ask(&mut self, sql: &str, bounds: Bounds) -> Result<Rows, StoreError> {
        statement::refuse_unfit(sql)?;
        // What is executed is the person's own; nothing is put into it.
        let text = AssertSqlSafe(sql.to_owned()).into_sql_str();
        let prepared = match (&mut self.connection).prepare(text.clone()).await {
            Ok(prepared) => prepared,
            Err(error) => return Err(self.refused(error)),
        };
        let columns = prepared.columns().iter().map(|column| column.name().to_owned()).collect();
        match self.gather(sqlx::query(text), bounds).await {
            Ok(rows) => Ok(Rows { columns, ..rows }),
            Err(error) => Err(self.refused(error)),
        }
    }

    fn refused(&self, error: sqlx::Error) -> StoreError {
        match self.failed("answer the question")(error) {
            StoreError::Sql { source, action } => match source.as_database_error() {
                // 8 is SQLITE_READONLY.
                Some(refused) if refused.code().is_some_and(|code| code == "8") => statement::writes(),
                Some(refused) => StoreError::Question { message: refused.message().to_owned() },
                None => StoreError::Sql { source, action },
            },
            other => other,
        }
    }
}
