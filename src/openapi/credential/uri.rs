//! Credentials from the URI of `ALIBABA_CLOUD_CREDENTIALS_URI`: a service beside us that keeps them.
//!
//! HTTPS, or plain HTTP to this machine or a private address: the response is a secret.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;

use super::ambient::Ambient;
use super::error::CredentialError;
use super::provider::Fetched;
use super::web::{self, Patience};

/// The variable.
pub(super) const VARIABLE: &str = "ALIBABA_CLOUD_CREDENTIALS_URI";

const PATIENCE: Patience = Patience { connect: Duration::from_secs(5), whole: Duration::from_secs(10) };

/// A usable URI.
pub(super) fn parse(text: &str) -> Result<Url, CredentialError> {
    let unusable =
        |reason: &str| CredentialError::Settings { origin: VARIABLE.into(), reason: reason.into() };
    let url = Url::parse(text).map_err(|_| unusable("is no URL, expected `https://HOST/PATH`"))?;
    let host = url.host_str().ok_or_else(|| unusable("names no host"))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_near(host) => Ok(url),
        "http" => Err(unusable(
            "has plain HTTP to a host that may be anywhere: use https (http only for loopback and private addresses)",
        )),
        _ => Err(unusable("is neither https nor http")),
    }
}

/// Scheme and host; the path may be as good as a password.
pub(super) fn shown(url: &Url) -> String {
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

fn is_near(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host == "localhost"
        || match bare.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => {
                // 100.64.0.0/10 is where Alibaba Cloud keeps services of the instance.
                let is_shared = matches!(address.octets(), [100, 64..=127, ..]);
                address.is_loopback() || address.is_private() || address.is_link_local() || is_shared
            }
            Ok(IpAddr::V6(address)) => {
                address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
            }
            Err(_) => false,
        }
}

/// What the service gives.
pub(super) async fn credentials(ambient: &Ambient, url: &Url) -> Result<Fetched, CredentialError> {
    let service = format!("the credentials URI {}", shown(url));
    let http = web::outside(ambient, PATIENCE)?;
    let response = web::send(http.get(url.clone()), &service).await?;
    Ok(Fetched { credentials: web::coded(&service, &response)?, role: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_fetched_in_plain_text_from_afar() {
        for (uri, fits) in [
            ("https://credentials.example.com/x", true),
            ("http://127.0.0.1:8080/x", true),
            ("http://localhost/x", true),
            ("http://[::1]/x", true),
            ("http://10.1.2.3/x", true),
            ("http://169.254.170.2/x", true),
            ("http://100.100.100.200/x", true),
            ("http://8.8.8.8/x", false),
            ("http://credentials.example.com/x", false),
            ("file:///etc/passwd", false),
            ("nowhere", false),
        ] {
            assert_eq!(parse(uri).is_ok(), fits, "{uri}");
        }
    }
}
