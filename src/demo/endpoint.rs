//! The endpoint that answers the demonstration's calls, on loopback.
//!
//! It checks each call as the gateway before DataWorks does (access key, time, signature, nonce) and
//! answers in DataWorks' shapes; what it reruns has run once more when it is read. Some calls meet a fate:
//! throttled, failed, not permitted, or never answered. Bodies, calls remembered, and the time and number of
//! connections are bounded.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::http::{self, Bounds};

mod answer;

mod gate;

use answer::Runs;
use gate::Gate;

/// The key that calls have to be signed by.
#[derive(Clone)]
pub struct AccessKey {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: SecretString,
}

/// What a call meets instead of success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Too many calls: not executed.
    Throttle,
    /// The service is unavailable for a moment.
    Fail,
    /// The key may not do this.
    Forbid,
    /// Executed, and never answered.
    Lose,
}

/// The fates of calls, by operation and instance, the first call's first.
pub type Fates = BTreeMap<(&'static str, i64), Vec<Fate>>;

/// A larger body is no call.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Far more than the daemon's calls at once, and longer than it waits for any of them.
const BOUNDS: Bounds = Bounds { connections_max: 64, connection_time_max: Duration::from_secs(3) };

/// How long the work takes: a little, and a little more or less.
const WORK_MS: std::ops::Range<u64> = 8..45;

/// The running endpoint. Dropping it ends it.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    verified: Arc<AtomicU64>,
    serving: JoinHandle<()>,
}

/// What all calls share.
struct Shared {
    gate: Mutex<Gate>,
    fates: Mutex<HashMap<(String, i64), VecDeque<Fate>>>,
    runs: Mutex<Runs>,
    verified: Arc<AtomicU64>,
    host: String,
}

impl Endpoint {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// There is none.
    pub async fn start(key: AccessKey, fates: Fates) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let verified = Arc::new(AtomicU64::new(0));
        let fates = fates
            .into_iter()
            .map(|((operation, instance), fates)| ((operation.to_owned(), instance), VecDeque::from(fates)));
        let shared = Shared {
            gate: Mutex::new(Gate::new(key)),
            fates: Mutex::new(fates.collect()),
            runs: Mutex::new(Runs::failed_at(crate::clock::now_ms())),
            verified: Arc::clone(&verified),
            host: address.to_string(),
        };
        let router = Router::new()
            .fallback(serve)
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(Arc::new(shared));
        let serving = tokio::spawn(http::serve(listener, router, BOUNDS));
        Ok(Endpoint { address, verified, serving })
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Calls with a right signature so far.
    #[must_use]
    pub fn verified(&self) -> u64 {
        self.verified.load(Ordering::Relaxed)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A refusal in the gateway's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Refusal { status, code, message: message.into() }
    }
}

async fn serve(
    State(shared): State<Arc<Shared>>,
    method: Method,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let request_id = format!("{:032X}", fastrand::u128(..));
    let form = std::str::from_utf8(&body).unwrap_or_default();
    let now_ms = crate::clock::now_ms();
    let passed = {
        let mut gate = shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
        gate.pass(method.as_str(), query.as_deref().unwrap_or_default(), form, now_ms)
    };
    let call = match passed {
        Ok(call) => call,
        Err(refusal) => return refused(&refusal, &request_id, &shared.host),
    };
    shared.verified.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(fastrand::u64(WORK_MS))).await;
    let fate = shared.fate(&call);
    let answer = match fate {
        None | Some(Fate::Lose) => {
            let mut runs = shared.runs.lock().unwrap_or_else(PoisonError::into_inner);
            answer::of(&call, &mut runs, now_ms)
        }
        Some(Fate::Throttle) => {
            Err(Refusal::new(429, "Throttling.User", "Requests are too frequent, try again later."))
        }
        Some(Fate::Fail) => {
            Err(Refusal::new(503, "ServiceUnavailable", "The service is temporarily unavailable."))
        }
        Some(Fate::Forbid) => {
            Err(Refusal::new(403, "Forbidden.Access", "Access is forbidden. You do not have the permission."))
        }
    };
    if fate == Some(Fate::Lose) {
        // The client gives up first, and this with it.
        std::future::pending::<()>().await;
    }
    match answer {
        Ok(mut body) => {
            body.insert("RequestId".to_owned(), Value::from(request_id));
            respond(StatusCode::OK, &Value::Object(body))
        }
        Err(refusal) => refused(&refusal, &request_id, &shared.host),
    }
}

impl Shared {
    /// What this call meets, once.
    fn fate(&self, call: &gate::Call) -> Option<Fate> {
        let instance = answer::instances(call).into_iter().next()?;
        let mut fates = self.fates.lock().unwrap_or_else(PoisonError::into_inner);
        fates.get_mut(&(call.operation.clone(), instance))?.pop_front()
    }
}

fn refused(refusal: &Refusal, request_id: &str, host: &str) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
    let recommend = format!("https://api.aliyun.com/troubleshoot?q={}", refusal.code);
    let body = json!({
        "RequestId": request_id, "HostId": host, "Code": refusal.code, "Message": refusal.message,
        "Recommend": recommend,
    });
    respond(status, &body)
}

fn respond(status: StatusCode, body: &Value) -> Response {
    let json = HeaderValue::from_static("application/json;charset=utf-8");
    (status, [(CONTENT_TYPE, json)], body.to_string()).into_response()
}
