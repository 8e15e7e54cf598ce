//! The settings with their types, one struct for each component that takes them.
//!
//! Values here cannot be misused: durations are `Duration`, sizes are bytes, choices are enums, and what
//! contradicts itself was refused before.

use std::path::PathBuf;
use std::time::Duration;

use crate::event::decode;
use crate::rule::Policy;
use crate::{kafka, openapi, telemetry};

/// All settings of one start.
#[derive(Debug, Clone)]
pub struct Config {
    /// How to reach the topics.
    pub kafka: kafka::Settings,
    /// How batches are made.
    pub ingest: IngestSettings,
    /// Where the database is and when it is full.
    pub store: StoreSettings,
    /// What is removed when.
    pub upkeep: UpkeepSettings,
    /// How due actions are worked off.
    pub dispatch: DispatchSettings,
    /// How calls are made.
    pub openapi: openapi::Settings,
    /// The accounts by name; empty if no rule may call anything.
    pub accounts: Vec<openapi::Account>,
    /// What `secret("x")` in rules stands for.
    pub secrets: openapi::Secrets,
    /// What writes rules may call.
    pub policy: Policy,
    /// Whose events are acted on.
    pub trust: TrustSettings,
    /// Where the rule files are.
    pub rules_directory: PathBuf,
    /// How operators see what happens.
    pub log: telemetry::Settings,
    /// After so long a stop leaves what is not finished to the next start.
    pub stop_timeout: Duration,
    /// What the audit keeps of all this.
    pub redacted: Redacted,
}

/// The configuration as the audit keeps it: environment included, secrets by where they are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// JSON with all settings in a fixed order.
    pub text: String,
    /// SHA-256 of the text, 64 hex digits.
    pub hash: String,
}

/// How batches are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestSettings {
    /// Where a group without a commit starts.
    pub start_at: StartAt,
    /// Records in a batch.
    pub batch_max: usize,
    /// A batch that is not full is taken after so long.
    pub batch_linger: Duration,
    /// Bytes of record payloads in a batch.
    pub batch_bytes_max: usize,
    /// What a record may be to be decoded.
    pub limits: decode::Limits,
}

/// Where a group without a commit starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    /// With the oldest record that the topic holds.
    Earliest,
    /// With the next record that arrives.
    Latest,
    /// With the first record of this instant or later, milliseconds since 1970.
    Timestamp(i64),
}

/// Where the database is and when it is full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// The database file.
    pub path: PathBuf,
    /// A write-ahead log over this raises an alarm, bytes.
    pub wal_bytes_max: u64,
    /// With less free disk intake pauses, bytes.
    pub disk_free_min: u64,
}

/// What is removed when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpkeepSettings {
    /// Events that no rule matched are kept for so long.
    pub retention_unmatched: Duration,
    /// Matched events and their actions are kept for so long.
    pub retention_matched: Duration,
    /// Identities are kept for so long; a redelivery within it is recognised.
    pub dedupe_horizon: Duration,
}

/// How due actions are worked off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchSettings {
    /// Calls in flight at the same time.
    pub concurrency: usize,
    /// A claim is ours for so long; longer than an attempt may take.
    pub lease: Duration,
    /// Attempts of one action before it is dead.
    pub attempts_max: u32,
    /// The first retry waits at most this.
    pub backoff_min: Duration,
    /// No retry waits longer.
    pub backoff_max: Duration,
    /// A call that converges is repeated after a lost response only within this.
    pub repeat_within: Duration,
}

/// Whose events are acted on; an empty list trusts all. Others are audited only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustSettings {
    /// Account ids.
    pub accounts: Vec<String>,
    /// Workspace ids.
    pub workspaces: Vec<i64>,
}
