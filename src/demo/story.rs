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
    /// Not permitted to be rerun.
    pub forbidden: i64,
    /// The response to the rerun was lost.
    pub lost: i64,
    /// The response to a change of priority was lost.
    pub hurried: i64,
    /// One of a burst: throttled twice.
    pub crowded: i64,
    /// The endpoint fails once when its log is read.
    pub unavailable: i64,
}

impl Story {
    /// The story as it begins at `now_ms`.
    #[must_use]
    pub fn at(now_ms: i64) -> Self {
        let first = 73_910_000_000 + fastrand::i64(0..9_000_000) * 100;
        let instances = Instances {
            rerun: first + 11,
            throttled: first + 23,
            forbidden: first + 31,
            lost: first + 47,
            hurried: first + 53,
            crowded: first + 62,
            unavailable: first + 63,
        };
        let mut writer = Writer::at(now_ms, first);
        records::write(&mut writer, &instances);
        Story { records: writer.records, fates: fates(&instances), instances }
    }
}

fn fates(instances: &Instances) -> Fates {
    Fates::from_iter([
        (("RerunTaskInstances", instances.throttled), vec![Fate::Throttle]),
        (("RerunTaskInstances", instances.forbidden), vec![Fate::Forbid]),
        (("RerunTaskInstances", instances.lost), vec![Fate::Lose]),
        (("RerunTaskInstances", instances.crowded), vec![Fate::Throttle, Fate::Throttle]),
        (("UpdateTaskInstances", instances.hurried), vec![Fate::Lose]),
        (("GetTaskInstanceLog", instances.unavailable), vec![Fate::Fail]),
    ])
}
