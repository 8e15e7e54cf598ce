//! From the first connection to the last record.
//!
//! Takes the client's batches through the daemon's own decoding and matching, and prints them a batch at a
//! time, so that memory stays within the daemon's bounds.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::connect::Connection;
use super::line::{self, Topics};
use super::tally::{Filter, Tally};
use super::{Arguments, POLL_WAIT, say, unwritten};
use crate::batch::RecordBatch;
use crate::cli::terminal;
use crate::cli::{Exit, Failure};
use crate::config::Config;
use crate::event::decode::Limits;
use crate::ingest::decode_batch;
use crate::kafka::{BatchLimits, Begin, KafkaError, Place, Polled};
use crate::rule::RuleSet;

/// Without following, a partition that brings nothing for so long has no more, whatever its end was.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// How often it is looked whether the topics have got more partitions.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What is read, and how it is shown.
pub(super) struct Follow {
    connection: Connection,
    begin: Begin,
    showing: Showing,
}

/// How records are shown, and what was seen.
struct Showing {
    about: String,
    topics: Topics,
    batch: BatchLimits,
    limits: Limits,
    rules: RuleSet,
    filter: Filter,
    form: Form,
    lines_left: Option<u64>,
    end: End,
    tally: Tally,
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

impl Follow {
    /// Makes the client; nothing is connected yet.
    pub(super) fn new(
        config: &Config,
        rules: RuleSet,
        filter: Filter,
        arguments: &Arguments,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, Failure> {
        Ok(Follow {
            connection: Connection::new(&config.kafka, stop)?,
            begin: arguments.from.begin(crate::clock::now_ms()),
            showing: Showing {
                about: config.kafka.topics.join(", "),
                topics: if config.kafka.topics.len() == 1 { Topics::One } else { Topics::Several },
                batch: config.ingest.batch,
                limits: config.ingest.limits,
                rules,
                filter,
                form: if arguments.json { Form::Json } else { Form::Text },
                lines_left: arguments.limit,
                end: if arguments.no_follow { End::AtTheEnd } else { End::Never },
                tally: Tally::default(),
            },
        })
    }

    /// Connects and shows what comes, and at the end what was seen, if anything could be.
    pub(super) async fn run(self) -> Result<Exit, Failure> {
        let Follow { connection, begin, mut showing } = self;
        let doing = format!("connecting to read {}", showing.about);
        let Some((mut connection, places)) = connection.begin(begin, &doing).await? else {
            return Ok(Exit::Success);
        };
        let ended = showing.announce(&places).and_then(|()| showing.all(&mut connection));
        let reported = writeln!(io::stderr().lock(), "{}", showing.tally).map_err(unwritten);
        ended.and(reported).map(|()| Exit::Success)
    }
}

impl Showing {
    /// Says that reading has begun.
    fn announce(&self, places: &[Place]) -> Result<(), Failure> {
        let count = places.len();
        let partitions = if count == 1 { "1 partition".to_owned() } else { format!("{count} partitions") };
        let is_waiting = places.iter().all(|place| place.start >= place.end);
        say(&match self.end {
            End::Never if is_waiting => {
                format!("waiting for events of {} ({partitions}); Ctrl-C ends", self.about)
            }
            End::Never => format!("reading {} ({partitions}); Ctrl-C ends", self.about),
            End::AtTheEnd => format!("reading what {} holds now ({partitions})", self.about),
        })
    }

    /// Shows until the end that was asked for, or until stopped.
    fn all(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        let mut quiet_since = Instant::now();
        let mut looked = Instant::now();
        while !connection.is_stopped() {
            connection.say_changes()?;
            if self.end == End::Never && looked.elapsed() >= LOOK_EVERY {
                take_up_added(connection)?;
                looked = Instant::now();
            }
            let mut records = RecordBatch::new();
            match connection.tail.poll_batch(&mut records, &self.batch, POLL_WAIT) {
                Ok(Polled::Records) => {
                    quiet_since = Instant::now();
                    if self.show(records)? == Goes::Ending {
                        break;
                    }
                }
                Ok(Polled::OutOfRange(place)) => say(&format!(
                    "{} [{}]: Kafka no longer has offset {}; going on at {}",
                    place.topic, place.partition, place.offset, place.low
                ))?,
                Ok(Polled::Idle) => {}
                Err(error @ KafkaError::Fatal { .. }) => return Err(Failure::new(Exit::Unavailable, error)),
                Err(error) => connection.say_refused(&error)?,
            }
            if self.end == End::AtTheEnd && is_at_the_end(connection, quiet_since)? == Goes::Ending {
                break;
            }
        }
        Ok(())
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

/// Reads new partitions too.
fn take_up_added(connection: &mut Connection) -> Result<(), Failure> {
    match connection.tail.take_up_added() {
        Ok(places) => places.iter().try_for_each(|Place { topic, partition, start, .. }| {
            say(&format!("{topic} [{partition}]: new, reading it from offset {start}"))
        }),
        Err(error) => connection.say_refused(&error),
    }
}

/// Whether everything that was there at the beginning has been read.
fn is_at_the_end(connection: &Connection, quiet_since: Instant) -> Result<Goes, Failure> {
    let unfinished = connection.tail.unfinished().map_err(|error| Failure::new(Exit::Unavailable, error))?;
    if unfinished.is_empty() {
        return Ok(Goes::Ending);
    }
    if connection.trouble.is_any() || quiet_since.elapsed() < SILENCE_MAX {
        return Ok(Goes::On);
    }
    for Place { topic, partition, start, end } in unfinished {
        say(&format!("{topic} [{partition}]: nothing more came after offset {start}, expected up to {end}"))?;
    }
    Ok(Goes::Ending)
}
