//! The fast suite: one binary, its modules in the order of the data path.

mod decode;

mod endpoint;

mod openapi;

mod config;

mod check;
