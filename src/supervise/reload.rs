//! A reload of the rules beside everything else: the directory is read on a thread of its own.
//!
//! A directory that hangs (a file server that is gone) must keep neither signals nor the watchdog waiting.
//! One reload runs at a time; one more that is asked for meanwhile is remembered, once.

use std::sync::Arc;

use tokio::task::{JoinHandle, JoinSet, spawn_blocking};

use super::service::Reloading;
use super::{Parts, SuperviseError, rules};
use crate::diagnostic::Diagnostic;
use crate::monitoring::Board;
use crate::rule::parse::Parsed;
use crate::store::accept::Deciding;
use crate::store::{StoreError, Writer};

/// What a reload came to.
pub(super) enum Reloaded {
    /// Batches can be decided by these rules.
    Read(Deciding),
    /// The directory has errors.
    Wrong(Vec<Diagnostic>),
    /// The rules are right, and could not be kept.
    NotKept(StoreError),
}

/// What a reload needs of the running daemon; a clone is the same.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) parts: Arc<Parts>,
    pub(super) writer: Writer,
    pub(super) configuration: i64,
    pub(super) board: Arc<Board>,
}

/// The reload that runs, if one does. Dropped, it is not waited for.
pub(super) struct Reloads {
    source: Source,
    running: JoinSet<Result<Reloaded, SuperviseError>>,
    notified: Option<Reloading>,
    once_more: Asked,
}

/// Whether another reload was asked for while one runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Yes,
    No,
}

impl Reloads {
    pub(super) fn of(source: Source) -> Self {
        Reloads { source, running: JoinSet::new(), notified: None, once_more: Asked::No }
    }

    /// Begins to reload, or remembers it until the one that runs has ended.
    pub(super) fn ask(&mut self) {
        if self.running.is_empty() {
            self.notified = Some(Reloading::begin(&self.source.board));
            let source = self.source.clone();
            self.running.spawn(reload(source));
        } else {
            self.once_more = Asked::Yes;
        }
    }

    /// Waits until the reload that runs was read, for ever if none does.
    pub(super) async fn read(&mut self) -> Result<Reloaded, SuperviseError> {
        match self.running.join_next().await {
            Some(Ok(reloaded)) => reloaded,
            Some(Err(_)) => Err(SuperviseError::Ended { part: "the reload" }),
            None => std::future::pending().await,
        }
    }

    /// What was read is in force, or not: tells that it is over, and begins the next if one was asked for.
    pub(super) fn done(&mut self) {
        if let Some(notified) = self.notified.take() {
            notified.end(&self.source.board);
        }
        if std::mem::replace(&mut self.once_more, Asked::No) == Asked::Yes {
            self.ask();
        }
    }
}

async fn reload(source: Source) -> Result<Reloaded, SuperviseError> {
    let parts = Arc::clone(&source.parts);
    let reading: JoinHandle<Parsed> = spawn_blocking(move || (parts.read_rules)());
    let read = reading.await.map_err(|_| SuperviseError::Ended { part: "the reload" })?;
    let rules = match read {
        Ok((rules, _warnings)) => rules,
        Err(problems) => return Ok(Reloaded::Wrong(problems)),
    };
    match rules::deciding(&source.parts, rules, source.configuration, &source.writer).await {
        Ok(deciding) => Ok(Reloaded::Read(deciding)),
        Err(error) if error.is_passing() => Ok(Reloaded::NotKept(error)),
        Err(error) => Err(error.into()),
    }
}
