//! Putting the parts together: every handle that one part shares with another is made here.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::part::{self, Part};
use super::{Parts, Running, SuperviseError, hooks};
use crate::clock::now_ms;
use crate::diagnostic::chain;
use crate::dispatch::{self, Alive, Shared};
use crate::ingest::accepting::{Accepting, Progress};
use crate::ingest::replaying::Replaying;
use crate::ingest::{self, Gate, Polling};
use crate::kafka::Consumer;
use crate::monitoring::watch::{Paused, Pulse, Seen, Spender, WRITER_LIFELESS_AFTER, Watching};
use crate::monitoring::{Board, server};
use crate::openapi::call::Client;
use crate::store::Writer;
use crate::store::accept::Deciding;
use crate::store::backlog::Backlogs;
use crate::store::daemon::Partition;
use crate::store::positions::Positions;
use crate::upkeep::Upkeep;

/// What the opened database gives to the parts.
pub(super) struct Opened {
    pub(super) writer: Writer,
    pub(super) positions: Positions,
    pub(super) backlogs: Backlogs,
}

impl Running {
    pub(super) async fn start(
        parts: Parts,
        opened: Opened,
        deciding: Deciding,
        board: Arc<Board>,
    ) -> Result<Self, SuperviseError> {
        let Opened { writer, positions, backlogs } = opened;
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
            board: Arc::clone(&board),
        };
        let consumer = Arc::new(Consumer::new(&parts.kafka, hooks.for_consumer())?);
        let (gate, alive, changed) = (Arc::new(Gate::default()), Alive::default(), Arc::new(Notify::new()));
        let (stop_polling, heartbeat) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let replaying = Replaying {
            writer: writer.clone(),
            limits: parts.ingest.limits,
            deciding: decided.clone(),
            planned: Arc::clone(&changed),
            metrics: Arc::clone(&board.metrics),
            gate: Arc::clone(&gate),
            now_ms,
        };
        let upkeep = Upkeep {
            writer: writer.clone(),
            settings: parts.upkeep.clone(),
            alive: alive.clone(),
            gate: Arc::clone(&gate),
            now_ms,
        };
        upkeep.guard();
        let polling = Polling {
            consumer: Arc::clone(&consumer),
            settings: parts.ingest.clone(),
            held: VecDeque::new(),
            flow: ingest::Flow::default(),
            lost_place: None,
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
        let polling = part::poll_on_a_thread(polling, Arc::clone(&consumer), parts.stop_timeout)?;
        let accepting = Accepting {
            consumer: Arc::clone(&consumer),
            writer: writer.clone(),
            batches: accepted,
            planned: Arc::clone(&changed),
            progress,
            metrics: Arc::clone(&board.metrics),
            now_ms,
        };
        let shared = Arc::new(Shared {
            writer: writer.clone(),
            client,
            secrets: parts.secrets.clone(),
            policy: parts.policy.clone(),
            settings: parts.dispatch.clone(),
            alive,
            changed,
            watch: dispatch::Watch::default(),
            metrics: Arc::clone(&board.metrics),
            now_ms,
        });
        let accounts = parts.accounts.iter().cloned().map(Arc::new).collect();
        let (stop_watching, watching_stops) = watch::channel(false);
        let watching = watching(&parts, &board, &writer, backlogs, &consumer, heartbeat);
        let serving = serve(&parts, &board).await;
        Ok(Running {
            accepting: Part::new("accepting", tokio::spawn(accepting.run())),
            dispatching: Part::new(
                "dispatch",
                tokio::spawn(dispatch::run(shared, accounts, stopping.clone())),
            ),
            upkeep: Part::new("upkeep", tokio::spawn(upkeep.run(stopping.clone()))),
            replaying: Part::new("replaying", tokio::spawn(replaying.run(stopping))),
            parts: Arc::new(parts),
            writer,
            deciding,
            stop,
            stop_polling,
            stop_watching,
            polling: Part::new("polling", polling),
            watching: Part::new("monitoring", tokio::spawn(watching.run(watching_stops))),
            serving,
            board,
        })
    }
}

/// What looks at all of them from outside.
fn watching(
    parts: &Parts,
    board: &Arc<Board>,
    writer: &Writer,
    backlogs: Backlogs,
    consumer: &Arc<Consumer>,
    heartbeat: Arc<AtomicU64>,
) -> Watching {
    Watching {
        board: Arc::clone(board),
        writer: writer.clone(),
        backlogs,
        spenders: parts
            .accounts
            .iter()
            .map(|account| Spender {
                account: account.name.clone(),
                region: account.region.clone(),
                budget: account.budget,
            })
            .collect(),
        see: Box::new(seen_of(Arc::clone(consumer))),
        pulses: vec![
            Pulse::new("the polling of Kafka", heartbeat),
            Pulse::new("the writer of the database", writer.beats()).lifeless_after(WRITER_LIFELESS_AFTER),
        ],
        path: parts.store.path.clone(),
        now_ms,
    }
}

/// What the Kafka side tells when it is asked.
fn seen_of(consumer: Arc<Consumer>) -> impl Fn() -> Seen + Send + Sync {
    move || Seen {
        assigned: consumer.partitions(),
        partitions: consumer
            .lag()
            .into_iter()
            .map(|known| Partition {
                topic: known.topic,
                partition: known.partition,
                committed: known.committed,
                end: known.high_watermark,
                lag: known.lag,
            })
            .collect(),
        paused: if consumer.is_paused() { Paused::Yes } else { Paused::No },
    }
}

/// Serves metrics and health. An address that cannot be taken is an alarm: the work itself goes on.
async fn serve(parts: &Parts, board: &Arc<Board>) -> JoinSet<()> {
    let mut serving = JoinSet::new();
    let Some(listen) = parts.monitoring.listen else { return serving };
    match server::bind(listen).await {
        Ok(listener) => {
            serving.spawn(server::serve(listener, Arc::clone(board)));
        }
        Err(error) => tracing::error!(
            id = "monitoring_failed",
            address = %listen,
            error = %chain(&error),
            "metrics and health are not served; set monitoring.listen to an address of its own, and restart"
        ),
    }
    serving
}
