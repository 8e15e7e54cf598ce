//! What the figures come to: the daemon's state, what is wrong, and the exit code.

use serde::Deserialize;

use super::super::Exit;
use crate::store::look::condition::Condition;
use crate::store::look::rows::Row;

/// The daemon renews its row every few seconds; several in a row are missing by then.
const RESPONDS_WITHIN_MS: i64 = 45_000;

/// Whether the daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// No daemon has written down anything about itself.
    NeverStarted,
    /// It stopped in order.
    Stopped,
    /// It neither stopped in order nor gave a sign of life for a while.
    NotResponding,
    /// It waits for its first partitions.
    Starting,
    /// It runs.
    Running,
}

impl State {
    /// As shown.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            State::NeverStarted => "never started",
            State::Stopped => "stopped",
            State::NotResponding => "not responding",
            State::Starting => "starting",
            State::Running => "running",
        }
    }
}

/// A partition and how far behind it is. The daemon's own JSON: what is missing is not known.
#[derive(Debug, Deserialize)]
pub(super) struct Partition {
    #[serde(default)]
    pub(super) topic: String,
    #[serde(default)]
    pub(super) partition: i64,
    pub(super) committed: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) lag: Option<i64>,
}

/// Something that is wrong with Kafka.
#[derive(Debug, Deserialize)]
pub(super) struct Failing {
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) subject: String,
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) fix: String,
    /// Milliseconds since 1970, or a time as the views write it.
    #[serde(default)]
    pub(super) since: serde_json::Value,
}

/// What the figures come to.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) state: State,
    pub(super) partitions: Vec<Partition>,
    pub(super) failing: Vec<Failing>,
    rules: Rules,
    intake: Intake,
    attention: Attention,
}

/// By which rules it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rules {
    Current,
    Degraded,
}

/// Whether it takes records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Intake {
    Moving,
    Still,
}

/// Whether something waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attention {
    Wanted,
    NotWanted,
}

impl Judged {
    /// What `condition` comes to at `now_ms`.
    pub(super) fn of(condition: &Condition, now_ms: i64) -> Self {
        let daemon = condition.daemon.as_ref();
        let word = |column| daemon.and_then(|row| row.text(column)).unwrap_or_default();
        let waiting = ["held", "dead", "unresolved"].map(|state| condition.backlog.integer(state));
        let quarantined = condition.quarantined.integer("records");
        let waits = waiting.into_iter().chain([quarantined]).flatten().any(|number| number > 0);
        Judged {
            state: daemon.map_or(State::NeverStarted, |row| state(row, now_ms)),
            // The daemon checks its JSON; an unknown form is better left out than an error here.
            partitions: serde_json::from_str(word("partitions")).unwrap_or_default(),
            failing: serde_json::from_str(word("failing")).unwrap_or_default(),
            rules: if word("rules_condition") == "degraded" { Rules::Degraded } else { Rules::Current },
            intake: if matches!(word("intake"), "paused" | "stalled") {
                Intake::Still
            } else {
                Intake::Moving
            },
            attention: if waits { Attention::Wanted } else { Attention::NotWanted },
        }
    }

    /// Whether the daemon was heard of within the last seconds.
    pub(super) fn is_alive(&self) -> bool {
        matches!(self.state, State::Running | State::Starting)
    }

    /// The exit code; `strict`: what waits for a person counts.
    pub(super) fn exit(&self, strict: bool) -> Exit {
        if !self.is_alive() || !self.failing.is_empty() {
            return Exit::Unavailable;
        }
        if self.rules == Rules::Degraded {
            return Exit::Config;
        }
        let still = self.state == State::Starting || self.intake == Intake::Still;
        let wanted = strict && self.attention == Attention::Wanted;
        if still || wanted { Exit::Temporary } else { Exit::Success }
    }
}

fn state(daemon: &Row, now_ms: i64) -> State {
    let alive_ms = daemon.integer("alive_ms").unwrap_or_default();
    if daemon.integer("stopped_ms").is_some() {
        State::Stopped
    } else if now_ms.saturating_sub(alive_ms) > RESPONDS_WITHIN_MS {
        State::NotResponding
    } else if daemon.text("ready_at").is_none() {
        State::Starting
    } else {
        State::Running
    }
}
