//! What a source holds, and when that is renewed. No waiting in here: the clock is an argument.

use std::sync::Arc;

use super::Credentials;
use super::chain::Step;
use super::error::{CredentialError, Tried};
use super::files::Files;
use super::told::FailedRenewal;

/// Credentials are renewed so long before they end, or at half of their life if that is shorter.
const RENEWED_BEFORE_MS: i64 = 15 * 60 * 1000;

/// The pause after a renewal; while renewals fail it doubles,
const PAUSE_MIN_MS: i64 = 5_000;

/// up to this. A source that gives what has ended, or what is refused again, is left alone as long.
const PAUSE_MAX_MS: i64 = 60_000;

/// Files are looked at once in so long.
const LOOK_MS: i64 = 1_000;

/// What a renewal gave.
pub(super) struct Obtained {
    pub(super) credentials: Credentials,
    pub(super) source: &'static str,
    pub(super) from: String,
    pub(super) role: Option<String>,
    pub(super) files: Files,
    pub(super) step: Option<Step>,
    pub(super) tried: Vec<Tried>,
}

/// What a source knows.
#[derive(Default)]
pub(super) struct State {
    pub(super) held: Option<Held>,
    /// What the last renewal found to assume the role with, whatever came of that.
    pub(super) base: Option<Base>,
    /// The step of the chain that worked.
    pub(super) step: Option<Step>,
    /// The files as the last renewal found them.
    pub(super) files: Files,
    pub(super) files_looked_ms: Option<i64>,
    pub(super) files_changed: bool,
    pub(super) renewing: bool,
    pub(super) failed: Option<FailedRenewal>,
    pub(super) not_before_ms: i64,
}

/// What a role is assumed with.
pub(super) struct Base {
    pub(super) source: &'static str,
    pub(super) from: String,
    pub(super) tried: Vec<Tried>,
}

/// What is served.
pub(super) struct Held {
    pub(super) credentials: Arc<Credentials>,
    pub(super) obtained_at_ms: i64,
    pub(super) refused: Refused,
    /// Whether they were got because those before them were refused.
    pub(super) replaces_refused: bool,
    pub(super) source: &'static str,
    pub(super) from: String,
    pub(super) role: Option<String>,
    pub(super) tried: Vec<Tried>,
}

/// Whether the endpoint refused what is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    No,
    /// It did, and nothing was renewed since.
    Yes,
    /// It did, and a renewal gave the same again.
    Still,
}

/// How much a renewal is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    /// What is held is still good.
    Soon,
    /// What is held is worse than waiting.
    Now,
}

impl State {
    /// How much a renewal is needed.
    pub(super) fn need(&mut self, now_ms: i64) -> Need {
        let has_changed = self.files_have_changed(now_ms);
        let Some(held) = &self.held else { return Need::Now };
        if held.refused == Refused::Yes {
            return Need::Now;
        }
        match held.credentials.expires_at_ms {
            Some(end_ms) if now_ms >= end_ms => Need::Now,
            Some(end_ms) if has_changed || now_ms >= renewed_from_ms(held.obtained_at_ms, end_ms) => {
                Need::Soon
            }
            None if has_changed => Need::Now,
            Some(_) | None => Need::Nothing,
        }
    }

    /// Looks at the files, at most once in a while.
    fn files_have_changed(&mut self, now_ms: i64) -> bool {
        let looked_lately =
            self.files_looked_ms.is_some_and(|at_ms| now_ms.abs_diff(at_ms) < LOOK_MS.unsigned_abs());
        if !looked_lately {
            self.files_looked_ms = Some(now_ms);
            self.files_changed = self.files.have_changed();
        }
        self.files_changed
    }

    /// Files that changed since the last try are a reason to try again at once.
    pub(super) fn may_renew(&self, now_ms: i64) -> bool {
        let clock_went_back = self.not_before_ms.saturating_sub(now_ms) > PAUSE_MAX_MS;
        self.files_changed || now_ms >= self.not_before_ms || clock_went_back
    }

    /// The endpoint refused these: they are renewed at once, unless they replace others that it refused just now.
    pub(super) fn refuse(&mut self, refused: &Credentials) {
        let Some(held) = &mut self.held else { return };
        if held.refused == Refused::No && held.credentials.is_same(refused) {
            held.refused = Refused::Yes;
            let again_ms = held.obtained_at_ms.saturating_add(PAUSE_MAX_MS);
            self.not_before_ms = if held.replaces_refused { again_ms } else { i64::MIN };
        }
    }

    /// A renewal gave these.
    pub(super) fn keep(&mut self, obtained: Obtained, now_ms: i64) {
        let refused = self.held.as_ref().filter(|held| held.refused != Refused::No);
        let is_still_refused = refused.is_some_and(|held| held.credentials.is_same(&obtained.credentials));
        let replaces_refused = refused.is_some();
        let has_ended = obtained.credentials.expires_at_ms.is_some_and(|end_ms| now_ms >= end_ms);
        let pause_ms = if has_ended { PAUSE_MAX_MS } else { PAUSE_MIN_MS };
        self.not_before_ms = now_ms.saturating_add(pause_ms);
        self.step = obtained.step;
        self.saw(obtained.files, now_ms);
        self.held = Some(Held {
            credentials: Arc::new(obtained.credentials),
            obtained_at_ms: now_ms,
            refused: if is_still_refused { Refused::Still } else { Refused::No },
            replaces_refused,
            source: obtained.source,
            from: obtained.from,
            role: obtained.role,
            tried: obtained.tried,
        });
    }

    /// A renewal failed that saw the files so; gives how many have in a row.
    pub(super) fn fail(&mut self, error: CredentialError, seen: Files, now_ms: i64) -> u32 {
        let failures = self.failed.as_ref().map_or(0, |failed| failed.failures).saturating_add(1);
        let doubled = PAUSE_MIN_MS.saturating_mul(1_i64 << failures.saturating_sub(1).min(10));
        self.not_before_ms = now_ms.saturating_add(doubled.min(PAUSE_MAX_MS));
        self.saw(seen, now_ms);
        self.failed = Some(FailedRenewal { error, at_ms: now_ms, failures });
        failures
    }

    fn saw(&mut self, files: Files, now_ms: i64) {
        self.files = files;
        self.files_looked_ms = Some(now_ms);
        self.files_changed = false;
    }
}

/// From when on credentials are renewed.
fn renewed_from_ms(obtained_at_ms: i64, end_ms: i64) -> i64 {
    let half_ms = end_ms.saturating_sub(obtained_at_ms).max(0) / 2;
    end_ms.saturating_sub(RENEWED_BEFORE_MS.min(half_ms))
}
