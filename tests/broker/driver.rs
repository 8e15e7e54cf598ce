//! Drives a consumer as its owner does, in the test's own thread.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use openeventd::batch::{NextOffset, RecordBatch};
use openeventd::kafka::{Assigned, BatchLimits, Consumer, Hooks, OutOfRange, Polled};
use openeventd::kafka::{Condition, Fault, FaultKind};
use openeventd::kafka::{EndpointIdentification, Sasl, SaslMechanism, SecurityProtocol, Settings};
use secrecy::SecretString;

use crate::harness::cluster::{ALICE, Cluster};

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Settings for the listener with strict certificates, as alice.
pub(crate) fn strict(cluster: &Cluster, topics: &[&str], group: &str) -> Settings {
    Settings {
        bootstrap_servers: vec![format!("localhost:{}", cluster.ports().strict)],
        topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        group_id: group.to_owned(),
        protocol: SecurityProtocol::SaslSsl,
        sasl: Some(user(ALICE, SaslMechanism::Plain)),
        ssl_ca_location: Some(cluster.path("strict-ca.pem")),
        ssl_endpoint_identification: EndpointIdentification::Https,
        session_timeout: Duration::from_secs(6),
        queue_bytes_max: 8 * 1024 * 1024,
        properties: BTreeMap::from([("heartbeat.interval.ms".to_owned(), "500".to_owned())]),
    }
}

pub(crate) fn user((name, password): (&str, &str), mechanism: SaslMechanism) -> Sasl {
    Sasl { mechanism, username: name.to_owned(), password: SecretString::from(password) }
}

/// A record as the tests compare them.
pub(crate) type Seen = (String, i32, i64, Vec<u8>);

/// A consumer, what it was asked, and what it got.
pub(crate) struct Driver {
    pub(crate) consumer: Arc<Consumer>,
    pub(crate) seen: Vec<Seen>,
    /// What was seen and not stored yet; the drain hook stores it.
    pub(crate) not_stored: Arc<Mutex<Vec<NextOffset>>>,
    pub(crate) assigned: Arc<Mutex<Vec<Assigned>>>,
    pub(crate) drained: Arc<Mutex<Vec<i32>>>,
    pub(crate) conditions: Arc<Mutex<Vec<Condition>>>,
    pub(crate) limits: BatchLimits,
}

impl Driver {
    /// A consumer that starts at the committed offset, else at the first one, and stores on drain what it
    /// has not stored yet.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self::try_new(settings).expect("a consumer")
    }

    pub(crate) fn try_new(settings: &Settings) -> Result<Self, openeventd::kafka::KafkaError> {
        // Shown with the output of a failed test.
        let _set_already =
            tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_test_writer().try_init();
        let assigned = Arc::new(Mutex::new(Vec::new()));
        let drained = Arc::new(Mutex::new(Vec::new()));
        let conditions = Arc::new(Mutex::new(Vec::new()));
        let (facts, gone, changes) = (Arc::clone(&assigned), Arc::clone(&drained), Arc::clone(&conditions));
        let not_stored: Arc<Mutex<Vec<NextOffset>>> = Arc::default();
        let itself: Arc<OnceLock<Weak<Consumer>>> = Arc::default();
        let (in_flight, owner) = (Arc::clone(&not_stored), Arc::clone(&itself));
        let hooks = Hooks {
            start: Box::new(move |partitions| {
                *facts.lock().expect("no panic") = partitions.to_vec();
                Ok(partitions.iter().map(|p| p.committed.unwrap_or(p.low)).collect())
            }),
            drain: Box::new(move |partitions| {
                gone.lock().expect("no panic").extend(partitions.iter().map(|p| p.partition));
                if let Some(consumer) = owner.get().and_then(Weak::upgrade) {
                    let offsets = std::mem::take(&mut *in_flight.lock().expect("no panic"));
                    consumer.store_offsets(&offsets).expect("offsets are stored");
                }
            }),
            condition: Box::new(move |change| changes.lock().expect("no panic").push(change)),
        };
        let limits = BatchLimits { records_max: 1000, bytes_max: 1 << 20, linger: Duration::from_millis(20) };
        let consumer = Arc::new(Consumer::new(settings, hooks)?);
        itself.set(Arc::downgrade(&consumer)).expect("it is set once");
        Ok(Driver { consumer, seen: Vec::new(), not_stored, assigned, drained, conditions, limits })
    }

    /// One poll; records are kept in `seen`, their offsets in `not_stored`.
    pub(crate) fn step(&mut self, wait: Duration) -> Option<OutOfRange> {
        let mut batch = RecordBatch::new();
        let polled = self.consumer.poll_batch(&mut batch, &self.limits, wait).expect("the poll works");
        assert_eq!(polled == Polled::Records, !batch.is_empty());
        assert!(batch.len() <= self.limits.records_max);
        let record = |r: openeventd::record::Record<'_>| {
            (r.topic.to_owned(), r.partition, r.offset, r.payload.to_vec())
        };
        self.seen.extend(batch.records().map(record));
        self.not_stored.lock().expect("no panic").extend(batch.next_offsets());
        match polled {
            Polled::OutOfRange(found) => Some(found),
            Polled::Records | Polled::Idle => None,
        }
    }

    /// Polls until `done`.
    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !done(self) {
            assert!(
                Instant::now() < until,
                "waited in vain for {what}; {} records, conditions {:?}",
                self.seen.len(),
                self.conditions.lock()
            );
            let out_of_range = self.step(Duration::from_millis(100));
            assert_eq!(out_of_range, None, "while waiting for {what}");
        }
    }

    /// Polls until it has `count` records.
    pub(crate) fn records(&mut self, count: usize) {
        self.until(&format!("{count} records"), |driver| driver.seen.len() >= count);
    }

    /// Polls until a partition stands out of range.
    pub(crate) fn out_of_range(&mut self) -> OutOfRange {
        let until = Instant::now() + DEADLINE;
        loop {
            assert!(Instant::now() < until, "nothing was out of range");
            if let Some(found) = self.step(Duration::from_millis(100)) {
                return found;
            }
        }
    }

    /// Polls until that fault is reported.
    pub(crate) fn fault(&mut self, kind: FaultKind) -> Fault {
        let mut found = None;
        self.until(&format!("{kind:?}"), |driver| {
            found = driver.conditions.lock().expect("no panic").iter().find_map(|change| match change {
                Condition::Failing(fault) if fault.kind == kind => Some(fault.clone()),
                _ => None,
            });
            found.is_some()
        });
        found.expect("it was found")
    }

    /// Stores the offsets of all that was seen and not stored.
    pub(crate) fn store(&mut self) {
        let offsets = self.forget();
        let stored = self.consumer.store_offsets(&offsets).expect("offsets are stored");
        assert_eq!(stored.fenced, []);
    }

    /// Takes the offsets that are not stored, so that nothing will store them.
    pub(crate) fn forget(&mut self) -> Vec<NextOffset> {
        std::mem::take(&mut *self.not_stored.lock().expect("no panic"))
    }

    /// Leaves the group.
    pub(crate) fn close(self) {
        self.consumer.close(Duration::from_secs(20)).expect("the group is left");
    }

    pub(crate) fn offsets(&self) -> Vec<i64> {
        self.seen.iter().map(|(_, _, offset, _)| *offset).collect()
    }
}
