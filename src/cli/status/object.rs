//! The condition as one JSON object: counts and rows under the names of the views.

use serde::Serialize;

use super::super::Exit;
use super::judged::Judged;
use crate::store::look::condition::{Condition, EVENTS_LOOKED_AT};
use crate::store::look::rows::Row;

#[derive(Serialize)]
struct Object<'a> {
    state: &'static str,
    exit: u8,
    daemon: Option<&'a Row>,
    events_looked_at: i64,
    codes: &'a [Row],
    backlog: &'a Row,
    held: &'a [Row],
    calls_last_hour: &'a [Row],
    stops: &'a [Row],
    parkings: &'a [Row],
    quota: &'a [Row],
    quarantined: &'a Row,
    gaps: &'a Row,
    database_bytes: u64,
    wal_bytes: u64,
    disk_free_bytes: Option<u64>,
}

/// One line of JSON.
pub(super) fn as_json(
    condition: &Condition,
    judged: &Judged,
    disk_free_bytes: Option<u64>,
    exit: Exit,
) -> String {
    let object = Object {
        state: judged.state.as_str(),
        exit: exit as u8,
        daemon: condition.daemon.as_ref(),
        events_looked_at: EVENTS_LOOKED_AT,
        codes: &condition.codes,
        backlog: &condition.backlog,
        held: &condition.held,
        calls_last_hour: &condition.calls,
        stops: &condition.stops,
        parkings: &condition.parkings,
        quota: &condition.quota,
        quarantined: &condition.quarantined,
        gaps: &condition.gaps,
        database_bytes: condition.database_bytes,
        wal_bytes: condition.wal_bytes,
        disk_free_bytes,
    };
    // Only a map whose keys are no text could fail here.
    let mut line = serde_json::to_string(&object).unwrap_or_default();
    line.push('\n');
    line
}
