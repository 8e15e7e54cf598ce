//! Actions as JSON, with the names of the views: what a program reads, and what a page for people is made of.

use serde_json::{Map, Value};

use crate::store::reader::Reader;
use crate::store::{StoreError, columns};

const ACTIONS: &str = "SELECT json_object('number', a.number, 'id', a.id, 'event', a.event, 'rule', a.rule, \
    'step', a.step, 'state', a.state, 'held_reason', a.held_reason, 'waits_for', a.waits_for, \
    'operation', a.operation, \
    'version', a.version, 'access', a.access, 'repeat_effect', a.repeat_effect, 'account', a.account, \
    'region', a.region, 'workspace', a.workspace, 'params', json(a.params), 'in_order_by', a.in_order_by, \
    'priority', a.priority, 'attempts', a.attempts, 'planned_at', a.planned_at, 'due_at', a.due_at, \
    'runs_at', a.runs_at, 'expires_at', a.expires_at, \
    'will_be_held_at', CASE WHEN a.expires_at <= a.runs_at THEN a.expires_at END, 'lease_until', a.lease_until, 'settled_at', a.settled_at, \
    'verify_at', a.verify_at, 'order_released_at', a.order_released_at, 'flow', a.flow, \
    'rule_path', a.rule_path, 'rule_set', a.rule_set, 'configuration', a.configuration) \
    FROM json_each(?1) n JOIN actions a ON a.number = n.value ORDER BY n.key";
const ATTEMPTS: &str = "SELECT json_object('id', t.id, 'number', t.number, 'started_at', t.started_at, \
    'finished_at', t.finished_at, 'outcome', t.outcome, 'class', t.class, 'endpoint', t.endpoint, \
    'http_status', t.http_status, 'request_id', t.request_id, 'error_code', t.error_code, \
    'error_message', t.error_message, 'recommend', t.recommend, 'latency_ms', t.latency_ms, \
    'response', t.response, 'response_truncated', t.response_truncated, 'read_before', json(t.read_before), \
    'verdict', t.verdict, 'verdict_reason', t.verdict_reason, 'verified_at', t.verified_at, 'lookups', json((SELECT \
    json_group_array(json_object('id', l.id, 'purpose', l.purpose, 'operation', l.operation, 'version', l.version, \
    'subject', l.subject, 'params', json(l.params), 'started_at', l.started_at, 'finished_at', l.finished_at, \
    'class', l.class, 'http_status', l.http_status, 'request_id', l.request_id, 'error_code', l.error_code, \
    'error_message', l.error_message, 'latency_ms', l.latency_ms, 'found', json(l.found)) ORDER BY l.id) \
    FROM lookup r JOIN lookups l ON l.id = r.id WHERE r.attempt = t.id))) \
    FROM attempts t WHERE t.action = ?1 ORDER BY t.number";
const OPERATORS: &str = "SELECT json_object('operator_action', o.operator_action, 'at', o.at, 'who', o.who, \
    'verb', o.verb, 'reason', o.reason) \
    FROM operator_targets o WHERE o.kind = ?1 AND o.number = ?2 ORDER BY o.operator_action";
const DECISION: &str = "SELECT json_object('age_seconds', d.age_seconds, 'calls_in_hour', d.calls_in_hour, \
    'decided_at', d.decided_at) FROM decisions d WHERE d.event = ?1 AND d.action = ?2 LIMIT 1";

impl Reader {
    /// The actions `numbers` in their order, each a JSON object with the columns of `actions`.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn actions(&mut self, numbers: &[i64]) -> Result<Vec<Value>, StoreError> {
        let failed = self.failed("read actions");
        let rows: Vec<String> = sqlx::query_scalar(ACTIONS)
            .bind(columns::json_numbers(numbers))
            .fetch_all(&mut self.connection)
            .await
            .map_err(failed)?;
        objects(&rows)
    }

    /// One action with its `attempts`, what was known when it was decided, and what people did to it;
    /// `None` if there is no such action.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn action_story(&mut self, number: i64) -> Result<Option<Map<String, Value>>, StoreError> {
        let Some(Value::Object(mut story)) = self.actions(&[number]).await?.pop() else { return Ok(None) };
        let text = |story: &Map<String, Value>, name: &str| {
            story.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let id = text(&story, "id");
        let failed = self.failed("read the attempts of an action");
        let attempts: Vec<String> = sqlx::query_scalar(ATTEMPTS)
            .bind(id.as_str())
            .fetch_all(&mut self.connection)
            .await
            .map_err(failed)?;
        let failed = self.failed("read the decision of an action");
        let decision: Vec<String> = sqlx::query_scalar(DECISION)
            .bind(story.get("event").and_then(Value::as_i64))
            .bind(id.as_str())
            .fetch_all(&mut self.connection)
            .await
            .map_err(failed)?;
        let operators = self.operators("action", number).await?;
        story.insert("decision".into(), objects(&decision)?.pop().unwrap_or_default());
        story.insert("attempted".into(), objects(&attempts)?.into());
        story.insert("operator_actions".into(), operators.into());
        Ok(Some(story))
    }

    /// What people did to one action or quarantined record.
    pub(super) async fn operators(&mut self, kind: &str, id: i64) -> Result<Vec<Value>, StoreError> {
        let failed = self.failed("read what people did");
        let rows: Vec<String> = sqlx::query_scalar(OPERATORS)
            .bind(kind)
            .bind(id)
            .fetch_all(&mut self.connection)
            .await
            .map_err(failed)?;
        objects(&rows)
    }
}

/// JSON as SQLite wrote it.
pub(super) fn objects(rows: &[String]) -> Result<Vec<Value>, StoreError> {
    rows.iter()
        .map(|row| {
            serde_json::from_str(row)
                .map_err(|error| StoreError::Corrupt { place: "a row as JSON", found: error.to_string() })
        })
        .collect()
}
