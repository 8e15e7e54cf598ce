//! From the due action to its settled outcome.
//!
//! Each account has lanes, one for each limit of its edition. A lane waits for a slot, claims as many
//! due actions as it has slots, and calls them concurrently; every call ends in one settle. Nothing is
//! sent without a durable attempt, and no lock or transaction is held while a call is on its way.
//!
//! Next: [`crate::upkeep`].

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::duration::whole_ms;
use crate::monitoring::Metrics;
use crate::openapi::call::Client;
use crate::openapi::rate::{RateLimiter, Slot};
use crate::openapi::{Account, Secrets};
use crate::operation::Access;
use crate::rule::Policy;
use crate::store::outbox::lookup::Due;
use crate::store::outbox::{Claimed, Claims, Wanted};
use crate::store::retries::Work;
use crate::store::{StoreError, Writer};

pub mod judge;

mod attempt;

mod breaker;

mod outside;

mod parked;

mod verify;

pub use crate::store::outbox::lookup::Lookups;

/// How calls are tried.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Calls in flight at once, over all accounts.
    pub concurrency: usize,
    /// How long a claim holds; longer than a whole attempt.
    pub lease: Duration,
    /// When an action is given up, and how long it waits between attempts.
    pub retry: judge::Retry,
    /// Whether lost calls are looked up.
    pub lookups: Lookups,
}

/// Attempts that this process has in flight: the sweep leaves them alone.
#[derive(Debug, Clone, Default)]
pub struct Alive(Arc<Mutex<HashSet<i64>>>);

impl Alive {
    /// The attempts in flight now.
    #[must_use]
    pub fn snapshot(&self) -> HashSet<i64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn insert(&self, attempt: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(attempt);
    }

    fn remove(&self, attempt: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&attempt);
    }
}

/// What all calls share.
#[derive(Debug)]
pub struct Shared {
    /// Where attempts are claimed and settled.
    pub writer: Writer,
    /// What sends.
    pub client: Client,
    /// What templates may name, and what is scrubbed.
    pub secrets: Secrets,
    /// What may be called; checked again at the claim, since it may have changed since the plan.
    pub policy: Policy,
    /// How calls are tried.
    pub settings: Settings,
    /// Attempts in flight.
    pub alive: Alive,
    /// What is failing, and what was told of it.
    pub watch: Watch,
    /// Told when an action became due or a call ended.
    pub changed: Arc<Notify>,
    /// Where attempts are counted.
    pub metrics: Arc<Metrics>,
    /// Milliseconds since 1970.
    pub now_ms: fn() -> i64,
}

/// What calls have shown so far: endpoints that fail, and what is parked.
#[derive(Debug, Default)]
pub struct Watch {
    breakers: breaker::Breakers,
    told: parked::Told,
}

/// With nothing known to become due, lanes look again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// One limit of one account.
#[derive(Debug)]
struct Lane {
    account: Arc<Account>,
    access: Option<Access>,
    limiter: Arc<RateLimiter>,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = self.access.map_or("calls", Access::as_str);
        write!(f, "{} {access}", self.account.name)
    }
}

impl Lane {
    /// What it wants of the outbox.
    fn wanted(&self, settings: &Settings, limit: usize) -> Wanted {
        Wanted {
            account: self.account.name.clone(),
            region: self.account.region.clone(),
            budget: self.account.budget,
            access: self.access,
            limit,
            lease_ms: whole_ms(settings.lease),
            repeat_within_ms: whole_ms(settings.retry.repeat_within),
        }
    }
}

/// Calls due actions of all accounts until `stop` turns true, then waits for the calls in flight.
///
/// # Errors
/// The database refuses for good.
pub async fn run(
    shared: Arc<Shared>,
    accounts: Vec<Arc<Account>>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let concurrency = Arc::new(Semaphore::new(shared.settings.concurrency));
    wait_for_earlier_calls(&shared).await?;
    let mut lanes = JoinSet::new();
    for lanes_of_account in accounts.iter().map(lanes_of) {
        // Beside them, lost calls are looked up and people call: all of it takes slots of the account.
        if let Some(first) = lanes_of_account.first() {
            lanes.spawn(verify::run(Arc::clone(&shared), Arc::clone(first), stop.clone()));
            lanes.spawn(outside::run(Arc::clone(&shared), Arc::clone(first), stop.clone()));
        }
        for lane in lanes_of_account {
            lanes.spawn(run_lane(Arc::clone(&shared), lane, Arc::clone(&concurrency), stop.clone()));
        }
    }
    if lanes.is_empty() {
        // Without an account nothing is called, and the intake goes on. An error is a sender that is gone.
        let _stopped = stop.wait_for(|stop| *stop).await;
    }
    while let Some(ended) = lanes.join_next().await {
        // A panic of a lane is a bug: the whole daemon stops rather than leave an account silent.
        ended.map_err(|_| StoreError::Closed)??;
    }
    Ok(())
}

/// Looks up the lost calls of `accounts` that people asked for, each once, and nothing else: for where no
/// daemon runs.
///
/// # Errors
/// The database refuses; what was not looked up is still asked for.
pub async fn verify_all(shared: &Shared, accounts: &[Arc<Account>]) -> Result<(), StoreError> {
    wait_for_earlier_calls(shared).await?;
    for account in accounts {
        if let Some(lane) = lanes_of(account).first() {
            while verify::step(shared, lane, Due::Asked).await? > 0 {}
        }
    }
    Ok(())
}

/// The limits of an account's edition.
fn lanes_of(account: &Arc<Account>) -> Vec<Arc<Lane>> {
    let limiter = Arc::new(RateLimiter::new(account.budget.rate()));
    account
        .budget
        .classes()
        .iter()
        .map(|access| Lane { account: Arc::clone(account), access: *access, limiter: Arc::clone(&limiter) })
        .map(Arc::new)
        .collect()
}

/// Calls of an earlier run may still count in the server's second.
async fn wait_for_earlier_calls(shared: &Shared) -> Result<(), StoreError> {
    let rest_ms = whole_ms(crate::openapi::rate::RECOVERY);
    if let Some(last_ms) = shared.writer.last_sent().await? {
        let left_ms = last_ms.saturating_add(rest_ms).saturating_sub((shared.now_ms)()).clamp(0, rest_ms);
        tokio::time::sleep(Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))).await;
    }
    Ok(())
}

async fn run_lane(
    shared: Arc<Shared>,
    lane: Arc<Lane>,
    concurrency: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let mut calls = JoinSet::new();
    while !*stop.borrow() {
        let changed = shared.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let leave = tokio::select! {
            leave = leave_to_call(&lane, &concurrency) => leave,
            _ = stop.changed() => break,
        };
        let (called, next_due_ms) = step(&shared, &lane, leave, &mut calls).await?;
        while calls.try_join_next().is_some() {}
        if called == 0 {
            let pause = pause(&shared, next_due_ms);
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => {}
            }
        }
    }
    while calls.join_next().await.is_some() {}
    Ok(())
}

/// Leave for one call: a slot of the limit and a share of the concurrency.
type Leave = (Slot, OwnedSemaphorePermit);

/// Waits for leave to make one call, then takes what more there is at once.
async fn leave_to_call(lane: &Lane, concurrency: &Arc<Semaphore>) -> Vec<Leave> {
    let access = lane.access.unwrap_or(Access::Write);
    let (slot, permit) = loop {
        // The slot first: a lane that waits for its limit must not keep the others from calling.
        let slot = lane.limiter.acquire(access).await;
        // Nor keep it for long: the calls that have all of the concurrency may wait for the only slot.
        match tokio::time::timeout(LOOK_AGAIN, Arc::clone(concurrency).acquire_owned()).await {
            Ok(Ok(permit)) => break (slot, permit),
            Ok(Err(_)) => return Vec::new(),
            Err(_) => slot.give_back(),
        }
    };
    let mut leave = vec![(slot, permit)];
    while let Ok(permit) = Arc::clone(concurrency).try_acquire_owned() {
        let Some(slot) = lane.limiter.try_acquire(access) else { break };
        leave.push((slot, permit));
    }
    leave
}

/// Claims as many actions as there is leave for, and starts their calls; gives how many, and when the next
/// is due.
async fn step(
    shared: &Arc<Shared>,
    lane: &Arc<Lane>,
    leave: Vec<Leave>,
    calls: &mut JoinSet<()>,
) -> Result<(usize, Option<i64>), StoreError> {
    let wanted = lane.wanted(&shared.settings, leave.len());
    let claims = match shared.writer.claim(wanted, (shared.now_ms)()).await {
        Ok(claims) => {
            shared.writer.retries().over(Work::Claim, lane.as_ref());
            shared.watch.told.account(&lane.account.name, claims.parked.as_ref());
            claims
        }
        Err(error) if error.is_passing() => {
            shared.writer.retries().failed(Work::Claim, lane.as_ref(), &error);
            Claims::default()
        }
        Err(error) => return Err(error),
    };
    let Claims { claimed, next_due_ms, .. } = claims;
    let count = claimed.len();
    let mut leave = leave.into_iter();
    for action in claimed {
        let Some((slot, permit)) = leave.next() else { break };
        start(shared, lane, action, slot, permit, calls);
    }
    for (slot, _permit) in leave {
        slot.give_back();
    }
    Ok((count, next_due_ms))
}

fn start(
    shared: &Arc<Shared>,
    lane: &Arc<Lane>,
    action: Claimed,
    slot: Slot,
    permit: OwnedSemaphorePermit,
    calls: &mut JoinSet<()>,
) {
    shared.alive.insert(action.attempt);
    let (shared, lane) = (Arc::clone(shared), Arc::clone(lane));
    calls.spawn(async move {
        let attempt = action.attempt;
        attempt::run(&shared, &lane, action, slot).await;
        drop(permit);
        shared.alive.remove(attempt);
        shared.changed.notify_waiters();
    });
}

/// How long the lane may rest: until something is due, or for a while.
fn pause(shared: &Shared, next_due_ms: Option<i64>) -> Duration {
    // What is due and was not claimed waits for an earlier action of its key, which will notify us.
    let left = next_due_ms.map(|due| due.saturating_sub((shared.now_ms)())).filter(|left| *left > 0);
    let until = left.and_then(|left| u64::try_from(left).ok()).map(Duration::from_millis);
    until.map_or(LOOK_AGAIN, |until| until.min(LOOK_AGAIN))
}
