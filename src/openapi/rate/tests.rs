//! Slots, with a clock that stands still until it is moved.

use super::*;
use crate::quota::{Edition, Table};

fn shared(calls: u32) -> Rate {
    Rate::Shared(NonZeroU32::new(calls).expect("not zero"))
}

fn limiter(calls: u32) -> RateLimiter {
    RateLimiter::new(shared(calls))
}

async fn after(ms: u64) {
    tokio::time::advance(Duration::from_millis(ms)).await;
}

fn free(limiter: &RateLimiter) -> usize {
    limiter.available_now(Access::Read)
}

#[tokio::test(start_paused = true)]
async fn no_sliding_second_sees_more_than_the_limit() {
    let limiter = limiter(5);
    let mut sent: Vec<Instant> = Vec::new();
    for call in 0..40_u64 {
        let slot = limiter.acquire(if call % 2 == 0 { Access::Read } else { Access::Write }).await;
        sent.push(Instant::now());
        slot.written();
        after(call * 13 % 50).await;
        slot.response_began();
    }
    for six in sent.windows(6) {
        assert!(six[5] - six[0] > Duration::from_secs(1), "{six:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_told_decides_when_a_slot_is_free() {
    type Told = fn(&Slot);
    type Case<'a> = (&'a [(Told, u64)], Option<u64>);
    let written: Told = Slot::written;
    let (connecting, handed_over, began): (Told, Told, Told) =
        (Slot::connecting, Slot::handed_over, Slot::response_began);
    // What is told, and after how many milliseconds the next; then how long the slot is kept from there.
    let cases: [Case<'_>; 13] = [
        (&[], None),
        (&[(connecting, 0)], None),
        (&[(written, 0)], Some(2_010)),
        (&[(handed_over, 0)], Some(2_010)),
        (&[(connecting, 0), (handed_over, 0)], None),
        (&[(connecting, 900), (written, 0)], Some(2_010)),
        (&[(connecting, 900), (began, 0)], Some(1_010)),
        (&[(written, 100), (began, 0)], Some(1_010)),
        (&[(written, 1_500), (began, 0)], Some(510)),
        (&[(written, 1_000), (began, 500)], Some(510)),
        (&[(handed_over, 5), (connecting, 0)], None),
        (&[(handed_over, 5), (connecting, 700), (written, 0)], Some(2_010)),
        (&[(written, 3_000), (began, 0)], Some(0)),
    ];
    for (number, (told, kept_ms)) in cases.into_iter().enumerate() {
        let limiter = limiter(1);
        let slot = limiter.try_acquire(Access::Read).expect("a slot is free");
        for (tell, then_ms) in told {
            tell(&slot);
            after(*then_ms).await;
        }
        match kept_ms {
            None => {
                after(3_600_000).await;
                assert_eq!(free(&limiter), 0, "case {number}");
                drop(slot);
                after(2_009).await;
                assert_eq!(free(&limiter), 0, "case {number}");
                after(1).await;
            }
            Some(0) => {}
            Some(kept_ms) => {
                after(kept_ms - 1).await;
                assert_eq!(free(&limiter), 0, "case {number}");
                after(1).await;
            }
        }
        assert_eq!(free(&limiter), 1, "case {number}");
        assert!(limiter.try_acquire(Access::Write).is_some(), "case {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_call_changes_nothing_of_what_is_known() {
    let limiter = limiter(1);
    let slot = limiter.try_acquire(Access::Read).expect("a slot is free");
    slot.written();
    after(2_000).await;
    drop(slot);
    after(10).await;
    assert_eq!(free(&limiter), 1);
}

#[tokio::test(start_paused = true)]
async fn reads_and_writes_may_be_counted_apart() {
    let limiter = RateLimiter::new(Table::May2026.of(Edition::Enterprise).rate);
    let reads: Vec<Slot> = (0..60).filter_map(|_| limiter.try_acquire(Access::Read)).collect();
    let writes: Vec<Slot> = (0..60).filter_map(|_| limiter.try_acquire(Access::Write)).collect();
    assert_eq!((reads.len(), writes.len()), (50, 20));
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_nobody_waits() {
    let limiter = RateLimiter::new(Rate::Unlimited);
    let mut slots = Vec::new();
    for _ in 0..10_000 {
        slots.push(limiter.acquire(Access::Read).await);
    }
    assert_eq!(free(&limiter), usize::MAX);
    assert!(limiter.try_acquire(Access::Write).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_made_no_call_is_free_at_once() {
    let limiter = limiter(5);
    for _ in 0..20 {
        let slot = limiter.try_acquire(Access::Read).expect("a slot is free");
        slot.connecting();
        slot.give_back();
        // It is over: what is told now is of no slot.
        slot.written();
    }
    let held: Vec<Slot> = (0..6).filter_map(|_| limiter.try_acquire(Access::Read)).collect();
    assert_eq!(held.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_served_in_order_and_may_give_up() {
    let limiter = Arc::new(limiter(5));
    for _ in 0..5 {
        limiter.acquire(Access::Read).await.response_began();
    }
    let given_up = tokio::time::timeout(Duration::from_millis(100), limiter.acquire(Access::Read)).await;
    assert!(given_up.is_err());

    let (send, mut order) = tokio::sync::mpsc::channel(8);
    for number in 0..5 {
        let (limiter, send) = (Arc::clone(&limiter), send.clone());
        tokio::spawn(async move {
            let slot = limiter.acquire(Access::Read).await;
            send.send(number).await.expect("the test listens");
            slot.response_began();
        });
        tokio::task::yield_now().await;
    }
    assert!(limiter.try_acquire(Access::Read).is_none(), "others wait");
    for number in 0..5 {
        assert_eq!(order.recv().await, Some(number));
    }
    assert!(limiter.try_acquire(Access::Read).is_none(), "all five slots rest");
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_woken_when_a_slot_is_free_earlier_than_it_seemed() {
    type Tell = fn(Slot);
    let began: Tell = |slot| slot.response_began();
    let given_back: Tell = |slot| slot.give_back();
    for (first, then, waited_ms) in [
        (Slot::written as fn(&Slot), began, 500 + 1_010),
        (Slot::written, given_back, 500),
        (Slot::connecting, began, 500 + 1_010),
        (Slot::connecting, given_back, 500),
        (Slot::connecting, drop::<Slot>, 500 + 2_010),
    ] {
        let limiter = Arc::new(limiter(1));
        let slot = limiter.acquire(Access::Read).await;
        first(&slot);
        let start = Instant::now();
        let waiting = {
            let limiter = Arc::clone(&limiter);
            tokio::spawn(async move {
                drop(limiter.acquire(Access::Read).await);
                Instant::now()
            })
        };
        tokio::task::yield_now().await;
        after(500).await;
        then(slot);
        let served = waiting.await.expect("no panic");
        assert_eq!((served - start).as_millis(), waited_ms);
    }
}

#[tokio::test(start_paused = true)]
async fn who_sleeps_until_a_time_that_no_longer_holds_waits_on() {
    let limiter = Arc::new(limiter(1));
    let slot = limiter.acquire(Access::Read).await;
    slot.written();
    let waiting = {
        let limiter = Arc::clone(&limiter);
        tokio::spawn(async move { drop(limiter.acquire(Access::Read).await) })
    };
    tokio::task::yield_now().await;
    // The idle connection was closed, and a new one takes its time.
    slot.connecting();
    after(60_000).await;
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    slot.written();
    waiting.await.expect("no panic");
}
