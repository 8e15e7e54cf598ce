//! The operation log of a task instance: who did what, in the last 31 days.
//!
//! It only ever says that a rerun happened. That no row speaks of one says nothing: the words are not
//! specified, one day is read, and when a row is written is not known.

use serde_json::{Map, Value};

use super::ask::{integer, plain, text_of};
use super::{Finding, Read};
use crate::operation::{ApiVersion, find};

pub(super) const OPERATION: &str = "ListTaskInstanceOperationLogs";

/// Rows asked for.
const PAGE_SIZE: i64 = 100;

/// What a row about a rerun has in it, in small letters.
const RERUN_WORDS: [&str; 4] = ["rerun", "re-run", "重跑", "重新运行"];

const RERUNS: &str = "reruns";

pub(super) fn is_of(read: &Read) -> bool {
    read.operation.name == OPERATION
}

pub(super) fn reads(reads: &[Read], sent_at_ms: i64) -> Vec<Read> {
    let Some(operation) = find(OPERATION, ApiVersion::V2024) else { return Vec::new() };
    let log_read = |read: &Read| {
        let params = Map::from_iter([
            ("Id".to_owned(), Value::from(read.subject.parse::<i64>().ok()?)),
            // The day of the call: without it the endpoint takes today.
            ("Date".to_owned(), Value::from(sent_at_ms)),
            ("PageNumber".to_owned(), Value::from(1)),
            ("PageSize".to_owned(), Value::from(PAGE_SIZE)),
        ]);
        Some(Read { operation, params, subject: read.subject.clone(), wanted: Vec::new() })
    };
    reads.iter().filter_map(log_read).collect()
}

pub(super) fn finding(read: &Read, body: &Value) -> Option<Finding> {
    let rows = body.pointer("/PagingInfo/OperationLogs")?.as_array()?;
    let reruns = rows.iter().filter_map(|row| {
        let id = text_of(&plain(row.get("TaskInstanceId")?)?)?;
        let content = row.get("OperationContent")?.as_str()?.to_lowercase();
        let is_rerun = id == read.subject && RERUN_WORDS.iter().any(|word| content.contains(word));
        if is_rerun { integer(row.get("CreateTime")?) } else { None }
    });
    // The greatest row decides.
    Some(Finding::from_numbers(RERUNS, reruns.max().into_iter().collect()))
}

/// When the log last saw a rerun, if it was after the call was sent.
pub(super) fn rerun_since(finding: &Finding, sent_at_ms: i64) -> Option<i64> {
    finding.numbers(RERUNS).into_iter().filter(|at| *at >= sent_at_ms).max()
}
