//! The HTTP client: one call is one attempt.
//!
//! Takes an account, a call, its nonce and its time; gives a [`Response`] or a [`CallError`]. HTTP/1.1,
//! no redirects, no retries, no decompression; time and body are bounded. A connection is reused only
//! while idle for less than [`IDLE_MAX`]: one that the endpoint closes just as a request is written on it
//! looks like a lost call, and a lost call that duplicates needs a person. (A request that found its
//! reused connection closed before a byte was written moves to a new one; that is no repetition.)
//! Only a failure to connect is known to be before sending; whatever fails later may have been executed.

use std::error::Error as _;
use std::fmt;
use std::time::{Duration, Instant};

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{NoProxy, Proxy, Url};
use secrecy::ExposeSecret as _;
use thiserror::Error;

use super::credential::Credentials;
use super::error::CallError;
use super::request::{self, Prepared, Signed};
use super::response::{Headers, Received, Response, classify};
use super::scrub::Scrubber;
use super::{Account, Call, Secrets, Settings, endpoint};
use crate::operation::Method;

/// A connection that has been idle for longer is not used again.
pub const IDLE_MAX: Duration = Duration::from_secs(4);

/// What is never called through a proxy.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// Why there is no client.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The proxy's URL is unusable. The URL is not shown: it may hold a password.
    #[error("{origin} is no proxy URL: expected `http://HOST:PORT`")]
    Proxy {
        /// Where the URL came from.
        origin: &'static str,
    },
    /// The HTTP library refused its set-up.
    #[error("HTTP client cannot be set up")]
    Build(#[source] reqwest::Error),
}

/// Makes calls. Cheap to share behind a reference; connections are shared by all calls.
pub struct Client {
    http: reqwest::Client,
    body_bytes_max: usize,
}

/// Without the HTTP client: it knows the proxy, whose URL may hold a password.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("body_bytes_max", &self.body_bytes_max).finish_non_exhaustive()
    }
}

impl Client {
    /// A client by these settings; the environment names a proxy where the settings do not.
    pub fn new(settings: &Settings) -> Result<Self, ClientError> {
        // Whoever comes first installs it; the second attempt finds the same provider in place.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("openeventd/", env!("CARGO_PKG_VERSION")))
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .timeout(settings.timeout)
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(IDLE_MAX)
            .no_proxy();
        if let Some(proxy) = proxy(settings.proxy.as_deref(), |name| std::env::var(name).ok())? {
            builder = builder.proxy(proxy);
        }
        let http = builder.build().map_err(ClientError::Build)?;
        Ok(Client { http, body_bytes_max: settings.body_bytes_max })
    }

    /// The request of a call as it may be stored and shown; `call` with the same arguments sends it.
    pub fn prepare(
        &self,
        account: &Account,
        call: &Call<'_>,
        nonce: &str,
        now_ms: i64,
    ) -> Result<Prepared, CallError> {
        let base = endpoint::explicit(&account.endpoint).map_err(CallError::Endpoint)?;
        request::prepare(&base, call, nonce, now_ms)
    }

    /// Makes one call, once, signed with these credentials of the account.
    pub async fn call(
        &self,
        account: &Account,
        credentials: &Credentials,
        call: &Call<'_>,
        secrets: &Secrets,
        nonce: &str,
        now_ms: i64,
    ) -> Result<Response, CallError> {
        let base = endpoint::explicit(&account.endpoint).map_err(CallError::Endpoint)?;
        let signed = request::sign_request(&base, credentials, call, secrets, nonce, now_ms)?;
        let scrubber = Scrubber::new(secrets, Some(credentials));
        let host = base.split_once("://").map_or(base.as_str(), |(_, host)| host);
        let request = self.build(&signed, &scrubber)?;

        let started = Instant::now();
        let response =
            self.http.execute(request).await.map_err(|error| unanswered(error, host, &scrubber))?;
        let http_status = response.status().as_u16();
        let headers = headers(response.headers());
        let (body, truncated) = read_body(response, self.body_bytes_max).await;
        let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        classify(Received { http_status, headers, body, truncated, latency_ms }, &scrubber)
    }

    fn build(&self, signed: &Signed, scrubber: &Scrubber) -> Result<reqwest::Request, CallError> {
        let unbuildable = |cause: String| CallError::Build { cause: scrubber.scrub(&cause) };
        let url = Url::parse(signed.url.expose_secret()).map_err(|error| unbuildable(error.to_string()))?;
        let mut builder = self.http.request(method(signed.method), url);
        if let Some(body) = &signed.body {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            builder = builder.header(header::CONTENT_TYPE, form).body(body.expose_secret().to_owned());
        }
        builder.build().map_err(|error| unbuildable(causes(error)))
    }
}

/// The body up to `bytes_max`, and whether anything is missing. A connection that breaks inside the body
/// cuts it too: the status and the beginning are still worth reading.
pub(super) async fn read_body(mut response: reqwest::Response, bytes_max: usize) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = bytes_max.saturating_sub(body.len());
                body.extend(chunk.iter().take(room));
                if chunk.len() > room {
                    return (body, true);
                }
            }
            Ok(None) => return (body, false),
            Err(_) => return (body, true),
        }
    }
}

/// What is known when no response came.
fn unanswered(error: reqwest::Error, host: &str, scrubber: &Scrubber) -> CallError {
    let host = host.to_owned();
    // Of all failures only this one surely came before the request was written.
    let connecting = error.is_connect();
    let timed_out = error.is_timeout();
    let cause = scrubber.scrub(&causes(error));
    match (connecting, timed_out) {
        (true, _) => CallError::Connect { host, cause },
        (false, true) => CallError::TimedOut { host },
        (false, false) => CallError::Broken { host, cause },
    }
}

/// The error and its causes in one text, without the URL: its query holds the signature.
pub(super) fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let shown = error.to_string();
        // Some layers repeat the text of the one below.
        if !text.contains(&shown) {
            let separator = if text.is_empty() { "" } else { ": " };
            text = format!("{text}{separator}{shown}");
        }
        cause = error.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}

fn headers(map: &HeaderMap) -> Headers {
    let text = |name: &str| map.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Headers {
        date: text("date"),
        request_id: text("x-acs-request-id"),
        retry_after_ms: text("x-acs-retry-after"),
        retry_after_s: text("retry-after"),
        location: text("location"),
    }
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
    }
}

/// The proxy of the settings, else of the environment; never for loopback addresses, nor for what
/// `NO_PROXY` names.
pub(super) fn proxy(
    setting: Option<&str>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, ClientError> {
    let first = |names: [&'static str; 2]| {
        names.into_iter().find_map(|name| Some((name, environment(name).filter(|value| !value.is_empty())?)))
    };
    let (origin, url) = match setting {
        Some(url) => ("the setting `proxy`", url.to_owned()),
        None => match first(["HTTPS_PROXY", "https_proxy"]) {
            Some(found) => found,
            None => return Ok(None),
        },
    };
    let exceptions = match first(["NO_PROXY", "no_proxy"]) {
        Some((_, list)) => format!("{LOOPBACK},{list}"),
        None => LOOPBACK.to_owned(),
    };
    // Plain text goes to loopback addresses only, so HTTPS is all that a proxy ever sees.
    let proxy = Proxy::https(url).map_err(|_| ClientError::Proxy { origin })?;
    Ok(Some(proxy.no_proxy(NoProxy::from_string(&exceptions))))
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::TcpListener;

    use super::*;

    /// Whether a client with this environment asks the proxy for a host that nobody serves.
    async fn asks_the_proxy(no_proxy: Option<&'static str>) -> bool {
        let proxy_listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        proxy_listener.set_nonblocking(true).expect("a socket option");
        let url = format!("http://{}", proxy_listener.local_addr().expect("a bound address"));
        let environment = |name: &str| match name {
            "https_proxy" => Some(url.clone()),
            "NO_PROXY" => no_proxy.map(str::to_owned),
            _ => None,
        };
        let proxy = proxy(None, environment).expect("a proxy URL").expect("the environment names one");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().proxy(proxy).timeout(Duration::from_millis(300));
        // This address is our own machine's, yet no loopback address; nobody listens on the port.
        let sent = http.build().expect("a client").get("https://0.0.0.0:9").send().await;
        assert!(sent.is_err());
        match proxy_listener.accept() {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        }
    }

    #[tokio::test]
    async fn the_environment_names_the_proxy_and_its_exceptions() {
        assert!(asks_the_proxy(None).await);
        assert!(asks_the_proxy(Some("192.0.2.1,example.com")).await);
        assert!(!asks_the_proxy(Some("example.com,0.0.0.0/8")).await);
    }

    #[test]
    fn the_setting_wins_over_the_environment_and_an_empty_variable_is_none() {
        let broken = |name: &str| (name == "HTTPS_PROXY").then(|| "ho st".to_owned());
        assert!(proxy(Some("http://127.0.0.1:3128"), broken).is_ok_and(|proxy| proxy.is_some()));
        let error = proxy(None, broken).expect_err("no URL");
        assert_eq!(error.to_string(), "HTTPS_PROXY is no proxy URL: expected `http://HOST:PORT`");
        assert!(proxy(None, |_| Some(String::new())).is_ok_and(|proxy| proxy.is_none()));
    }
}
