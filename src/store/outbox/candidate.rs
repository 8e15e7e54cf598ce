//! Which actions may be claimed: due, most urgent first, not behind another of their key.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use crate::operation::Access;
use crate::store::{StoreError, columns};

/// An action that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) number: i64,
    pub(super) priority: i64,
    due_at_ms: i64,
    pub(super) rule: String,
    pub(super) operation: String,
    pub(super) workspace: Option<i64>,
    /// An earlier action of its key is not done, or one is on its way.
    pub(super) behind: bool,
}

/// A look at some of them.
pub(super) struct Look {
    pub(super) candidates: Vec<Candidate>,
    /// Whether there may be more.
    pub(super) is_cut: bool,
}

const PRIORITIES: &str = "WITH RECURSIVE level (priority) AS ( \
    SELECT max(priority) FROM action WHERE state = 'planned' AND account = ?1 AND access = ?2 AND behind = 0 \
    UNION ALL \
    SELECT (SELECT max(a.priority) FROM action a WHERE a.state = 'planned' AND a.account = ?1 AND a.access = ?2 \
            AND a.behind = 0 AND a.priority < level.priority) \
    FROM level WHERE level.priority IS NOT NULL) \
    SELECT priority FROM level WHERE priority IS NOT NULL";
/// Older actions of the key go first. A person may have an older one sent again while a newer one is on its
/// way, so nothing of the key may be in flight either; of those there are never many.
const DUE: &str = "SELECT a.number, a.priority, a.due_at, a.rule, a.operation, a.workspace, \
    a.in_order_by IS NOT NULL AND (EXISTS ( \
       SELECT 1 FROM action b WHERE b.in_order_by = a.in_order_by AND b.number < a.number \
       AND b.state IN ('planned', 'waiting', 'in_flight', 'unresolved') \
       AND (b.state <> 'unresolved' OR b.order_released_at IS NULL)) \
     OR EXISTS (SELECT 1 FROM action b INDEXED BY action_in_flight \
       WHERE b.state = 'in_flight' AND b.in_order_by = a.in_order_by)) \
    FROM action a INDEXED BY action_due \
    WHERE a.state = 'planned' AND a.account = ?1 AND a.access = ?2 AND a.behind = 0 AND a.priority = ?3 \
      AND a.due_at <= ?4 AND (a.expires_at IS NULL OR a.expires_at > ?4) \
    ORDER BY a.due_at, a.number LIMIT ?5";

/// By access and priority, each found in the index by itself: what waits may be very many.
const NEXT_DUE: &str = "WITH RECURSIVE level (access, priority) AS ( \
    SELECT x.value, (SELECT max(a.priority) FROM action a \
                     WHERE a.state = 'planned' AND a.account = ?1 AND a.access = x.value AND a.behind = 0) \
    FROM json_each(?2) x \
    UNION ALL \
    SELECT level.access, (SELECT max(a.priority) FROM action a WHERE a.state = 'planned' AND a.account = ?1 \
                          AND a.access = level.access AND a.behind = 0 AND a.priority < level.priority) \
    FROM level WHERE level.priority IS NOT NULL) \
    SELECT min((SELECT due_at FROM action INDEXED BY action_due WHERE state = 'planned' AND account = ?1 \
                AND access = level.access AND behind = 0 AND priority = level.priority ORDER BY due_at LIMIT 1)) \
    FROM level WHERE priority IS NOT NULL";

/// The first actions of `account` that are due, at most `count_max` of each access and priority.
pub(super) async fn look(
    connection: &mut SqliteConnection,
    (account, access): (&str, Option<Access>),
    count_max: usize,
    now_ms: i64,
) -> Result<Look, StoreError> {
    let failed = || StoreError::sql("look for due actions");
    let mut look = Look { candidates: Vec::new(), is_cut: false };
    for access in words(access) {
        let levels: Vec<i64> = sqlx::query_scalar(PRIORITIES)
            .bind(account)
            .bind(access)
            .fetch_all(&mut *connection)
            .await
            .map_err(failed())?;
        for priority in levels {
            let rows = sqlx::query(DUE)
                .bind(account)
                .bind(access)
                .bind(priority)
                .bind(now_ms)
                .bind(columns::count(count_max))
                .fetch_all(&mut *connection)
                .await
                .map_err(failed())?;
            look.is_cut |= rows.len() >= count_max;
            for row in rows {
                look.candidates.push(Candidate {
                    number: row.try_get(0).map_err(failed())?,
                    priority: row.try_get(1).map_err(failed())?,
                    due_at_ms: row.try_get(2).map_err(failed())?,
                    rule: row.try_get(3).map_err(failed())?,
                    operation: row.try_get(4).map_err(failed())?,
                    workspace: row.try_get(5).map_err(failed())?,
                    behind: row.try_get(6).map_err(failed())?,
                });
            }
        }
    }
    look.candidates.sort_by_key(|it| (std::cmp::Reverse(it.priority), it.due_at_ms, it.number));
    Ok(look)
}

/// When the first of `account` that is not behind another is due, be it long ago.
pub(super) async fn next_due(
    connection: &mut SqliteConnection,
    (account, access): (&str, Option<Access>),
) -> Result<Option<i64>, StoreError> {
    let accesses: serde_json::Value = words(access).collect();
    sqlx::query_scalar(NEXT_DUE)
        .bind(account)
        .bind(accesses.to_string())
        .fetch_one(connection)
        .await
        .map_err(StoreError::sql("look for the next due action"))
}

/// One access, or both.
fn words(access: Option<Access>) -> impl Iterator<Item = &'static str> {
    let both = [Access::Read, Access::Write];
    both.into_iter().filter(move |one| access.is_none_or(|wanted| wanted == *one)).map(Access::as_str)
}
