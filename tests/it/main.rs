//! The fast suite: one binary, its modules in the order of the data path.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed; its helpers stand outside of test functions"
)]

mod decode;

mod rules;

mod signature;

mod endpoint;

mod harness;

mod store;

mod outbox;

mod quota;

mod dispatch;

mod verify;

mod openapi;

mod credentials;

mod api;

mod config;

mod check;

mod schema;

mod exchange;

mod init;

mod tail;

mod looking;

mod acting;

mod exposition;

mod monitoring;

mod watched;

mod unit;

mod demo;

mod installed;

mod docs;
