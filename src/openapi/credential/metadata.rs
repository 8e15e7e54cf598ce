//! The RAM role of an ECS instance, from the instance's metadata service.
//!
//! Its hardened mode wants a token first. Where that cannot be had, it is asked without one, unless
//! `ALIBABA_CLOUD_IMDSV1_DISABLED` forbids that. No proxy, ever.

use std::time::Duration;

use reqwest::Client;

use super::ambient::Ambient;
use super::error::CredentialError;
use super::provider::Fetched;
use super::web::{self, Patience};

/// The service is on the same machine, so to speak.
const PATIENCE: Patience = Patience { connect: Duration::from_secs(1), whole: Duration::from_secs(2) };

/// How long a token may be used, seconds; longer than we need it.
const TOKEN_LIFE: &str = "21600";

const ROLES: &str = "/latest/meta-data/ram/security-credentials/";

/// The role's name, in a URL and as it is told.
const ROLE_NAME_BYTES_MAX: usize = 64;

/// The credentials of the role `named`, or of the one that the instance has.
pub(super) async fn credentials(ambient: &Ambient, named: Option<&str>) -> Result<Fetched, CredentialError> {
    let base = ambient.metadata_url.trim_end_matches('/');
    let host = base.split_once("://").map_or(base, |(_, host)| host);
    let asked =
        Asked { http: web::direct(PATIENCE)?, base, service: format!("the metadata service at {host}") };
    let token = match asked.token().await {
        Ok(token) => Some(token),
        Err(error @ CredentialError::Unreachable { .. }) => return Err(error),
        Err(error) if ambient.is_on("ALIBABA_CLOUD_IMDSV1_DISABLED") => return Err(error),
        Err(_no_hardened_mode) => None,
    };
    let role = match named {
        Some(name) => name.to_owned(),
        None => asked.role(token.as_deref()).await?,
    };
    if !is_role_name(&role) {
        let reason = "what should be the name of its role is none".to_owned();
        return Err(CredentialError::Failed { service: asked.service, reason });
    }
    let response = asked.get(&format!("{ROLES}{role}"), token.as_deref()).await?;
    let credentials = web::coded(&asked.service, &response)?;
    Ok(Fetched { credentials, role: Some(role) })
}

/// Whether `name` can be a role's, and so a part of a URL.
pub(super) fn is_role_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=ROLE_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('.')
}

struct Asked<'a> {
    http: Client,
    base: &'a str,
    service: String,
}

impl Asked<'_> {
    async fn token(&self) -> Result<String, CredentialError> {
        let url = format!("{}/latest/api/token", self.base);
        let request = self.http.put(url).header("X-aliyun-ecs-metadata-token-ttl-seconds", TOKEN_LIFE);
        let response = web::send(request, &self.service).await?;
        let token = response.body.trim();
        if response.status != 200 || token.is_empty() {
            let reason = format!("no token (HTTP {})", response.status);
            return Err(web::refusal(&self.service, response.status, reason));
        }
        Ok(token.to_owned())
    }

    /// The name of the instance's role.
    async fn role(&self, token: Option<&str>) -> Result<String, CredentialError> {
        let response = self.get(ROLES, token).await?;
        match (response.status, response.body.trim()) {
            (404, _) | (200, "") => {
                let reason = "no RAM role is attached to this instance".to_owned();
                Err(CredentialError::Settings { origin: self.service.clone(), reason })
            }
            (200, name) => Ok(name.to_owned()),
            (status, _) => Err(web::refusal(&self.service, status, format!("HTTP {status}"))),
        }
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Result<web::Response, CredentialError> {
        let mut request = self.http.get(format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.header("X-aliyun-ecs-metadata-token", token);
        }
        web::send(request, &self.service).await
    }
}
