//! One way to get credentials, as a value: what the steps of the chain and the profiles come to.

use std::path::PathBuf;
use std::pin::Pin;

use reqwest::Url;

use super::ambient::Ambient;
use super::error::CredentialError;
use super::{Credentials, metadata, sts, uri};

/// How a session is called in the logs of Alibaba Cloud, unless somebody says otherwise.
const SESSION_NAME: &str = "openeventd";

/// A RAM role to assume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name, as `acs:ram::1234567890123456:role/openeventd`.
    pub arn: String,
    /// How the session is called in the logs of Alibaba Cloud.
    pub session_name: String,
    /// What the role's owner wants to hear, if anything.
    pub external_id: Option<String>,
    /// A policy that narrows the role.
    pub policy: Option<String>,
    /// How long the session lasts, seconds.
    pub duration_s: u32,
    /// The region whose STS is asked; `None` is the central one.
    pub region: Option<String>,
    /// Whether it is asked from inside a VPC of that region.
    pub vpc: bool,
}

impl Role {
    /// The longest session that every role allows, seconds.
    const DURATION_S: u32 = 3_600;

    /// The role `arn`, all else by default.
    #[must_use]
    pub fn new(arn: &str) -> Self {
        Role {
            arn: arn.to_owned(),
            session_name: SESSION_NAME.to_owned(),
            external_id: None,
            policy: None,
            duration_s: Self::DURATION_S,
            region: None,
            vpc: false,
        }
    }
}

/// A way to get credentials.
pub(super) enum Provider {
    /// They are here.
    Keys(Credentials),
    /// The role of the ECS instance.
    Metadata { role: Option<String> },
    /// A service that keeps them.
    Uri(Url),
    /// A role, assumed with other credentials.
    Role { base: Box<Provider>, role: Role },
    /// A role, assumed with the token of an identity provider.
    Oidc { role: Role, provider_arn: String, token_file: PathBuf },
}

/// What was got, and the role that it belongs to, if any.
pub(super) struct Fetched {
    pub(super) credentials: Credentials,
    pub(super) role: Option<String>,
}

impl Provider {
    /// Gets them now.
    pub(super) fn fetch<'a>(
        &'a self,
        ambient: &'a Ambient,
        now_ms: i64,
    ) -> Pin<Box<dyn Future<Output = Result<Fetched, CredentialError>> + Send + 'a>> {
        Box::pin(async move {
            match self {
                Provider::Keys(credentials) => Ok(Fetched { credentials: credentials.clone(), role: None }),
                Provider::Metadata { role } => metadata::credentials(ambient, role.as_deref()).await,
                Provider::Uri(url) => uri::credentials(ambient, url).await,
                Provider::Role { base, role } => {
                    let base = base.fetch(ambient, now_ms).await?;
                    sts::assume_role(ambient, role, &base.credentials, now_ms).await
                }
                Provider::Oidc { role, provider_arn, token_file } => {
                    sts::assume_role_with_oidc(ambient, role, provider_arn, token_file, now_ms).await
                }
            }
        })
    }
}
