//! Rules without a configuration: the accounts are those that steps name, and every write is allowed.

use std::path::Path;

use super::super::super::rule_files;
use crate::action::plan::Trust;
use crate::cli::{Exit, Failure};
use crate::config::Planning;
use crate::event::decode::Limits;
use crate::rule::kept::mentioned;
use crate::rule::parse::KnownAccount;

/// What the rules of `directory` need of a configuration.
pub(super) fn settings(directory: &Path) -> Result<Planning, Failure> {
    let files = rule_files::read(directory).map_err(|error| Failure::new(Exit::Config, error))?;
    let (accounts, policy) = mentioned(&files);
    Ok(Planning {
        limits: Limits::default(),
        accounts: accounts.iter().map(|name| KnownAccount::named(name)).collect(),
        budgets: Vec::new(),
        policy,
        trust: Trust::default(),
        rules_directory: directory.to_owned(),
    })
}
