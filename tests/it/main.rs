//! The fast tests: behaviour from the outside, one module a topic, in path order.

mod rules;
