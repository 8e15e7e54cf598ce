//! Behaviour against real Kafka brokers: one of today, and the version that DataWorks runs.

mod harness;

mod driver;

mod consume;

mod rebalance;

mod position;

mod faults;

mod daemon;
