//! Rule sets as they were kept: those that the daemon works by, and those of some day.

use sqlx::Row as _;

use super::super::{Reader, StoreError};
use crate::rule::RuleFile;

/// A rule set as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRules {
    /// Its content hash.
    pub hash: String,
    /// Whether the daemon says that it works by it.
    pub standing: Standing,
    /// When it was last put in force, milliseconds since 1970.
    pub loaded_at_ms: i64,
    /// Its files, by path.
    pub files: Vec<RuleFile>,
}

/// Why this set is the one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The daemon works by it, or did when it was last there.
    InForce,
    /// No daemon has said what it works by: it is the newest.
    Newest,
}

// In the order of `versions::LAST_RULES`.
const RUNNING: &str = "SELECT id, hash, loaded_at, id IS (SELECT rule_set FROM daemon) FROM rule_set \
    ORDER BY id IS (SELECT rule_set FROM daemon) DESC, loaded_at DESC, id DESC LIMIT 1";
const KNOWN: &str = "SELECT count(*) FROM rule_set WHERE id = ?1";
const FILES: &str = "SELECT f.value ->> '$.path', f.value ->> '$.text' FROM rule_set r, json_each(r.files) f \
    WHERE r.id = ?1 ORDER BY f.key";

const READING: &str = "read rules as they were kept";

impl Reader {
    /// The rules that the daemon works by, or else the newest; `None` if none was ever kept.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn running_rules(&mut self) -> Result<Option<KeptRules>, StoreError> {
        self.hold_still().await?;
        let failed = self.failed(READING);
        let found: Option<(i64, String, i64, bool)> =
            sqlx::query_as(RUNNING).fetch_optional(&mut self.connection).await.map_err(failed)?;
        let Some((id, hash, loaded_at_ms, is_in_force)) = found else {
            self.let_go().await?;
            return Ok(None);
        };
        let files = self.files(id).await?;
        self.let_go().await?;
        let standing = if is_in_force { Standing::InForce } else { Standing::Newest };
        Ok(Some(KeptRules { hash, standing, loaded_at_ms, files }))
    }

    /// The files of the rule set in this row, by path; `None` if it is not kept.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn rule_files(&mut self, row: i64) -> Result<Option<Vec<RuleFile>>, StoreError> {
        // A set without a file has no row below either.
        if self.numbers(READING, sqlx::query(KNOWN).bind(row)).await?.first() != Some(&1) {
            return Ok(None);
        }
        self.files(row).await.map(Some)
    }

    async fn files(&mut self, row: i64) -> Result<Vec<RuleFile>, StoreError> {
        let failed = self.failed(READING);
        let rows = sqlx::query(FILES).bind(row).fetch_all(&mut self.connection).await.map_err(failed)?;
        let file =
            |row: &sqlx::sqlite::SqliteRow| Ok(RuleFile { path: row.try_get(0)?, text: row.try_get(1)? });
        let files: Result<Vec<RuleFile>, sqlx::Error> = rows.iter().map(file).collect();
        files.map_err(self.failed(READING))
    }
}
