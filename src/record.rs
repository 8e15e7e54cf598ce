//! A Kafka record as plain borrowed data.
//!
//! The Kafka edge fills a batch's byte arena and lends records out of it; tests and `openeventd decode`
//! build them from any bytes. A record is what Kafka delivered and nothing else: no decoding happens here.
//!
//! Next: [`crate::event`].

/// One Kafka record: where it lies and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Topic name.
    pub topic: &'a str,
    /// Partition within the topic, from 0.
    pub partition: i32,
    /// Offset within the partition, from 0.
    pub offset: i64,
    /// Kafka's timestamp (create or append time), milliseconds since 1970; `None` if the broker gave none.
    pub timestamp_ms: Option<i64>,
    /// The record's key, if any.
    pub key: Option<&'a [u8]>,
    /// The record's headers in order; a header's value may be absent.
    pub headers: &'a [Header<'a>],
    /// The record's value; empty for a tombstone.
    pub payload: &'a [u8],
}

/// One Kafka header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The header's name, as sent.
    pub name: &'a str,
    /// The header's value; `None` is Kafka's null.
    pub value: Option<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// A record that came from no broker (a file, standard input): position zero, no key, no headers.
    #[must_use]
    pub fn of_payload(payload: &'a [u8]) -> Self {
        Record { topic: "", partition: 0, offset: 0, timestamp_ms: None, key: None, headers: &[], payload }
    }
}
