//! openeventd consumes DataWorks OpenEvent change events from Kafka, decides by declarative rules,
//! answers with signed OpenAPI calls, and keeps a SQLite audit database that can prove every decision.
//!
//! The modules stand in the order in which a record travels: read them from top to bottom.
//! The first group is pure (no I/O, clock, randomness, async or tracing: `now`, `nonce` and `jitter`
//! are arguments); the second group are the edges, of which none knows another; the third joins them.
//! (The lines above the modules are plain comments: a doc comment there would make rustdoc read the
//! links of a module's charter in this scope.)

// -- pure --

// What is wrong in a file that a person wrote, where, and how to mend it.
pub mod diagnostic;

// Durations as people write them: `90s`, `7d`.
pub mod duration;

// Text from events, made safe to show.
pub mod escape;

// A Kafka record as plain borrowed data.
pub mod record;

// The normalised event, and its decoding from every envelope.
pub mod event;

// The unit of work: records, and what decoding and matching made of them.
pub mod batch;

// Rules: patterns, the index over them, and their strict parsing.
pub mod rule;

// The OpenAPI operations of both API versions, as embedded data.
pub mod operation;

// The calls that an account may make: editions, calendar, budget.
pub mod quota;

// Planning: what a matched rule asks for.
pub mod action;

// Tests of rules, run by the same evaluator and planner.
pub mod rule_test;

// -- edges --

// The only place that names the Kafka client.
pub mod kafka;

// The only place that names the database: intake, outbox, audit.
pub mod store;

// The only place that names the HTTP client: signing, endpoints, calls.
pub mod openapi;

// -- the halves, and the program --

// Files and directories that all stay, or all go again.
pub mod begun;

// The clock on the wall; the pure modules take the time as an argument.
pub mod clock;

// From Kafka to the accepted batch.
pub mod ingest;

// From the due action to its settled outcome.
pub mod dispatch;

// Periodic repair, retention and checkpointing of the store.
pub mod upkeep;

// Pages over HTTP, bounded: for whoever watches, and for the demonstration's calls.
pub mod http;

// What programs watch: metrics and health over HTTP, alarms, the daemon's own condition.
pub mod monitoring;

// Starts the halves, watches over them, stops them in order.
pub mod supervise;

// Settings: the strict mirror of the file, and the resolved values.
pub mod config;

// Logs for operators.
pub mod telemetry;

// The demonstration: a broker, events and an endpoint of its own.
pub mod demo;

// The subcommands.
pub mod cli;
