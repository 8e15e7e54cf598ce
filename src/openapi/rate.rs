//! The limit of calls per second.
//!
//! A slot is taken before a call is claimed. It is free again one second after the response began, since
//! the endpoint had the request by then, or two seconds after the request was written, whichever comes
//! first: an endpoint that takes long to answer does not keep the slot. So the endpoint, by its own clock,
//! sees no more than the limit in any sliding second, as long as a written request is with it within a
//! second. A bucket that refills by the sender's clock could pass nearly twice the limit. While it is not
//! known whether the request was written, only the response or the end of the call frees its slot; a call
//! that never left gives it back at once.
//!
//! Waiting is fair (first come, first served) and may be given up at any time. Times are of the monotonic
//! clock. Daily and monthly budgets are not kept here.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::operation::Access;
use crate::quota::Rate;

/// How long a slot rests once the response has begun: the limit's second, and a little for clocks that run
/// apart.
pub const REST_AFTER_RESPONSE: Duration = Duration::from_millis(1_010);

/// How long a slot rests once the request was written, or its call ended and nothing is known of it: up to
/// a second on its way, and the limit's second. Nothing that was sent counts for longer.
pub const RECOVERY: Duration = Duration::from_millis(2_010);

/// The limiter of one account and region.
#[derive(Debug)]
pub struct RateLimiter {
    /// `None` has no limit.
    reads: Option<Arc<Lane>>,
    writes: Option<Arc<Lane>>,
}

/// The slots that one class of calls shares.
#[derive(Debug)]
struct Lane {
    slots: usize,
    used: Mutex<Used>,
    /// Told when a slot is free earlier than it seemed. One waiter at a time listens.
    earlier: Notify,
    /// Whoever waits for a slot holds this; the others queue for it in order.
    turn: tokio::sync::Mutex<()>,
}

/// The slots that are not free.
#[derive(Debug, Default)]
struct Used {
    /// Those of which it is not known when they are free.
    open: usize,
    /// The others: when they are free, and which they are. Those that are free are taken out by who looks
    /// for one.
    until: BTreeSet<(Instant, u64)>,
    next_id: u64,
}

/// Leave for one call.
#[derive(Debug)]
pub struct Slot {
    /// `None` belongs to no limit.
    lane: Option<Arc<Lane>>,
    id: u64,
    stage: Mutex<Stage>,
}

/// What is known of a slot's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was done with it.
    Taken,
    /// A connection is being made for it; when the request is written is not known.
    Connecting,
    /// Free at this time, whatever happens.
    Until(Instant),
    /// Given back.
    Free,
}

impl RateLimiter {
    /// A limiter of which every slot is free.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        match rate {
            Rate::Shared(calls) => {
                let shared = Lane::new(calls);
                RateLimiter { reads: Some(Arc::clone(&shared)), writes: Some(shared) }
            }
            Rate::Apart { reads, writes } => {
                RateLimiter { reads: Some(Lane::new(reads)), writes: Some(Lane::new(writes)) }
            }
            Rate::Unlimited => RateLimiter { reads: None, writes: None },
        }
    }

    /// Waits for a slot.
    pub async fn acquire(&self, access: Access) -> Slot {
        let Some(lane) = self.lane(access) else { return Slot::unlimited() };
        let _turn = lane.turn.lock().await;
        loop {
            match lane.take() {
                Ok(slot) => return slot,
                Err(Some(free_at)) => tokio::select! {
                    () = sleep_until(free_at) => {}
                    () = lane.earlier.notified() => {}
                },
                Err(None) => lane.earlier.notified().await,
            }
        }
    }

    /// A slot, if one is free now and nobody waits for it.
    #[must_use]
    pub fn try_acquire(&self, access: Access) -> Option<Slot> {
        let Some(lane) = self.lane(access) else { return Some(Slot::unlimited()) };
        let _turn = lane.turn.try_lock().ok()?;
        lane.take().ok()
    }

    /// How many slots are free now; without a limit, as many as there are numbers.
    #[must_use]
    pub fn available_now(&self, access: Access) -> usize {
        self.lane(access)
            .map_or(usize::MAX, |lane| lane.slots.saturating_sub(lane.used().count(Instant::now())))
    }

    fn lane(&self, access: Access) -> Option<&Arc<Lane>> {
        match access {
            Access::Read => self.reads.as_ref(),
            Access::Write => self.writes.as_ref(),
        }
    }
}

impl Lane {
    fn new(calls: NonZeroU32) -> Arc<Self> {
        Arc::new(Lane {
            slots: usize::try_from(calls.get()).unwrap_or(usize::MAX),
            used: Mutex::default(),
            earlier: Notify::new(),
            turn: tokio::sync::Mutex::new(()),
        })
    }

    /// A slot, or when the next is free as far as that is known.
    fn take(self: &Arc<Self>) -> Result<Slot, Option<Instant>> {
        let mut used = self.used();
        if used.count(Instant::now()) >= self.slots {
            return Err(used.until.first().map(|(free_at, _)| *free_at));
        }
        used.open += 1;
        used.next_id += 1;
        Ok(Slot { lane: Some(Arc::clone(self)), id: used.next_id, stage: Mutex::new(Stage::Taken) })
    }

    /// Each change is whole by itself, so a holder's panic leaves it usable.
    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    fn count(&mut self, now: Instant) -> usize {
        while self.until.first().is_some_and(|(free_at, _)| *free_at <= now) {
            self.until.pop_first();
        }
        self.open + self.until.len()
    }

    fn replace(&mut self, id: u64, old: Stage, new: Stage) {
        match old {
            Stage::Taken | Stage::Connecting => self.open = self.open.saturating_sub(1),
            Stage::Until(free_at) => {
                self.until.remove(&(free_at, id));
            }
            Stage::Free => {}
        }
        match new {
            Stage::Taken | Stage::Connecting => self.open += 1,
            Stage::Until(free_at) => {
                self.until.insert((free_at, id));
            }
            Stage::Free => {}
        }
    }
}

impl Slot {
    /// A slot of no limiter, for a call that nothing limits.
    #[must_use]
    pub fn unlimited() -> Self {
        Slot { lane: None, id: 0, stage: Mutex::new(Stage::Taken) }
    }

    /// A connection is being made for the request, which is therefore not written.
    pub fn connecting(&self) {
        self.change(|_| Some(Stage::Connecting));
    }

    /// The request is written now. If it is written once more, over another connection, the last one counts.
    pub fn written(&self) {
        self.change(|_| Some(Stage::Until(Instant::now() + RECOVERY)));
    }

    /// The request was handed over: unless a connection is being made for it, it is written now.
    pub(super) fn handed_over(&self) {
        self.change(|stage| (stage == Stage::Taken).then(|| Stage::Until(Instant::now() + RECOVERY)));
    }

    /// The head of the response is here.
    pub fn response_began(&self) {
        let free_at = Instant::now() + REST_AFTER_RESPONSE;
        self.change(|stage| match stage {
            Stage::Until(earlier) if earlier <= free_at => None,
            _ => Some(Stage::Until(free_at)),
        });
    }

    /// Gives the slot back at once: no call was made with it.
    pub fn give_back(&self) {
        self.change(|_| Some(Stage::Free));
    }

    fn change(&self, change: impl FnOnce(Stage) -> Option<Stage>) {
        let Some(lane) = &self.lane else { return };
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if *stage == Stage::Free {
            return;
        }
        if let Some(new) = change(*stage) {
            lane.used().replace(self.id, *stage, new);
            *stage = new;
            lane.earlier.notify_one();
        }
    }
}

/// What happened to the request is not known, unless it was told.
impl Drop for Slot {
    fn drop(&mut self) {
        self.change(|stage| match stage {
            Stage::Taken | Stage::Connecting => Some(Stage::Until(Instant::now() + RECOVERY)),
            Stage::Until(_) | Stage::Free => None,
        });
    }
}

#[cfg(test)]
mod tests;
