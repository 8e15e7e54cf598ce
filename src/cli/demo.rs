//! `openeventd demo`: sets the stage, runs the daemon on it as `run` does, shows what the audit tells
//! meanwhile, and ends when every record is accounted for and every call is settled or looked up.
//!
//! Nothing outside of the demonstration's directory is read or written, the environment's settings and filter
//! of the log neither: a demonstration must never meet a real topic. Before the daemon runs, an error leaves
//! nothing of that directory behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use self::view::View;
use super::exit::print_problems;
use super::run::{exit_of, parts, wait_beside_workers};
use super::{Exit, Failure};
use crate::config::{self, Config, Environment};
use crate::demo::directory::{Directory, DirectoryError};
use crate::demo::story::Story;
use crate::demo::{self, DemoError, Stage};
use crate::monitoring::Alarms;
use crate::store::Reader;
use crate::store::follow::Follower;
use crate::store::totals::Totals;
use crate::supervise::{self, Parts};
use crate::telemetry;

mod summary;

mod view;

/// What `openeventd demo` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A new or empty directory for its files [default: ./openeventd-demo, with a number if that exists]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Why a demonstration did not come to its end.
#[derive(Debug, Error)]
enum IncompleteError {
    /// A signal, or somebody stopped the daemon.
    #[error("stopped before its end, with {records} of {expected} records accounted for")]
    Stopped { records: i64, expected: i64 },
    /// It took far too long.
    #[error("not at its end after {} s; its log is {log}", WITHIN.as_secs())]
    Late { log: String },
    /// It came to its end, and something does not add up.
    #[error("the audit does not add up; the log is {log}; please report it")]
    Wrong { log: String },
    /// As [`IncompleteError::Wrong`], yet others had their hands in it.
    #[error("another program of this machine wrote into the demonstration's broker; run it again")]
    Disturbed,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Everything was seen.
    Complete,
    /// By a signal.
    Stopped,
    /// By our patience.
    Late,
}

/// Twice and more of what it takes on a slow machine.
const WITHIN: Duration = Duration::from_mins(1);

/// The daemon makes its database within this, on the slowest disk.
const OPENED_WITHIN: Duration = Duration::from_secs(20);

/// Between two looks into the audit.
const LOOK_EVERY: Duration = Duration::from_millis(120);

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let directory = Directory::create(arguments.dir.as_deref()).map_err(of_directory)?;
    wait_beside_workers(play(directory))?.map(|()| Exit::Success)
}

/// The whole demonstration.
async fn play(mut directory: Directory) -> Result<(), Failure> {
    let story = Story::at(crate::clock::now_ms());
    let stage = Arc::new(Stage::set(&mut directory, &story).await.map_err(of_demo)?);
    let (config, alarms) = configure(&mut directory, &stage)?;
    let audit = config.store.path.clone();
    let view = View::begin();
    View::introduce(directory.path(), &stage)?;
    // From here on the daemon writes into it, and a person may want to see what it wrote.
    directory.keep();
    let directory = directory.path();

    let expected = i64::try_from(story.records.len()).unwrap_or(i64::MAX);
    let feeding = tokio::spawn({
        let stage = Arc::clone(&stage);
        async move { stage.feed(&story.records).await }
    });
    let ending = perform(parts(config, alarms), watch(&view, &audit, feeding)).await?;
    let mut reader = Reader::open(&audit, WITHIN).await?;
    let (totals, reached) = (reader.totals().await?, reader.reached().await?);
    let log = directory.join(demo::files::LOG).display().to_string();
    let incomplete = match ending {
        Ending::Stopped => IncompleteError::Stopped { records: totals.records.records, expected },
        Ending::Late => IncompleteError::Late { log },
        Ending::Complete => {
            let verified = i64::try_from(stage.endpoint.verified()).unwrap_or(i64::MAX);
            // The topic began at offset 0, and our own records are all in it.
            let foreign = (reached.values().map(|last| last + 1).sum::<i64>() - expected).max(0);
            summary::show(
                &view,
                directory,
                &stage.configuration,
                &totals,
                (verified, foreign),
                &story.instances,
            )?;
            match (adds_up(&totals, expected + foreign, verified), foreign) {
                (true, _) => return Ok(()),
                (false, 0) => return Err(Failure::new(Exit::Internal, IncompleteError::Wrong { log })),
                (false, _) => IncompleteError::Disturbed,
            }
        }
    };
    Err(Failure::new(Exit::Temporary, incomplete))
}

/// Reads the configuration as `run` does, and starts the log.
fn configure(directory: &mut Directory, stage: &Stage) -> Result<(Config, Alarms), Failure> {
    let (config, warnings) = config::load(&stage.configuration, &Environment::default())?;
    print_problems(&warnings)?;
    let log = demo::log_file(directory).map_err(of_demo)?;
    let alarms = telemetry::start_in_file(&config.log, None, log)
        .map_err(|error| Failure::new(Exit::Config, error))?;
    Ok((config, alarms))
}

/// Runs the daemon until `watching` has seen the end, or the daemon stops by itself.
async fn perform(
    parts: Parts,
    watching: impl Future<Output = Result<(), Failure>>,
) -> Result<Ending, Failure> {
    let (end, ended) = oneshot::channel::<()>();
    let daemon = supervise::run(parts, async {
        // Dropped or told: both mean the end.
        let _ = ended.await;
    });
    tokio::pin!(daemon);
    let (watched, ran) = tokio::select! {
        ran = &mut daemon => (None, ran),
        watched = tokio::time::timeout(WITHIN, watching) => {
            drop(end);
            (Some(watched), daemon.await)
        }
    };
    ran.map_err(|error| Failure::new(exit_of(&error), error))?;
    match watched {
        None => Ok(Ending::Stopped),
        Some(Err(_elapsed)) => Ok(Ending::Late),
        Some(Ok(seen)) => seen.map(|()| Ending::Complete),
    }
}

/// Whether every record went somewhere, and every call was signed rightly: each that was answered was verified,
/// and each that was verified is in the audit.
fn adds_up(totals: &Totals, expected: i64, verified: i64) -> bool {
    let records = totals.records;
    let calls = || totals.attempts.iter().chain(&totals.lookups);
    let all: i64 = calls().map(|count| count.count).sum();
    // What got no answer may have been verified nevertheless.
    let unanswered = calls().filter(|count| ["lost", "unreachable"].contains(&count.kind.as_str()));
    let answered = all - unanswered.map(|count| count.count).sum::<i64>();
    records.records == expected
        && records.events + records.duplicates + records.quarantined == expected
        && records.gaps == 0
        && (answered..=all).contains(&verified)
}

/// Shows what the audit tells until all records are in it, and all calls are settled or looked up.
async fn watch(
    view: &View,
    audit: &Path,
    feeding: JoinHandle<Result<BTreeMap<i64, i64>, DemoError>>,
) -> Result<(), Failure> {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let until = Instant::now() + OPENED_WITHIN;
    let mut follower = loop {
        look.tick().await;
        // The daemon is about to make it, and what is half made cannot be read.
        match Reader::open(audit, WITHIN).await {
            Ok(reader) => break Follower::new(reader),
            Err(error) if Instant::now() > until => return Err(error.into()),
            Err(_half_made) => {}
        }
    };
    let (mut feeding, mut ours) = (Some(feeding), BTreeMap::new());
    loop {
        look.tick().await;
        let news = follower.news().await?;
        view.tell(&news).await?;
        if feeding.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(fed) = feeding.take()
        {
            ours = fed.await.map_err(|error| Failure::new(Exit::Internal, error))?.map_err(of_demo)?;
        }
        if feeding.is_none() && news.is_empty() {
            let standing = follower.standing().await?;
            let is_reached = |(partition, last)| standing.reached.get(partition) >= Some(last);
            if ours.iter().all(is_reached) && standing.open == 0 {
                return Ok(view.tell(&follower.news().await?).await?);
            }
        }
    }
}

fn of_directory(error: DirectoryError) -> Failure {
    Failure::new(Exit::CannotCreate, error)
}

fn of_demo(error: DemoError) -> Failure {
    let exit = match &error {
        DemoError::Write { .. } => Exit::CannotCreate,
        DemoError::Broker(_) | DemoError::Endpoint(_) => Exit::Unavailable,
        DemoError::Random(_) => Exit::Internal,
    };
    Failure::new(exit, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::totals::{Count, Records};

    fn totals(records: i64, gaps: i64, attempts: [(&str, i64); 2]) -> Totals {
        let attempts = attempts.map(|(kind, count)| Count { kind: kind.to_owned(), count });
        let records = Records { records, events: records - 2, duplicates: 1, quarantined: 1, gaps };
        let lookups = vec![Count { kind: "success".to_owned(), count: 2 }];
        Totals {
            records,
            decisions: Vec::new(),
            actions: Vec::new(),
            attempts: attempts.into(),
            lookups,
            sent: 0,
        }
    }

    #[test]
    fn records_and_answered_calls_have_to_add_up() {
        let calls = [("success", 3), ("lost", 2)];
        for (records, gaps, verified, expected) in [
            (10, 0, 7, true),
            (10, 0, 5, true),
            (10, 0, 4, false),
            (10, 0, 8, false),
            (9, 0, 7, false),
            (11, 0, 7, false),
            (10, 1, 7, false),
        ] {
            let is_right = adds_up(&totals(records, gaps, calls), 10, verified);
            assert_eq!(is_right, expected, "{records} records, {gaps} gaps, {verified} verified");
        }
    }
}
