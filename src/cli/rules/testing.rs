//! `openeventd rules test`: runs the tests that lie beside the rules, and tells what none of them shows.
//!
//! Rules that are wrong, and tests that are, go to standard error as `openeventd check` shows them; results go to
//! standard output, and on request to a file for CI.

use std::path::{Path, PathBuf};

use self::loading::Loaded;
use crate::cli::exit::print_problems;
use crate::cli::{Exit, Failure};
use crate::config::Planning;
use crate::diagnostic::nearest;
use crate::rule::RuleSet;
use crate::rule::kept::UNNAMED;
use crate::rule_test::coverage::{Coverage, RuleCoverage, coverage};
use crate::rule_test::{RuleTest, run};

// What a run needs, or all that is wrong with it.
mod loading;

// The files that hold events.
mod event_file;

// For people.
mod screen;

// For programs.
mod json;

// For CI.
mod junit;

pub(super) const EXAMPLES: &str = "\
Examples:
  openeventd rules test
  openeventd rules test rules.d --junit report.xml --fail-uncovered
  openeventd rules test --rule rerun-failed-etl";

/// What `openeventd rules test` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The rule directory, instead of the configured one
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Only the tests that name this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Also write a report for CI, in the XML of `JUnit`
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// JSON lines: one for each test, then a summary
    #[arg(long)]
    json: bool,
    /// Fail too if a rule lacks a test that matches or one that does not
    #[arg(long)]
    fail_uncovered: bool,
}

/// A test that was run.
pub(super) struct Ran {
    test: RuleTest,
    failures: Vec<run::Failure>,
}

/// All that came of a run.
pub(super) struct Results {
    ran: Vec<Ran>,
    coverage: Coverage,
    /// What no test shows is a failure.
    refuses_uncovered: bool,
}

/// Why tests cannot be run.
#[derive(Debug, thiserror::Error)]
enum TestError {
    #[error("there is no rule \"{name}\"{help}")]
    UnknownRule { name: String, help: String },
    #[error("cannot write the report {}", .path.display())]
    Report { path: PathBuf, source: std::io::Error },
}

impl From<TestError> for Failure {
    fn from(error: TestError) -> Self {
        let exit = match error {
            TestError::UnknownRule { .. } => Exit::Usage,
            TestError::Report { .. } => Exit::CannotCreate,
        };
        Failure::new(exit, error)
    }
}

/// Runs the subcommand.
pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let Loaded { settings, rules, tests, warnings } = loading::load(config, arguments.directory.as_deref())?;
    if let Some(name) = &arguments.rule {
        refuse_unknown(name, &rules)?;
    }
    print_problems(&warnings)?;
    let results = results(tests, &rules, &settings, arguments);
    if let Some(path) = &arguments.junit {
        let report = |source| TestError::Report { path: path.clone(), source };
        std::fs::write(path, junit::report(&results).map_err(report)?).map_err(report)?;
    }
    if arguments.json {
        json::write(&results)?;
    } else {
        screen::write(&results)?;
    }
    Ok(if results.are_right() { Exit::Success } else { Exit::Data })
}

fn refuse_unknown(name: &str, rules: &RuleSet) -> Result<(), TestError> {
    let known = || rules.rules.iter().map(|rule| rule.name.as_str());
    if known().any(|own| own == name) {
        return Ok(());
    }
    let help = nearest(name, known()).map(|meant| format!(": did you mean \"{meant}\"?"));
    Err(TestError::UnknownRule { name: name.to_owned(), help: help.unwrap_or_default() })
}

fn results(tests: Vec<RuleTest>, rules: &RuleSet, settings: &Planning, arguments: &Arguments) -> Results {
    let only = arguments.rule.as_deref();
    let account = settings.default_account().unwrap_or(UNNAMED);
    let mut coverage = coverage(&tests, rules);
    if let Some(name) = only {
        coverage.rules.retain(|rule| rule.rule == name);
        coverage.operators.clear();
    }
    let about = |test: &RuleTest| only.is_none_or(|name| test.is_about(name));
    let ran = tests.into_iter().filter(about).map(|test| {
        let failures = run::run(&test, rules, &settings.policy, account);
        Ran { test, failures }
    });
    Results { ran: ran.collect(), coverage, refuses_uncovered: arguments.fail_uncovered }
}

/// What the rule lacks.
fn missing(rule: &RuleCoverage) -> &'static str {
    match (rule.matches, rule.not_matches) {
        (false, false) => "no test names it",
        (false, true) => "no test where it matches",
        (true, _) => "no test where it does not match",
    }
}

impl Results {
    /// How many tests failed.
    fn failed(&self) -> usize {
        self.ran.iter().filter(|ran| !ran.failures.is_empty()).count()
    }

    /// What no test shows, each with why.
    fn uncovered(&self) -> Vec<(String, &'static str)> {
        let rules = self.coverage.rules.iter().filter(|rule| !rule.is_covered());
        let rules = rules.map(|rule| (rule.rule.clone(), missing(rule)));
        let operators = self.coverage.operators.iter().map(|(operator, rule)| {
            (format!("operator {operator}, as in {rule}"), "no rule with it has both tests")
        });
        rules.chain(operators).collect()
    }

    /// Whether nothing is there that fails the run.
    fn are_right(&self) -> bool {
        let is_covered = || !self.coverage.rules.is_empty() && self.uncovered().is_empty();
        self.failed() == 0 && (!self.refuses_uncovered || is_covered())
    }
}
