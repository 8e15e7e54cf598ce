//! The normalised event: one shape, whatever envelope carried it.
//!
//! [`decode`](decode::decode) takes a [`crate::record::Record`] and gives an [`Event`] that borrows from
//! it, or the reason why the record must be quarantined. Rules, templates, the audit database and
//! `openeventd decode` all meet the event under the names of this module.
//!
//! Next: [`crate::rule`].

use std::borrow::Cow;

pub mod catalogue;

pub mod decode;

pub mod json;

// What is known of payloads, for warnings.
pub(crate) mod payload;

mod structured;

mod binary;

mod envelope;

mod facts;

mod instant;

mod scan;

mod words;

mod line;

pub mod sample;

/// One decoded and normalised event, borrowing from the record that carried it.
///
/// Integers are exact; text is as sent. Names are those that people and programs see.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    /// What carried the event.
    pub envelope: Envelope,
    /// CloudEvents `id`, or the older envelopes' `messageId`; `None` for a record that is only `data`.
    pub id: Option<Cow<'a, str>>,
    /// CloudEvents `source`; `acs.dataworks` for older envelopes.
    pub source: Option<Cow<'a, str>>,
    /// CloudEvents `type`, from the catalogue for older envelopes; `None` if the catalogue has none.
    pub event_type: Option<Cow<'a, str>>,
    /// CloudEvents `time`, as sent. Never used for an event's age: it is seen eight hours off.
    pub time: Option<Cow<'a, str>>,
    /// CloudEvents `specversion`.
    pub specversion: Option<Cow<'a, str>>,
    /// CloudEvents `subject`, often empty.
    pub subject: Option<Cow<'a, str>>,
    /// The event code, from the catalogue; for unknown types `data.eventCode`, if any.
    pub code: Option<Cow<'a, str>>,
    /// Whether an operation waits for a verdict; `None` for an unknown event.
    pub kind: Option<Kind>,
    /// The workspace's number (projectId, appId or queryDwProjectId).
    pub workspace: Option<i64>,
    /// Who acted, as text.
    pub operator: Option<Cow<'a, str>>,
    /// The Alibaba Cloud account (`aliyunaccountid`), as text.
    pub account: Option<Cow<'a, str>>,
    /// The region (`aliyunregionid`).
    pub region: Option<Cow<'a, str>>,
    /// When EventBridge received the event (`aliyunpublishtime`), milliseconds since 1970.
    pub published_ms: Option<i64>,
    /// Typed facts, where the event has them.
    pub facts: Facts<'a>,
    /// The payload as JSON text, exactly as sent (owned only where it came as JSON text inside a string).
    pub data: Cow<'a, str>,
    /// Further attributes of the envelope under their own names, values as JSON text, as sent (owned only
    /// where they came as the text of a header). `aliyunaccountid` and its like are among them.
    pub extensions: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// What was odd about the event.
    pub flags: Flags,
}

/// What carried an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Envelope {
    /// CloudEvents, the whole event as the record's value.
    CloudEvents,
    /// CloudEvents in Kafka's binary mode: attributes in `ce_` headers, `data` as the value.
    CloudEventsBinary,
    /// The Open Platform's own topic: `messageBody`, `messageId`, `eventType`.
    Kafka,
    /// The Open Platform's first topic: `messageId`, `messageType`, `messageBody`.
    KafkaGen1,
    /// Function Compute: as `Kafka`, with a top-level `extensionBizId`.
    FunctionCompute,
    /// Only `data`, told by its `eventCode`: no identity of its own.
    DataOnly,
}

/// Whether a user's operation waits for our verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A notification.
    Regular,
    /// An extension point: the operation waits.
    Extension,
}

/// Typed facts: numbers, lists and names, whatever the payload wrote.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts<'a> {
    /// The task instance the event is about.
    pub instance: Option<i64>,
    /// All task instances the event is about, if it names a list.
    pub instances: Vec<i64>,
    /// The node.
    pub node: Option<i64>,
    /// All nodes, if it names a list.
    pub nodes: Vec<i64>,
    /// The file.
    pub file: Option<i64>,
    /// The table: its name, else its GUID.
    pub table: Option<Cow<'a, str>>,
    /// The status of an instance or DAG, spelled as in API version 2024-05-18.
    pub status: Option<Status>,
    /// Rows of a download.
    pub rows: Option<i64>,
    /// Bytes of a file.
    pub bytes: Option<i64>,
}

/// The status of an instance or DAG, spelled as in API version 2024-05-18.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// 0 or 1.
    NotRun,
    /// 2.
    WaitTime,
    /// 3.
    WaitResource,
    /// 4.
    Running,
    /// 5.
    Failure,
    /// 6.
    Success,
    /// 7, a data-quality check.
    Checking,
    /// 8, a branch condition.
    CheckingCondition,
}

/// What was odd about an event; each is shown with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent remarks, not the states of a machine")]
pub struct Flags {
    /// `data` was JSON text inside a string.
    pub data_was_text: bool,
    /// `type` and `data.eventCode` name different events; `type` won.
    pub code_conflict: bool,
    /// `data` repeats a key; the last one counts.
    pub duplicate_data_keys: bool,
    /// An extension attribute has the name of one of ours; ours won.
    pub attribute_collision: bool,
    /// The record carries only `data`: it has no identity. Send the whole event.
    pub no_identity: bool,
    /// The type or code is not in the catalogue.
    pub unknown_type: bool,
    /// A field that should hold a number, a list, a time or text holds something else: its fact is absent.
    pub unreadable_value: bool,
}
