//! The daemon's own condition, one row: what runs, on which rules, how far behind, what is wrong.
//!
//! Written through the writer every few seconds, read by people and programs outside of the daemon. It
//! takes plain data and bounds it, so that the row stays small whatever the cluster looks like.

use serde::Serialize;

use super::StoreError;
use super::writer::Writer;

/// More partitions than this are left out, those with the smallest lag first.
const PARTITIONS_MAX: usize = 256;

/// More that is wrong than this is left out, the newest first.
const FAILING_MAX: usize = 32;

/// A text of what is wrong is cut here, characters.
const TEXT_CHARS_MAX: usize = 300;

/// The row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// The program's version.
    pub version: &'static str,
    /// Its process.
    pub pid: u32,
    /// When it started.
    pub started_at_ms: i64,
    /// When partitions were assigned for the first time.
    pub ready_at_ms: Option<i64>,
    /// The last sign of life.
    pub alive_at_ms: i64,
    /// When it ended in order.
    pub stopped_at_ms: Option<i64>,
    /// The row of the rules in force.
    pub rule_set: i64,
    /// The row of the configuration.
    pub configuration: i64,
    /// Whether the rules in force are those of the directory.
    pub rules: RulesCondition,
    /// When rules were reloaded last, with success or without.
    pub reloaded_at_ms: Option<i64>,
    /// What the intake does.
    pub intake: Intake,
    /// Where each assigned partition stands.
    pub partitions: Vec<Partition>,
    /// What is wrong now, the oldest first.
    pub failing: Vec<Failing>,
}

/// Whether the rules in force are those of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RulesCondition {
    /// They are.
    Current,
    /// The directory has errors, and earlier rules are in force.
    Degraded,
}

impl RulesCondition {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RulesCondition::Current => "current",
            RulesCondition::Degraded => "degraded",
        }
    }
}

/// What the intake does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Intake {
    /// It waits for its first partitions.
    Starting,
    /// It polls.
    Polling,
    /// Partitions are paused: the writer is behind, or the disk nearly full.
    Paused,
    /// Polls or the writer have not moved for a while, or writes have failed for as long.
    Stalled,
}

impl Intake {
    /// All of them.
    pub const ALL: [Intake; 4] = [Intake::Starting, Intake::Polling, Intake::Paused, Intake::Stalled];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Intake::Starting => "starting",
            Intake::Polling => "polling",
            Intake::Paused => "paused",
            Intake::Stalled => "stalled",
        }
    }
}

/// Where one partition stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Partition {
    /// Topic name.
    pub topic: String,
    /// Partition within the topic.
    pub partition: i32,
    /// The group's committed offset.
    pub committed: Option<i64>,
    /// The offset that the next record will have.
    pub end: Option<i64>,
    /// Records between the two.
    pub lag: Option<i64>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failing {
    /// Its kind, or the id of its alarm.
    pub kind: String,
    /// The server, topic, group or file that it is about; may be empty.
    pub subject: String,
    /// What was seen.
    pub message: String,
    /// How to mend it; may be empty.
    pub fix: String,
    /// Since when, milliseconds since 1970.
    pub since: i64,
}

const RENEW: &str = "INSERT INTO daemon (id, version, pid, started_at, ready_at, alive_at, stopped_at, rule_set, \
    configuration, rules_condition, reloaded_at, intake, partitions, failing) \
    VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
    ON CONFLICT (id) DO UPDATE SET version = excluded.version, pid = excluded.pid, started_at = excluded.started_at, \
    ready_at = excluded.ready_at, alive_at = excluded.alive_at, stopped_at = excluded.stopped_at, \
    rule_set = excluded.rule_set, configuration = excluded.configuration, \
    rules_condition = excluded.rules_condition, reloaded_at = excluded.reloaded_at, intake = excluded.intake, \
    partitions = excluded.partitions, failing = excluded.failing";

impl Writer {
    /// Renews the row of the daemon.
    ///
    /// # Errors
    /// The commit failed; the next renewal makes up for it.
    pub async fn renew_daemon(&self, daemon: Daemon) -> Result<(), StoreError> {
        let text =
            |error: serde_json::Error| StoreError::Corrupt { place: "daemon", found: error.to_string() };
        let partitions = serde_json::to_string(&farthest_behind(&daemon.partitions)).map_err(text)?;
        let failing = serde_json::to_string(&cut(&daemon.failing)).map_err(text)?;
        self.run(move |state| {
            Box::pin(async move {
                sqlx::query(RENEW)
                    .bind(daemon.version)
                    .bind(i64::from(daemon.pid))
                    .bind(daemon.started_at_ms)
                    .bind(daemon.ready_at_ms)
                    .bind(daemon.alive_at_ms)
                    .bind(daemon.stopped_at_ms)
                    .bind(daemon.rule_set)
                    .bind(daemon.configuration)
                    .bind(daemon.rules.as_str())
                    .bind(daemon.reloaded_at_ms)
                    .bind(daemon.intake.as_str())
                    .bind(partitions)
                    .bind(failing)
                    .execute(&mut state.connection)
                    .await
                    .map(drop)
                    .map_err(StoreError::sql("renew the row of the daemon"))
            })
        })
        .await
    }
}

/// At most [`PARTITIONS_MAX`], by topic and partition.
fn farthest_behind(partitions: &[Partition]) -> Vec<&Partition> {
    let mut kept: Vec<&Partition> = partitions.iter().collect();
    kept.sort_by_key(|partition| std::cmp::Reverse(partition.lag));
    kept.truncate(PARTITIONS_MAX);
    kept.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    kept
}

fn cut(failing: &[Failing]) -> Vec<Failing> {
    let short = |text: &str| text.chars().take(TEXT_CHARS_MAX).collect::<String>();
    let each = |failing: &Failing| Failing {
        kind: short(&failing.kind),
        subject: short(&failing.subject),
        message: short(&failing.message),
        fix: short(&failing.fix),
        since: failing.since,
    };
    failing.iter().take(FAILING_MAX).map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_the_least_behind_and_the_newest() {
        let partition =
            |partition: i32, lag| Partition { topic: "t".into(), partition, committed: None, end: None, lag };
        let mut partitions: Vec<Partition> = (0..300).map(|number| partition(number, Some(1))).collect();
        partitions.push(partition(300, Some(9)));
        partitions.push(partition(301, None));
        let kept = farthest_behind(&partitions);
        assert_eq!(kept.len(), PARTITIONS_MAX);
        assert_eq!(kept.last().map(|last| last.partition), Some(300));
        let failing = |since| Failing {
            kind: "Dns".into(),
            subject: "h".repeat(1_000),
            message: String::new(),
            fix: String::new(),
            since,
        };
        let all: Vec<Failing> = (0..100).map(failing).collect();
        let kept = cut(&all);
        assert_eq!(kept.len(), FAILING_MAX);
        assert!(kept.iter().all(|one| one.subject.len() == TEXT_CHARS_MAX && one.since < 32));
    }
}
