//! Learns when a request is written, of which the HTTP client says nothing: a layer around its connector,
//! and a look after the first poll of the request's execution.
//!
//! # Why this holds
//!
//! The client's pool (`hyper-util`, `client::legacy`) polls two futures in the task that executes the
//! request: first the checkout of an idle connection, then the making of a new one, which calls the
//! connector in that same poll. So after the first poll one of three is true:
//! - The connector was not called: an idle connection was there, and the request went to it.
//! - It was called, and its connection stands while our task polls: the request goes over it. (Between the
//!   two lies the start of the connection's own task, in which a connection that became idle may still
//!   take the request: that is moments later, never earlier.)
//! - It was called, and another connection became idle first: the request goes over that one, and the rest
//!   of the connecting moves into a task of its own, where [`SLOT`] does not exist. So nothing is noted,
//!   and the slot stays as it was: not known to be written.
//!
//! A request that found its idle connection closed before a byte was written starts over, and may then call
//! the connector: the slot is told that it is not written after all. What the connector gives has its TLS
//! and its proxy's tunnel behind it. Until the first byte is written there is nothing but the two tasks.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::rate::Slot;

tokio::task_local! {
    /// The slot of the request that this task executes.
    static SLOT: Arc<Slot>;
}

/// Runs `execution`, and tells `slot` what becomes of its request until the response begins.
pub(super) async fn watch<F: Future>(slot: Arc<Slot>, execution: F) -> F::Output {
    let watched = async {
        let mut execution = pin!(execution);
        let mut is_first = true;
        poll_fn(|context| {
            let polled = execution.as_mut().poll(context);
            if std::mem::take(&mut is_first) && polled.is_pending() {
                let _outside = SLOT.try_with(|slot| slot.handed_over());
            }
            polled
        })
        .await
    };
    SLOT.scope(slot, watched).await
}

/// The layer around the connector.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noting;

impl<S> Layer<S> for Noting {
    type Service = Noted<S>;

    fn layer(&self, connector: S) -> Noted<S> {
        Noted { connector }
    }
}

/// A connector that notes when it is called and when its connection stands.
#[derive(Debug, Clone)]
pub(super) struct Noted<S> {
    connector: S,
}

impl<S, R> Service<R> for Noted<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let _outside = SLOT.try_with(|slot| slot.connecting());
        let connecting = self.connector.call(request);
        Box::pin(async move {
            let connection = connecting.await?;
            // Not in a task of its own: there the connection is for later requests.
            let _outside = SLOT.try_with(|slot| slot.written());
            Ok(connection)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::num::NonZeroU32;
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::advance;

    use super::*;
    use crate::openapi::rate::RateLimiter;
    use crate::operation::Access;
    use crate::quota::Rate;

    /// A connector whose connection stands when it is told.
    #[derive(Clone)]
    struct Told;

    impl Service<oneshot::Receiver<()>> for Told {
        type Response = ();
        type Error = Infallible;
        type Future = Pin<Box<dyn Future<Output = Result<(), Infallible>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, told: oneshot::Receiver<()>) -> Self::Future {
            Box::pin(async move {
                told.await.expect("the test tells it");
                Ok(())
            })
        }
    }

    fn one_slot() -> (RateLimiter, Arc<Slot>) {
        let limiter = RateLimiter::new(Rate::Shared(NonZeroU32::MIN));
        let slot = limiter.try_acquire(Access::Read).expect("a slot is free");
        (limiter, Arc::new(slot))
    }

    fn is_free(limiter: &RateLimiter) -> bool {
        limiter.available_now(Access::Read) == 1
    }

    async fn after(ms: u64) {
        advance(Duration::from_millis(ms)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn over_an_idle_connection_a_request_is_written_at_once() {
        let (limiter, slot) = one_slot();
        let execution = tokio::spawn(watch(Arc::clone(&slot), std::future::pending::<()>()));
        tokio::task::yield_now().await;
        after(2_000).await;
        assert!(!is_free(&limiter));
        after(20).await;
        assert!(is_free(&limiter), "the endpoint takes its time, and the slot is free");
        execution.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn over_a_new_connection_it_is_written_when_that_stands() {
        let (limiter, slot) = one_slot();
        let (tell, told) = oneshot::channel();
        let execution = async {
            let _ready = Noting.layer(Told).call(told).await;
            std::future::pending::<()>().await;
        };
        let execution = tokio::spawn(watch(Arc::clone(&slot), execution));
        tokio::task::yield_now().await;
        after(60_000).await;
        assert!(!is_free(&limiter), "nothing was written yet");
        tell.send(()).expect("the connector waits");
        tokio::task::yield_now().await;
        after(2_000).await;
        assert!(!is_free(&limiter));
        after(20).await;
        assert!(is_free(&limiter));
        execution.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_finished_elsewhere_says_nothing_of_the_request() {
        let (limiter, slot) = one_slot();
        let (tell, told) = oneshot::channel();
        let execution = async {
            let mut connecting = Noting.layer(Told).call(told);
            // As the pool does: begun in this task, and left to another one.
            poll_fn(|context| {
                assert!(connecting.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            tokio::spawn(connecting);
            std::future::pending::<()>().await;
        };
        let execution = tokio::spawn(watch(Arc::clone(&slot), execution));
        tokio::task::yield_now().await;
        tell.send(()).expect("the connector waits");
        tokio::task::yield_now().await;
        after(60_000).await;
        assert!(!is_free(&limiter), "only the response or the end frees it");
        slot.response_began();
        after(1_020).await;
        assert!(is_free(&limiter));
        execution.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_starts_over_is_not_written_until_its_new_connection_stands() {
        let (limiter, slot) = one_slot();
        let (tell, told) = oneshot::channel();
        let execution = async {
            // The idle connection turns out to be closed.
            tokio::task::yield_now().await;
            let _ready = Noting.layer(Told).call(told).await;
            std::future::pending::<()>().await;
        };
        let execution = tokio::spawn(watch(Arc::clone(&slot), execution));
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        after(60_000).await;
        assert!(!is_free(&limiter));
        tell.send(()).expect("the connector waits");
        tokio::task::yield_now().await;
        after(2_020).await;
        assert!(is_free(&limiter));
        execution.abort();
    }
}
