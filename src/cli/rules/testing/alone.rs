//! Rules without a configuration: the accounts are those that steps name, and every write is allowed.

use std::collections::BTreeSet;
use std::path::Path;

use toml::Table;

use super::super::super::rule_files;
use crate::action::plan::Trust;
use crate::cli::{Exit, Failure};
use crate::config::Planning;
use crate::event::decode::Limits;
use crate::operation::{self, ApiVersion};
use crate::rule::parse::KnownAccount;
use crate::rule::{Policy, policy::Allow};

/// The account of rules that name none.
const ACCOUNT: &str = "main";

/// What the rules of `directory` need of a configuration.
pub(super) fn settings(directory: &Path) -> Result<Planning, Failure> {
    let files = rule_files::read(directory).map_err(|error| Failure::new(Exit::Config, error))?;
    let mut accounts: BTreeSet<String> = files.iter().flat_map(|file| named(&file.text)).collect();
    if accounts.is_empty() {
        accounts.insert(ACCOUNT.to_owned());
    }
    let names: BTreeSet<&str> =
        [ApiVersion::V2020, ApiVersion::V2024].into_iter().flat_map(operation::names).collect();
    let allow = names.into_iter().map(|name| Allow {
        operation: name.to_owned(),
        workspaces: Vec::new(),
        rules: String::new(),
    });
    Ok(Planning {
        limits: Limits::default(),
        accounts: accounts.iter().map(|name| KnownAccount::named(name)).collect(),
        budgets: Vec::new(),
        policy: Policy { allow: allow.collect() },
        trust: Trust::default(),
        rules_directory: directory.to_owned(),
    })
}

/// The accounts that the steps of one file name; a file that is no TOML is reported when it is parsed.
fn named(text: &str) -> Vec<String> {
    let Ok(document) = text.parse::<Table>() else { return Vec::new() };
    let rules = document.get("rule").and_then(toml::Value::as_array).into_iter().flatten();
    let steps = rules.filter_map(|rule| rule.get("steps")?.as_array()).flatten();
    steps.filter_map(|step| Some(step.get("account")?.as_str()?.to_owned())).collect()
}
