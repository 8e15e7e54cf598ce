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

/// Asked for at each sign of life while the start takes its time. What is left of it when the start goes on
/// is for the group to be joined, as in a start that is not slow.
const START_LONGER: Duration = Duration::from_mins(2);

/// Between two signs of life of a slow start; the unit allows two minutes without any.
const EXTEND_EVERY: Duration = Duration::from_secs(30);

/// Waits for a step of the start that may take long, such as the repair or migration of a large database,
/// and keeps the service manager waiting too.
pub(super) async fn extending<T>(step: impl Future<Output = T>) -> T {
    let longer = u32::try_from(START_LONGER.as_micros()).unwrap_or(u32::MAX);
    let states = [NotifyState::ExtendTimeoutUsec(longer), NotifyState::Status("opening the database")];
    meanwhile(step, || notify(&states)).await
}

async fn meanwhile<T>(step: impl Future<Output = T>, mut tell: impl FnMut()) -> T {
    let mut step = std::pin::pin!(step);
    loop {
        match tokio::time::timeout(EXTEND_EVERY, &mut step).await {
            Ok(done) => return done,
            Err(_elapsed) => tell(),
        }
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

/// Tells how we are, and that we live unless a restart is to help.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_start_that_takes_long_asks_for_more_time_before_it_is_out_of_it() {
        let mut told = 0;
        let slow = async {
            tokio::time::sleep(Duration::from_secs(200)).await;
            "opened"
        };
        assert_eq!(meanwhile(slow, || told += 1).await, "opened");
        assert_eq!(told, 6);
        assert!(START_LONGER > EXTEND_EVERY * 2);
    }
}
