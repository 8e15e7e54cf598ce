//! What happens in the demonstration: two shops' data warehouse on a morning when some things go wrong.
//!
//! Gives the records with the pauses before them, and how the endpoint meets the calls that follow. Ids
//! and times are made anew for each run; the order is always the same.

use std::time::Duration;

use super::PARTITIONS;
use super::endpoint::{Fate, Fates};
use crate::kafka::embedded::NewRecord;

mod records;

mod write;

use write::Writer;

/// The whole story.
#[derive(Debug)]
pub struct Story {
    /// The records, each with the pause before it.
    pub records: Vec<(Duration, NewRecord)>,
    /// How calls for an instance are met.
    pub fates: Fates,
    /// The instances that a viewer will ask about.
    pub instances: Instances,
}

/// The instances whose calls do not simply succeed.
#[derive(Debug, Clone, Copy)]
pub struct Instances {
    /// Rerun at once.
    pub rerun: i64,
    /// Throttled first.
    pub throttled: i64,
    /// The response to the rerun was lost, and reading the instance shows that it was rerun.
    pub lost: i64,
    /// The same, but the instance could not be read before.
    pub doubtful: i64,
    /// The response to a change of priority was lost.
    pub hurried: i64,
    /// One of a burst: throttled twice.
    pub crowded: i64,
    /// The endpoint fails once when its log is read.
    pub unavailable: i64,
    /// Its priority may not be changed any more.
    pub forbidden: i64,
}

impl Story {
    /// The story as it begins at `now_ms`.
    #[must_use]
    pub fn at(now_ms: i64) -> Self {
        let first = 73_910_000_000 + fastrand::i64(0..9_000_000) * 100;
        let instances = Instances {
            rerun: first + 11,
            throttled: first + 23,
            lost: first + 31,
            doubtful: first + 47,
            hurried: first + 53,
            crowded: first + 62,
            unavailable: first + 63,
            forbidden: first + 69,
        };
        let mut writer = Writer::at(now_ms, first);
        records::write(&mut writer, &instances);
        Story { records: writer.records, fates: fates(&instances), instances }
    }
}

fn fates(instances: &Instances) -> Fates {
    Fates::from_iter([
        (("RerunTaskInstances", instances.throttled), vec![Fate::Throttle]),
        (("RerunTaskInstances", instances.lost), vec![Fate::Lose]),
        (("GetTaskInstance", instances.doubtful), vec![Fate::Fail]),
        (("RerunTaskInstances", instances.doubtful), vec![Fate::Lose]),
        (("RerunTaskInstances", instances.crowded), vec![Fate::Throttle, Fate::Throttle]),
        (("UpdateTaskInstances", instances.hurried), vec![Fate::Lose]),
        (("GetTaskInstanceLog", instances.unavailable), vec![Fate::Fail]),
        // The last change of priority: its operation is parked from then on.
        (("UpdateTaskInstances", instances.forbidden), vec![Fate::Forbid]),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_story_is_told_in_time_and_only_one_record_comes_twice() {
        let story = Story::at(1_774_425_600_000);
        let pauses: Duration = story.records.iter().map(|(pause, _)| *pause).sum();
        assert!(pauses < Duration::from_secs(20), "{pauses:?}");
        let payloads: BTreeSet<&str> =
            story.records.iter().map(|(_, record)| record.payload.as_str()).collect();
        assert_eq!(payloads.len() + 1, story.records.len());
        let partitions: BTreeSet<i32> = story.records.iter().map(|(_, record)| record.partition).collect();
        assert_eq!(partitions, (0..PARTITIONS).collect());
        for (_, instance) in story.fates.keys() {
            let name = format!("\"taskId\":{instance}");
            let told = payloads.iter().any(|payload| payload.contains(&name));
            assert!(told, "nothing happens to instance {instance}");
        }
    }
}
