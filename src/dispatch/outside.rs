//! Slots for calls that people make beside the daemon: each takes one of the account's, from its grant until
//! it has ended and cannot count any more.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Lane, Shared};
use crate::openapi::rate::Slot;
use crate::store::StoreError;
use crate::store::outbox::outside::OutsideCall;
use crate::store::retries::Work;

/// Between two looks for such calls.
const LOOK_AGAIN: Duration = Duration::from_millis(300);

/// Grants slots of one account until `stop` turns true.
///
/// # Errors
/// The database refuses for good.
pub(super) async fn run(
    shared: Arc<Shared>,
    lane: Arc<Lane>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let mut held = HashMap::new();
    while !*stop.borrow() {
        let stepped = tokio::select! {
            stepped = step(&shared, &lane, &mut held) => stepped,
            _ = stop.changed() => break,
        };
        match stepped {
            Ok(()) => shared.writer.retries().over(Work::Grant, &lane.account.name),
            Err(error) if error.is_passing() => {
                shared.writer.retries().failed(Work::Grant, &lane.account.name, &error);
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            _ = stop.changed() => {}
        }
    }
    Ok(())
}

/// Frees the slots of calls that have ended, and grants new ones.
async fn step(shared: &Shared, lane: &Lane, held: &mut HashMap<i64, Slot>) -> Result<(), StoreError> {
    for call in free(shared, lane, held).await? {
        if held.contains_key(&call.id) {
            continue;
        }
        let acquired = lane.limiter.acquire(call.access);
        tokio::pin!(acquired);
        // The slots may all be held for calls like it: those that end meanwhile make room.
        let slot = loop {
            tokio::select! {
                slot = &mut acquired => break slot,
                () = tokio::time::sleep(LOOK_AGAIN) => drop(free(shared, lane, held).await?),
            }
        };
        shared.writer.grant(call.id, (shared.now_ms)()).await?;
        slot.connecting();
        held.insert(call.id, slot);
    }
    Ok(())
}

/// Frees the slots of calls that have ended, and gives the others.
async fn free(
    shared: &Shared,
    lane: &Lane,
    held: &mut HashMap<i64, Slot>,
) -> Result<Vec<OutsideCall>, StoreError> {
    let (account, region) = (lane.account.name.clone(), lane.account.region.clone());
    let open = shared.writer.outside_calls(account, region, (shared.now_ms)()).await?;
    // What is dropped rests as after any call of which only the end is known.
    held.retain(|id, _| open.iter().any(|call| call.id == *id));
    Ok(open)
}
