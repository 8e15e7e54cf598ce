//! What people may know about a source: everything but the secrets.

use super::error::{CredentialError, Tried};

/// A source, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Which kind of source: `configured`, or the step of the default chain; empty before the first look.
    pub source: &'static str,
    /// From where: variables, a file, a host.
    pub from: String,
    /// The RAM role, if it is one's.
    pub role: Option<String>,
    /// The access key's id, shortened; `None` if there is none yet.
    pub access_key_id: Option<String>,
    /// When the credentials end, milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// The last renewal, if it failed.
    pub failed: Option<FailedRenewal>,
    /// The steps of the default chain that gave nothing.
    pub tried: Vec<Tried>,
}

/// A renewal that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRenewal {
    /// Why.
    pub error: CredentialError,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// How many have failed in a row.
    pub failures: u32,
}
