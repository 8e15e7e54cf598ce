//! Behaviour against real Kafka brokers: one of today, and the version that DataWorks runs.

#![expect(clippy::expect_used, reason = "what a test needs and does not get ends the test")]

mod harness;

mod driver;

mod consume;

mod rebalance;

mod position;

mod faults;

mod daemon;

mod tail;
