//! From the first connection to the last record.
//!
//! The client blocks, so it works on a thread of its own; what takes long before the first record is shown
//! with a sign of life. Records are printed a batch at a time, so memory stays within the daemon's bounds.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::line::{self, Topics};
use super::tally::{Filter, Tally};
use super::trouble::Trouble;
use super::{Arguments, say};
use crate::batch::RecordBatch;
use crate::cli::terminal;
use crate::cli::{Exit, Failure, progress};
use crate::config::Config;
use crate::diagnostic::chain;
use crate::event::decode::Limits;
use crate::ingest::decode_batch;
use crate::kafka::{BatchLimits, Begin, Condition, KafkaError, Place, Polled, Tail};
use crate::rule::RuleSet;

/// How long one poll waits for a first record, and so how long Ctrl-C may take.
const POLL_WAIT: Duration = Duration::from_millis(200);
/// Changes that wait to be said; they are said several times a second.
const CHANGES_MAX: usize = 256;
/// Without any answer for so long it is said that we are waiting.
const PATIENCE: Duration = Duration::from_secs(3);
/// Without following, a partition that brings nothing for so long has no more, whatever its end was.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// What is read, and how it is shown.
pub(super) struct Follow {
    tail: Tail,
    changes: Receiver<Condition>,
    trouble: Trouble,
    begin: Begin,
    about: String,
    servers: String,
    topics: Topics,
    batch: BatchLimits,
    limits: Limits,
    rules: RuleSet,
    filter: Filter,
    form: Form,
    lines_left: Option<u64>,
    end: End,
    stop: Arc<AtomicBool>,
    tally: Tally,
    /// When connecting began; `None` once it was said that it takes long.
    patient_since: Option<Instant>,
    /// What the client refused last.
    refused: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// When told to.
    Never,
    /// When what was there at the beginning has been shown.
    AtTheEnd,
}

/// Whether reading goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goes {
    On,
    Ending,
}

/// What came of connecting.
enum Connected {
    /// Reading has begun.
    Yes(Vec<Place>),
    /// Something was said; try on.
    NotYet,
    /// Somebody stopped us.
    Stopped,
}

impl Follow {
    /// Makes the client; nothing is connected yet.
    pub(super) fn new(
        config: &Config,
        rules: RuleSet,
        filter: Filter,
        arguments: &Arguments,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, Failure> {
        let (sender, changes) = sync_channel(CHANGES_MAX);
        let tail = Tail::new(
            &config.kafka,
            Box::new(move |change| {
                // Full means that nobody listens any more, or that there are hundreds to be said already.
                let _unsaid = sender.try_send(change);
            }),
        )
        .map_err(|error| Failure::new(exit_of(&error), error))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Follow {
            tail,
            changes,
            trouble: Trouble::new(config.kafka.bootstrap_servers.len()),
            begin: arguments.from.begin(crate::duration::whole_ms(now)),
            about: config.kafka.topics.join(", "),
            servers: config.kafka.bootstrap_servers.join(", "),
            topics: if config.kafka.topics.len() == 1 { Topics::One } else { Topics::Several },
            batch: config.ingest.batch,
            limits: config.ingest.limits,
            rules,
            filter,
            form: if arguments.json { Form::Json } else { Form::Text },
            lines_left: arguments.number,
            end: if arguments.no_follow { End::AtTheEnd } else { End::Never },
            stop,
            tally: Tally::default(),
            patient_since: Some(Instant::now()),
            refused: String::new(),
        })
    }

    /// Connects and shows what comes; gives what was seen, if anything could be, and how it ended.
    pub(super) async fn run(mut self) -> (Option<Tally>, Result<(), Failure>) {
        loop {
            let doing = format!("connecting to read {}", self.about);
            let connecting = tokio::task::spawn_blocking(move || {
                let connected = self.connect();
                (self, connected)
            });
            let connected;
            (self, connected) = match progress::shown(&doing, connecting).await {
                Ok(done) => done,
                Err(error) => return (None, Err(Failure::new(Exit::Internal, error))),
            };
            match connected.and_then(|connected| self.announce(connected)) {
                Ok(Connected::Yes(_)) => break,
                Ok(Connected::NotYet) => {}
                Ok(Connected::Stopped) => return (None, Ok(())),
                Err(failure) => return (None, Err(failure)),
            }
        }
        let showing = tokio::task::spawn_blocking(move || {
            let ended = self.show_all();
            (self.tally, ended)
        });
        match showing.await {
            Ok((tally, ended)) => (Some(tally), ended),
            Err(error) => (None, Err(Failure::new(Exit::Internal, error))),
        }
    }

    /// Tries to begin until that succeeds or there is something to be said.
    fn connect(&mut self) -> Result<Connected, Failure> {
        while !self.stop.load(Ordering::Acquire) {
            match self.tail.try_start(self.begin) {
                Ok(Some(places)) => return Ok(Connected::Yes(places)),
                Ok(None) => {}
                Err(error) => {
                    self.say_refused(&error)?;
                    std::thread::park_timeout(POLL_WAIT);
                }
            }
            if let Some(change) = self.changes.try_iter().next() {
                self.patient_since = None;
                self.trouble.told(change)?;
                return Ok(Connected::NotYet);
            }
            if self.patient_since.is_some_and(|since| since.elapsed() > PATIENCE) {
                self.patient_since = None;
                say(&format!("no answer yet from {}; trying on", self.servers)).map_err(unwritten)?;
                return Ok(Connected::NotYet);
            }
        }
        Ok(Connected::Stopped)
    }

    /// Says what a try came to, once.
    fn say_refused(&mut self, error: &KafkaError) -> Result<(), Failure> {
        let told = chain(error);
        // What is wrong with the connection is said by itself.
        if told != self.refused && !self.trouble.is_any() {
            say(&format!("{told}; trying again")).map_err(unwritten)?;
            self.refused = told;
        }
        Ok(())
    }

    fn announce(&self, connected: Connected) -> Result<Connected, Failure> {
        if let Connected::Yes(places) = &connected {
            let count = places.len();
            let partitions =
                if count == 1 { "1 partition".to_owned() } else { format!("{count} partitions") };
            let there: i64 = places.iter().map(|place| place.end.saturating_sub(place.start)).sum();
            let line = match self.end {
                End::Never if there == 0 => {
                    format!("waiting for events of {} ({partitions}); Ctrl-C ends", self.about)
                }
                End::Never => format!("reading {} ({partitions}); Ctrl-C ends", self.about),
                End::AtTheEnd => format!("reading what {} holds now ({partitions})", self.about),
            };
            say(&line).map_err(unwritten)?;
        }
        Ok(connected)
    }

    /// Shows until the end that was asked for, or until stopped.
    fn show_all(&mut self) -> Result<(), Failure> {
        let mut quiet_since = Instant::now();
        while !self.stop.load(Ordering::Acquire) {
            for change in self.changes.try_iter() {
                self.trouble.told(change)?;
            }
            let mut records = RecordBatch::new();
            match self.tail.poll_batch(&mut records, &self.batch, POLL_WAIT) {
                Ok(Polled::Records) => {
                    quiet_since = Instant::now();
                    if self.show(records)? == Goes::Ending {
                        break;
                    }
                }
                Ok(Polled::OutOfRange(place)) => say(&format!(
                    "{} [{}]: Kafka no longer has offset {}; going on at {}",
                    place.topic, place.partition, place.offset, place.low
                ))
                .map_err(unwritten)?,
                Ok(Polled::Idle) => {}
                Err(error @ KafkaError::Fatal { .. }) => return Err(Failure::new(Exit::Unavailable, error)),
                Err(error) => self.say_refused(&error)?,
            }
            if self.end == End::AtTheEnd && self.is_at_the_end(quiet_since)? == Goes::Ending {
                break;
            }
        }
        Ok(())
    }

    fn is_at_the_end(&self, quiet_since: Instant) -> Result<Goes, Failure> {
        let unfinished = self.tail.unfinished().map_err(|error| Failure::new(Exit::Unavailable, error))?;
        if unfinished.is_empty() {
            return Ok(Goes::Ending);
        }
        if self.trouble.is_any() || quiet_since.elapsed() < SILENCE_MAX {
            return Ok(Goes::On);
        }
        for Place { topic, partition, start, end } in unfinished {
            say(&format!(
                "{topic} [{partition}]: nothing more came after offset {start}, expected up to {end}"
            ))
            .map_err(unwritten)?;
        }
        Ok(Goes::Ending)
    }

    /// Decodes, matches and prints one batch.
    fn show(&mut self, records: RecordBatch) -> Result<Goes, Failure> {
        let batch = decode_batch(records, &self.limits, &self.rules);
        let mut text = String::new();
        for entry in batch.entries() {
            if self.lines_left == Some(0) {
                break;
            }
            self.tally.count(entry, &self.rules);
            if !self.filter.shows(entry, &self.rules) {
                continue;
            }
            text.push_str(&match self.form {
                Form::Text => line::text(entry, &self.rules, self.topics),
                Form::Json => line::json(entry, &self.rules),
            });
            text.push('\n');
            self.tally.shown += 1;
            self.lines_left = self.lines_left.map(|left| left.saturating_sub(1));
        }
        match self.form {
            Form::Text => terminal::stdout().write_all(text.as_bytes())?,
            Form::Json => io::stdout().lock().write_all(text.as_bytes())?,
        }
        Ok(if self.lines_left == Some(0) { Goes::Ending } else { Goes::On })
    }
}

fn unwritten(error: io::Error) -> Failure {
    Failure::new(Exit::Io, error)
}

fn exit_of(error: &KafkaError) -> Exit {
    match error {
        KafkaError::Configure(_) | KafkaError::Properties(_) => Exit::Config,
        _ => Exit::Unavailable,
    }
}
