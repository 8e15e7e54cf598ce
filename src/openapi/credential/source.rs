//! Gives an account's credentials, and keeps them fresh.
//!
//! One renewal at a time. Whoever asks meanwhile is served what is held while that is valid, and waits for
//! the renewal otherwise. While renewals fail, what is held is served even after its end: the endpoint
//! decides. A failed renewal is tried again after a pause, and only when somebody asks.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::ambient::Ambient;
use super::chain::{self, Step};
use super::error::CredentialError;
use super::files::{Files, steadily};
use super::provider::Role;
use super::state::{Base, Held, Need, Obtained, Refused, State};
use super::told::Told;
use super::{Credentials, sts};
use crate::diagnostic::chain as chained;
use crate::duration::whole_ms;

/// No renewal takes longer, however many services it asks.
const RENEWAL_MAX: Duration = Duration::from_secs(45);

/// Credentials of the configuration.
pub struct Configured {
    /// Where they are kept, as people are told.
    pub from: String,
    /// The files among that, as they were before they were read.
    pub files: Files,
    /// What was read.
    pub first: Credentials,
    /// Reads them again; the error says what is wrong, and holds no secret.
    pub read: Box<dyn Fn() -> Result<Credentials, String> + Send + Sync>,
}

enum Origin {
    Configured(Configured),
    DefaultChain,
}

/// Where an account's credentials come from.
pub struct Source {
    /// The account, for alarms.
    account: String,
    origin: Origin,
    role: Option<Role>,
    ambient: Ambient,
    state: Mutex<State>,
    /// Counts the renewals that ended.
    ended: watch::Sender<u64>,
}

enum Next {
    Serve(Arc<Credentials>),
    Fail(CredentialError),
    Wait(watch::Receiver<u64>),
}

impl Source {
    /// What the configuration of `account` names, and the role to assume with it.
    #[must_use]
    pub fn configured(account: &str, configured: Configured, role: Option<Role>, ambient: Ambient) -> Self {
        let mut state = State { files: configured.files.clone(), ..State::default() };
        if role.is_none() {
            state.held = Some(Held {
                credentials: Arc::new(configured.first.clone()),
                obtained_at_ms: i64::MIN,
                refused: Refused::No,
                replaces_refused: false,
                source: CONFIGURED,
                from: configured.from.clone(),
                role: None,
                tried: Vec::new(),
            });
        }
        Self::with(account, Origin::Configured(configured), role, ambient, state)
    }

    /// The default chain, and the role to assume with what it finds.
    #[must_use]
    pub fn default_chain(account: &str, role: Option<Role>, ambient: Ambient) -> Self {
        Self::with(account, Origin::DefaultChain, role, ambient, State::default())
    }

    fn with(account: &str, origin: Origin, role: Option<Role>, ambient: Ambient, state: State) -> Self {
        Source {
            account: account.to_owned(),
            origin,
            role,
            ambient,
            state: Mutex::new(state),
            ended: watch::Sender::new(0),
        }
    }

    /// The credentials to sign with now; renewed where that is due.
    pub async fn get(self: &Arc<Self>, now_ms: i64) -> Result<Arc<Credentials>, CredentialError> {
        let mut has_waited = false;
        loop {
            match self.next(now_ms, has_waited) {
                Next::Serve(credentials) => return Ok(credentials),
                Next::Fail(error) => return Err(error),
                Next::Wait(mut ended) => {
                    // The sender is ours: it cannot be gone.
                    let _counted = ended.changed().await;
                    has_waited = true;
                }
            }
        }
    }

    /// The endpoint refused these credentials: they are renewed before the next call, once. If it refuses the new
    /// ones too, that waits a minute: a wrong permission is not mended by asking STS again and again.
    pub fn invalidate(&self, refused: &Credentials) {
        self.state().refuse(refused);
    }

    /// What people may know.
    #[must_use]
    pub fn told(&self) -> Told {
        let state = self.state();
        let failed = state.failed.clone();
        let Some(held) = &state.held else {
            let (source, from, tried) = match (&state.base, &self.origin, &failed) {
                (Some(base), ..) => (base.source, base.from.clone(), base.tried.clone()),
                (None, Origin::Configured(configured), _) => {
                    (CONFIGURED, configured.from.clone(), Vec::new())
                }
                (None, Origin::DefaultChain, Some(failed)) => {
                    ("", String::new(), failed.error.tried().to_vec())
                }
                (None, Origin::DefaultChain, None) => ("", String::new(), Vec::new()),
            };
            let role = self.role.as_ref().map(|role| role.arn.clone());
            return Told { source, from, role, access_key_id: None, expires_at_ms: None, failed, tried };
        };
        Told {
            source: held.source,
            from: held.from.clone(),
            role: held.role.clone(),
            access_key_id: Some(held.credentials.shortened_id()),
            expires_at_ms: held.credentials.expires_at_ms,
            failed,
            tried: held.tried.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(self: &Arc<Self>, now_ms: i64, has_waited: bool) -> Next {
        let mut state = self.state();
        let need = state.need(now_ms);
        if need != Need::Nothing && !has_waited && !state.renewing && state.may_renew(now_ms) {
            state.renewing = true;
            let renewing = Renewing(Arc::clone(self));
            tokio::spawn(async move { renewing.run(now_ms).await });
        }
        let is_awaited = state.renewing && !has_waited;
        match (&state.held, need) {
            (Some(_), Need::Now) | (None, _) if is_awaited => Next::Wait(self.ended.subscribe()),
            (Some(held), _) => Next::Serve(Arc::clone(&held.credentials)),
            (None, _) => Next::Fail(match &state.failed {
                Some(failed) => failed.error.clone(),
                None => CredentialError::Failed {
                    service: "the renewal".into(),
                    reason: "it was broken off".into(),
                },
            }),
        }
    }

    async fn obtain(&self, step: Option<Step>, now_ms: i64) -> Result<Obtained, CredentialError> {
        self.state().base = None;
        let base = match &self.origin {
            Origin::Configured(configured) => configured.obtain()?,
            Origin::DefaultChain => chain::obtain(&self.ambient, step, now_ms).await?,
        };
        let Some(role) = &self.role else { return Ok(base) };
        self.state().base =
            Some(Base { source: base.source, from: base.from.clone(), tried: base.tried.clone() });
        let fetched = sts::assume_role(&self.ambient, role, &base.credentials, now_ms).await?;
        Ok(Obtained { credentials: fetched.credentials, role: fetched.role, ..base })
    }
}

/// The source of what stands in the configuration.
const CONFIGURED: &str = "configured";

impl Configured {
    fn obtain(&self) -> Result<Obtained, CredentialError> {
        let unusable = |reason| CredentialError::Settings { origin: self.from.clone(), reason };
        let (credentials, files) = steadily(self.files.paths().cloned(), || (self.read)().map_err(unusable))?;
        Ok(Obtained {
            credentials,
            source: CONFIGURED,
            from: self.from.clone(),
            role: None,
            files,
            step: None,
            tried: Vec::new(),
        })
    }
}

/// A renewal under way. However it ends, those who wait are told.
struct Renewing(Arc<Source>);

impl Renewing {
    async fn run(self, asked_ms: i64) {
        let source = &self.0;
        let begun = Instant::now();
        let (step, seen) = {
            let state = source.state();
            (state.step, state.files.look_again())
        };
        let obtaining = tokio::time::timeout(RENEWAL_MAX, source.obtain(step, asked_ms));
        let outcome = obtaining.await.unwrap_or_else(|_elapsed| {
            let reason = format!("no end within {} s", RENEWAL_MAX.as_secs());
            Err(CredentialError::Failed { service: "the renewal".into(), reason })
        });
        let now_ms = asked_ms.saturating_add(whole_ms(begun.elapsed()));
        let account = &source.account;
        // The lines are written under the lock, so that they come in the order of what they tell.
        let mut state = source.state();
        match outcome {
            Ok(obtained) => {
                tracing::info!(%account, source = obtained.source, from = %obtained.from, "credentials obtained");
                state.keep(obtained, now_ms);
                if state.failed.take().is_some() {
                    tracing::info!(id = "credentials_failing", subject = %account, "over: there are credentials again");
                }
            }
            Err(error) => {
                let told = chained(&error);
                if state.fail(error, seen, now_ms) == 1 {
                    tracing::error!(
                        id = "credentials_failing",
                        subject = %account,
                        "there are no fresh credentials for the account {account}: {told}"
                    );
                } else {
                    tracing::warn!(%account, error = told, "there are still no fresh credentials");
                }
            }
        }
    }
}

impl Drop for Renewing {
    fn drop(&mut self) {
        self.0.state().renewing = false;
        self.0.ended.send_modify(|ended| *ended = ended.wrapping_add(1));
    }
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").field("from", &self.from).finish_non_exhaustive()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told { source, from, role, expires_at_ms, .. } = self.told();
        f.debug_struct("Source")
            .field("account", &self.account)
            .field("source", &source)
            .field("from", &from)
            .field("role", &role)
            .field("expires_at_ms", &expires_at_ms)
            .finish_non_exhaustive()
    }
}
