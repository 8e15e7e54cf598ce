//! Roles assumed at STS: signed with an access key, or with the token of an identity provider.
//!
//! HTTPS, except to a loopback address. The system's parameters travel in the query, the rest in the
//! form, so that no token of an identity provider stands in a URL.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header;
use secrecy::SecretString;
use serde_json::Value;

use super::Credentials;
use super::ambient::Ambient;
use super::error::CredentialError;
use super::files::read_text;
use super::provider::{Fetched, Role};
use super::web::{self, Patience};
use crate::openapi::scrub::Scrubber;
use crate::openapi::sign::{self, Pair, rpc};
use crate::openapi::{Secrets, endpoint};
use crate::operation::Method;

const VERSION: &str = "2015-04-01";

const PATIENCE: Patience = Patience { connect: Duration::from_secs(5), whole: Duration::from_secs(15) };

/// A longer file is no token.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;

/// The role, with other credentials.
pub(super) async fn assume_role(
    ambient: &Ambient,
    role: &Role,
    base: &Credentials,
    now_ms: i64,
) -> Result<Fetched, CredentialError> {
    let mut query = system_pairs("AssumeRole", now_ms);
    let nonce = format!("{:032x}", fastrand::u128(..));
    query.extend(pairs([
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", &nonce),
    ]));
    query.extend(rpc::credential_pairs(base));
    let form = role_pairs(role);
    let all: Vec<Pair> = query.iter().chain(&form).cloned().collect();
    let string_to_sign = rpc::string_to_sign(Method::Post, &all);
    query.push(("Signature".to_owned(), rpc::signature(&base.access_key_secret, &string_to_sign)));
    let scrubber = Scrubber::new(&Secrets::default(), Some(base));
    ask(ambient, role, &query, &form, &scrubber).await
}

/// The role, with the token that `token_file` holds now.
pub(super) async fn assume_role_with_oidc(
    ambient: &Ambient,
    role: &Role,
    provider_arn: &str,
    token_file: &Path,
    now_ms: i64,
) -> Result<Fetched, CredentialError> {
    let text = read_text(token_file, TOKEN_BYTES_MAX)?;
    let token = text.trim();
    if token.is_empty() {
        let origin = token_file.display().to_string();
        return Err(CredentialError::Settings { origin, reason: "is empty, expected a token".into() });
    }
    let mut form = role_pairs(role);
    form.extend(pairs([("OIDCProviderArn", provider_arn), ("OIDCToken", token)]));
    let secrets = Secrets { by_name: [("token".to_owned(), SecretString::from(token))].into() };
    let scrubber = Scrubber::new(&secrets, None);
    ask(ambient, role, &system_pairs("AssumeRoleWithOIDC", now_ms), &form, &scrubber).await
}

fn system_pairs(action: &str, now_ms: i64) -> Vec<Pair> {
    // A time outside of what a calendar can write is refused like any wrong clock.
    let timestamp = Timestamp::from_second(now_ms.div_euclid(1000)).unwrap_or_default().to_string();
    pairs([("Action", action), ("Version", VERSION), ("Format", "JSON"), ("Timestamp", &timestamp)])
}

fn role_pairs(role: &Role) -> Vec<Pair> {
    let duration = role.duration_s.to_string();
    let mut form = pairs([
        ("RoleArn", role.arn.as_str()),
        ("RoleSessionName", &role.session_name),
        ("DurationSeconds", &duration),
    ]);
    for (name, value) in [("Policy", &role.policy), ("ExternalId", &role.external_id)] {
        form.extend(value.iter().map(|value| (name.to_owned(), value.clone())));
    }
    form
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<Pair> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

async fn ask(
    ambient: &Ambient,
    role: &Role,
    query: &[Pair],
    form: &[Pair],
    scrubber: &Scrubber,
) -> Result<Fetched, CredentialError> {
    let base = base_url(ambient, role)?;
    let service = format!("STS at {}", base.split_once("://").map_or(base.as_str(), |(_, host)| host));
    let request = web::outside(ambient, PATIENCE)?
        .post(format!("{base}/?{}", sign::join(query)))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(sign::join(form));
    let response = web::send(request, &service).await?;
    if response.status != 200 {
        return Err(web::refusal(&service, response.status, said(&response, scrubber)));
    }
    let object = web::json(&service, &response)?;
    let credentials = object.get("Credentials").unwrap_or(&Value::Null);
    Ok(Fetched { credentials: web::temporary(&service, credentials)?, role: Some(role.arn.clone()) })
}

/// `Code: message (HTTP 400, request id X)`, without secrets: a wrong signature is answered with the text
/// that was signed.
fn said(response: &web::Response, scrubber: &Scrubber) -> String {
    let object: Value = serde_json::from_str(&response.body).unwrap_or_default();
    let text = |key: &str| {
        let text = object.get(key).and_then(Value::as_str).unwrap_or_default();
        scrubber.scrub(text).chars().take(SAID_CHARACTERS_MAX).collect::<String>()
    };
    let parts = [text("Code"), text("Message")];
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    let said = if parts.is_empty() { "no reason given".to_owned() } else { parts.join(": ") };
    match text("RequestId").as_str() {
        "" => format!("{said} (HTTP {})", response.status),
        id => format!("{said} (HTTP {}, request id {id})", response.status),
    }
}

/// Of a message, no more is told.
const SAID_CHARACTERS_MAX: usize = 500;

/// Where STS is for this role.
fn base_url(ambient: &Ambient, role: &Role) -> Result<String, CredentialError> {
    let unusable = |origin: &str, error: endpoint::EndpointError| CredentialError::Settings {
        origin: origin.to_owned(),
        reason: error.to_string(),
    };
    if let Some(url) = &ambient.sts_url {
        return endpoint::explicit(url).map_err(|error| unusable("the URL of STS", error));
    }
    let Some(region) = role.region.as_deref().or_else(|| ambient.get("ALIBABA_CLOUD_STS_REGION")) else {
        return Ok("https://sts.aliyuncs.com".to_owned());
    };
    // What is no region id could name another host.
    endpoint::of_region(region, endpoint::Network::Public)
        .map_err(|error| unusable("the region of STS", error))?;
    let vpc = role.vpc || ambient.is_on("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED");
    Ok(format!("https://{}.{region}.aliyuncs.com", if vpc { "sts-vpc" } else { "sts" }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_host_follows_region_and_network() {
        let base = |variables: &[(&str, &str)], region: Option<&str>, vpc| {
            let variables: BTreeMap<String, String> =
                variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let role = Role { region: region.map(str::to_owned), vpc, ..Role::new("arn") };
            base_url(&Ambient::new(variables, None), &role)
        };
        let region = ("ALIBABA_CLOUD_STS_REGION", "cn-beijing");
        let vpc = ("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", "true");
        for (variables, of_role, vpc, url) in [
            (vec![], None, false, "https://sts.aliyuncs.com"),
            (vec![vpc], None, false, "https://sts.aliyuncs.com"),
            (vec![region], None, false, "https://sts.cn-beijing.aliyuncs.com"),
            (vec![region, vpc], None, false, "https://sts-vpc.cn-beijing.aliyuncs.com"),
            (vec![region], Some("cn-shanghai"), true, "https://sts-vpc.cn-shanghai.aliyuncs.com"),
        ] {
            assert_eq!(base(&variables, of_role, vpc).as_deref(), Ok(url));
        }
        assert!(base(&[], Some("evil.example.com/"), false).is_err());
    }
}
