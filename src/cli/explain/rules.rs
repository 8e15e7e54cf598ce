//! The rules that look at the event: those of its day, or of a directory.

use std::path::{Path, PathBuf};

use super::input::{Given, Input};
use crate::cli::check::examine_rules;
use crate::cli::terminal::{abbreviated, counted};
use crate::cli::{Exit, Failure, rule_files};
use crate::config::{self, Environment, LoadError, Planning};
use crate::event::decode::Limits;
use crate::rule::RuleSet;
use crate::rule::kept::parse_kept;
use crate::rule::parse::PartlyKnown;

/// A rule set, and where it came from.
pub(super) struct OfRules {
    pub(super) rules: RuleSet,
    pub(super) from: From,
}

/// Where rules came from.
pub(super) enum From {
    /// The database: those that decided about the event.
    ThatDay,
    /// A directory; with the settings that would decide what comes of a match, if there are any.
    Directory { path: PathBuf, settings: Option<Planning> },
}

#[derive(Debug, thiserror::Error)]
enum RulesError {
    #[error(
        "the rule set that decided about event {0} is not kept any more: name a directory of rules with --rules"
    )]
    NotKept(i64),
}

/// The rules of `directory`, else those of the event's day, else those of the configuration.
pub(super) fn of(config: &Path, directory: Option<&Path>, input: &Input) -> Result<OfRules, Failure> {
    let settings = config::planning(config, &Environment::of_process());
    if directory.is_none()
        && let Given::Stored { accepted, rules, .. } = &input.given
    {
        let kept = rules.as_ref().ok_or(RulesError::NotKept(accepted.number));
        let kept = kept.map_err(|error| Failure::new(Exit::NoInput, error))?;
        let accounts = settings.map(|settings| settings.accounts).unwrap_or_default();
        let parsed = parse_kept(kept.clone(), &accounts);
        let (rules, _) = parsed.map_err(Failure::of_data)?;
        return Ok(OfRules { rules, from: From::ThatDay });
    }
    let directory = directory.map(rule_files::existing).transpose()?;
    let settings = match settings {
        Ok(settings) => Some(settings),
        // With a directory of rules nothing else need be there.
        Err(LoadError::Read { .. }) if directory.is_some() => None,
        Err(error) => return Err(error.into()),
    };
    let path = directory.map(Path::to_owned);
    let path = path.or_else(|| Some(settings.as_ref()?.rules_directory.clone())).unwrap_or_default();
    let parsed = if let Some(Planning { accounts, policy, .. }) = &settings {
        examine_rules(&path, PartlyKnown { accounts: Some(accounts), policy: Some(policy) })
    } else {
        parse_kept(rule_files::read(&path).map_err(|error| Failure::new(Exit::Config, error))?, &[])
    };
    let (rules, _) = parsed.map_err(Failure::of_problems)?;
    Ok(OfRules { rules, from: From::Directory { path, settings } })
}

impl OfRules {
    /// What the daemon accepts of a record.
    pub(super) fn limits(&self) -> Limits {
        match &self.from {
            From::Directory { settings: Some(settings), .. } => settings.limits,
            From::ThatDay | From::Directory { settings: None, .. } => Limits::default(),
        }
    }

    /// Which rules these are.
    pub(super) fn told(&self) -> String {
        let count = counted(self.rules.rules.len(), "rule");
        match &self.from {
            From::ThatDay => format!("the rule set of that day, {}, {count}", abbreviated(&self.rules.hash)),
            From::Directory { path, .. } => format!("{}, {count}", path.display()),
        }
    }
}
