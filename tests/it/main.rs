//! Behaviour tests: one module a topic, in the order in which a record travels.

mod check;
mod config;
