//! Starts the halves, watches over them, stops them in order.
//!
//! The order of a stop: polling ends, what is in flight is accepted and its offsets are committed, the
//! group is left, calls in flight are finished or left to their lease, and the database is closed last.
//! If any part fails for good, the others are stopped in the same order and the failure is returned.
//!
//! Next: [`crate::config`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::action::plan::Trust;
use crate::diagnostic::Diagnostic;
use crate::dispatch::{self, Alive, Shared};
use crate::ingest::accepting::{Accepting, Progress};
use crate::ingest::{self, Gate, Polling};
use crate::kafka;
use crate::kafka::{Consumer, KafkaError};
use crate::openapi::call::{Client, ClientError};
use crate::openapi::{self, Account, Secrets};
use crate::rule::parse::Parsed;
use crate::rule::{Policy, RuleFile};
use crate::store::accept::Deciding;
use crate::store::{self, Store, StoreError, Writer};
use crate::upkeep::{self, Upkeep};

mod hooks;

mod rules;

mod service;

/// Everything a run needs, each part with its own settings.
pub struct Parts {
    /// How to reach the topics.
    pub kafka: kafka::Settings,
    /// How the intake works.
    pub ingest: ingest::Settings,
    /// Where the database lies.
    pub store: store::Settings,
    /// How the store is kept.
    pub upkeep: upkeep::Settings,
    /// How calls are tried.
    pub dispatch: dispatch::Settings,
    /// How calls are made.
    pub openapi: openapi::Settings,
    /// Whose credentials sign calls.
    pub accounts: Vec<Account>,
    /// What `secret("x")` in rules stands for.
    pub secrets: Secrets,
    /// Which writes rules may call.
    pub policy: Policy,
    /// Whose events are acted on.
    pub trust: Trust,
    /// The redacted configuration and its hash.
    pub redacted: (String, String),
    /// A stop takes no longer.
    pub stop_timeout: Duration,
    /// Reads and parses the rule directory; called at the start and at every reload.
    pub read_rules: Box<dyn Fn() -> Parsed + Send + Sync>,
    /// Parses the texts of a rule set that was kept.
    pub parse_rules: Box<dyn Fn(Vec<RuleFile>) -> Parsed + Send + Sync>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Why a run ended.
#[derive(Debug, Error)]
pub enum SuperviseError {
    /// The rules are wrong and there are none of an earlier run to go on with.
    #[error("the rules have errors, and the audit database keeps no earlier rule set to run with")]
    NoRules(Vec<Diagnostic>),
    /// The database refuses.
    #[error("the audit database failed")]
    Store(#[from] StoreError),
    /// The Kafka client refuses.
    #[error("the Kafka consumer failed")]
    Kafka(#[from] KafkaError),
    /// HTTPS cannot be set up.
    #[error("the OpenAPI client cannot be set up")]
    Client(#[from] ClientError),
    /// The polling thread could not be started.
    #[error("cannot start the polling thread")]
    Thread(#[source] std::io::Error),
    /// A part ended by itself, mostly by a panic, which its own log line tells.
    #[error("{part} ended without being told to, by a panic or another bug: please report it")]
    Panicked {
        /// Which part.
        part: &'static str,
    },
}

/// Closing the database after the last part has ended takes no longer.
const CLOSING_MAX: Duration = Duration::from_secs(5);

/// Milliseconds since 1970.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Runs until a signal or a failure.
///
/// # Errors
/// [`SuperviseError`]; what was accepted is durable in every case.
pub async fn run(mut parts: Parts) -> Result<(), SuperviseError> {
    let store = Store::open(&parts.store).await?;
    let (first, condition) = rules::first(&parts, &store).await?;
    let (writer, positions, closing) = store.into_writer(now_ms()).await?;
    let writing = tokio::spawn(closing.run());
    let within = i64::try_from(parts.upkeep.repeat_within.as_millis()).unwrap_or(i64::MAX);
    let recovered = writer.recover(i64::MAX, std::collections::HashSet::new(), within, now_ms()).await?;
    tracing::info!(
        rules = first.rules.len(),
        rule_set = %first.hash,
        condition = condition.as_str(),
        due_again = recovered.due_again,
        unresolved = recovered.unresolved,
        "started"
    );
    let (redacted, hash) = std::mem::take(&mut parts.redacted);
    let configuration = writer.remember_configuration(hash, redacted, now_ms()).await?;
    let deciding = rules::deciding(&parts, first, configuration, &writer).await?;
    let running = Running::start(parts, writer, positions, deciding)?;
    let outcome = running.until_stopped().await;
    // A part that did not end in time may still hold the writer: what it wanted to write is lost with it.
    let written = match tokio::time::timeout(CLOSING_MAX, writing).await {
        Ok(result) => ended("the writer", result),
        Err(_elapsed) => {
            tracing::warn!("the database was not closed in time: the next start recovers");
            Ok(())
        }
    };
    outcome.and(written)
}

/// The parts at work.
struct Running {
    parts: Parts,
    writer: Writer,
    deciding: watch::Sender<Arc<Deciding>>,
    stop: watch::Sender<bool>,
    stop_polling: Arc<AtomicBool>,
    heartbeat: Arc<AtomicU64>,
    consumer: Arc<Consumer>,
    polling: JoinHandle<Result<(), SuperviseError>>,
    accepting: JoinHandle<Result<(), StoreError>>,
    dispatching: JoinHandle<Result<(), StoreError>>,
    upkeep: JoinHandle<Result<(), StoreError>>,
}

impl Running {
    fn start(
        parts: Parts,
        writer: Writer,
        positions: store::positions::Positions,
        deciding: Deciding,
    ) -> Result<Self, SuperviseError> {
        let client = Client::new(&parts.openapi)?;
        let (stop, stopping) = watch::channel(false);
        let (progress, progressed) = watch::channel(Progress::default());
        let (deciding, decided) = watch::channel(Arc::new(deciding));
        let (batches, accepted) = mpsc::channel(1);
        let sent = Arc::new(AtomicU64::new(0));
        let hooks = hooks::Hooks {
            runtime: Handle::current(),
            writer: writer.clone(),
            positions,
            start_at: parts.ingest.start_at,
            sent: Arc::clone(&sent),
            progress: progressed,
            drain_timeout: parts.stop_timeout,
        };
        let consumer = Arc::new(Consumer::new(&parts.kafka, hooks.for_consumer())?);
        let (gate, alive, changed) = (Arc::new(Gate::default()), Alive::default(), Arc::new(Notify::new()));
        let (stop_polling, heartbeat) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let polling = Polling {
            consumer: Arc::clone(&consumer),
            settings: parts.ingest.clone(),
            held: VecDeque::new(),
            deciding: decided,
            batches,
            sent,
            writer: writer.clone(),
            gate: Arc::clone(&gate),
            stop: Arc::clone(&stop_polling),
            heartbeat: Arc::clone(&heartbeat),
            runtime: Handle::current(),
            now_ms,
        };
        let polling = poll_on_a_thread(polling, Arc::clone(&consumer), parts.stop_timeout)?;
        let accepting = Accepting {
            consumer: Arc::clone(&consumer),
            writer: writer.clone(),
            batches: accepted,
            planned: Arc::clone(&changed),
            progress,
            now_ms,
        };
        let shared = Arc::new(Shared {
            writer: writer.clone(),
            client,
            secrets: parts.secrets.clone(),
            policy: parts.policy.clone(),
            settings: parts.dispatch.clone(),
            alive: alive.clone(),
            changed,
            now_ms,
        });
        let accounts = parts.accounts.iter().cloned().map(Arc::new).collect();
        let upkeep = Upkeep { writer: writer.clone(), settings: parts.upkeep.clone(), alive, gate, now_ms };
        Ok(Running {
            accepting: tokio::spawn(accepting.run()),
            dispatching: tokio::spawn(dispatch::run(shared, accounts, stopping.clone())),
            upkeep: tokio::spawn(upkeep.run(stopping)),
            parts,
            writer,
            deciding,
            stop,
            stop_polling,
            heartbeat,
            consumer,
            polling,
        })
    }

    /// Waits for a signal or the first failure, reloading rules when told, then stops everything.
    async fn until_stopped(mut self) -> Result<(), SuperviseError> {
        let mut signals = service::Signals::listen().map_err(SuperviseError::Thread)?;
        let mut watchdog = service::Watchdog::new(Arc::clone(&self.heartbeat));
        let outcome = loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    service::Signal::Stop => {
                        tracing::info!("stopping");
                        break Ok(());
                    }
                    service::Signal::Reload => self.reload().await?,
                },
                () = watchdog.tick() => watchdog.feed(&self.consumer.lag()),
                result = &mut self.polling => break unexpected("polling", result),
                result = &mut self.accepting => break unexpected("accepting", result.map(|r| r.map_err(Into::into))),
                result = &mut self.dispatching => break unexpected("dispatch", result.map(|r| r.map_err(Into::into))),
                result = &mut self.upkeep => break unexpected("upkeep", result.map(|r| r.map_err(Into::into))),
            }
        };
        service::stopping();
        let stopped = self.stop().await;
        outcome.and(stopped)
    }

    /// Puts the rules of the directory in force, or keeps those in force if the directory has errors.
    async fn reload(&self) -> Result<(), SuperviseError> {
        service::reloading();
        match (self.parts.read_rules)() {
            Ok((rules, _warnings)) => {
                let configuration = self.deciding.borrow().configuration;
                let deciding = rules::deciding(&self.parts, rules, configuration, &self.writer).await?;
                tracing::info!(rules = deciding.rules.rules.len(), rule_set = %deciding.rules.hash, "rules reloaded");
                self.deciding.send_replace(Arc::new(deciding));
            }
            Err(problems) => {
                rules::log_problems(&problems);
                tracing::error!(
                    id = "rules_degraded",
                    "the rule directory has errors: the rules in force stay"
                );
            }
        }
        service::ready();
        Ok(())
    }

    /// Ends the parts in order, within the stop time-out.
    async fn stop(self) -> Result<(), SuperviseError> {
        let deadline = Instant::now() + self.parts.stop_timeout;
        self.stop_polling.store(true, Ordering::Release);
        self.stop.send_replace(true);
        let mut outcome = Ok(());
        outcome = outcome.and(within(deadline, "polling", self.polling).await.unwrap_or(Ok(())));
        for (part, task) in
            [("accepting", self.accepting), ("dispatch", self.dispatching), ("upkeep", self.upkeep)]
        {
            let ended = within(deadline, part, task).await;
            outcome = outcome.and(ended.unwrap_or(Ok(())).map_err(Into::into));
        }
        outcome
    }
}

/// The result of a part, if it ends in time; otherwise it is left to the next start.
async fn within<E>(
    deadline: Instant,
    part: &'static str,
    mut task: JoinHandle<Result<(), E>>,
) -> Option<Result<(), E>> {
    if task.is_finished() {
        // Its result was taken when it ended the run.
        return None;
    }
    match tokio::time::timeout_at(deadline, &mut task).await {
        Ok(Ok(result)) => Some(result),
        Ok(Err(_panicked)) => None,
        Err(_elapsed) => {
            tracing::warn!(part, "did not end in time: what it had in flight is recovered at the next start");
            task.abort();
            None
        }
    }
}

/// A part that ends before it was told to has failed, or panicked.
fn unexpected(
    part: &'static str,
    result: Result<Result<(), SuperviseError>, tokio::task::JoinError>,
) -> Result<(), SuperviseError> {
    match result {
        Ok(Ok(())) | Err(_) => Err(SuperviseError::Panicked { part }),
        Ok(Err(error)) => Err(error),
    }
}

fn ended(
    part: &'static str,
    result: Result<Result<(), StoreError>, tokio::task::JoinError>,
) -> Result<(), SuperviseError> {
    result.map_err(|_| SuperviseError::Panicked { part })?.map_err(Into::into)
}

/// Polls on a thread of its own and leaves the group from there.
fn poll_on_a_thread(
    polling: Polling,
    consumer: Arc<Consumer>,
    stop_timeout: Duration,
) -> Result<JoinHandle<Result<(), SuperviseError>>, SuperviseError> {
    let (done, finished) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("intake".into())
        .spawn(move || {
            let polled = polling.run();
            let left = consumer.close(stop_timeout / 2);
            // Nobody waits any more when the stop took too long.
            let _ = done.send(polled.and(left));
        })
        .map_err(SuperviseError::Thread)?;
    Ok(tokio::spawn(async move {
        match finished.await {
            Ok(result) => result.map_err(Into::into),
            Err(_) => Err(SuperviseError::Panicked { part: "polling" }),
        }
    }))
}
