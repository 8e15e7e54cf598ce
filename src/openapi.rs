//! Signed calls to the DataWorks OpenAPI: the only place that names the HTTP client.
//!
//! Takes an operation with rendered parameters and gives a
//! [`Response`](crate::openapi::response::Response) or a [`CallError`](crate::openapi::error::CallError)
//! that says what is known about the call: not sent, rejected, throttled, or lost. One call is one
//! attempt: no redirects, no retries, HTTP/1.1. Nothing that leaves this module contains a secret.
//!
//! Next: [`crate::ingest`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::operation::{ApiVersion, Operation};
use crate::quota::Budget;

pub mod endpoint;

pub mod credential;

pub mod value;

mod place;

pub mod request;

pub mod sign;

pub mod rate;

mod handover;

mod skew;

mod proxy;

pub mod call;

pub mod response;

mod xml;

mod body;

mod code;

pub mod error;

pub mod scrub;

/// An account: where its calls go and who signs them.
#[derive(Debug, Clone)]
pub struct Account {
    /// The name of its `[account.NAME]` table.
    pub name: String,
    /// The region whose endpoint is called.
    pub region: String,
    /// The base URL (scheme, host, port), resolved from region, VPC or an explicit setting.
    pub endpoint: String,
    /// What it may spend.
    pub budget: Budget,
    /// How its calls are signed.
    pub signature: sign::Scheme,
    /// Where its credentials come from.
    pub credentials: Arc<credential::Source>,
    /// The API version that a step means where both have its operation and it names none.
    pub api_version: Option<ApiVersion>,
}

/// How calls are made.
#[derive(Clone)]
pub struct Settings {
    /// The whole call, from connecting to the last byte of the body.
    pub timeout: Duration,
    /// Connecting alone. Shorter than `timeout`, or an endpoint that cannot be reached looks like a call
    /// that was lost.
    pub connect_timeout: Duration,
    /// Bodies are read up to here and cut.
    pub body_bytes_max: usize,
    /// The proxy's URL, which may hold a password; `None` takes `HTTPS_PROXY`. Never used for loopback
    /// nor for what `NO_PROXY` names.
    pub proxy: Option<String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("body_bytes_max", &self.body_bytes_max)
            .field("proxy", &self.proxy.as_ref().map(|_| scrub::REMOVED))
            .finish()
    }
}

/// One call to make.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The operation.
    pub operation: &'static Operation,
    /// Its rendered parameters. An object `{"$secret": "name"}` stands for a secret's value wherever a
    /// scalar may stand; the value itself is put in only as the request leaves.
    pub params: &'a serde_json::Map<String, serde_json::Value>,
    /// What makes repetitions of this call one call, the same for all of its attempts: sent where the
    /// operation has such a parameter and `params` does not set it.
    pub client_token: Option<&'a str>,
}

/// Resolves the secrets that parameters name as placeholders, and scrubs known secrets from text.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// Name in `secret("name")` to value.
    pub by_name: std::collections::BTreeMap<String, SecretString>,
}
