//! Pages over HTTP/1.1 for whoever may connect, bounded: [`serve`] takes a listener and the pages.
//!
//! A connection carries one request and is closed after its time, whatever it did; sooner if it says nothing, or if
//! it is the oldest of too many, so that silent ones keep nobody out. What goes wrong with a connection
//! disturbs no other.

use std::collections::VecDeque;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// With one more, the oldest is closed.
    pub connections_max: usize,
    /// No connection lasts longer.
    pub connection_time_max: Duration,
}

/// A request with its headers fits into this, bytes; a body comes in pieces of it.
const BUFFER_BYTES_MAX: usize = 16 << 10;

/// A request whose headers are not there by then does not come.
const HEADER_TIME_MAX: Duration = Duration::from_secs(1);

/// After the system refused a connection (no file descriptors are left, for one).
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// Serves `pages` for as long as it is polled; its end closes all connections.
pub async fn serve(listener: TcpListener, pages: Router, bounds: Bounds) {
    let mut connections = JoinSet::new();
    let mut by_age: VecDeque<AbortHandle> = VecDeque::with_capacity(bounds.connections_max);
    loop {
        match listener.accept().await {
            Ok((connection, _)) => {
                // The set keeps what has ended until it is taken.
                while connections.try_join_next().is_some() {}
                by_age.retain(|one| !one.is_finished());
                if by_age.len() >= bounds.connections_max
                    && let Some(oldest) = by_age.pop_front()
                {
                    oldest.abort();
                }
                let served = answer(connection, pages.clone(), bounds.connection_time_max);
                by_age.push_back(connections.spawn(served));
            }
            Err(error) => {
                tracing::debug!(%error, "an HTTP connection was not taken");
                tokio::time::sleep(REFUSED_PAUSE).await;
            }
        }
    }
}

/// One request of one connection.
async fn answer(connection: TcpStream, pages: Router, within: Duration) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .keep_alive(false)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(connection), TowerToHyperService::new(pages));
    match tokio::time::timeout(within, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an HTTP connection failed"),
        Err(_elapsed) => tracing::debug!("an HTTP connection took too long"),
    }
}
