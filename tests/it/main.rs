//! The behaviour tests: one fast binary, its modules in path order.

mod endpoint;

mod signature;

mod openapi;
