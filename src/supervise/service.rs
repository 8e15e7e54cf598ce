//! The service manager's side: signals, readiness, status and the watchdog.
//!
//! Outside of systemd the notifications go nowhere, and nothing else changes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{self, SignalKind};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::kafka::PartitionLag;

/// What a person or the service manager asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Stop,
    Reload,
}

/// The signals that mean something to us.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hang_up: unix::Signal,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Signals {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            hang_up: unix::signal(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hang_up.recv() => Signal::Reload,
        }
    }
}

pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

pub(super) fn reloading() {
    notify(&[NotifyState::Reloading]);
}

pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

/// Feeds the service manager's watchdog for as long as the polls go on.
#[derive(Debug)]
pub(super) struct Watchdog {
    heartbeat: Arc<AtomicU64>,
    seen: u64,
    interval: Interval,
}

/// Between two looks when no watchdog is asked for: the status alone.
const STATUS_EVERY: Duration = Duration::from_secs(10);

impl Watchdog {
    pub(super) fn new(heartbeat: Arc<AtomicU64>) -> Self {
        let every = sd_notify::watchdog_enabled().map_or(STATUS_EVERY, |limit| limit / 3);
        let mut interval = interval(every.max(Duration::from_millis(100)));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Watchdog { heartbeat, seen: 0, interval }
    }

    pub(super) async fn tick(&mut self) {
        self.interval.tick().await;
    }

    /// Tells that we live, if the polls went on, and how far behind we are.
    pub(super) fn feed(&mut self, lags: &[PartitionLag]) {
        let beats = self.heartbeat.load(Ordering::Relaxed);
        let lag: i64 = lags.iter().filter_map(|partition| partition.lag).sum();
        let status = format!("{} partitions, {lag} records behind", lags.len());
        if beats == self.seen {
            notify(&[NotifyState::Status("intake does not move")]);
        } else {
            self.seen = beats;
            notify(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
        }
    }
}
