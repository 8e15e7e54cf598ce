//! The unit of work: the records of one poll, and what decoding and matching made of each.
//!
//! A batch owns the bytes of its records; everything decoded borrows from them, so one message a batch
//! crosses from the polling thread to the writer and no record is copied again.
//!
//! Next: [`crate::rule`].

use crate::event::Event;
use crate::event::decode::DecodeError;
use crate::record::Record;
use crate::rule::RuleIndex;

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
