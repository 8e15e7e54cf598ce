//! Where the credentials of an account come from, and how they stay fresh.
//!
//! [`Credentials`] are what signs one call. A [`Source`] is what an account holds: it gives credentials
//! when they are asked for, renews those that end before they end, and goes on serving what it has while a
//! renewal fails. They are configured for the account, or found by the default chain of the official SDKs;
//! a RAM role may be assumed with either. Nothing here shows a secret: people are told by [`Told`].

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

mod ambient;

mod source;

mod state;

mod told;

mod files;

mod chain;

mod provider;

mod cli_profile;

mod ini_profile;

mod metadata;

mod sts;

mod uri;

mod web;

mod error;

pub use ambient::{Ambient, VARIABLE_PREFIX};
pub use error::{CredentialError, Fault, Tried};
pub use files::Files;
pub use provider::Role;
pub use source::{Configured, Source};
pub use told::{FailedRenewal, Told};

/// What signs a call.
#[derive(Clone)]
pub struct Credentials {
    /// The access key's id; not secret, yet never logged.
    pub access_key_id: String,
    /// The access key's secret.
    pub access_key_secret: SecretString,
    /// The token of temporary credentials.
    pub security_token: Option<SecretString>,
    /// When temporary credentials end, milliseconds since 1970; `None` if they do not, or nobody said so.
    pub expires_at_ms: Option<i64>,
}

/// An id is shown by so many characters at either end,
const SHOWN_CHARACTERS: usize = 4;

/// and only if most of it stays hidden.
const SHOWN_LENGTH_MIN: usize = 16;

impl Credentials {
    /// Enough of the access key's id to tell two keys apart, as in `LTAI...x7Qp`.
    #[must_use]
    pub fn shortened_id(&self) -> String {
        let characters: Vec<char> = self.access_key_id.chars().collect();
        let part = |characters: &[char]| characters.iter().collect::<String>();
        match (characters.first_chunk::<SHOWN_CHARACTERS>(), characters.last_chunk::<SHOWN_CHARACTERS>()) {
            (Some(first), Some(last)) if characters.len() >= SHOWN_LENGTH_MIN => {
                format!("{}...{}", part(first), part(last))
            }
            _ => "(short)".to_owned(),
        }
    }

    /// Whether both sign alike.
    fn is_same(&self, other: &Credentials) -> bool {
        let token =
            |of: &Credentials| of.security_token.as_ref().map(|token| token.expose_secret().to_owned());
        self.access_key_id == other.access_key_id
            && self.access_key_secret.expose_secret() == other.access_key_secret.expose_secret()
            && token(self) == token(other)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.security_token.is_some() { "temporary" } else { "access key" };
        write!(f, "Credentials([{kind}, redacted])")
    }
}
