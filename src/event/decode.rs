//! From a record to an event.
//!
//! [`decode`] takes a record and gives the event, borrowed from the record, or the reason why the record
//! belongs in quarantine. Size, UTF-8 and depth are checked before anything is parsed. What is odd but
//! readable is flagged on the event; only what has no readable envelope, or no identity where its envelope
//! promises one, is refused. It never panics.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::catalogue::{self, EventType};
use super::facts::Payload;
use super::instant::published_ms;
use super::json::DEPTH_CEILING;
use super::{Envelope, Event, Facts, Flags, Kind, binary, scan, structured};
use crate::record::Record;

/// What is accepted of a record before it is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Larger payloads are quarantined, bytes.
    pub payload_bytes_max: usize,
    /// Deeper JSON is quarantined, levels; at most [`DEPTH_CEILING`] counts.
    pub depth_max: usize,
}

/// Why a record was quarantined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    /// A stable word for queries and metrics: `too_large`, `empty`, `not_utf8`, `too_deep`, `not_json`,
    /// `not_an_object`, `duplicate_key`, `unknown_envelope` or `bad_envelope`. (Who calls [`decode`] adds
    /// `panic`.)
    pub reason: &'static str,
    /// What was found and where.
    pub message: String,
}

impl Default for Limits {
    /// The largest message that ApsaraMQ for Kafka takes, and far more levels than any known event has.
    fn default() -> Self {
        Limits { payload_bytes_max: 10 * 1024 * 1024, depth_max: 64 }
    }
}

impl DecodeError {
    pub(super) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        DecodeError { reason, message: message.into() }
    }
}

/// Decodes one record.
///
/// # Errors
/// The reason why the record belongs in quarantine; nothing of it is lost.
pub fn decode<'a>(record: &Record<'a>, limits: &Limits) -> Result<Event<'a>, DecodeError> {
    let bytes = record.payload.len();
    if bytes > limits.payload_bytes_max {
        let max = limits.payload_bytes_max;
        return Err(DecodeError::new(
            "too_large",
            format!("the payload has {bytes} bytes, at most {max} are read"),
        ));
    }
    if binary::is_binary(record.headers) {
        return binary::decode(record, limits);
    }
    if bytes == 0 {
        return Err(DecodeError::new("empty", "the record has no payload (a tombstone)"));
    }
    structured::decode(checked_text(record.payload, limits)?)
}

/// The payload as text that is safe to hand to the JSON parser.
pub(super) fn checked_text<'a>(payload: &'a [u8], limits: &Limits) -> Result<&'a str, DecodeError> {
    let text = std::str::from_utf8(payload).map_err(|source| {
        let at = source.valid_up_to();
        DecodeError::new("not_utf8", format!("the payload is not UTF-8 at byte {at}"))
    })?;
    let depth_max = limits.depth_max.min(DEPTH_CEILING);
    if scan::deeper_than(depth_max, payload) {
        return Err(DecodeError::new("too_deep", format!("the JSON nests deeper than {depth_max} levels")));
    }
    Ok(text)
}

/// The `not_json` error for what the parser said.
pub(super) fn not_json(source: &serde_json::Error) -> DecodeError {
    DecodeError::new("not_json", format!("the payload is not JSON: {source}"))
}

/// An event of which only the envelope is known.
pub(super) fn blank<'a>(envelope: Envelope) -> Event<'a> {
    Event {
        envelope,
        id: None,
        source: None,
        event_type: None,
        time: None,
        specversion: None,
        subject: None,
        code: None,
        kind: None,
        workspace: None,
        operator: None,
        account: None,
        region: None,
        published_ms: None,
        facts: Facts::default(),
        data: Cow::Borrowed("null"),
        extensions: Vec::new(),
        flags: Flags::default(),
    }
}

/// What an envelope says about an event's type.
#[derive(Debug)]
pub(super) enum Naming<'a> {
    /// CloudEvents: the event's `type` decides.
    Type,
    /// The older envelopes: `eventType`, and whether it said that an operation waits.
    Code { code: Cow<'a, str>, blocks: Option<bool> },
    /// The first envelope: a `messageType` that has no code.
    MessageType(Cow<'a, str>),
    /// Only `data`: its `eventCode` decides.
    Data,
}

/// Fills what follows from the payload and from the catalogue. `data` is JSON as written.
pub(super) fn complete<'a>(mut event: Event<'a>, naming: Naming<'a>, data: &'a str) -> Event<'a> {
    match data_as_text(data) {
        None => {
            fill(&mut event, naming, &Payload::read(data), |text| text);
            event.data = Cow::Borrowed(data);
        }
        Some(inner) => {
            event.flags.data_was_text = true;
            fill(&mut event, naming, &Payload::read(&inner), |text| Cow::Owned(text.into_owned()));
            event.data = Cow::Owned(inner);
        }
    }
    event
}

/// The JSON object that `data` holds as text inside a string, if it does.
///
/// Text that is no object of acceptable depth is what it is: a string.
fn data_as_text(data: &str) -> Option<String> {
    if !data.starts_with('"') {
        return None;
    }
    let inner: String = serde_json::from_str(data).ok()?;
    let is_object = inner.trim_start().starts_with('{')
        && !scan::deeper_than(DEPTH_CEILING, inner.as_bytes())
        && serde_json::from_str::<&RawValue>(&inner).is_ok();
    is_object.then_some(inner)
}

fn fill<'a, 'd>(
    event: &mut Event<'a>,
    naming: Naming<'a>,
    payload: &Payload<'d>,
    keep: impl Fn(Cow<'d, str>) -> Cow<'a, str>,
) {
    let data_code = payload.event_code().map(&keep);
    let row = name(event, naming, data_code.as_ref());
    event.workspace = payload.workspace(row);
    event.operator = payload.operator(row).map(&keep);
    let facts = payload.facts(row);
    event.facts = Facts {
        instance: facts.instance,
        instances: facts.instances,
        node: facts.node,
        nodes: facts.nodes,
        file: facts.file,
        table: facts.table.map(&keep),
        status: facts.status,
        rows: facts.rows,
        bytes: facts.bytes,
    };
    event.flags.duplicate_data_keys = payload.repeats_a_name;
    event.flags.unreadable_value |= payload.was_unreadable();
}

/// Sets type, code and kind, and gives the row of the catalogue that the facts follow.
fn name<'a>(
    event: &mut Event<'a>,
    naming: Naming<'a>,
    data_code: Option<&Cow<'a, str>>,
) -> Option<&'static EventType> {
    let (row, code, blocks) = match naming {
        Naming::Type => {
            let row = event.event_type.as_deref().and_then(catalogue::by_type);
            event.flags.unknown_type = row.is_none();
            match row {
                Some(row) => (Some(row), Some(Cow::Borrowed(row.code)), None),
                None => (data_code.and_then(|code| catalogue::by_code(code)), data_code.cloned(), None),
            }
        }
        Naming::Code { code, blocks } => (catalogue::by_code(&code), Some(code), blocks),
        Naming::Data => (data_code.and_then(|code| catalogue::by_code(code)), data_code.cloned(), None),
        Naming::MessageType(message_type) => {
            event.flags.unknown_type = true;
            event.code = Some(message_type);
            event.kind = Some(Kind::Regular);
            return None;
        }
    };
    event.flags.unknown_type |= row.is_none();
    event.flags.code_conflict = data_code.is_some() && data_code != code.as_ref();
    if event.event_type.is_none() {
        event.event_type = row.map(|row| Cow::Borrowed(row.event_type));
    }
    // For an event that is not in the catalogue its envelope may still say whether somebody waits.
    event.kind =
        row.map(|row| row.kind).or(blocks.map(|blocks| if blocks { Kind::Extension } else { Kind::Regular }));
    event.code = code;
    row
}

/// Sets when EventBridge received the event.
pub(super) fn set_published(event: &mut Event<'_>, publish_time: Option<&str>) {
    event.published_ms = publish_time.and_then(published_ms);
    event.flags.unreadable_value |= publish_time.is_some() && event.published_ms.is_none();
}

/// Whether an extension attribute would hide behind a name of ours.
pub(super) fn is_our_name(name: &str) -> bool {
    const OURS: [&str; 17] = [
        "code",
        "kind",
        "workspace",
        "operator",
        "account",
        "region",
        "instance",
        "instances",
        "node",
        "nodes",
        "file",
        "table",
        "status",
        "rows",
        "bytes",
        "envelope",
        "flags",
    ];
    // The attributes that EventBridge adds are all longer.
    name.len() <= 9 && OURS.contains(&name)
}
