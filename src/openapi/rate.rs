//! The limit of calls per second, by edition.
//!
//! A slot is taken before a call is claimed and recovers one second after its call has ended. So the
//! endpoint, by its own clock, never sees more than the limit in any sliding second: two calls on one
//! slot are apart by the whole second between the first one's response and the second one's sending. A
//! bucket that refills by the sender's clock could pass nearly twice the limit. Waiting is fair (first
//! come, first served) and may be given up at any time. Daily and monthly budgets are not kept here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use crate::operation::Access;
use crate::quota::Rate;

/// How long a used slot rests: the limit's second, and a little for clocks that run apart.
pub const RECOVERY: Duration = Duration::from_millis(1_010);

/// The limiter of one account and region.
#[derive(Debug)]
pub struct RateLimiter {
    reads: Arc<Lane>,
    writes: Arc<Lane>,
}

/// The slots that one class of calls shares.
#[derive(Debug)]
struct Lane {
    /// One permit for each slot that is not held by a call.
    idle: Arc<Semaphore>,
    /// When each of the idle slots has recovered, the earliest first.
    recovered_at: Mutex<VecDeque<Instant>>,
    /// Whoever waits for a slot to recover holds this; the others queue for it in order.
    turn: tokio::sync::Mutex<()>,
}

/// Leave for one call. Dropped when the call has ended; it then recovers.
#[derive(Debug)]
pub struct Slot {
    lane: Arc<Lane>,
    use_made: Use,
    /// Returned to the lane after `drop` has noted the time of recovery.
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug, Clone, Copy)]
enum Use {
    Call,
    None,
}

impl RateLimiter {
    /// The limiter of these calls a second.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        match rate {
            Rate::Shared(calls) => {
                let shared = Lane::new(usize::try_from(calls.get()).unwrap_or(1));
                RateLimiter { reads: Arc::clone(&shared), writes: shared }
            }
            Rate::Unlimited => {
                let shared = Lane::new(100_000);
                RateLimiter { reads: Arc::clone(&shared), writes: shared }
            }
            Rate::Apart { reads, writes } => RateLimiter {
                reads: Lane::new(usize::try_from(reads.get()).unwrap_or(1)),
                writes: Lane::new(usize::try_from(writes.get()).unwrap_or(1)),
            },
        }
    }

    /// Waits for a slot.
    pub async fn acquire(&self, access: Access) -> Slot {
        let lane = self.lane(access);
        let _turn = lane.turn.lock().await;
        let permit = match Arc::clone(&lane.idle).acquire_owned().await {
            Ok(permit) => permit,
            // The semaphore is never closed; should that change, waiting is the safe side.
            Err(_) => std::future::pending().await,
        };
        // The time is taken out only after the wait: one who gives up waiting leaves it in place.
        let recovered_at = lane.times().front().copied().unwrap_or_else(Instant::now);
        sleep_until(recovered_at).await;
        lane.times().pop_front();
        Slot { lane: Arc::clone(lane), use_made: Use::Call, _permit: permit }
    }

    /// A slot, if one is free now and nobody waits for it.
    #[must_use]
    pub fn try_acquire(&self, access: Access) -> Option<Slot> {
        let lane = self.lane(access);
        let _turn = lane.turn.try_lock().ok()?;
        let permit = Arc::clone(&lane.idle).try_acquire_owned().ok()?;
        let mut times = lane.times();
        if times.front().is_some_and(|recovered_at| *recovered_at > Instant::now()) {
            return None;
        }
        times.pop_front();
        Some(Slot { lane: Arc::clone(lane), use_made: Use::Call, _permit: permit })
    }

    fn lane(&self, access: Access) -> &Arc<Lane> {
        match access {
            Access::Read => &self.reads,
            Access::Write => &self.writes,
        }
    }
}

impl Lane {
    fn new(slots: usize) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Lane {
            idle: Arc::new(Semaphore::new(slots)),
            recovered_at: Mutex::new(std::iter::repeat_n(now, slots).collect()),
            turn: tokio::sync::Mutex::new(()),
        })
    }

    /// Each change of the list is whole by itself, so a holder's panic leaves it usable.
    fn times(&self) -> MutexGuard<'_, VecDeque<Instant>> {
        self.recovered_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Gives the slot back at once: no call was made with it.
    pub fn give_back(mut self) {
        self.use_made = Use::None;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut times = self.lane.times();
        match self.use_made {
            Use::Call => times.push_back(now + RECOVERY),
            Use::None => times.push_front(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::{Edition, Table};

    #[tokio::test(start_paused = true)]
    async fn no_sliding_second_sees_more_than_the_limit() {
        let limiter = RateLimiter::new(Table::May2026.of(Edition::Professional).rate);
        let mut sent: Vec<Instant> = Vec::new();
        for call in 0..40_u64 {
            let slot = limiter.acquire(if call % 2 == 0 { Access::Read } else { Access::Write }).await;
            sent.push(Instant::now());
            tokio::time::advance(Duration::from_millis(call * 13 % 50)).await;
            drop(slot);
        }
        for six in sent.windows(6) {
            assert!(six[5] - six[0] > Duration::from_secs(1), "{six:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_rests_a_second_after_its_call_has_ended() {
        let limiter = RateLimiter::new(Table::May2026.of(Edition::Basic).rate);
        let slots: Vec<Slot> = (0..5).filter_map(|_| limiter.try_acquire(Access::Read)).collect();
        assert_eq!(slots.len(), 5);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(limiter.try_acquire(Access::Write).is_none(), "all five calls still run");
        drop(slots);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(limiter.try_acquire(Access::Read).is_none(), "the slots still rest");
        tokio::time::advance(Duration::from_millis(20)).await;
        assert!(limiter.try_acquire(Access::Read).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn enterprise_counts_reads_and_writes_apart() {
        let limiter = RateLimiter::new(Table::May2026.of(Edition::Enterprise).rate);
        let reads: Vec<Slot> = (0..60).filter_map(|_| limiter.try_acquire(Access::Read)).collect();
        let writes: Vec<Slot> = (0..60).filter_map(|_| limiter.try_acquire(Access::Write)).collect();
        assert_eq!((reads.len(), writes.len()), (50, 20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_that_made_no_call_is_free_at_once() {
        let limiter = RateLimiter::new(Table::May2026.of(Edition::Standard).rate);
        for _ in 0..20 {
            limiter.try_acquire(Access::Read).expect("a slot is free").give_back();
        }
        let held: Vec<Slot> = (0..6).filter_map(|_| limiter.try_acquire(Access::Read)).collect();
        assert_eq!(held.len(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_served_in_order_and_may_give_up() {
        let limiter = Arc::new(RateLimiter::new(Table::May2026.of(Edition::Basic).rate));
        for _ in 0..5 {
            drop(limiter.acquire(Access::Read).await);
        }
        let given_up = tokio::time::timeout(Duration::from_millis(100), limiter.acquire(Access::Read)).await;
        assert!(given_up.is_err());

        let (send, mut order) = tokio::sync::mpsc::channel(8);
        for number in 0..5 {
            let (limiter, send) = (Arc::clone(&limiter), send.clone());
            tokio::spawn(async move {
                let slot = limiter.acquire(Access::Read).await;
                send.send(number).await.expect("the test listens");
                drop(slot);
            });
            tokio::task::yield_now().await;
        }
        for number in 0..5 {
            assert_eq!(order.recv().await, Some(number));
        }
        assert!(limiter.try_acquire(Access::Read).is_none(), "all five slots rest");
    }
}
