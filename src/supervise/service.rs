//! The service manager's side: signals, readiness, status and the watchdog.
//!
//! Outside of systemd the notifications go nowhere, and nothing else changes.

use std::io;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{self, SignalKind};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::monitoring::Board;
use crate::monitoring::board::Verdict;

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

/// A reload that the service manager knows of. One before the first assignment is not told: the end of
/// it would say that the start is over.
#[derive(Debug)]
pub(super) enum Reloading {
    Told,
    Untold,
}

impl Reloading {
    pub(super) fn begin(board: &Board) -> Self {
        if board.condition().ready_at_ms.is_none() {
            return Reloading::Untold;
        }
        match NotifyState::monotonic_usec_now() {
            Ok(now) => notify(&[NotifyState::Reloading, now]),
            Err(error) => tracing::debug!(%error, "the service manager was not told of the reload"),
        }
        Reloading::Told
    }

    pub(super) fn end(self, board: &Board) {
        match self {
            Reloading::Told => notify(&[NotifyState::Ready, NotifyState::Status(&board.status())]),
            Reloading::Untold => {}
        }
    }
}

pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

/// Tells how we are, and that we live if polls and commits go on.
pub(super) fn feed(board: &Board) {
    let status = board.status();
    match board.health() {
        Verdict::Yes(_) => notify(&[NotifyState::Watchdog, NotifyState::Status(&status)]),
        Verdict::No(_) => notify(&[NotifyState::Status(&status)]),
    }
}

/// When to tell the service manager how we are.
#[derive(Debug)]
pub(super) struct Watchdog {
    interval: Interval,
}

/// Between two looks when no watchdog is asked for: the status alone.
const STATUS_EVERY: Duration = Duration::from_secs(10);

impl Watchdog {
    pub(super) fn new() -> Self {
        let every = sd_notify::watchdog_enabled().map_or(STATUS_EVERY, |limit| limit / 3);
        let mut interval = interval(every.clamp(Duration::from_millis(100), STATUS_EVERY));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Watchdog { interval }
    }

    pub(super) async fn tick(&mut self) {
        self.interval.tick().await;
    }
}
