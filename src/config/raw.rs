//! The strict mirror of the settings file: the same tables, the same keys, the texts that were written.
//!
//! Durations, sizes and choices are still text here; [`super::resolve`] gives them their types, so that
//! one run finds every problem. The defaults stand in the `Default` of each table and nowhere else; a
//! `None` or an empty value means "not set". Serialised, this is the redacted configuration: it names
//! where secrets come from and never holds one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::forms::{self, KeyId, Scalar, SecretSource};

/// The whole file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    pub(super) kafka: Kafka,
    pub(super) limits: Limits,
    pub(super) store: Store,
    pub(super) rules: Rules,
    pub(super) account: BTreeMap<String, Account>,
    pub(super) policy: Policy,
    pub(super) trust: Trust,
    pub(super) secrets: BTreeMap<String, SecretSource>,
    pub(super) dispatch: Dispatch,
    pub(super) monitoring: Monitoring,
    pub(super) log: Log,
    pub(super) service: Service,
}

/// `[kafka]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Kafka {
    #[serde(deserialize_with = "forms::list")]
    pub(super) bootstrap_servers: Vec<String>,
    #[serde(deserialize_with = "forms::list")]
    pub(super) topics: Vec<String>,
    pub(super) group_id: String,
    pub(super) security_protocol: String,
    pub(super) sasl_mechanism: String,
    pub(super) username: String,
    pub(super) password: Option<SecretSource>,
    pub(super) ssl_ca_location: Option<String>,
    pub(super) ssl_endpoint_identification: String,
    pub(super) start_at: String,
    pub(super) session_timeout: String,
    pub(super) batch_max: u32,
    pub(super) batch_linger: String,
    pub(super) properties: BTreeMap<String, Scalar>,
}

impl Default for Kafka {
    fn default() -> Self {
        Kafka {
            bootstrap_servers: Vec::new(),
            topics: Vec::new(),
            group_id: String::new(),
            security_protocol: "sasl_ssl".into(),
            sasl_mechanism: "plain".into(),
            username: String::new(),
            password: None,
            ssl_ca_location: None,
            ssl_endpoint_identification: "https".into(),
            start_at: "earliest".into(),
            session_timeout: "30s".into(),
            batch_max: 2048,
            batch_linger: "20ms".into(),
            properties: BTreeMap::new(),
        }
    }
}

/// `[limits]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_field_names, reason = "the keys of the file name their bound")]
pub(super) struct Limits {
    pub(super) memory_max: String,
    pub(super) record_bytes_max: String,
    pub(super) depth_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { memory_max: "42MiB".into(), record_bytes_max: "1MiB".into(), depth_max: 64 }
    }
}

/// `[store]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Store {
    pub(super) path: Option<String>,
    pub(super) retention_unmatched: String,
    pub(super) retention_matched: String,
    pub(super) dedupe_horizon: String,
    pub(super) wal_bytes_max: String,
    pub(super) disk_free_min: String,
}

impl Default for Store {
    fn default() -> Self {
        Store {
            path: None,
            retention_unmatched: "7d".into(),
            retention_matched: "400d".into(),
            dedupe_horizon: "400d".into(),
            wal_bytes_max: "256MiB".into(),
            disk_free_min: "512MiB".into(),
        }
    }
}

/// `[rules]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Rules {
    pub(super) directory: Option<String>,
}

/// `[account.NAME]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Account {
    pub(super) region: String,
    pub(super) edition: String,
    pub(super) quota_table: String,
    pub(super) quota_offset: String,
    pub(super) others_share: String,
    pub(super) verdict_share: String,
    pub(super) calls_per_day_max: Option<u64>,
    pub(super) calls_per_month_max: Option<u64>,
    pub(super) endpoint: Option<String>,
    pub(super) vpc: bool,
    pub(super) api_version: Option<String>,
    pub(super) credentials: String,
    pub(super) access_key_id: Option<KeyId>,
    pub(super) access_key_secret: Option<SecretSource>,
    pub(super) security_token: Option<SecretSource>,
    pub(super) signature: String,
    pub(super) role_arn: Option<String>,
    pub(super) role_session_name: Option<String>,
    pub(super) external_id: Option<String>,
}

impl Default for Account {
    fn default() -> Self {
        Account {
            region: String::new(),
            edition: String::new(),
            quota_table: "2026-05".into(),
            quota_offset: "+08:00".into(),
            others_share: "0%".into(),
            verdict_share: "0%".into(),
            calls_per_day_max: None,
            calls_per_month_max: None,
            endpoint: None,
            vpc: false,
            api_version: None,
            credentials: "configured".into(),
            access_key_id: None,
            access_key_secret: None,
            security_token: None,
            signature: "v1".into(),
            role_arn: None,
            role_session_name: None,
            external_id: None,
        }
    }
}

/// `[policy]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Policy {
    pub(super) allow: Vec<Allow>,
}

/// One entry of `policy.allow`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Allow {
    pub(super) operation: String,
    #[serde(deserialize_with = "forms::list")]
    pub(super) workspaces: Vec<i64>,
    pub(super) rules: String,
}

/// `[trust]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Trust {
    #[serde(deserialize_with = "forms::list")]
    pub(super) accounts: Vec<String>,
    #[serde(deserialize_with = "forms::list")]
    pub(super) workspaces: Vec<i64>,
}

/// `[dispatch]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Dispatch {
    pub(super) concurrency: u32,
    pub(super) attempt_timeout: String,
    pub(super) connect_timeout: String,
    pub(super) lease: String,
    pub(super) attempts_max: u32,
    pub(super) backoff_min: String,
    pub(super) backoff_max: String,
    pub(super) repeat_within: String,
    pub(super) order_block_max: String,
    pub(super) verify: bool,
    pub(super) body_bytes_max: String,
    pub(super) proxy: Option<String>,
}

impl Default for Dispatch {
    fn default() -> Self {
        Dispatch {
            concurrency: 16,
            attempt_timeout: "30s".into(),
            connect_timeout: "5s".into(),
            lease: "2m".into(),
            attempts_max: 8,
            backoff_min: "1s".into(),
            backoff_max: "5m".into(),
            repeat_within: "10m".into(),
            order_block_max: "1h".into(),
            verify: true,
            body_bytes_max: "1MiB".into(),
            proxy: None,
        }
    }
}

/// `[monitoring]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Monitoring {
    pub(super) listen: String,
}

impl Default for Monitoring {
    fn default() -> Self {
        Monitoring { listen: "127.0.0.1:7464".into() }
    }
}

/// `[log]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) format: String,
    pub(super) level: String,
}

impl Default for Log {
    fn default() -> Self {
        Log { format: "auto".into(), level: "info".into() }
    }
}

/// `[service]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Service {
    pub(super) stop_timeout: String,
}

impl Default for Service {
    fn default() -> Self {
        Service { stop_timeout: "25s".into() }
    }
}
