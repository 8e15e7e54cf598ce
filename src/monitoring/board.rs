//! The board: what the daemon knows about itself, for whoever asks.
//!
//! Two things change on it: the [`Condition`], said by the supervisor when something happens, and what
//! was [`Observed`], looked at every second. Health, readiness and the status line are read off both.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Alarms, Metrics};
use crate::clock::now_ms;
use crate::escape::Escaped;
use crate::store::backlog::Backlog;
use crate::store::daemon::{Daemon, Failing, Intake, Partition, RulesCondition};

/// Without a look for so long, what was observed says nothing any more.
const LOOK_LASTS: Duration = Duration::from_secs(20);

/// Writes that have failed for so long stop the work, milliseconds; shorter ones only delay it.
const FAILING_STOPS_AFTER_MS: i64 = 20_000;

/// One part of the status line is cut here, characters.
const PART_CHARS_MAX: usize = 90;

/// More that is wrong is only counted in the status line.
const WRONG_IN_STATUS_MAX: usize = 3;

/// What the daemon is doing, as its supervisor knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// When it started.
    pub started_at_ms: i64,
    /// When partitions were assigned for the first time.
    pub ready_at_ms: Option<i64>,
    /// How far it has come.
    pub stage: Stage,
    /// The rules in force.
    pub rules: RulesInForce,
    /// The row of the configuration.
    pub configuration: i64,
    /// The last reload.
    pub reload: Option<Reload>,
}

/// How far the daemon has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It works.
    Running,
    /// It was told to stop.
    Stopping,
    /// Its parts have ended in order.
    Stopped {
        /// Since when.
        at_ms: i64,
    },
}

/// The rules in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesInForce {
    /// Their row.
    pub row: i64,
    /// The hash of their content.
    pub hash: String,
    /// How many there are.
    pub count: usize,
    /// Whether they are those of the directory.
    pub condition: RulesCondition,
}

/// A reload of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reload {
    /// When.
    pub at_ms: i64,
    /// What it came to.
    pub outcome: ReloadOutcome,
}

/// What a reload came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// Its rules are in force.
    Done,
    /// The rules that were in force stay.
    Refused,
}

/// What an account has spent of its quota, and may spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// The account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Calls sent in the present day.
    pub day_sent: i64,
    /// How many may be, but for verdicts; `None` is no limit.
    pub day_limit: Option<u64>,
    /// Calls that succeeded in the present month.
    pub month_succeeded: i64,
    /// How many may, but for verdicts; `None` is no limit.
    pub month_limit: Option<u64>,
}

/// What moves by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// What the intake does.
    pub intake: Intake,
    /// Why it stands still, if it does.
    pub stalled: Vec<String>,
    /// What of it a restart is to end.
    pub lifeless: Vec<String>,
    /// How many partitions are ours.
    pub assigned: usize,
    /// Where each of them stands.
    pub partitions: Vec<Partition>,
    /// What waits; `None` before it was counted.
    pub backlog: Option<Backlog>,
    /// What each configured account has spent; empty before it was counted.
    pub quotas: Vec<Quota>,
    /// The database file, bytes.
    pub database_bytes: Option<u64>,
    /// Its write-ahead log, bytes.
    pub wal_bytes: u64,
    /// What is free on its disk, bytes.
    pub disk_free_bytes: Option<u64>,
}

impl Default for Observed {
    fn default() -> Self {
        Observed {
            intake: Intake::Starting,
            stalled: Vec::new(),
            lifeless: Vec::new(),
            assigned: 0,
            partitions: Vec::new(),
            backlog: None,
            quotas: Vec::new(),
            database_bytes: None,
            wal_bytes: 0,
            disk_free_bytes: None,
        }
    }
}

impl Observed {
    /// How many of our partitions have not told how far behind they are.
    #[must_use]
    pub fn lag_unknown(&self) -> usize {
        let known = self.partitions.iter().filter(|partition| partition.lag.is_some()).count();
        self.assigned.saturating_sub(known)
    }
}

/// Yes or no, and why; one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Yes; the lines say what is worth a look even so.
    Yes(Vec<String>),
    /// No, for these reasons.
    No(Vec<String>),
}

/// What the daemon knows about itself.
#[derive(Debug)]
pub struct Board {
    /// What the halves count.
    pub metrics: Arc<Metrics>,
    /// What the log raises.
    pub alarms: Alarms,
    condition: watch::Sender<Condition>,
    observed: Mutex<(Instant, Observed)>,
}

impl Board {
    /// A board on which nothing was counted or observed yet.
    #[must_use]
    pub fn new(alarms: Alarms, condition: Condition) -> Self {
        Board {
            metrics: Arc::default(),
            alarms,
            condition: watch::Sender::new(condition),
            observed: Mutex::new((Instant::now(), Observed::default())),
        }
    }

    /// Says what the daemon is doing now.
    pub fn change(&self, change: impl FnOnce(&mut Condition)) {
        self.condition.send_modify(change);
    }

    /// What the daemon is doing.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.condition.borrow().clone()
    }

    /// Follows what the daemon is doing.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }

    /// Notes what was seen.
    pub fn observe(&self, observed: Observed) {
        *self.observed.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), observed);
    }

    /// What was seen last; if that is long ago, the look itself stands still.
    #[must_use]
    pub fn observed(&self) -> Observed {
        let (at, mut observed) = self.observed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if at.elapsed() > LOOK_LASTS {
            observed.intake = Intake::Stalled;
            let text = format!("the daemon did not look at itself for {} s", at.elapsed().as_secs());
            observed.stalled.push(text.clone());
            observed.lifeless.push(text);
        }
        if self.alarms.active().iter().any(writes_fail) {
            observed.intake = Intake::Stalled;
        }
        observed
    }

    /// Whether the process lives, or a restart would help. Writes that fail do so after a restart too, and a
    /// write-ahead log that is being moved would be moved anew: both are told and waited for.
    #[must_use]
    pub fn health(&self) -> Verdict {
        let observed = self.observed();
        if observed.lifeless.is_empty() {
            Verdict::Yes(observed.stalled)
        } else {
            Verdict::No(observed.lifeless)
        }
    }

    /// Whether events are taken and what follows is done; what is wrong otherwise is told as well.
    #[must_use]
    pub fn readiness(&self) -> Verdict {
        let (condition, observed) = (self.condition(), self.observed());
        let mut reasons = observed.stalled;
        if condition.stage != Stage::Running {
            reasons.push("the daemon is stopping".to_owned());
        }
        if observed.assigned == 0 {
            reasons.push("no partition is assigned".to_owned());
        }
        let stops = self.alarms.active().iter().any(stops_the_work);
        let wrong = self.wrong(&condition);
        if reasons.is_empty() && !stops {
            return Verdict::Yes(wrong);
        }
        reasons.extend(wrong);
        Verdict::No(reasons)
    }

    /// What is wrong, whether or not it keeps the daemon from its work.
    fn wrong(&self, condition: &Condition) -> Vec<String> {
        let degraded = condition.rules.condition == RulesCondition::Degraded;
        let degraded =
            degraded.then(|| "degraded: the rule directory has errors, earlier rules are in force".into());
        // The alarm of it has no end when an earlier run raised it; the condition is always known.
        let failing = self.alarms.active().into_iter().filter(|failing| failing.kind != "rules_degraded");
        degraded.into_iter().chain(failing.map(|failing| told(&failing))).collect()
    }

    /// One line on everything, what is wrong first.
    #[must_use]
    pub fn status(&self) -> String {
        let (condition, observed) = (self.condition(), self.observed());
        let mut parts = observed.stalled.clone();
        let wrong = self.wrong(&condition);
        parts.extend(wrong.iter().take(WRONG_IN_STATUS_MAX).map(|part| short(part)));
        if let Some(more @ 1..) = wrong.len().checked_sub(WRONG_IN_STATUS_MAX) {
            parts.push(format!("{more} more are wrong"));
        }
        match observed.intake {
            Intake::Starting => parts.push("waiting for partitions".to_owned()),
            Intake::Paused => parts.push("intake is paused".to_owned()),
            Intake::Polling | Intake::Stalled => {}
        }
        let plural = if observed.assigned == 1 { "" } else { "s" };
        parts.push(format!("{} partition{plural}, {}", observed.assigned, behind(&observed)));
        if let Some(backlog) = &observed.backlog {
            let held: i64 = backlog.held.iter().map(|(_, count)| count).sum();
            parts.push(format!("{} calls planned, {} in flight", backlog.planned, backlog.in_flight));
            for (count, word) in [(held, "held"), (backlog.unresolved, "unresolved")] {
                if count > 0 {
                    parts.push(format!("{count} {word}"));
                }
            }
            if backlog.stops > 0 {
                parts.push("calls are stopped (`openeventd stop-calls --list`)".to_owned());
            }
        }
        parts.join("; ")
    }

    /// The row of the daemon as of now.
    #[must_use]
    pub fn row(&self, now_ms: i64) -> Daemon {
        let (condition, observed) = (self.condition(), self.observed());
        let stopped_at_ms = match condition.stage {
            Stage::Running | Stage::Stopping => None,
            Stage::Stopped { at_ms } => Some(at_ms),
        };
        Daemon {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            started_at_ms: condition.started_at_ms,
            ready_at_ms: condition.ready_at_ms,
            alive_at_ms: now_ms,
            stopped_at_ms,
            rule_set: condition.rules.row,
            configuration: condition.configuration,
            rules: condition.rules.condition,
            reloaded_at_ms: condition.reload.map(|reload| reload.at_ms),
            intake: observed.intake,
            partitions: observed.partitions,
            failing: self.alarms.active(),
        }
    }
}

/// Whether it tells that nothing can be kept, for so long that it is more than a delay.
fn writes_fail(failing: &Failing) -> bool {
    failing.kind == "store_write_failed" && now_ms().saturating_sub(failing.since) >= FAILING_STOPS_AFTER_MS
}

/// Whether nothing is taken while it is so.
fn stops_the_work(failing: &Failing) -> bool {
    failing.kind == "disk_nearly_full" || writes_fail(failing)
}

fn told(failing: &Failing) -> String {
    let Failing { kind, subject, message, fix, .. } = failing;
    let mut line = kind.clone();
    for (before, text) in [(" ", subject), (": ", message), ("; ", fix)] {
        if !text.is_empty() {
            line.push_str(before);
            line.push_str(text);
        }
    }
    one_line(&line)
}

/// How far behind, as far as it is known: a partition that was paused from its start has not told its end.
fn behind(observed: &Observed) -> String {
    let lag: i64 = observed.partitions.iter().filter_map(|partition| partition.lag).sum();
    match observed.lag_unknown() {
        0 => format!("{lag} records behind"),
        all if all >= observed.assigned => "lag unknown".to_owned(),
        some => format!("{lag} records behind, lag of {some} unknown"),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(PART_CHARS_MAX) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// What came from outside can neither break the line nor drive a terminal.
fn one_line(text: &str) -> String {
    Escaped(text).to_string()
}
