//! A Kafka record as plain borrowed data.
//!
//! The Kafka edge fills a batch's byte arena and lends records out of it; tests and `openeventd decode`
//! build them from any bytes. A record is what Kafka delivered and nothing else: no decoding happens here.
//!
//! Next: [`crate::event`].

use std::fmt;
use std::ops::Range;

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
    pub headers: Headers<'a>,
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

/// The headers of one record, lent by whoever holds them: a slice, or a batch's arena.
#[derive(Clone, Copy)]
pub struct Headers<'a>(Place<'a>);

#[derive(Clone, Copy)]
enum Place<'a> {
    Listed(&'a [Header<'a>]),
    Packed { names: &'a str, values: &'a [u8], spans: &'a [HeaderSpan] },
}

/// Where one header lies in a batch's arenas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderSpan {
    /// The name, in the arena of names.
    pub name: Range<usize>,
    /// The value, in the arena of values; `None` is Kafka's null.
    pub value: Option<Range<usize>>,
}

impl<'a> Headers<'a> {
    /// No headers.
    pub const NONE: Headers<'static> = Headers(Place::Listed(&[]));

    /// Headers that lie in two arenas; a span outside of them reads as empty.
    #[must_use]
    pub fn packed(names: &'a str, values: &'a [u8], spans: &'a [HeaderSpan]) -> Self {
        Headers(Place::Packed { names, values, spans })
    }

    /// How many there are.
    #[must_use]
    pub fn len(self) -> usize {
        match self.0 {
            Place::Listed(headers) => headers.len(),
            Place::Packed { spans, .. } => spans.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The headers in order.
    pub fn iter(self) -> impl Iterator<Item = Header<'a>> {
        (0..self.len()).filter_map(move |index| self.get(index))
    }

    fn get(self, index: usize) -> Option<Header<'a>> {
        match self.0 {
            Place::Listed(headers) => headers.get(index).copied(),
            Place::Packed { names, values, spans } => spans.get(index).map(|span| Header {
                name: names.get(span.name.clone()).unwrap_or_default(),
                value: span.value.clone().map(|value| values.get(value).unwrap_or_default()),
            }),
        }
    }
}

impl<'a> From<&'a [Header<'a>]> for Headers<'a> {
    fn from(headers: &'a [Header<'a>]) -> Self {
        Headers(Place::Listed(headers))
    }
}

impl<'a, const N: usize> From<&'a [Header<'a>; N]> for Headers<'a> {
    fn from(headers: &'a [Header<'a>; N]) -> Self {
        Headers(Place::Listed(headers))
    }
}

impl PartialEq for Headers<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers<'_> {}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> Record<'a> {
    /// A record that came from no broker (a file, standard input): position zero, no key, no headers.
    #[must_use]
    pub fn of_payload(payload: &'a [u8]) -> Self {
        Record {
            topic: "",
            partition: 0,
            offset: 0,
            timestamp_ms: None,
            key: None,
            headers: Headers::NONE,
            payload,
        }
    }
}
