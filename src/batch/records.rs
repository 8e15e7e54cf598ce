//! One poll's records: one byte arena, compact descriptors, and the ranges they cover.
//!
//! The polling thread copies each record once into the arena; everything after it borrows from here, so a
//! batch crosses threads as one value. Nothing is allocated per record once the arena has grown, and
//! [`RecordBatch::clear`] keeps the memory for the next poll.

use std::ops::Range;
use std::sync::Arc;

use crate::record::{HeaderSpan, Headers, Record};

/// The records of one poll, in the order in which they came.
#[derive(Debug, Default)]
pub struct RecordBatch {
    /// Keys, payloads and header values.
    bytes: Vec<u8>,
    /// Header names, apart from the values so that they need not be proven UTF-8 again.
    names: String,
    header_spans: Vec<HeaderSpan>,
    records: Vec<Descriptor>,
    /// Interned for the batch's whole life: as many as there are subscribed topics.
    topics: Vec<Arc<str>>,
    ranges: Vec<OffsetRange>,
}

/// The records of one partition in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetRange {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition within the topic.
    pub partition: i32,
    /// Offset of the partition's first record in the batch.
    pub first: i64,
    /// Offset of its last record in the batch. Offsets between may be missing (compaction, transactions).
    pub last: i64,
    /// How many records lie between them.
    pub records: usize,
    /// Under which assignment they were polled.
    pub epoch: Epoch,
}

/// Counts the assignments and seeks of a partition: what was polled before one of them must not move the
/// offset after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Epoch(pub(crate) u64);

/// The offset from which a partition is to be consumed next, once all before it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextOffset {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition within the topic.
    pub partition: i32,
    /// The first offset that is not yet durable.
    pub offset: i64,
    /// Under which assignment it was polled.
    pub epoch: Epoch,
}

impl OffsetRange {
    /// What to store once this range is durable.
    #[must_use]
    pub fn next_offset(&self) -> NextOffset {
        NextOffset {
            topic: Arc::clone(&self.topic),
            partition: self.partition,
            offset: self.last.saturating_add(1),
            epoch: self.epoch,
        }
    }
}

#[derive(Debug)]
struct Descriptor {
    topic: usize,
    partition: i32,
    offset: i64,
    timestamp_ms: Option<i64>,
    key: Option<Range<usize>>,
    payload: Range<usize>,
    headers: Range<usize>,
}

impl RecordBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many records it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of the records it holds.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len() + self.names.len()
    }

    /// Forgets the records and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.names.clear();
        self.header_spans.clear();
        self.records.clear();
        self.ranges.clear();
    }

    /// Gives memory back to the system, down to `bytes`: after a batch of unusually large records.
    pub fn shrink_to(&mut self, bytes: usize) {
        self.bytes.shrink_to(bytes);
        self.names.shrink_to(bytes);
    }

    /// Copies one record, headers included, to the end.
    pub fn push(&mut self, record: &Record<'_>) {
        let topic = self.intern(record.topic);
        let key = record.key.map(|key| copy(&mut self.bytes, key));
        let payload = copy(&mut self.bytes, record.payload);
        let headers = self.header_spans.len();
        self.records.push(Descriptor {
            topic,
            partition: record.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key,
            payload,
            headers: headers..headers,
        });
        self.extend_range(topic, record.partition, record.offset);
        for header in record.headers.iter() {
            self.push_header(header.name, header.value);
        }
    }

    /// Adds one more header to the record pushed last.
    pub fn push_header(&mut self, name: &str, value: Option<&[u8]>) {
        let Some(record) = self.records.last_mut() else { return };
        let start = self.names.len();
        self.names.push_str(name);
        let value = value.map(|value| copy(&mut self.bytes, value));
        self.header_spans.push(HeaderSpan { name: start..self.names.len(), value });
        record.headers.end = self.header_spans.len();
    }

    /// The records in order, lent.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.records.iter().map(|record| Record {
            topic: self.topics.get(record.topic).map_or("", |topic| &**topic),
            partition: record.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key.clone().map(|key| self.bytes.get(key).unwrap_or_default()),
            headers: Headers::packed(
                &self.names,
                &self.bytes,
                self.header_spans.get(record.headers.clone()).unwrap_or_default(),
            ),
            payload: self.bytes.get(record.payload.clone()).unwrap_or_default(),
        })
    }

    /// What it covers of each partition, in the order in which the partitions first appear.
    #[must_use]
    pub fn ranges(&self) -> &[OffsetRange] {
        &self.ranges
    }

    /// What to store once the whole batch is durable.
    #[must_use]
    pub fn next_offsets(&self) -> Vec<NextOffset> {
        self.ranges.iter().map(OffsetRange::next_offset).collect()
    }

    /// Marks each range with the assignment that `epoch_of` knows for it.
    pub(crate) fn stamp(&mut self, mut epoch_of: impl FnMut(&OffsetRange) -> Epoch) {
        for range in &mut self.ranges {
            range.epoch = epoch_of(range);
        }
    }

    fn intern(&mut self, topic: &str) -> usize {
        // Records come in runs of one topic, and there are few topics.
        let last = self.records.last().map_or(0, |record| record.topic);
        if self.topics.get(last).is_some_and(|known| &**known == topic) {
            return last;
        }
        self.topics.iter().position(|known| &**known == topic).unwrap_or_else(|| {
            self.topics.push(Arc::from(topic));
            self.topics.len() - 1
        })
    }

    fn extend_range(&mut self, topic: usize, partition: i32, offset: i64) {
        let Some(topic) = self.topics.get(topic) else { return };
        // From the end: records of one partition come in runs.
        let known =
            self.ranges.iter_mut().rev().find(|range| range.partition == partition && range.topic == *topic);
        if let Some(range) = known {
            range.last = offset;
            range.records += 1;
        } else {
            let (topic, epoch) = (Arc::clone(topic), Epoch::default());
            self.ranges.push(OffsetRange {
                topic,
                partition,
                first: offset,
                last: offset,
                records: 1,
                epoch,
            });
        }
    }
}

fn copy(arena: &mut Vec<u8>, bytes: &[u8]) -> Range<usize> {
    let start = arena.len();
    arena.extend_from_slice(bytes);
    start..arena.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Header;

    fn record<'a>(topic: &'a str, partition: i32, offset: i64, payload: &'a [u8]) -> Record<'a> {
        Record { topic, partition, offset, ..Record::of_payload(payload) }
    }

    #[test]
    fn a_batch_lends_back_exactly_what_was_pushed() {
        let headers = [Header { name: "ce_id", value: Some(b"7") }, Header { name: "empty", value: None }];
        let pushed = [
            Record {
                key: Some(b"k"),
                headers: Headers::from(&headers),
                timestamp_ms: Some(12),
                ..record("a", 0, 5, b"one")
            },
            record("b", 3, 9, b""),
            Record { key: Some(b""), ..record("a", 0, 6, b"two") },
        ];
        let mut batch = RecordBatch::new();
        for record in &pushed {
            batch.push(record);
        }
        assert_eq!(batch.records().collect::<Vec<_>>(), pushed);
        assert_eq!(batch.len(), 3);
        batch.clear();
        assert!(batch.is_empty());
        assert_eq!((batch.byte_len(), batch.ranges().len()), (0, 0));
    }

    #[test]
    fn ranges_name_first_last_and_count_of_each_partition() {
        let mut batch = RecordBatch::new();
        for (topic, partition, offset) in [("a", 0, 5), ("a", 1, 0), ("a", 0, 6), ("b", 0, 1), ("a", 0, 9)] {
            batch.push(&record(topic, partition, offset, b"x"));
        }
        let ranges: Vec<_> =
            batch.ranges().iter().map(|r| (&*r.topic, r.partition, r.first, r.last, r.records)).collect();
        assert_eq!(ranges, [("a", 0, 5, 9, 3), ("a", 1, 0, 0, 1), ("b", 0, 1, 1, 1)]);
        assert_eq!(batch.next_offsets().iter().map(|n| n.offset).collect::<Vec<_>>(), [10, 1, 2]);
    }

    #[test]
    fn a_batch_may_cross_threads() {
        fn sendable<T: Send + Sync + 'static>() {}
        sendable::<RecordBatch>();
    }
}
