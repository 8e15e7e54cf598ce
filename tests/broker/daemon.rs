//! The whole daemon against real brokers: a process with a configuration, rules, an endpoint on loopback.

#![expect(clippy::panic, clippy::print_stderr, reason = "a test that waits in vain says so and ends")]

#[allow(dead_code, reason = "shared with the crash test, each binary uses a part of it")]
mod audit;

mod calls;

#[path = "../it/endpoint.rs"]
#[allow(dead_code, reason = "the stand-in is shared, each binary uses a part of it")]
mod endpoint;

pub(crate) mod events;

#[path = "../it/exposition.rs"]
#[allow(dead_code, reason = "the reader of metrics is shared, each binary uses a part of it")]
mod exposition;

#[allow(dead_code, reason = "shared with the crash test, each binary uses a part of it")]
mod program;

mod running;

mod reloaded;

mod refused;

mod quarantined;

mod acted;

mod positions;

mod faulty;

mod stopped;

mod watched;
