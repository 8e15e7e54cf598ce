//! Access keys.
use secrecy::SecretString;

/// What signs a call.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The access key's id; not secret, yet never logged.
    pub access_key_id: String,
    /// The access key's secret.
    pub access_key_secret: SecretString,
    /// The token of temporary credentials.
    pub security_token: Option<SecretString>,
}
