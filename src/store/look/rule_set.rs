//! Rule sets as they were kept: all their files under their content hash.

use serde::Deserialize;
use sqlx::FromRow;

use super::super::versions::IN_FORCE;
use super::super::{Reader, StoreError};
use crate::rule::RuleFile;

/// A rule set of some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRules {
    /// Its row, as [`super::stored::Acceptance::rule_set`] names it.
    pub row: i64,
    /// SHA-256 over its files, 64 hex digits.
    pub hash: String,
    /// When it was put in force last, milliseconds since 1970.
    pub loaded_at_ms: i64,
    /// Its files, by path.
    pub files: Vec<RuleFile>,
}

#[derive(FromRow)]
struct StoredRow {
    id: i64,
    hash: String,
    loaded_at: i64,
    files: String,
}

#[derive(Deserialize)]
struct StoredFile {
    path: String,
    text: String,
}

const BY_ROW: &str = "SELECT id, hash, loaded_at, files FROM rule_set WHERE id = ?1";
const BY_HASH: &str = "SELECT id, hash, loaded_at, files FROM rule_set WHERE hash = ?1";

impl Reader {
    /// The rule set that the daemon works by, or last did; `None` if there never was one.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn rules_in_force(&mut self) -> Result<Option<StoredRules>, StoreError> {
        let failed = self.failed("read the rules in force");
        let row = sqlx::query_as(IN_FORCE).fetch_optional(&mut self.connection).await.map_err(failed)?;
        row.map(of_row).transpose()
    }

    /// The rule set in this row.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn rules_in_row(&mut self, row: i64) -> Result<Option<StoredRules>, StoreError> {
        let failed = self.failed("read a rule set");
        let query = sqlx::query_as(BY_ROW).bind(row);
        query.fetch_optional(&mut self.connection).await.map_err(failed)?.map(of_row).transpose()
    }

    /// The rule set with this hash, all of its digits.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn rules_by_hash(&mut self, hash: &str) -> Result<Option<StoredRules>, StoreError> {
        let failed = self.failed("read a rule set");
        let query = sqlx::query_as(BY_HASH).bind(hash);
        query.fetch_optional(&mut self.connection).await.map_err(failed)?.map(of_row).transpose()
    }
}

fn of_row(row: StoredRow) -> Result<StoredRules, StoreError> {
    let corrupt =
        |error: serde_json::Error| StoreError::Corrupt { place: "rule_set.files", found: error.to_string() };
    let files: Vec<StoredFile> = serde_json::from_str(&row.files).map_err(corrupt)?;
    let files = files.into_iter().map(|StoredFile { path, text }| RuleFile { path, text }).collect();
    Ok(StoredRules { row: row.id, hash: row.hash, loaded_at_ms: row.loaded_at, files })
}
