//! Access keys, and what must not be seen of them.

use std::fmt;

use secrecy::SecretString;

/// What signs a call.
#[derive(Clone)]
pub struct Credentials {
    /// The access key's id; not secret, yet never logged.
    pub access_key_id: String,
    /// The access key's secret.
    pub access_key_secret: SecretString,
    /// The token of temporary credentials.
    pub security_token: Option<SecretString>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.security_token.is_some() { "temporary" } else { "access key" };
        write!(f, "Credentials([{kind}, redacted])")
    }
}
