//! A part of the running daemon: its task, and its result, which is taken once.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::SuperviseError;
use crate::ingest::Polling;
use crate::kafka::Consumer;

/// A part at work.
#[derive(Debug)]
pub(super) struct Part<E> {
    name: &'static str,
    /// `None` once the result was taken.
    task: Option<JoinHandle<Result<(), E>>>,
}

impl<E: Into<SuperviseError>> Part<E> {
    pub(super) fn new(name: &'static str, task: JoinHandle<Result<(), E>>) -> Self {
        Part { name, task: Some(task) }
    }

    /// Waits until it fails; a part that ends before it was told to has failed as well.
    pub(super) async fn failed(&mut self) -> SuperviseError {
        match self.ended().await {
            Ok(()) => SuperviseError::Ended { part: self.name },
            Err(error) => error,
        }
    }

    /// Waits for its end; later than `deadline` it is left to the next start.
    pub(super) async fn ended_by(&mut self, deadline: Instant) -> Result<(), SuperviseError> {
        if self.task.is_none() {
            return Ok(());
        }
        if let Ok(result) = tokio::time::timeout_at(deadline, self.ended()).await {
            return result;
        }
        let part = self.name;
        tracing::warn!(part, "did not end in time: what it had in flight is recovered at the next start");
        if let Some(task) = self.task.take() {
            task.abort();
        }
        Ok(())
    }

    async fn ended(&mut self) -> Result<(), SuperviseError> {
        let Some(task) = &mut self.task else { return std::future::pending().await };
        let result = task.await;
        self.task = None;
        result.map_err(|_| SuperviseError::Ended { part: self.name })?.map_err(Into::into)
    }
}

/// Polls on a thread of its own and leaves the group from there.
pub(super) fn poll_on_a_thread(
    polling: Polling,
    consumer: Arc<Consumer>,
    stop_timeout: Duration,
) -> Result<JoinHandle<Result<(), SuperviseError>>, SuperviseError> {
    let (done, finished) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("intake".into())
        .spawn(move || {
            let polled = polling.run();
            let left = consumer.close(stop_timeout / 2);
            // Nobody waits any more when the stop took too long.
            let _ = done.send(polled.and(left));
        })
        .map_err(SuperviseError::Thread)?;
    Ok(tokio::spawn(async move {
        match finished.await {
            Ok(result) => result.map_err(Into::into),
            Err(_) => Err(SuperviseError::Ended { part: "polling" }),
        }
    }))
}
