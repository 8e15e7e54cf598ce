//! Where an assigned partition starts, and what that leaves unseen. Pure.
//!
//! Kafka's commit decides. Where it is ahead of the store (a restored backup, a foreign commit) the
//! store's own position is older and safer; where there is no commit, starting at the beginning loses
//! nothing, and what is known already is recognised.

use crate::kafka::{Assigned, Cause, OutOfRange};
use crate::store::positions::{Gap, GapReason};

/// Where a partition without any position starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    /// At the first record that Kafka has.
    Earliest,
    /// Behind the last record that Kafka has.
    Latest,
}

/// Where to start, and what is lost by that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The first offset to read.
    pub offset: i64,
    /// What we will never see.
    pub gap: Option<Gap>,
}

/// Decides where `partition` starts; `stored` is one past the highest offset that the store holds.
#[must_use]
pub fn decide(partition: &Assigned, stored: Option<i64>, start_at: StartAt) -> Decision {
    let Assigned { committed, low, high, .. } = *partition;
    let gap = |first: i64, end: i64, reason| {
        (first < end).then(|| Gap {
            topic: partition.topic.to_string(),
            partition: partition.partition,
            first_offset: first,
            end_offset: end,
            reason,
        })
    };
    // The log ends before our position: it is a new log under the old name. How far the old one had gone
    // on is not known, so the gap names only where we stood.
    let anew = |position: i64| Decision {
        offset: low,
        gap: Some(Gap {
            topic: partition.topic.to_string(),
            partition: partition.partition,
            first_offset: position,
            end_offset: position,
            reason: GapReason::Recreated,
        }),
    };
    match (committed, stored) {
        (Some(committed), Some(stored)) => {
            let position = committed.min(stored);
            if position > high {
                return anew(position);
            }
            Decision { offset: position.max(low), gap: gap(position, low, GapReason::Retention) }
        }
        (Some(committed), None) => {
            if committed > high {
                return anew(committed);
            }
            // Somebody committed for this group, and we hold none of it.
            let offset = committed.max(low);
            let unseen = gap(low, offset, GapReason::ForeignCommit);
            Decision { offset, gap: unseen.or_else(|| gap(committed, low, GapReason::Retention)) }
        }
        (None, Some(stored)) => {
            // The group's commits are gone: expired, or the topic was created anew. Only the beginning
            // is safe in both cases.
            if stored > high {
                return anew(stored);
            }
            Decision { offset: low, gap: gap(stored, low, GapReason::Retention) }
        }
        (None, None) => match start_at {
            StartAt::Earliest => Decision { offset: low, gap: None },
            StartAt::Latest => Decision { offset: high, gap: gap(low, high, GapReason::StartAt) },
        },
    }
}

/// The gap left by a position that Kafka does not have; reading goes on at the earliest.
#[must_use]
pub fn gap_out_of_range(place: &OutOfRange) -> Gap {
    let recreated = place.cause == Cause::Recreated;
    Gap {
        topic: place.topic.to_string(),
        partition: place.partition,
        first_offset: place.offset,
        // Of a log that was replaced we know where we stood, and not how far it had gone on.
        end_offset: if recreated { place.offset } else { place.low },
        reason: if recreated { GapReason::Recreated } else { GapReason::Retention },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(committed: Option<i64>, low: i64, high: i64) -> Assigned {
        Assigned { topic: "t".into(), partition: 0, committed, low, high }
    }

    #[test]
    fn kafkas_commit_decides_unless_the_store_is_behind_or_the_records_are_gone() {
        use GapReason::{ForeignCommit, Recreated, Retention, StartAt as Started};
        type Unseen = Option<(i64, i64, GapReason)>;
        type Case = (&'static str, Option<i64>, Option<i64>, StartAt, i64, Unseen);
        let cases: [Case; 11] = [
            ("first start", None, None, StartAt::Earliest, 10, None),
            ("first start at the end", None, None, StartAt::Latest, 90, Some((10, 90, Started))),
            ("agreement", Some(50), Some(50), StartAt::Latest, 50, None),
            ("commit behind the store", Some(40), Some(50), StartAt::Earliest, 40, None),
            ("restored backup", Some(50), Some(30), StartAt::Earliest, 30, None),
            (
                "restored backup, records gone",
                Some(50),
                Some(5),
                StartAt::Earliest,
                10,
                Some((5, 10, Retention)),
            ),
            ("lost database", Some(50), None, StartAt::Earliest, 50, Some((10, 50, ForeignCommit))),
            ("lost database, old commit", Some(5), None, StartAt::Earliest, 10, Some((5, 10, Retention))),
            ("commits expired", None, Some(50), StartAt::Latest, 10, None),
            (
                "topic created anew, shorter",
                Some(500),
                Some(500),
                StartAt::Latest,
                10,
                Some((500, 500, Recreated)),
            ),
            (
                "topic created anew, no commits",
                None,
                Some(500),
                StartAt::Latest,
                10,
                Some((500, 500, Recreated)),
            ),
        ];
        for (name, committed, stored, start_at, offset, unseen) in cases {
            let decision = decide(&assigned(committed, 10, 90), stored, start_at);
            let gap = decision.gap.map(|gap| (gap.first_offset, gap.end_offset, gap.reason));
            assert_eq!((decision.offset, gap), (offset, unseen), "{name}");
        }
    }
}
