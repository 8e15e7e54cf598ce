//! Behaviour tests: one module a topic, in the order in which a record travels.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed; its helpers stand outside of test functions"
)]

mod check;
mod config;
