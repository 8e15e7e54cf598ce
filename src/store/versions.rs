//! Rule sets and redacted configurations, kept by content hash.

use serde::Serialize;
use sqlx::Row;

use super::writer::Writer;
use super::{Store, StoreError, columns};
use crate::rule::{RuleFile, RuleSet};

const REMEMBER_RULES: &str = "INSERT INTO rule_set (hash, files, rules, loaded_at) VALUES (?1, ?2, ?3, ?4) \
    ON CONFLICT (hash) DO UPDATE SET loaded_at = excluded.loaded_at RETURNING id";
const REMEMBER_CONFIGURATION: &str = "INSERT INTO configuration (hash, text, loaded_at) VALUES (?1, ?2, ?3) \
    ON CONFLICT (hash) DO UPDATE SET loaded_at = excluded.loaded_at RETURNING id";
// The newest set need not have been in force: a replay without a daemon keeps one as well. The daemon's row
// says which was; a database without that row had no daemon that wrote it.
pub(super) const LAST_RULES: &str = "SELECT f.value ->> '$.path', f.value ->> '$.text' \
    FROM (SELECT files FROM rule_set ORDER BY id IS (SELECT rule_set FROM daemon) DESC, loaded_at DESC, id DESC LIMIT 1) r, \
    json_each(r.files) f ORDER BY f.key";
const ANY_RULES: &str = "SELECT count(*) FROM rule_set";

#[derive(Serialize)]
struct StoredFile<'a> {
    path: &'a str,
    text: &'a str,
}

impl Writer {
    /// Keeps the rule set that is now in force and gives its row.
    ///
    /// # Errors
    /// The commit failed.
    pub async fn remember_rules(&self, rules: &RuleSet, now_ms: i64) -> Result<i64, StoreError> {
        let files: Vec<StoredFile<'_>> =
            rules.files.iter().map(|file| StoredFile { path: &file.path, text: &file.text }).collect();
        let files = serde_json::to_string(&files)
            .map_err(|error| StoreError::Corrupt { place: "rule_set.files", found: error.to_string() })?;
        let (hash, count) = (rules.hash.clone(), columns::count(rules.rules.len()));
        self.run(move |state| {
            Box::pin(async move {
                sqlx::query_scalar(REMEMBER_RULES)
                    .bind(hash)
                    .bind(files)
                    .bind(count)
                    .bind(now_ms)
                    .fetch_one(&mut state.connection)
                    .await
                    .map_err(StoreError::sql("keep the rule set"))
            })
        })
        .await
    }

    /// Keeps the redacted configuration that is now in force and gives its row.
    ///
    /// # Errors
    /// The commit failed.
    pub async fn remember_configuration(
        &self,
        hash: String,
        redacted: String,
        now_ms: i64,
    ) -> Result<i64, StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                sqlx::query_scalar(REMEMBER_CONFIGURATION)
                    .bind(hash)
                    .bind(redacted)
                    .bind(now_ms)
                    .fetch_one(&mut state.connection)
                    .await
                    .map_err(StoreError::sql("keep the configuration"))
            })
        })
        .await
    }
}

impl Store {
    /// The files of the rule set that the daemon last had in force; `None` if there never was one.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn last_rules(&self) -> Result<Option<Vec<RuleFile>>, StoreError> {
        let failed = || StoreError::sql("read the last rule set");
        let sets: i64 = sqlx::query_scalar(ANY_RULES).fetch_one(&self.readers).await.map_err(failed())?;
        if sets == 0 {
            return Ok(None);
        }
        let rows = sqlx::query(LAST_RULES).fetch_all(&self.readers).await.map_err(failed())?;
        rows.iter()
            .map(|row| {
                Ok(RuleFile {
                    path: row.try_get(0).map_err(failed())?,
                    text: row.try_get(1).map_err(failed())?,
                })
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Some)
    }
}
