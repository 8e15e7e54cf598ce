//! When the daemon is killed, and what that hit.

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
        1 => Moment::Accepted(1 + 5 * round),
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

/// What a kill interrupted, by the audit, the endpoint and the broker.
#[derive(Debug)]
pub(crate) struct Hit {
    /// Attempts that were durable and had no outcome.
    pub(crate) attempts_in_flight: usize,
    /// Those of them whose request had arrived at the endpoint.
    pub(crate) arrived: usize,
    /// Records that were accepted, and whose offsets were not committed.
    pub(crate) records_uncommitted: i64,
}

impl Hit {
    /// Looks at what the dead process has left.
    pub(crate) fn seen(audit: &Audit<'_>, calls: &Calls, cluster: &Cluster, group: &str, topics: &[String]) -> Self {
        let in_flight = audit.objects_in_flight();
        let asked = calls.by_object();
        let uncommitted = topics.iter().map(|topic| {
            let committed = admin::committed(cluster, group, topic, PARTITIONS);
            let behind = audit.positions(topic).into_iter().zip(committed);
            behind.map(|((_, stored), committed)| (stored - committed.unwrap_or(0)).max(0)).sum::<i64>()
        });
        Hit {
            attempts_in_flight: in_flight.len(),
            arrived: in_flight.iter().filter(|object| asked.contains_key(*object)).count(),
            records_uncommitted: uncommitted.sum(),
        }
    }

    /// Whether the kill hit something.
    pub(crate) fn counts(&self) -> bool {
        self.attempts_in_flight > 0 || self.records_uncommitted > 0
    }
}
