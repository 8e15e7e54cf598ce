//! What the figures come to: the daemon's state, what is wrong, and the exit code.

use serde::Deserialize;

use super::super::Exit;
use crate::store::look::condition::Condition;
use crate::store::look::rows::Row;
use crate::store::parking::ParkReason;

/// The daemon renews its row every few seconds; several in a row are missing by then. As far ahead of our clock, a
/// sign of life says nothing about now.
const RESPONDS_WITHIN_MS: i64 = 45_000;

/// Whether the daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum State {
    /// No daemon has written down anything about itself.
    NeverStarted,
    /// It stopped in order.
    Stopped,
    /// It neither stopped in order nor gave a sign of life for a while.
    NotResponding,
    /// Its last sign of life lies ahead of our clock, so nobody can tell how old it is.
    OtherClock,
    /// No partition is assigned to it, yet or any more.
    Waiting,
    /// It runs.
    Running,
}

impl State {
    /// As shown.
    pub(in crate::cli) fn as_str(self) -> &'static str {
        match self {
            State::NeverStarted => "never started",
            State::Stopped => "stopped",
            State::NotResponding | State::OtherClock => "not responding",
            State::Waiting => "not ready",
            State::Running => "running",
        }
    }
}

/// A partition and how far behind it is. The daemon's own JSON: what is missing is not known.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Partition {
    #[serde(default)]
    pub(in crate::cli) topic: String,
    #[serde(default, rename = "partition")]
    pub(in crate::cli) number: i64,
    pub(in crate::cli) committed: Option<i64>,
    pub(in crate::cli) end: Option<i64>,
    pub(in crate::cli) lag: Option<i64>,
}

/// An alarm that is on.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Failing {
    /// What about Kafka fails, or the alarm's id.
    #[serde(default)]
    pub(in crate::cli) kind: String,
    #[serde(default)]
    pub(in crate::cli) subject: String,
    #[serde(default)]
    pub(in crate::cli) message: String,
    #[serde(default)]
    pub(in crate::cli) fix: String,
    /// Milliseconds since 1970, or a time as the views write it.
    #[serde(default)]
    pub(in crate::cli) since: serde_json::Value,
}

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Concern {
    /// Kafka: the connection, the user, a topic or the group.
    Kafka,
    /// The rules: earlier ones are in force.
    Rules,
    /// The database or the intake.
    Store,
    /// Calls that are parked.
    Calls,
}

/// The kind of an alarm that this program cannot read. It counts as if nothing could be worse.
const UNREADABLE: &str = "unreadable";

impl Failing {
    /// All that is wrong, from the daemon's own JSON; what cannot be read is wrong as well.
    fn all_of(json: &str) -> Vec<Failing> {
        match serde_json::from_str::<Vec<serde_json::Value>>(json) {
            Ok(each) => each
                .into_iter()
                .map(|one| serde_json::from_value(one).unwrap_or_else(|error| Failing::unreadable(&error)))
                .collect(),
            Err(error) => vec![Failing::unreadable(&error)],
        }
    }

    fn unreadable(error: &serde_json::Error) -> Failing {
        Failing {
            kind: UNREADABLE.to_owned(),
            subject: String::new(),
            message: format!("something is wrong that this version cannot read ({error})"),
            fix: "use the version of the daemon".to_owned(),
            since: serde_json::Value::Null,
        }
    }

    /// What it is about. What this program does not know is most likely another failure of Kafka's.
    pub(in crate::cli) fn concern(&self) -> Concern {
        match self.kind.as_str() {
            "rules_degraded" => Concern::Rules,
            "disk_nearly_full" | "intake_stalled" | "wal_too_large" => Concern::Store,
            kind if ParkReason::from_text(kind).is_some() => Concern::Calls,
            _ => Concern::Kafka,
        }
    }
}

/// What the figures come to.
#[derive(Debug)]
pub(in crate::cli) struct Judged {
    pub(in crate::cli) state: State,
    pub(in crate::cli) partitions: Vec<Partition>,
    pub(in crate::cli) failing: Vec<Failing>,
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
    pub(in crate::cli) fn of(condition: &Condition, now_ms: i64) -> Self {
        let daemon = condition.daemon.as_ref();
        let word = |column| daemon.and_then(|row| row.text(column)).unwrap_or_default();
        let waiting = ["held", "dead", "unresolved"].map(|state| condition.backlog.integer(state));
        let quarantined = condition.quarantined.integer("records");
        let waits = waiting.into_iter().chain([quarantined]).flatten().any(|number| number > 0);
        Judged {
            state: daemon.map_or(State::NeverStarted, |row| state(row, now_ms)),
            // Only shown: an unknown form is better left out than an error here.
            partitions: serde_json::from_str(word("partitions")).unwrap_or_default(),
            failing: daemon.map_or_else(Vec::new, |_| Failing::all_of(word("failing"))),
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
    pub(in crate::cli) fn is_alive(&self) -> bool {
        matches!(self.state, State::Running | State::Waiting)
    }

    /// The exit code; `strict`: what waits for a person counts.
    pub(in crate::cli) fn exit(&self, strict: bool) -> Exit {
        let fails = |concern| self.failing.iter().any(|failing| failing.concern() == concern);
        if !self.is_alive() || fails(Concern::Kafka) {
            return Exit::Unavailable;
        }
        if self.rules == Rules::Degraded || fails(Concern::Rules) {
            return Exit::Data;
        }
        let still = self.state == State::Waiting || self.intake == Intake::Still || fails(Concern::Store);
        let wanted = strict && self.attention == Attention::Wanted;
        if still || fails(Concern::Calls) || wanted { Exit::Temporary } else { Exit::Success }
    }
}

fn state(daemon: &Row, now_ms: i64) -> State {
    let alive_ms = daemon.integer("alive_ms").unwrap_or_default();
    if daemon.integer("stopped_ms").is_some() {
        State::Stopped
    } else if now_ms.saturating_sub(alive_ms) > RESPONDS_WITHIN_MS {
        State::NotResponding
    } else if alive_ms.saturating_sub(now_ms) > RESPONDS_WITHIN_MS {
        State::OtherClock
    } else if daemon.text("intake") == Some("starting") {
        State::Waiting
    } else {
        State::Running
    }
}
