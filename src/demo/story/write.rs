//! Writes the story's records: envelopes of both generations, with fresh ids and times.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde_json::{Value, json};

use super::PARTITIONS;
use crate::kafka::embedded::NewRecord;

/// The Alibaba Cloud account.
pub(super) const ACCOUNT: &str = "1460982254730185";

/// The tenant.
pub(super) const TENANT: i64 = 283_785_412_310_656;

/// Events carry the times of the region.
const OFFSET_HOURS: i8 = 8;

/// Collects the records.
pub(super) struct Writer {
    pub(super) records: Vec<(Duration, NewRecord)>,
    now_ms: i64,
    next_instance: i64,
}

/// A pause between two events that have nothing to do with each other.
const PAUSE_MS: i64 = 280;

impl Writer {
    pub(super) fn at(now_ms: i64, first_instance: i64) -> Self {
        Writer { records: Vec::new(), now_ms, next_instance: first_instance + 70 }
    }

    /// When the next record comes, milliseconds since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// An instance that nothing is told about but this.
    pub(super) fn instance(&mut self) -> i64 {
        self.next_instance += 1;
        self.next_instance
    }

    /// A local time as some payloads write it.
    pub(super) fn local(&self, before_ms: i64) -> String {
        local(self.now_ms - before_ms, "%Y-%m-%d %H:%M:%S")
    }

    /// A CloudEvents event, of `age_ms`.
    pub(super) fn cloud(&mut self, event_type: &str, key: i64, age_ms: i64, data: &Value) {
        let at_ms = self.now_ms - age_ms;
        let envelope = json!({
            "datacontenttype": "application/json;charset=utf-8",
            "aliyunaccountid": ACCOUNT,
            "aliyunpublishtime": local(at_ms, "%Y-%m-%dT%H:%M:%S.%3fPRC"),
            "aliyuneventbusname": "dataworks-events",
            "aliyunregionid": super::super::REGION,
            "aliyunpublishaddr": "172.25.16.40",
            "specversion": "1.0",
            "id": id(),
            "source": "acs.dataworks",
            "subject": "",
            "time": local(at_ms, "%Y-%m-%dT%H:%M:%S+08:00"),
            "type": event_type,
            "data": data,
        });
        self.put(key, age_ms, envelope.to_string());
    }

    /// An event of the older envelope.
    pub(super) fn legacy(&mut self, category: &str, code: &str, key: i64, data: &Value) {
        let envelope = json!({
            "messageBody": data,
            "messageId": id(),
            "eventType": code,
            "eventCategoryType": category,
            "blockBusiness": false,
        });
        self.put(key, 0, envelope.to_string());
    }

    /// Any payload.
    pub(super) fn put(&mut self, key: i64, age_ms: i64, payload: String) {
        let partition = i32::try_from(key.rem_euclid(i64::from(PARTITIONS))).unwrap_or(0);
        let timestamp_ms = self.now_ms - age_ms;
        let record = NewRecord { partition, timestamp_ms, key: key.to_string(), payload };
        self.push(PAUSE_MS, record);
    }

    /// Where the last record stands, for [`Writer::again`].
    pub(super) fn last(&self) -> usize {
        self.records.len().saturating_sub(1)
    }

    /// A record once more, in another partition: what a bus does that got no answer.
    pub(super) fn again(&mut self, at: usize) {
        let Some((_, sent)) = self.records.get(at) else { return };
        let mut record = sent.clone();
        record.partition = (record.partition + 1) % PARTITIONS;
        record.timestamp_ms = self.now_ms;
        self.push(PAUSE_MS, record);
    }

    /// The last record comes at once after the one before.
    pub(super) fn at_once(&mut self) {
        if let Some((pause, _)) = self.records.last_mut() {
            *pause = Duration::from_millis(10);
        }
    }

    fn push(&mut self, pause_ms: i64, record: NewRecord) {
        self.records.push((Duration::from_millis(pause_ms.unsigned_abs()), record));
        self.now_ms += pause_ms;
    }
}

fn local(ms: i64, format: &str) -> String {
    let zone = TimeZone::fixed(Offset::constant(OFFSET_HOURS));
    Timestamp::from_millisecond(ms).unwrap_or_default().to_zoned(zone).strftime(format).to_string()
}

/// A new identity.
pub(super) fn id() -> String {
    let hex = format!("{:032x}", fastrand::u128(..));
    let mut id = String::with_capacity(36);
    for (at, digit) in hex.chars().enumerate() {
        if [8, 12, 16, 20].contains(&at) {
            id.push('-');
        }
        id.push(digit);
    }
    id
}
