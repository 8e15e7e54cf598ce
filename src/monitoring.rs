//! What programs watch: metrics and health over HTTP, alarms, the daemon's own condition.
//!
//! The halves count into [`Metrics`] after their commits; [`crate::supervise`] says what the daemon is
//! doing ([`board::Condition`]); [`watch`] looks every second at what moves by itself and keeps the row
//! of the daemon. All of it meets on the [`Board`], which [`server`] shows. Nothing here stops the
//! daemon: a port that is taken, or a row that cannot be written, is an alarm.
//!
//! Next: [`crate::supervise`].

use std::net::SocketAddr;

pub mod alarms;

pub mod metrics;

pub mod board;

pub mod watch;

pub mod server;

mod figures;

mod process;

pub use alarms::Alarms;
pub use board::Board;
pub use metrics::Metrics;

/// How programs can watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Where to serve metrics and health; port 0 takes any free one. `None`: nowhere.
    pub listen: Option<SocketAddr>,
}
