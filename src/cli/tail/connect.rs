//! The connection: making it, and saying what is wrong with it.
//!
//! The client blocks, so it works on a thread of its own; what takes long is shown with a sign of life, which
//! is gone before anything is said.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use super::trouble::Trouble;
use super::{POLL_WAIT, say};
use crate::cli::{Exit, Failure, progress};
use crate::diagnostic::chain;
use crate::kafka::{Begin, Condition, KafkaError, Place, Settings, Tail};

/// Changes that wait to be said; they are said several times a second.
const CHANGES_MAX: usize = 256;
/// Without any answer for so long it is said that we are waiting.
const PATIENCE: Duration = Duration::from_secs(3);

/// The client, and what is wrong with its connection.
pub(super) struct Connection {
    pub(super) tail: Tail,
    pub(super) trouble: Trouble,
    changes: Receiver<Condition>,
    servers: String,
    stop: Arc<AtomicBool>,
    /// When connecting began; `None` once something was said.
    patient_since: Option<Instant>,
    /// What the client refused last.
    refused: String,
}

/// What came of trying to begin.
enum Tried {
    /// Reading has begun.
    Begun(Vec<Place>),
    /// What is wrong with the connection changed.
    Changed(Condition),
    /// The client refused.
    Refused(KafkaError),
    /// Nothing answers, and nothing is known to be wrong.
    Slow,
    /// Somebody stopped us.
    Stopped,
}

impl Connection {
    /// Makes the client; nothing is connected yet.
    pub(super) fn new(settings: &Settings, stop: Arc<AtomicBool>) -> Result<Self, Failure> {
        let (sender, changes) = sync_channel(CHANGES_MAX);
        let tail = Tail::new(
            settings,
            Box::new(move |change| {
                // Full means that nobody listens any more, or that there are hundreds to be said already.
                let _unsaid = sender.try_send(change);
            }),
        )
        .map_err(|error| Failure::new(exit_of(&error), error))?;
        Ok(Connection {
            tail,
            trouble: Trouble::new(settings.bootstrap_servers.len()),
            changes,
            servers: settings.bootstrap_servers.join(", "),
            stop,
            patient_since: Some(Instant::now()),
            refused: String::new(),
        })
    }

    /// Whether somebody stopped us.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Begins to read, as often as it takes; `None` if somebody stopped us before.
    ///
    /// # Errors
    /// Something is wrong that waiting cannot mend.
    pub(super) async fn begin(
        mut self,
        begin: Begin,
        doing: &str,
    ) -> Result<Option<(Self, Vec<Place>)>, Failure> {
        loop {
            let trying = tokio::task::spawn_blocking(move || {
                let tried = self.try_begin(begin);
                (self, tried)
            });
            let tried;
            (self, tried) =
                progress::shown(doing, trying).await.map_err(|error| Failure::new(Exit::Internal, error))?;
            match tried {
                Tried::Begun(places) => return Ok(Some((self, places))),
                Tried::Stopped => return Ok(None),
                Tried::Changed(change) => self.trouble.told(change)?,
                Tried::Refused(error) => self.say_refused(&error)?,
                Tried::Slow => say(&format!("no answer yet from {}; trying on", self.servers))?,
            }
            self.patient_since = None;
        }
    }

    /// Tries until that succeeds or there is something to be said.
    fn try_begin(&mut self, begin: Begin) -> Tried {
        while !self.is_stopped() {
            let refused = match self.tail.try_start(begin) {
                Ok(Some(places)) => return Tried::Begun(places),
                Ok(None) => None,
                Err(error) => Some(error),
            };
            // What is wrong with the connection is told by itself, and better than by an error.
            match (refused, self.changes.try_iter().next()) {
                (_, Some(change)) => return Tried::Changed(change),
                (Some(error), None) if self.is_new(&error) => return Tried::Refused(error),
                (Some(_), None) => std::thread::park_timeout(POLL_WAIT),
                (None, None) => {}
            }
            if self.patient_since.is_some_and(|since| since.elapsed() > PATIENCE) {
                return Tried::Slow;
            }
        }
        Tried::Stopped
    }

    /// Says what has changed.
    ///
    /// # Errors
    /// Something is wrong that waiting cannot mend.
    pub(super) fn say_changes(&mut self) -> Result<(), Failure> {
        self.changes.try_iter().try_for_each(|change| self.trouble.told(change))
    }

    /// Says what the client refused, once.
    pub(super) fn say_refused(&mut self, error: &KafkaError) -> Result<(), Failure> {
        if self.is_new(error) {
            self.refused = chain(error);
            say(&format!("{}; trying again", self.refused))?;
        }
        Ok(())
    }

    fn is_new(&self, error: &KafkaError) -> bool {
        !self.trouble.is_any() && chain(error) != self.refused
    }
}

fn exit_of(error: &KafkaError) -> Exit {
    match error {
        KafkaError::Configure(_) | KafkaError::Properties(_) => Exit::Config,
        _ => Exit::Unavailable,
    }
}
