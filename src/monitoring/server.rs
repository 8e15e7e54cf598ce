//! Metrics and health over HTTP/1.1.
//!
//! Serves `/metrics`, `/healthz` and `/readyz` to whoever may connect, and nothing else: no request has a
//! body, none changes anything. A connection carries one request, which must come within a second, and is
//! closed after a few seconds whatever it did. Their number is bounded: the oldest makes room for a new one, so
//! that nobody keeps others out by saying nothing.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use super::Board;
use super::board::Verdict;
use super::figures::Figures;
use super::process::Process;
use crate::http::{self, Bounds};

/// A watcher asks every few seconds, and its answer takes milliseconds.
const BOUNDS: Bounds = Bounds { connections_max: 16, connection_time_max: Duration::from_secs(5) };

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is served.
#[derive(Debug)]
struct Pages {
    board: Arc<Board>,
    registry: Registry,
}

/// Takes the address; port 0 takes any free one.
///
/// # Errors
/// The system's: the port is taken, or the address is not ours.
pub async fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(listen).await?;
    tracing::info!(address = %listener.local_addr()?, "metrics and health are served");
    Ok(listener)
}

/// Shows `board` to whoever connects, for as long as it is polled.
pub async fn serve(listener: TcpListener, board: Arc<Board>) {
    http::serve(listener, router(board), BOUNDS).await;
}

fn router(board: Arc<Board>) -> Router {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Process));
    let own = registry.sub_registry_with_prefix("openeventd");
    board.metrics.register(own);
    own.register_collector(Box::new(Figures(Arc::clone(&board))));
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(Arc::new(Pages { board, registry }))
}

async fn metrics(State(pages): State<Arc<Pages>>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &pages.registry) {
        Ok(()) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn healthz(State(pages): State<Arc<Pages>>) -> Response {
    page("alive", pages.board.health())
}

async fn readyz(State(pages): State<Arc<Pages>>) -> Response {
    page("ready", pages.board.readiness())
}

/// What is so, or why it is not: one line each.
fn page(what: &str, verdict: Verdict) -> Response {
    let (status, first, lines) = match verdict {
        Verdict::Yes(lines) => (StatusCode::OK, what.to_owned(), lines),
        Verdict::No(lines) => (StatusCode::SERVICE_UNAVAILABLE, format!("not {what}"), lines),
    };
    let text: String = std::iter::once(first).chain(lines).flat_map(|line| [line, "\n".to_owned()]).collect();
    (status, text).into_response()
}
