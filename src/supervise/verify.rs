//! Look-ups without a daemon: the same reads, limits and quota over the same database, and nothing else.
//!
//! Whoever calls it owns the store, so no daemon can be at work. Each lost call that a person asked for is looked up
//! once. What is planned again by that waits for the next start.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Notify;

use super::part::Part;
use super::{Parts, SuperviseError};
use crate::clock::now_ms;
use crate::dispatch::{self, Alive, Shared};
use crate::monitoring::Metrics;
use crate::openapi::Account;
use crate::openapi::call::Client;
use crate::store::{Store, Writer};

/// Looks up the lost calls that are asked for of the accounts with these `names`.
///
/// # Errors
/// [`SuperviseError`]; what was not looked up is still asked for. Nothing is, if an account is not configured or
/// has no credentials.
pub async fn all(parts: Parts, store: Store, names: &BTreeSet<String>) -> Result<(), SuperviseError> {
    let client = Client::new(&parts.openapi)?;
    let accounts = accounts(&parts, names).await?;
    let (writer, positions, closing) = store.into_writer(now_ms()).await?;
    let mut writing = Part::new("the writer", tokio::spawn(closing.run()));
    drop(positions);
    let stop_timeout = parts.stop_timeout;
    let verified = look(parts, client, writer, &accounts).await;
    let written = writing.ended_by(tokio::time::Instant::now() + stop_timeout).await;
    verified.and(written)
}

/// The accounts, with credentials that were found.
async fn accounts(parts: &Parts, names: &BTreeSet<String>) -> Result<Vec<Arc<Account>>, SuperviseError> {
    let mut accounts = Vec::new();
    for name in names {
        let account = parts.accounts.iter().find(|account| account.name == *name);
        let account = account.ok_or_else(|| SuperviseError::NoAccount { account: name.clone() })?;
        account
            .credentials
            .get(now_ms())
            .await
            .map_err(|source| SuperviseError::NoCredentials { account: name.clone(), source })?;
        accounts.push(Arc::new(account.clone()));
    }
    Ok(accounts)
}

async fn look(
    parts: Parts,
    client: Client,
    writer: Writer,
    accounts: &[Arc<Account>],
) -> Result<(), SuperviseError> {
    // As at any start: what parked calls may have been mended since.
    writer.lift_parkings_at_start(now_ms()).await?;
    let shared = Shared {
        writer,
        client,
        secrets: parts.secrets,
        policy: parts.policy,
        settings: parts.dispatch,
        alive: Alive::default(),
        changed: Arc::new(Notify::new()),
        watch: dispatch::Watch::default(),
        metrics: Arc::new(Metrics::default()),
        now_ms,
    };
    Ok(dispatch::verify_all(&shared, accounts).await?)
}
