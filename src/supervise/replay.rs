//! Replays without a daemon: the same steps over the same database, and nothing else.
//!
//! Whoever calls it owns the store, so no daemon can be at work. Rules and configuration are kept as a start
//! keeps them, since decisions name them. Nothing is called: what is planned waits for the next start.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

use super::part::Part;
use super::{Parts, SuperviseError, rules};
use crate::clock::now_ms;
use crate::ingest::Gate;
use crate::ingest::replaying::Replaying;
use crate::monitoring::Metrics;
use crate::store::daemon::RulesCondition;
use crate::store::identity::Remaining;
use crate::store::{Store, StoreError, Writer};
use crate::upkeep::free_bytes;

/// Replays everything that is asked for, and tells which rules decided.
///
/// # Errors
/// [`SuperviseError`]; what was not replayed is still asked for.
pub async fn all(mut parts: Parts, store: Store) -> Result<RulesCondition, SuperviseError> {
    let (first, condition) = rules::first(&parts, &store).await?;
    let (writer, positions, closing) = store.into_writer(now_ms()).await?;
    let mut writing = Part::new("the writer", tokio::spawn(closing.run()));
    drop(positions);
    let replayed = steps(&mut parts, first, writer).await;
    let written = writing.ended_by(tokio::time::Instant::now() + parts.stop_timeout).await;
    replayed.and(written).map(|()| condition)
}

async fn steps(parts: &mut Parts, rules: crate::rule::RuleSet, writer: Writer) -> Result<(), SuperviseError> {
    let (redacted, hash) = std::mem::take(&mut parts.redacted);
    let configuration = writer.remember_configuration(hash, redacted, now_ms()).await?;
    let deciding = rules::deciding(parts, rules, configuration, &writer).await?;
    let (_in_force, deciding) = watch::channel(Arc::new(deciding));
    let replaying = Replaying {
        writer,
        limits: parts.ingest.limits,
        deciding,
        planned: Arc::new(Notify::new()),
        metrics: Arc::new(Metrics::default()),
        gate: Arc::new(Gate::default()),
        now_ms,
    };
    let upkeep = &parts.upkeep;
    loop {
        // The daemon would wait for room; nobody waits here.
        if free_bytes(&upkeep.path).is_some_and(|free| free < upkeep.disk_free_min) {
            return Err(StoreError::DiskFull.into());
        }
        if replaying.step().await? == Remaining::Nothing {
            return Ok(());
        }
    }
}
