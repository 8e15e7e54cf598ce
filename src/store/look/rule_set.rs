//! Rule sets as they were kept, all their files, for whoever asks by which rules something was decided.

use sqlx::Row as _;

use super::super::{Reader, StoreError};
use crate::rule::RuleFile;

const KNOWN: &str = "SELECT count(*) FROM rule_set WHERE id = ?1";
const FILES: &str = "SELECT f.value ->> '$.path', f.value ->> '$.text' FROM rule_set r, json_each(r.files) f \
    WHERE r.id = ?1 ORDER BY f.key";

const READING: &str = "read the rules of that day";

impl Reader {
    /// The files of the rule set in this row, by path; `None` if it is not kept.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn rule_files(&mut self, row: i64) -> Result<Option<Vec<RuleFile>>, StoreError> {
        // A set without a file has no row below either.
        if self.numbers(READING, sqlx::query(KNOWN).bind(row)).await?.first() != Some(&1) {
            return Ok(None);
        }
        let failed = self.failed(READING);
        let rows = sqlx::query(FILES).bind(row).fetch_all(&mut self.connection).await.map_err(failed)?;
        let file =
            |row: &sqlx::sqlite::SqliteRow| Ok(RuleFile { path: row.try_get(0)?, text: row.try_get(1)? });
        let files: Result<Vec<RuleFile>, sqlx::Error> = rows.iter().map(file).collect();
        files.map(Some).map_err(self.failed(READING))
    }
}
