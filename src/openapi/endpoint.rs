//! Where calls go: the host of a region, from the internet or from inside a VPC, or an explicit URL.
//!
//! Gives a base URL (scheme, host, port; no path). HTTPS always, except for a loopback address, which
//! may be called in plain text. A region that the table does not have gets the host that the pattern
//! suggests: new regions follow it.

use std::net::IpAddr;

use reqwest::Url;
use thiserror::Error;

use crate::diagnostic;

/// From where the endpoint is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// From the internet.
    Public,
    /// From inside an Alibaba Cloud VPC of the region.
    Vpc,
}

/// Regions with a host of their own.
const OWN_HOST: [&str; 24] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-southeast-1",
    "ap-southeast-3",
    "ap-southeast-5",
    "ap-southeast-7",
    "cn-beijing",
    "cn-beijing-finance-1",
    "cn-chengdu",
    "cn-hangzhou",
    "cn-hongkong",
    "cn-north-2-gov-1",
    "cn-shanghai",
    "cn-shanghai-finance-1",
    "cn-shenzhen",
    "cn-shenzhen-finance-1",
    "cn-wulanchabu",
    "cn-zhangjiakou",
    "eu-central-1",
    "eu-west-1",
    "me-central-1",
    "me-east-1",
    "us-east-1",
    "us-west-1",
];

/// Regions and internal ids that [`SHARED`] serves from the internet.
const SHARED_HOST: [&str; 36] = [
    "ap-northeast-2-pop",
    "ap-south-1",
    "ap-southeast-2",
    "cn-beijing-finance-pop",
    "cn-beijing-gov-1",
    "cn-beijing-nu16-b01",
    "cn-edge-1",
    "cn-fujian",
    "cn-haidian-cm12-c01",
    "cn-hangzhou-bj-b01",
    "cn-hangzhou-finance",
    "cn-hangzhou-internal-prod-1",
    "cn-hangzhou-internal-test-1",
    "cn-hangzhou-internal-test-2",
    "cn-hangzhou-internal-test-3",
    "cn-hangzhou-test-306",
    "cn-hongkong-finance-pop",
    "cn-huhehaote",
    "cn-huhehaote-nebula-1",
    "cn-qingdao",
    "cn-qingdao-nebula",
    "cn-shanghai-et15-b01",
    "cn-shanghai-et2-b01",
    "cn-shanghai-inner",
    "cn-shanghai-internal-test-1",
    "cn-shenzhen-inner",
    "cn-shenzhen-st4-d01",
    "cn-shenzhen-su18-b01",
    "cn-wuhan",
    "cn-yushanfang",
    "cn-zhangbei",
    "cn-zhangbei-na61-b01",
    "cn-zhangjiakou-na62-a01",
    "cn-zhengzhou-nebula-1",
    "eu-west-1-oxs",
    "rus-west-1-pop",
];

/// The host of the regions without their own.
const SHARED: &str = "dataworks.aliyuncs.com";

/// Why there is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// The region's text cannot be part of a host name.
    #[error(
        "region `{region}` is no region id: expected lowercase letters, digits and dashes, as `cn-shanghai`"
    )]
    Region {
        /// The text.
        region: String,
    },
    /// The URL does not parse.
    #[error("endpoint is no URL ({reason}): expected `https://HOST` or `https://HOST:PORT`")]
    Parse {
        /// The parser's reason.
        reason: String,
    },
    /// The URL would send signed calls in plain text, or in no way we know.
    #[error("endpoint has scheme `{scheme}`: expected `https` (`http` only for a loopback address)")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// The URL has more than scheme, host and port.
    #[error("endpoint has a {part}: expected only `https://HOST` or `https://HOST:PORT`")]
    Part {
        /// What is too much.
        part: &'static str,
    },
}

/// The base URL of a region.
pub fn of_region(region: &str, network: Network) -> Result<String, EndpointError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if region.is_empty() || region.len() > 63 || !region.bytes().all(allowed) {
        return Err(EndpointError::Region { region: region.to_owned() });
    }
    Ok(match network {
        Network::Public if SHARED_HOST.contains(&region) => format!("https://{SHARED}"),
        Network::Public => format!("https://dataworks.{region}.aliyuncs.com"),
        Network::Vpc => format!("https://dataworks-vpc.{region}.aliyuncs.com"),
    })
}

/// Whether the table has the region; of another one the host is only inferred.
#[must_use]
pub fn is_known(region: &str) -> bool {
    OWN_HOST.contains(&region) || SHARED_HOST.contains(&region)
}

/// The known region whose id is nearest to an unknown one.
#[must_use]
pub fn nearest_region(region: &str) -> Option<&'static str> {
    diagnostic::nearest(region, OWN_HOST.into_iter().chain(SHARED_HOST))
}

/// The base URL of an endpoint given as a URL.
pub fn explicit(url: &str) -> Result<String, EndpointError> {
    let parsed = Url::parse(url).map_err(|error| EndpointError::Parse { reason: error.to_string() })?;
    let Some(host) = parsed.host_str() else {
        return Err(EndpointError::Parse { reason: "it names no host".to_owned() });
    };
    let plain_loopback = parsed.scheme() == "http" && is_loopback(host);
    if parsed.scheme() != "https" && !plain_loopback {
        return Err(EndpointError::Scheme { scheme: parsed.scheme().to_owned() });
    }
    let unwanted = [
        ("user name or password", !parsed.username().is_empty() || parsed.password().is_some()),
        ("path", parsed.path() != "/"),
        ("query", parsed.query().is_some()),
        ("fragment", parsed.fragment().is_some()),
    ];
    if let Some((part, _)) = unwanted.into_iter().find(|(_, present)| *present) {
        return Err(EndpointError::Part { part });
    }
    let port = parsed.port().map_or_else(String::new, |port| format!(":{port}"));
    Ok(format!("{}://{host}{port}", parsed.scheme()))
}

/// Whether a URL's host is this machine: never through a proxy, and plain text is allowed.
fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_its_public_and_its_vpc_host() {
        for (region, network, url) in [
            ("cn-shanghai", Network::Public, "https://dataworks.cn-shanghai.aliyuncs.com"),
            ("cn-shanghai", Network::Vpc, "https://dataworks-vpc.cn-shanghai.aliyuncs.com"),
            ("cn-qingdao", Network::Public, "https://dataworks.aliyuncs.com"),
            ("cn-qingdao", Network::Vpc, "https://dataworks-vpc.cn-qingdao.aliyuncs.com"),
            ("cn-north-2-gov-1", Network::Vpc, "https://dataworks-vpc.cn-north-2-gov-1.aliyuncs.com"),
            ("xx-new-1", Network::Public, "https://dataworks.xx-new-1.aliyuncs.com"),
        ] {
            assert_eq!(of_region(region, network).as_deref(), Ok(url));
        }
        assert!(is_known("us-west-1") && is_known("cn-wuhan") && !is_known("xx-new-1"));
        assert_eq!(nearest_region("cn-shangai"), Some("cn-shanghai"));
    }

    #[test]
    fn a_region_cannot_smuggle_in_another_host() {
        for region in ["", "evil.com/", "cn-shanghai.evil.com", "CN-SHANGHAI", "a@b", "a:1"] {
            assert!(of_region(region, Network::Public).is_err(), "{region}");
        }
    }

    #[test]
    fn an_explicit_url_is_https_or_loopback_and_nothing_but_a_host() {
        for (url, expected) in [
            ("https://dataworks.example.com", Ok("https://dataworks.example.com")),
            ("https://dataworks.example.com:8443/", Ok("https://dataworks.example.com:8443")),
            ("https://[2001:db8::1]:8443", Ok("https://[2001:db8::1]:8443")),
            ("http://127.0.0.1:8080", Ok("http://127.0.0.1:8080")),
            ("http://127.9.9.9", Ok("http://127.9.9.9")),
            ("http://localhost:1", Ok("http://localhost:1")),
            ("http://[::1]:9", Ok("http://[::1]:9")),
            ("http://dataworks.example.com", Err("has scheme `http`")),
            ("http://localhost.example.com", Err("has scheme `http`")),
            ("ftp://127.0.0.1", Err("has scheme `ftp`")),
            ("https://user@host", Err("has a user name or password")),
            ("https://host/path", Err("has a path")),
            ("https://host/?a=b", Err("has a query")),
            ("https://host/#f", Err("has a fragment")),
            ("dataworks.example.com", Err("is no URL")),
            ("https://", Err("is no URL")),
        ] {
            match (explicit(url), expected) {
                (Ok(base), Ok(expected)) => assert_eq!(base, expected),
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().contains(expected), "{url}: {error}");
                }
                (found, _) => panic!("{url}: {found:?}"),
            }
        }
    }
}
