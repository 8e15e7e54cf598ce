//! Tests of rules: an event, and what the rules must make of it.
//!
//! [`parse`](crate::rule_test::parse::parse) turns the files `*.test.toml` into tests, or into one report of every
//! problem of every file; [`run`](crate::rule_test::run::run) decodes a test's event, matches and plans as the daemon
//! does, by the same functions, and tells what differs from what the test expects;
//! [`coverage`](crate::rule_test::coverage::coverage) says what no test shows. Nothing here reads files.
//!
//! Next: [`crate::kafka`].

use serde_json::{Map, Value as Json};

use crate::operation::ApiVersion;

pub mod parse;

mod event;

mod document;

mod expectation;

pub mod run;

pub mod difference;

mod operators;

pub mod schema;

pub mod coverage;

/// One test, checked against the rules that it names.
#[derive(Debug)]
pub struct RuleTest {
    /// Unique in its file.
    pub name: String,
    /// The file that holds it, a path below the rule directory.
    pub path: String,
    /// The line of its table in that file, from 1.
    pub line: usize,
    /// The value of the record that brings the event; it can be decoded.
    pub(crate) event: String,
    pub(crate) expected: Expected,
}

/// What the rules must make of a test's event.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// Rules that must match.
    pub(crate) matches: Vec<String>,
    /// Rules that must not.
    pub(crate) not_matches: Vec<String>,
    /// Whether no other rule may match.
    pub(crate) only: bool,
    pub(crate) calls: Vec<ExpectedCall>,
    pub(crate) fails: Vec<ExpectedFailure>,
}

/// The call that a rule must plan. What is `None` is not compared.
#[derive(Debug)]
pub(crate) struct ExpectedCall {
    pub(crate) rule: String,
    pub(crate) operation: String,
    pub(crate) version: Option<ApiVersion>,
    pub(crate) account: Option<String>,
    pub(crate) params: Option<Map<String, Json>>,
    pub(crate) in_order_by: Option<String>,
}

/// A rule that must match, and whose call cannot be rendered.
#[derive(Debug)]
pub(crate) struct ExpectedFailure {
    pub(crate) rule: String,
    /// Part of the reason.
    pub(crate) reason: Option<String>,
}

impl RuleTest {
    /// Whether the test says anything about the rule `name`.
    #[must_use]
    pub fn is_about(&self, name: &str) -> bool {
        self.expected
            .matching()
            .chain(self.expected.not_matches.iter().map(String::as_str))
            .any(|own| own == name)
    }
}

impl Expected {
    /// The rules that must match: a call and a failure say so too. A name may come twice.
    pub(crate) fn matching(&self) -> impl Iterator<Item = &str> {
        let calls = self.calls.iter().map(|call| call.rule.as_str());
        let fails = self.fails.iter().map(|failure| failure.rule.as_str());
        self.matches.iter().map(String::as_str).chain(calls).chain(fails)
    }
}
