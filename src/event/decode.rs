//! From a record to an event.
use crate::event::Event;
use crate::record::Record;

/// What is accepted of a record before it is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Larger payloads are quarantined, bytes.
    pub payload_bytes_max: usize,
    /// Deeper JSON is quarantined, levels.
    pub depth_max: usize,
}

/// Why a record was quarantined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    /// A stable word for queries and metrics (`not_json`, `too_large`, ...).
    pub reason: &'static str,
    /// What was found and where.
    pub message: String,
}

/// Decodes one record.
///
/// # Errors
/// The reason why the record belongs in quarantine; nothing of it is lost.
pub fn decode<'a>(record: &Record<'a>, limits: &Limits) -> Result<Event<'a>, DecodeError> {
    let _ = (record, limits);
    todo!()
}
