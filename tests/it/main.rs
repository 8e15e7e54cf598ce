//! The fast suite: one binary, its modules in the order of the data path.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed, in its functions too"
)]

mod decode;

mod endpoint;

mod signature;

mod openapi;

mod config;

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed; its helpers stand outside of test functions"
)]

mod check;
