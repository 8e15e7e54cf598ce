//! Starts the halves, watches over them, stops them in order.
//!
//! The order of a stop: polling ends, what is in flight is accepted and its offsets are committed, the
//! group is left, calls in flight are finished or left to their lease, and the database is closed last.
//! If any part fails for good, the others are stopped in the same order and the failure is returned.
//!
//! Next: [`crate::config`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::part::Part;
use self::reload::{Reloaded, Reloads, Source};
use self::service::extending;
use self::start::Opened;
use crate::action::plan::Trust;
use crate::clock::now_ms;
use crate::diagnostic::{Diagnostic, chain};
use crate::kafka::KafkaError;
use crate::monitoring::board::{Condition, Reload, ReloadOutcome, Stage};
use crate::monitoring::{self, Alarms, Board};
use crate::openapi::call::ClientError;
use crate::openapi::credential::CredentialError;
use crate::openapi::{self, Account, Secrets};
use crate::rule::parse::Parsed;
use crate::rule::{Policy, RuleFile};
use crate::store::accept::Deciding;
use crate::store::daemon::RulesCondition;
use crate::store::{self, Store, StoreError, Writer};
use crate::{dispatch, ingest, kafka, upkeep};

mod hooks;

mod part;

mod reload;

pub mod replay;

mod rules;

mod service;

mod start;

pub mod verify;

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
    /// How programs can watch.
    pub monitoring: monitoring::Settings,
    /// What the log raises.
    pub alarms: Alarms,
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
    /// Lost calls of an account are to be looked up that is not in the configuration.
    #[error(
        "the account {account} is not in the configuration: add [account.{account}], or cancel its actions"
    )]
    NoAccount {
        /// Its name.
        account: String,
    },
    /// Nothing can be asked for an account.
    #[error("the account {account} has no credentials (see `openeventd credentials`)")]
    NoCredentials {
        /// Its name.
        account: String,
        /// Why.
        source: CredentialError,
    },
    /// Signals cannot be received.
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
    /// The polling thread could not be started.
    #[error("cannot start the polling thread")]
    Thread(#[source] std::io::Error),
    /// A part ended by itself, mostly by a panic, which its own log line tells.
    #[error("{part} ended without being told to, by a panic or another bug: please report it")]
    Ended {
        /// Which part.
        part: &'static str,
    },
}

/// For the last renewal of the daemon's row, however long the stop took.
const LAST_WORD: Duration = Duration::from_secs(2);

/// From `stop_timeout` to the last moment at which the database is closed, the last word included. The
/// unit's `TimeoutStopSec` allows for it.
const CLOSING: Duration = Duration::from_secs(5);

/// Runs until a signal, a failure, or until `ended` is ready.
///
/// # Errors
/// [`SuperviseError`]; what was accepted is durable in every case.
pub async fn run(mut parts: Parts, ended: impl Future<Output = ()>) -> Result<(), SuperviseError> {
    // From here on a signal waits for its turn instead of ending the process.
    let signals = service::Signals::listen().map_err(SuperviseError::Signals)?;
    let started_at_ms = now_ms();
    let store = extending(Store::open(&parts.store)).await?;
    let backlogs = store.backlogs();
    let (first, condition) = rules::first(&parts, &store).await?;
    let (writer, positions, closing) = extending(store.into_writer(now_ms())).await?;
    let mut writing = Part::new("the writer", tokio::spawn(closing.run()));
    let within = crate::duration::whole_ms(parts.upkeep.repeat_within);
    let recover = writer.recover(
        i64::MAX,
        std::collections::HashSet::new(),
        (within, parts.dispatch.lookups),
        now_ms(),
    );
    let recovered = extending(recover).await?;
    writer.lift_parkings_at_start(now_ms()).await?;
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
    let board = Arc::new(Board::new(
        parts.alarms.clone(),
        Condition {
            started_at_ms,
            ready_at_ms: None,
            stage: Stage::Running,
            rules: rules::in_force(&deciding, condition),
            configuration,
            reload: None,
        },
    ));
    let running = Running::start(parts, Opened { writer, positions, backlogs }, deciding, board).await?;
    let (outcome, stopped_by) = running.until_stopped(signals, ended).await;
    // A part that did not end in time may still hold the writer: the file is whole without its goodbye.
    let written = writing.ended_by(stopped_by + CLOSING).await;
    outcome.and(written)
}

/// The parts at work.
struct Running {
    parts: Arc<Parts>,
    writer: Writer,
    deciding: watch::Sender<Arc<Deciding>>,
    stop: watch::Sender<bool>,
    stop_polling: Arc<AtomicBool>,
    stop_watching: watch::Sender<bool>,
    polling: Part<SuperviseError>,
    accepting: Part<StoreError>,
    dispatching: Part<StoreError>,
    upkeep: Part<StoreError>,
    replaying: Part<StoreError>,
    watching: Part<StoreError>,
    /// The server of metrics and health; it ends with this.
    serving: JoinSet<()>,
    board: Arc<Board>,
}

impl Running {
    /// Waits for the end or the first failure, reloading rules when told, then stops everything; gives until
    /// when that was to take.
    async fn until_stopped(
        mut self,
        signals: service::Signals,
        ended: impl Future<Output = ()>,
    ) -> (Result<(), SuperviseError>, Instant) {
        let outcome = tokio::select! {
            outcome = self.watch(signals) => outcome,
            () = ended => Ok(()),
        };
        self.board.change(|condition| condition.stage = Stage::Stopping);
        service::stopping();
        let deadline = Instant::now() + self.parts.stop_timeout;
        let stopped = self.stop(deadline).await;
        (outcome.and(stopped), deadline)
    }

    /// Reloads rules when told, until a signal says stop or a part fails.
    async fn watch(&mut self, mut signals: service::Signals) -> Result<(), SuperviseError> {
        let mut watchdog = service::Watchdog::new();
        let configuration = self.deciding.borrow().configuration;
        let mut reloads = Reloads::of(Source {
            parts: Arc::clone(&self.parts),
            writer: self.writer.clone(),
            configuration,
            board: Arc::clone(&self.board),
        });
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    service::Signal::Stop => {
                        tracing::info!("stopping");
                        return Ok(());
                    }
                    service::Signal::Reload => reloads.ask(),
                },
                read = reloads.read() => {
                    self.reloaded(read?);
                    reloads.done();
                }
                () = watchdog.tick() => service::feed(&self.board),
                error = self.polling.failed() => return Err(error),
                error = self.accepting.failed() => return Err(error),
                error = self.dispatching.failed() => return Err(error),
                error = self.upkeep.failed() => return Err(error),
                error = self.watching.failed() => return Err(error),
                error = self.replaying.failed() => return Err(error),
            }
        }
    }

    /// Puts the rules that were read in force, or keeps those in force; notes what the reload came to.
    fn reloaded(&self, reloaded: Reloaded) {
        let outcome = match reloaded {
            Reloaded::Read(deciding) => {
                self.change_rules(deciding);
                ReloadOutcome::Done
            }
            Reloaded::NotKept(error) => {
                // Nobody tries it again but the person who asked: what has no end is no alarm that ends.
                tracing::warn!(error = %chain(&error), "the rules were not kept, those in force stay: reload again");
                ReloadOutcome::Refused
            }
            Reloaded::Wrong(problems) => {
                rules::log_problems(&problems);
                tracing::error!(
                    id = "rules_degraded",
                    "the rule directory has errors: the rules in force stay"
                );
                self.board.change(|condition| condition.rules.condition = RulesCondition::Degraded);
                ReloadOutcome::Refused
            }
        };
        self.board.change(|condition| condition.reload = Some(Reload { at_ms: now_ms(), outcome }));
    }

    fn change_rules(&self, deciding: Deciding) {
        let rules = &deciding.rules;
        tracing::info!(rules = rules.rules.len(), rule_set = %rules.hash, "rules reloaded");
        if self.board.condition().rules.condition == RulesCondition::Degraded {
            tracing::info!(id = "rules_degraded", "over: the rules of the directory are in force");
        }
        self.board.metrics.rules_changed(rules.rules.iter().map(|rule| rule.name.as_str()));
        let in_force = rules::in_force(&deciding, RulesCondition::Current);
        self.board.change(|condition| condition.rules = in_force);
        self.deciding.send_replace(Arc::new(deciding));
    }

    /// Ends the parts in order, by `deadline` and a last word.
    async fn stop(mut self, deadline: Instant) -> Result<(), SuperviseError> {
        self.stop_polling.store(true, Ordering::Release);
        self.stop.send_replace(true);
        let mut outcome = self.polling.ended_by(deadline).await;
        outcome = outcome.and(self.accepting.ended_by(deadline).await);
        outcome = outcome.and(self.dispatching.ended_by(deadline).await);
        outcome = outcome.and(self.replaying.ended_by(deadline).await);
        outcome = outcome.and(self.upkeep.ended_by(deadline).await);
        // The last that is written, while the writer still is there: that the daemon has stopped.
        self.board.change(|condition| condition.stage = Stage::Stopped { at_ms: now_ms() });
        self.stop_watching.send_replace(true);
        let outcome = outcome.and(self.watching.ended_by(deadline.max(Instant::now() + LAST_WORD)).await);
        self.serving.shutdown().await;
        outcome
    }
}
