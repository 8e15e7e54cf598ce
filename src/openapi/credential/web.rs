//! Requests to the services that give credentials: bounded in time and size, and the one shape of their
//! responses. Plain HTTP never goes through a proxy.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::RequestBuilder;
use secrecy::SecretString;
use serde_json::Value;

use super::Credentials;
use super::ambient::Ambient;
use super::error::CredentialError;
use crate::openapi::{call, proxy};

/// A longer response is no response.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// How long a service may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) connect: Duration,
    pub(super) whole: Duration,
}

/// What a service said.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: String,
}

/// A client that uses no proxy.
pub(super) fn direct(patience: Patience) -> Result<reqwest::Client, CredentialError> {
    built(builder(patience))
}

/// A client that uses the proxy, if there is one, for HTTPS.
pub(super) fn outside(ambient: &Ambient, patience: Patience) -> Result<reqwest::Client, CredentialError> {
    let unusable = |error: call::ClientError| CredentialError::Settings {
        origin: "the proxy".into(),
        reason: error.to_string(),
    };
    let proxy = proxy::proxy(ambient.proxy.as_deref(), |name| std::env::var(name).ok()).map_err(unusable)?;
    let builder = builder(patience);
    built(match proxy {
        Some(proxy) => builder.proxy(proxy),
        None => builder,
    })
}

fn builder(patience: Patience) -> reqwest::ClientBuilder {
    // Whoever comes first installs it; the second attempt finds the same provider in place.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(concat!("openeventd/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(patience.connect)
        .timeout(patience.whole)
        .no_proxy()
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, CredentialError> {
    builder.build().map_err(|error| CredentialError::Settings {
        origin: "the HTTP client".into(),
        reason: format!("cannot be set up: {}", call::causes(error)),
    })
}

/// Sends the request to `service`.
pub(super) async fn send(request: RequestBuilder, service: &str) -> Result<Response, CredentialError> {
    let service = service.to_owned();
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => {
            let (connecting, timed_out) = (error.is_connect(), error.is_timeout());
            let reason = call::causes(error);
            return Err(match (connecting, timed_out) {
                (true, _) => CredentialError::Unreachable { service, reason },
                (false, true) => CredentialError::Failed { service, reason: "no response in time".into() },
                (false, false) => CredentialError::Failed { service, reason },
            });
        }
    };
    let status = response.status().as_u16();
    let (body, truncated) = call::read_body(response, BODY_BYTES_MAX).await;
    if truncated {
        let reason = format!("its response (HTTP {status}) is cut, or over {BODY_BYTES_MAX} bytes");
        return Err(CredentialError::Failed { service, reason });
    }
    let Ok(body) = String::from_utf8(body) else {
        return Err(CredentialError::Failed { service, reason: "its response is not UTF-8 text".into() });
    };
    Ok(Response { status, body })
}

/// What a response other than the expected one comes to.
pub(super) fn refusal(service: &str, status: u16, reason: String) -> CredentialError {
    let service = service.to_owned();
    match status {
        429 => CredentialError::Failed { service, reason },
        400..=499 => CredentialError::Refused { service, reason },
        _ => CredentialError::Failed { service, reason },
    }
}

/// The response as JSON; its text is not repeated if it is none.
pub(super) fn json(service: &str, response: &Response) -> Result<Value, CredentialError> {
    serde_json::from_str(&response.body).map_err(|_| CredentialError::Failed {
        service: service.to_owned(),
        reason: format!("its response (HTTP {}) is no JSON", response.status),
    })
}

/// Credentials as the metadata service and credentials URIs give them: with `Code`, which is `Success`.
pub(super) fn coded(service: &str, response: &Response) -> Result<Credentials, CredentialError> {
    if response.status != 200 {
        return Err(refusal(service, response.status, format!("HTTP {}", response.status)));
    }
    let object = json(service, response)?;
    match object.get("Code").and_then(Value::as_str) {
        Some("Success") => temporary(service, &object),
        code => {
            // The code alone: the rest may hold anything.
            let code = code.filter(|code| code.len() <= 64 && code.bytes().all(is_of_code));
            let reason = format!("its code is {}, not Success", code.unwrap_or("missing"));
            Err(CredentialError::Refused { service: service.to_owned(), reason })
        }
    }
}

fn is_of_code(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

/// The temporary credentials in `object`, whose keys all services spell alike.
pub(super) fn temporary(service: &str, object: &Value) -> Result<Credentials, CredentialError> {
    let unusable = |reason: String| CredentialError::Failed { service: service.to_owned(), reason };
    let text = |key: &str| {
        let text = object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.ok_or_else(|| unusable(format!("its response has no {key}")))
    };
    let expiration: Timestamp = text("Expiration")?
        .parse()
        .map_err(|_| unusable("its Expiration is no time, as 2026-03-25T08:00:00Z".into()))?;
    Ok(Credentials {
        access_key_id: text("AccessKeyId")?.to_owned(),
        access_key_secret: SecretString::from(text("AccessKeySecret")?),
        security_token: Some(SecretString::from(text("SecurityToken")?)),
        expires_at_ms: Some(expiration.as_millisecond()),
    })
}
