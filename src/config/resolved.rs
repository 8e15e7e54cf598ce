//! The settings with their types, one struct for each component that takes them.
//!
//! Values here cannot be misused: durations are `Duration`, sizes are bytes, choices are enums, and what
//! contradicts itself was refused before.

use std::path::PathBuf;
use std::time::Duration;

use crate::action::plan::Trust;
use crate::openapi::Account;
use crate::quota::{Budget, Edition, Table};
use crate::rule::Policy;
use crate::rule::parse::KnownAccount;
use crate::{dispatch, ingest, kafka, monitoring, openapi, store, telemetry, upkeep};

/// All settings of one start.
#[derive(Debug, Clone)]
pub struct Config {
    /// How to reach the topics.
    pub kafka: kafka::Settings,
    /// How batches are made.
    pub ingest: ingest::Settings,
    /// Where the database is.
    pub store: store::Settings,
    /// What is removed when, and what raises an alarm.
    pub upkeep: upkeep::Settings,
    /// How due actions are worked off.
    pub dispatch: dispatch::Settings,
    /// How calls are made.
    pub openapi: openapi::Settings,
    /// The accounts by name; empty if no rule may call anything.
    pub accounts: Vec<openapi::Account>,
    /// What `secret("x")` in rules stands for.
    pub secrets: openapi::Secrets,
    /// What writes rules may call.
    pub policy: Policy,
    /// Whose events are acted on.
    pub trust: Trust,
    /// Where the rule files are.
    pub rules_directory: PathBuf,
    /// How programs can watch.
    pub monitoring: monitoring::Settings,
    /// How operators see what happens.
    pub log: telemetry::Settings,
    /// After so long a stop leaves what is not finished to the next start.
    pub stop_timeout: Duration,
    /// What the audit keeps of all this.
    pub redacted: Redacted,
}

impl Config {
    /// The accounts, as far as rules are concerned.
    #[must_use]
    pub fn known_accounts(&self) -> Vec<KnownAccount> {
        let known =
            |account: &Account| KnownAccount { name: account.name.clone(), api_version: account.api_version };
        self.accounts.iter().map(known).collect()
    }
}

/// What an account may spend, without what it takes to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountBudget {
    /// The account's name.
    pub account: String,
    /// Its region.
    pub region: String,
    /// The edition of DataWorks there.
    pub edition: Edition,
    /// The table of limits that holds.
    pub table: Table,
    /// What follows from both, and from what a person set.
    pub budget: Budget,
}

/// The configuration as the audit keeps it: environment included, secrets by where they are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// JSON with all settings in a fixed order.
    pub text: String,
    /// SHA-256 of the text, 64 hex digits.
    pub hash: String,
}

/// Where the calls of an account go; who signs them is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The account's name.
    pub account: String,
    /// Its region.
    pub region: String,
    /// The base URL.
    pub endpoint: String,
    /// How they are signed.
    pub signature: openapi::sign::Scheme,
}
