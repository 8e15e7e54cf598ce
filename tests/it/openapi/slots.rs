//! Slots of the limit: by what the endpoint can see, at a real connection.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use openeventd::openapi::Settings;
use openeventd::openapi::call::Client;
use openeventd::openapi::error::Class;
use openeventd::openapi::rate::{RateLimiter, RateLimits};
use openeventd::operation::Access;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{account, rerun_with, secrets, settings};
use crate::endpoint::{DataWorksDouble, Reply};

fn limiter(calls: u32) -> Arc<RateLimiter> {
    Arc::new(RateLimiter::new(RateLimits::Shared(NonZeroU32::new(calls).expect("not zero"))))
}

/// Makes calls, each with its slot, and leaves them running.
struct Calls {
    client: Arc<Client>,
    limiter: Arc<RateLimiter>,
    url: String,
    running: JoinSet<Option<Class>>,
}

impl Calls {
    fn new(settings: &Settings, limit: u32, url: &str) -> Self {
        let client = Arc::new(Client::new(settings).expect("a client"));
        Calls { client, limiter: limiter(limit), url: url.into(), running: JoinSet::new() }
    }

    /// Starts a call as soon as there is a slot for it.
    async fn start(&mut self) {
        let slot = self.limiter.acquire(Access::Write).await;
        let (client, account) = (Arc::clone(&self.client), account(&self.url));
        self.running.spawn(async move {
            let outcome = rerun_with(&client, &account, &secrets(), slot).await;
            outcome.err().map(|error| error.class())
        });
    }

    async fn end(&mut self) -> Option<Class> {
        self.running.join_next().await.expect("a call runs").expect("no panic")
    }
}

#[tokio::test]
async fn the_endpoint_never_sees_more_than_the_limit_in_any_second() {
    let double = DataWorksDouble::replying([]).await;
    let mut calls = Calls::new(&settings(), 5, &double.url);
    for _ in 0..16 {
        calls.start().await;
    }
    while !calls.running.is_empty() {
        assert_eq!(calls.end().await, None);
    }
    let mut arrivals: Vec<_> = double.received().iter().map(|request| request.at).collect();
    arrivals.sort_unstable();
    assert_eq!(arrivals.len(), 16);
    for six in arrivals.windows(6) {
        assert!(six[5] - six[0] > Duration::from_secs(1), "{six:?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_takes_its_time_does_not_keep_the_slots() {
    let double = DataWorksDouble::replying((0..4).map(|number| match number {
        0 => Reply::success(),
        _ => Reply::Hang,
    }))
    .await;
    let mut calls = Calls::new(&settings(), 3, &double.url);
    // Leaves an idle connection, over which the next call goes; the ones after it make their own.
    calls.start().await;
    assert_eq!(calls.end().await, None);
    for _ in 0..3 {
        calls.start().await;
    }
    double.wait_for(4).await;
    calls.start().await;
    assert_eq!(calls.end().await, None, "the first that ends is the last that was sent");
    assert_eq!(calls.running.len(), 3, "the others still wait");
    let received = double.received();
    assert_eq!(received[1].connection, 0, "the idle connection was used");
    assert!(received[4].at - received[1].at > Duration::from_secs(1));
}

#[tokio::test]
async fn while_a_connection_is_being_made_its_slot_is_kept_and_without_one_it_is_given_back() {
    // Takes connections and never answers, so that TLS never begins.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    let url = format!("https://{}", listener.local_addr().expect("a bound address"));
    let patient = Settings { connect_timeout: Duration::from_millis(2_500), ..settings() };
    let mut calls = Calls::new(&patient, 1, &url);
    calls.start().await;
    let limiter = Arc::clone(&calls.limiter);
    tokio::select! {
        // The end of the call gives the slot back, so both are ready then.
        biased;
        class = calls.end() => assert_eq!(class, Some(Class::Unreachable)),
        _ = limiter.acquire(Access::Write) => panic!("nothing was written, and nothing has ended"),
    }
    assert!(limiter.try_acquire(Access::Write).is_some(), "nothing was sent");
}

#[tokio::test]
async fn what_cannot_be_sent_gives_its_slot_back() {
    let mut calls = Calls::new(&settings(), 1, "http://dataworks.example.com");
    for _ in 0..3 {
        calls.start().await;
        assert_eq!(calls.end().await, Some(Class::Unsendable));
        assert_eq!(calls.limiter.available_now(Access::Write), 1);
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_keeps_its_slot_for_a_while() {
    let double = DataWorksDouble::replying([Reply::Hang]).await;
    let mut calls = Calls::new(&settings(), 1, &double.url);
    calls.start().await;
    double.wait_for(1).await;
    calls.running.shutdown().await;
    assert_eq!(calls.limiter.available_now(Access::Write), 0);
    calls.start().await;
    assert_eq!(calls.end().await, None);
    let received = double.received();
    assert!(received[1].at - received[0].at > Duration::from_secs(1));
}
