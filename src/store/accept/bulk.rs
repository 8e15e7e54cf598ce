//! Inserting many rows by few statements.
//!
//! # Why
//! Each statement is a round trip to the database client's thread, which costs more than the row. So
//! rows go in by the thousand; the statements have fixed sizes, so that all of them stay prepared.

use std::sync::{Arc, OnceLock};

use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments as _, AssertSqlSafe};

use crate::store::StoreError;

/// Parameters of one statement: SQLite takes up to 32766.
const PARAMETERS_MAX: usize = 24_000;

/// Rows of one statement, largest first: any count is the sum of a few.
const SIZES: [usize; 11] = [1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1];

/// What encoding a value may say.
pub(super) type Encoded = Result<(), sqlx::error::BoxDynError>;

/// An insert of any number of rows.
pub(super) struct Bulk {
    /// Up to and with `VALUES `.
    head: &'static str,
    /// One row: parentheses and anonymous parameters.
    row: &'static str,
    /// What follows the rows.
    tail: &'static str,
    /// Parameters of a row.
    parameters: usize,
    statements: [OnceLock<Arc<str>>; SIZES.len()],
}

impl Bulk {
    pub(super) const fn new(head: &'static str, row: &'static str, tail: &'static str) -> Self {
        let (bytes, mut at, mut parameters) = (row.as_bytes(), 0, 0);
        while let Some((byte, _)) = bytes.split_at(at).1.split_first() {
            if *byte == b'?' {
                parameters += 1;
            }
            at += 1;
        }
        Bulk { head, row, tail, parameters, statements: [const { OnceLock::new() }; SIZES.len()] }
    }

    /// Inserts `rows`; `fill` adds the parameters of one.
    pub(super) async fn insert<R>(
        &self,
        connection: &mut SqliteConnection,
        rows: &[R],
        fill: impl Fn(&R, &mut SqliteArguments) -> Encoded,
    ) -> Result<(), StoreError> {
        let mut left = rows;
        for (size, statement) in SIZES.iter().zip(&self.statements) {
            if size * self.parameters > PARAMETERS_MAX {
                continue;
            }
            while let Some((chunk, rest)) = left.split_at_checked(*size) {
                left = rest;
                let mut arguments = SqliteArguments::default();
                arguments.reserve(size * self.parameters, 0);
                for row in chunk {
                    fill(row, &mut arguments).map_err(|error| StoreError::Sql {
                        action: "encode a row",
                        source: sqlx::Error::Encode(error).into(),
                    })?;
                }
                let statement = statement.get_or_init(|| self.statement(*size));
                // Safe: constants of the program, put together.
                sqlx::query_with(AssertSqlSafe(Arc::clone(statement)), arguments)
                    .execute(&mut *connection)
                    .await
                    .map_err(StoreError::sql("write the rows of a batch"))?;
                if left.is_empty() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn statement(&self, rows: usize) -> Arc<str> {
        [self.head, &vec![self.row; rows].join(","), self.tail].concat().into()
    }
}
