//! When the daemon is killed, and what that hit.

use std::collections::BTreeMap;

use crate::audit::Audit;
use crate::calls::Calls;
use crate::harness::admin;
use crate::harness::cluster::Cluster;
use crate::load::PARTITIONS;
use crate::program::Program;

/// A moment that can be seen from outside, counted from the start of the process.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    /// So many partitions were assigned: the first records are on their way.
    Assigned(usize),
    /// So many batches were accepted: their offsets are not committed yet.
    Accepted(usize),
    /// So many rules decided.
    Decided(usize),
    /// So many requests arrived at the endpoint, which has not answered the last ones.
    Called(usize),
    /// So many attempts were settled.
    Settled(usize),
}

/// The moment of a kill: each kind in turn, later each time.
pub(crate) fn moment(number: usize) -> Moment {
    let round = number / 5;
    match number % 5 {
        0 => Moment::Called(1 + 4 * round),
        1 => Moment::Accepted(1 + 25 * round),
        2 => Moment::Settled(1 + 6 * round),
        3 => Moment::Decided(1 + 3 * round),
        _ => Moment::Assigned(1 + round),
    }
}

/// Waits for the moment.
pub(crate) fn kill_at(moment: &Moment, daemon: &mut Program, calls: &Calls) {
    let (count, message) = match *moment {
        Moment::Called(count) => {
            calls.until(calls.count() + count);
            return;
        }
        Moment::Assigned(count) => (count, "partition assigned"),
        Moment::Accepted(count) => (count, "accept"),
        Moment::Decided(count) => (count, "decision"),
        Moment::Settled(count) => (count, "settle"),
    };
    daemon.nth_line_after(0, count, message, |line| line.message == message);
}

/// Where offsets are committed.
pub(crate) struct Broker<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) group: &'a str,
    pub(crate) topics: &'a [String],
}

/// How far each partition was stored at the kill before.
pub(crate) type Stored = BTreeMap<(String, i32), i64>;

/// What a kill interrupted, by the audit, the endpoint and the broker.
#[derive(Debug)]
#[expect(dead_code, reason = "`arrived` is for the person who reads the output")]
pub(crate) struct Hit {
    /// Attempts that were durable and had no outcome.
    pub(crate) attempts_in_flight: usize,
    /// Those of them whose request had arrived at the endpoint.
    pub(crate) arrived: usize,
    /// Records accepted since the kill before, whose offsets were not committed.
    pub(crate) records_uncommitted: i64,
}

impl Hit {
    /// Looks at what the dead process has left.
    pub(crate) fn seen(audit: &Audit<'_>, calls: &Calls, broker: &Broker<'_>, before: &mut Stored) -> Self {
        let in_flight = audit.objects_in_flight();
        let asked = calls.by_object();
        let mut records_uncommitted = 0;
        for topic in broker.topics {
            let committed = admin::committed(broker.cluster, broker.group, topic, PARTITIONS);
            for ((partition, stored), committed) in audit.positions(topic).into_iter().zip(committed) {
                let before = before.insert((topic.clone(), partition), stored).unwrap_or(0);
                records_uncommitted += (stored - before.max(committed.unwrap_or(0))).max(0);
            }
        }
        Hit {
            attempts_in_flight: in_flight.len(),
            arrived: in_flight.iter().filter(|object| asked.contains_key(*object)).count(),
            records_uncommitted,
        }
    }

    /// Whether the kill hit something.
    pub(crate) fn counts(&self) -> bool {
        self.attempts_in_flight > 0 || self.records_uncommitted > 0
    }
}
