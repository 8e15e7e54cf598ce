//! What speaks for the reasons why nothing is known of an object in some time: what was never seen, what was not
//! understood, and what came last.

use super::super::{Reader, StoreError};
use super::event::ObjectKind;
use super::list::LOOKED_AT_MAX;
use super::rows::Row;

/// Quarantined records that are searched for the object.
const SEARCHED_MAX: i64 = 10_000;

/// What is known about a time in which an object was not heard of.
#[derive(Debug, Clone, PartialEq)]
pub struct Silence {
    /// The last event of all: `seq` and `accepted_at`.
    pub last: Option<Row>,
    /// The last event about the object that a rule matched, whenever that was: `seq`, `accepted_at`, `workspace`.
    pub last_matched: Option<Row>,
    /// The last event of the object's workspace among the newest, if the workspace is known: as before.
    pub last_of_workspace: Option<Row>,
    /// `gaps` that were noticed in that time, and their `offsets`.
    pub gaps: Row,
    /// `records` that were quarantined in that time and are no event yet; of how many the payload is `mentioning` the
    /// object, and the `example` of these.
    pub quarantined: Row,
}

const LAST: &str = "SELECT seq, accepted_at, workspace FROM events WHERE seq = (SELECT max(seq) FROM event)";
const LAST_MATCHED: &str = "SELECT seq, accepted_at, workspace FROM events WHERE seq = \
    (SELECT max(o.event) FROM event_object o WHERE o.kind = ?1 AND o.id = ?2)";
const LAST_OF_WORKSPACE: &str = "SELECT seq, accepted_at, workspace FROM events WHERE seq = \
    (SELECT e.seq FROM event e WHERE e.seq > (SELECT max(seq) FROM event) - ?2 AND e.workspace = ?1 \
    ORDER BY e.seq DESC LIMIT 1)";
const GAPS: &str = "SELECT count(*) AS gaps, coalesce(sum(end_offset - first_offset), 0) AS offsets FROM gap \
    WHERE noticed_at >= ?1 AND noticed_at < ?2";
const QUARANTINED: &str = "SELECT count(*) AS records, coalesce(sum(mentions), 0) AS mentioning, \
    max(CASE WHEN mentions THEN id END) AS example FROM (SELECT id, \
    at > 0 AND (' ' || CAST(payload AS TEXT) || ' ' GLOB ?5 \
    OR (CAST(substr(payload, at - 1, 1) AS TEXT) NOT GLOB ?6 \
    AND CAST(substr(payload, at + length(CAST(?3 AS BLOB)), 1) AS TEXT) NOT GLOB ?6)) AS mentions \
    FROM (SELECT *, instr(payload, CAST(?3 AS BLOB)) AS at FROM quarantined_record) \
    WHERE quarantined_at >= ?1 AND quarantined_at < ?2 AND replayed_at IS NULL \
    ORDER BY quarantined_at DESC LIMIT ?4)";

const LOOKING: &str = "look why nothing is known of an object";

impl Reader {
    /// What is known about the time from `since_ms` to before `until_ms`, in which nothing was heard of the object.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn silence(
        &mut self,
        (kind, id): (ObjectKind, &str),
        (since_ms, until_ms): (i64, i64),
    ) -> Result<Silence, StoreError> {
        let last = self.row(LOOKING, sqlx::query(LAST)).await?;
        let query = sqlx::query(LAST_MATCHED).bind(kind.as_str()).bind(id.to_owned());
        let last_matched = self.row(LOOKING, query).await?;
        let workspace = match kind {
            ObjectKind::Workspace => id.parse().ok(),
            _ => last_matched.as_ref().and_then(|row| row.integer("workspace")),
        };
        let last_of_workspace = match workspace {
            Some(workspace) => {
                let query = sqlx::query(LAST_OF_WORKSPACE).bind(workspace).bind(LOOKED_AT_MAX);
                self.row(LOOKING, query).await?
            }
            None => None,
        };
        let none = || StoreError::Corrupt { place: "a count", found: "no row".to_owned() };
        let gaps = self.row(LOOKING, sqlx::query(GAPS).bind(since_ms).bind(until_ms)).await?;
        let quarantined = sqlx::query(QUARANTINED).bind(since_ms).bind(until_ms);
        let quarantined = self.row(
            LOOKING,
            quarantined.bind(id.to_owned()).bind(SEARCHED_MAX).bind(as_a_word(id)).bind(beside(id)),
        );
        let quarantined = quarantined.await?;
        Ok(Silence {
            last,
            last_matched,
            last_of_workspace,
            gaps: gaps.ok_or_else(none)?,
            quarantined: quarantined.ok_or_else(none)?,
        })
    }
}

/// The pattern of SQLite's GLOB for what is beside `id` if it is only a part of a number or word.
fn beside(id: &str) -> &'static str {
    if id.bytes().all(|byte| byte.is_ascii_digit()) { "[0-9]" } else { "[0-9A-Za-z_]" }
}

/// The pattern of SQLite's GLOB for a text that has `id` in it as a whole number or word. It ends at a NUL in the text.
fn as_a_word(id: &str) -> String {
    let apart = beside(id).replace('[', "[^");
    let mut pattern = format!("*{apart}");
    for character in id.chars() {
        match character {
            '*' | '?' | '[' => pattern.extend(['[', character, ']']),
            _ => pattern.push(character),
        }
    }
    pattern + &format!("{apart}*")
}
