//! What decisions depend on: decoding, accounts without their keys, policy and trust.

use std::path::{Path, PathBuf};

use super::raw::Raw;
use super::report::Report;
use super::resolved::AccountBudget;
use super::{accounts, resolve};
use crate::action::plan::Trust;
use crate::event::decode::Limits;
use crate::rule::Policy;
use crate::rule::parse::KnownAccount;

/// What decisions depend on besides events and rules.
#[derive(Debug, Clone)]
pub struct Planning {
    /// What is accepted of a record before it is parsed.
    pub limits: Limits,
    /// The accounts, as far as rules are concerned.
    pub accounts: Vec<KnownAccount>,
    /// What each of them may spend, in the same order.
    pub budgets: Vec<AccountBudget>,
    /// What writes rules may call.
    pub policy: Policy,
    /// Whose events are acted on.
    pub trust: Trust,
    /// Where the rule files are.
    pub rules_directory: PathBuf,
}

impl Planning {
    /// The account of steps that name none.
    #[must_use]
    pub fn default_account(&self) -> Option<&str> {
        match self.accounts.as_slice() {
            [only] => Some(only.name.as_str()),
            _ => None,
        }
    }
}

/// What `raw`, which came from the file `file`, says about it.
pub(super) fn of_raw(raw: &Raw, file: &Path, report: &mut Report<'_>) -> Planning {
    Planning {
        limits: resolve::ingest_settings(raw, report).1.limits,
        accounts: accounts::known(&raw.account, report),
        budgets: accounts::spendings(&raw.account, report),
        policy: accounts::policy(&raw.policy, report),
        trust: accounts::trust(&raw.trust),
        rules_directory: resolve::rules_directory(raw, file),
    }
}
