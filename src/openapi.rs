//! Signed calls to the DataWorks OpenAPI: the only place that names the HTTP client.
//!
//! Takes an operation with rendered parameters and gives a [`Response`] or a [`CallError`] that says
//! what is known about the call: not sent, rejected, throttled, or lost. One call is one attempt:
//! no redirects, no retries, HTTP/1.1.
//!
//! Next: [`crate::ingest`].

use std::time::Duration;

use secrecy::SecretString;

use crate::operation::Operation;

pub mod call;

pub mod credential;

pub mod endpoint;

pub mod request;

pub mod response;

pub mod sign;

/// An account: where its calls go and who signs them.
#[derive(Debug, Clone)]
pub struct Account {
    /// The name of its `[account.NAME]` table.
    pub name: String,
    /// The region whose endpoint is called.
    pub region: String,
    /// The base URL (scheme, host, port), resolved from region, VPC or an explicit setting.
    pub endpoint: String,
    /// The account's edition: decides the limits.
    pub edition: Edition,
    /// The access key.
    pub credentials: credential::Credentials,
}

/// A DataWorks edition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// 5 calls a second.
    Basic,
    /// 5 calls a second.
    Standard,
    /// 5 calls a second.
    Professional,
    /// 50 reads and 20 writes a second.
    Enterprise,
}

/// How calls are made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The whole call, from connecting to the last byte of the body.
    pub timeout: Duration,
    /// Connecting alone.
    pub connect_timeout: Duration,
    /// Bodies are read up to here and cut.
    pub body_bytes_max: usize,
    /// The proxy's URL; `None` takes HTTPS_PROXY. Never used for loopback.
    pub proxy: Option<String>,
}

/// One call to make.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The operation.
    pub operation: &'static Operation,
    /// Its rendered parameters.
    pub params: &'a serde_json::Map<String, serde_json::Value>,
}

/// Resolves the secrets that parameters name as placeholders, and scrubs known secrets from text.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// Name in `secret("name")` to value.
    pub by_name: std::collections::BTreeMap<String, SecretString>,
}
