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
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret as _;
use thiserror::Error;

use super::credential::Credentials;
use super::error::CallError;
use super::handover::{self, Noting};
use super::proxy::proxy;
use super::rate::Slot;
use super::request::{self, Prepared, Signed, Stamp, Target};
use super::response::{Headers, Received, Response, classify};
use super::scrub::Scrubber;
use super::skew::Skews;
use super::{Account, Call, Secrets, Settings, endpoint};
use crate::operation::Method;

/// A connection that has been idle for longer is not used again.
pub const IDLE_MAX: Duration = Duration::from_secs(4);

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
    skews: Skews,
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
            .connector_layer(Noting)
            .no_proxy();
        if let Some(proxy) = proxy(settings.proxy.as_deref(), |name| std::env::var(name).ok())? {
            builder = builder.proxy(proxy);
        }
        let http = builder.build().map_err(ClientError::Build)?;
        Ok(Client { http, body_bytes_max: settings.body_bytes_max, skews: Skews::default() })
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
        let target = Target { base: &base, signature: account.signature };
        request::prepare(target, call, Stamp { nonce, now_ms: by_endpoint(now_ms, self.skews.of(&base)) })
    }

    /// Makes one call, once. Each attempt needs a nonce of its own. The slot is free again as soon as the
    /// endpoint cannot count the call any more.
    #[expect(clippy::too_many_arguments, reason = "each is chosen by another part of the caller")]
    pub async fn call(
        &self,
        account: &Account,
        credentials: &Credentials,
        call: &Call<'_>,
        secrets: &Secrets,
        nonce: &str,
        now_ms: i64,
        slot: Slot,
    ) -> Result<Response, CallError> {
        let base = match endpoint::explicit(&account.endpoint) {
            Ok(base) => base,
            Err(error) => return Err(unsent(&slot, CallError::Endpoint(error))),
        };
        let target = Target { base: &base, signature: account.signature };
        let skew_ms = self.skews.of(&base);
        let stamp = Stamp { nonce, now_ms: by_endpoint(now_ms, skew_ms) };
        let scrubber = Scrubber::new(secrets, Some(credentials));
        let request = request::sign_request(target, credentials, call, secrets, stamp)
            .and_then(|signed| self.build(&signed, &scrubber));
        let request = match request {
            Ok(request) => request,
            Err(error) => return Err(unsent(&slot, error)),
        };

        let received = self.exchange(request, target.host(), now_ms, slot, &scrubber).await?;
        let arrived_ms = received.arrived_ms;
        let result = classify(received, &scrubber);
        result.map_err(|error| self.learn_skew(error, &base, skew_ms, arrived_ms))
    }

    /// Sends the request and reads the response.
    async fn exchange(
        &self,
        request: reqwest::Request,
        host: &str,
        now_ms: i64,
        slot: Slot,
        scrubber: &Scrubber,
    ) -> Result<Received, CallError> {
        let started = Instant::now();
        let slot = Arc::new(slot);
        let response = match handover::watch(Arc::clone(&slot), self.http.execute(request)).await {
            Ok(response) => response,
            Err(error) => {
                if error.is_connect() {
                    slot.give_back();
                }
                return Err(unanswered(error, host, scrubber));
            }
        };
        slot.response_began();
        // The rest of the body may take its time: nobody waits for this slot to be dropped.
        drop(slot);
        let http_status = response.status().as_u16();
        let headers = headers(response.headers());
        let (body, truncated) = read_body(response, self.body_bytes_max).await;
        let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let arrived_ms = now_ms.saturating_add(i64::try_from(latency_ms).unwrap_or(i64::MAX));
        Ok(Received { http_status, headers, body, truncated, latency_ms, arrived_ms })
    }

    /// Learns the endpoint's time from a refusal for the clock; other errors pass.
    fn learn_skew(&self, error: CallError, base: &str, used_ms: Option<i64>, arrived_ms: i64) -> CallError {
        let CallError::Clock { refusal, .. } = error else { return error };
        let seen_ms = refusal.response.server_date_ms.map(|date_ms| date_ms.saturating_sub(arrived_ms));
        let learned = seen_ms.is_some_and(|seen_ms| self.skews.learn(base, used_ms, seen_ms));
        CallError::Clock { refusal, corrected: !learned }
    }

    fn build(&self, signed: &Signed, scrubber: &Scrubber) -> Result<reqwest::Request, CallError> {
        let unbuildable = |cause: String| CallError::Build { cause: scrubber.scrub(&cause) };
        let url = Url::parse(signed.url.expose_secret()).map_err(|error| unbuildable(error.to_string()))?;
        let mut builder = self.http.request(method(signed.method), url);
        for (name, value) in &signed.headers {
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|error| unbuildable(error.to_string()))?;
            let mut value = HeaderValue::from_str(value.expose_secret())
                .map_err(|_| unbuildable(format!("the value of the header {name} cannot be sent")))?;
            value.set_sensitive(true);
            builder = builder.header(name, value);
        }
        if let Some(body) = &signed.body {
            builder = builder.body(body.expose_secret().to_owned());
        }
        builder.build().map_err(|error| unbuildable(causes(error)))
    }
}

/// Nothing left, so the slot is free.
fn unsent(slot: &Slot, error: CallError) -> CallError {
    slot.give_back();
    error
}

/// Our time as the endpoint's clock has it, as far as that is known.
fn by_endpoint(now_ms: i64, skew_ms: Option<i64>) -> i64 {
    now_ms.saturating_add(skew_ms.unwrap_or(0))
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
        retry_after: text("retry-after"),
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
