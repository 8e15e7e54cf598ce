//! Pages over HTTP/1.1 for whoever may connect, bounded: [`serve`] takes a listener and the pages.
//!
//! A connection carries one request and is closed after its time, whatever it did; one too many waits for
//! another to end. What goes wrong with a connection disturbs no other.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// More connections wait for one of these to end.
    pub connections_max: usize,
    /// No connection lasts longer.
    pub connection_time_max: Duration,
}

/// A request with its headers fits into this, bytes; a body comes in pieces of it.
const BUFFER_BYTES_MAX: usize = 16 << 10;

/// After the system refused a connection (no file descriptors are left, for one).
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// Serves `pages` for as long as it is polled; its end closes all connections.
pub async fn serve(listener: TcpListener, pages: Router, bounds: Bounds) {
    let room = Arc::new(Semaphore::new(bounds.connections_max));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((connection, _)) => {
                let pages = pages.clone();
                connections.spawn(async move {
                    answer(connection, pages, bounds.connection_time_max).await;
                    drop(place);
                });
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
        .keep_alive(false)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(connection), TowerToHyperService::new(pages));
    match tokio::time::timeout(within, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an HTTP connection failed"),
        Err(_elapsed) => tracing::debug!("an HTTP connection took too long"),
    }
}
