//! The unit of work: the records of one poll, and what decoding and matching made of each.
//!
//! A [`RecordBatch`] owns the bytes of its records; everything decoded borrows from them, so one
//! [`DecodedBatch`] crosses from the polling thread to the writer and no record is copied again.
//!
//! Next: [`crate::rule`].

use std::fmt;

use self_cell::self_cell;

use crate::event::Event;
use crate::event::decode::DecodeError;
use crate::record::Record;
use crate::rule::RuleIndex;

mod records;

pub use records::{Epoch, NextOffset, OffsetRange, RecordBatch};

/// One record and what became of it before it is accepted.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The record as Kafka delivered it.
    pub record: Record<'a>,
    /// What decoding and matching made of it.
    pub content: Content<'a>,
}

/// What decoding and matching made of a record.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all records are events: a box would cost an allocation each"
)]
pub enum Content<'a> {
    /// An event.
    Event {
        /// The event.
        event: Event<'a>,
        /// The rules that fired, in rule order.
        matched: Vec<RuleIndex>,
        /// The rules whose evaluation panicked.
        failed: Vec<RuleIndex>,
    },
    /// A record that could not be decoded.
    Quarantined(DecodeError),
}

type Entries<'a> = Vec<Entry<'a>>;

self_cell!(
    struct Decoded {
        owner: RecordBatch,
        #[covariant]
        dependent: Entries,
    }
);

/// The records of one poll with what was decoded from them.
pub struct DecodedBatch(Decoded);

impl DecodedBatch {
    /// Decodes `records` by `decode`, which gives one entry a record, in order.
    pub fn of(records: RecordBatch, decode: impl for<'a> FnOnce(&'a RecordBatch) -> Vec<Entry<'a>>) -> Self {
        DecodedBatch(Decoded::new(records, decode))
    }

    /// What became of each record, in order.
    pub fn entries(&self) -> &[Entry<'_>] {
        self.0.borrow_dependent()
    }

    /// The records themselves.
    pub fn records(&self) -> &RecordBatch {
        self.0.borrow_owner()
    }
}

impl fmt::Debug for DecodedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodedBatch").field("records", &self.records().len()).finish_non_exhaustive()
    }
}
