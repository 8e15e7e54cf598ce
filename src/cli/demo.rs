//! `openeventd demo`: sets the stage, runs the daemon on it as `run` does, shows what the audit tells
//! meanwhile, and ends when every record is accounted for and every call is settled.
//!
//! Nothing outside of the demonstration's directory is read or written, the environment's settings
//! neither: a demonstration must never meet a real topic.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;

use self::view::View;
use super::exit::print_problems;
use super::run::{exit_of, parts};
use super::{Exit, Failure};
use crate::config::{self, Environment};
use crate::demo::directory::{self, DirectoryError};
use crate::demo::story::Story;
use crate::demo::{self, DemoError, Stage};
use crate::store::follow::Follower;
use crate::store::totals::Totals;
use crate::store::{Reader, StoreError};
use crate::{supervise, telemetry};

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
}

/// Twice and more of what it takes on a slow machine.
const WITHIN: Duration = Duration::from_mins(1);

/// Between two looks into the audit.
const LOOK_EVERY: Duration = Duration::from_millis(120);

/// How long the runtime waits for work that the end has left behind.
const LEFT_BEHIND: Duration = Duration::from_millis(500);

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let directory = directory::create(arguments.dir.as_deref()).map_err(of_directory)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, error))?;
    let outcome = runtime.block_on(play(&directory));
    runtime.shutdown_timeout(LEFT_BEHIND);
    outcome.map(|()| Exit::Success)
}

/// The whole demonstration.
async fn play(directory: &Path) -> Result<(), Failure> {
    let story = Story::at(jiff::Timestamp::now().as_millisecond());
    let stage = Arc::new(Stage::set(directory, &story).await.map_err(of_demo)?);
    let (config, warnings) = config::load(&stage.configuration, &Environment::default())?;
    print_problems(&warnings)?;
    let log = demo::log_file(directory).map_err(of_demo)?;
    telemetry::start_in_file(&config.log, Environment::of_process().get("RUST_LOG"), log)
        .map_err(|error| Failure::new(Exit::Config, error))?;
    let audit = config.store.path.clone();
    let view = View::begin();
    View::introduce(directory, &stage)?;

    let expected = i64::try_from(story.records.len()).unwrap_or(i64::MAX);
    let feeding = tokio::spawn({
        let stage = Arc::clone(&stage);
        async move { stage.feed(&story.records).await }
    });
    let (end, ended) = oneshot::channel::<()>();
    let daemon = supervise::run(parts(config), async {
        // Dropped or told: both mean the end.
        let _ = ended.await;
    });
    tokio::pin!(daemon);
    let (watched, ran) = tokio::select! {
        ran = &mut daemon => (None, ran),
        watched = tokio::time::timeout(WITHIN, watch(&view, &audit, feeding, expected)) => {
            drop(end);
            (Some(watched), daemon.await)
        }
    };
    ran.map_err(|error| Failure::new(exit_of(&error), error))?;
    let log = directory.join(demo::files::LOG).display().to_string();
    let totals = totals(&audit).await?;
    match watched {
        None => {
            let records = totals.records.records;
            return Err(Failure::new(Exit::Temporary, IncompleteError::Stopped { records, expected }));
        }
        Some(Err(_elapsed)) => return Err(Failure::new(Exit::Temporary, IncompleteError::Late { log })),
        Some(Ok(watched)) => watched?,
    }
    let verified = i64::try_from(stage.endpoint.verified()).unwrap_or(i64::MAX);
    summary::show(&view, directory, &stage.configuration, &totals, verified, &story.instances)?;
    if adds_up(&totals, expected, verified) {
        Ok(())
    } else {
        Err(Failure::new(Exit::Internal, IncompleteError::Wrong { log }))
    }
}

/// Whether every record went somewhere, and every call was signed rightly.
fn adds_up(totals: &Totals, expected: i64, verified: i64) -> bool {
    let records = totals.records;
    let calls: i64 = totals.attempts.iter().map(|count| count.count).sum();
    records.records == expected
        && records.events + records.duplicates + records.quarantined == expected
        && records.gaps == 0
        && calls == verified
}

/// Shows what the audit tells until all records are in it and all calls are settled.
async fn watch(
    view: &View,
    audit: &Path,
    feeding: tokio::task::JoinHandle<Result<(), DemoError>>,
    expected: i64,
) -> Result<(), Failure> {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut follower = loop {
        look.tick().await;
        // The daemon is about to make it; if it cannot, it ends, and this with it.
        match Reader::open(audit, WITHIN).await {
            Ok(reader) => break Follower::new(reader),
            Err(StoreError::Missing { .. } | StoreError::Older { .. } | StoreError::Foreign { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    };
    let mut feeding = Some(feeding);
    loop {
        look.tick().await;
        let news = follower.news().await?;
        view.tell(&news).await?;
        if feeding.as_ref().is_some_and(tokio::task::JoinHandle::is_finished)
            && let Some(fed) = feeding.take()
        {
            fed.await.map_err(|error| Failure::new(Exit::Internal, error))?.map_err(of_demo)?;
        }
        if feeding.is_none() && news.is_empty() {
            let standing = follower.standing().await?;
            if standing.records >= expected && standing.open == 0 {
                return Ok(view.tell(&follower.news().await?).await?);
            }
        }
    }
}

async fn totals(audit: &Path) -> Result<Totals, Failure> {
    let mut reader = Reader::open(audit, WITHIN).await?;
    Ok(reader.totals().await?)
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
