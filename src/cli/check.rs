//! `openeventd check`: finds every mistake in the configuration and the rules, and touches nothing else.
//!
//! Problems go to standard error, one line of summary to standard output.

use std::io::{self, Write as _};
use std::path::Path;

use super::exit::print_problems;
use super::{Exit, Failure, rule_files};
use crate::config::{self, Config, Environment, LoadError};
use crate::diagnostic::{Diagnostic, Severity};
use crate::rule::RuleSet;
use crate::rule::parse::{self, Surroundings};

/// Checks the configuration `file` and the rules that it names.
pub fn run(file: &Path) -> Result<Exit, Failure> {
    let (config, mut problems) = match config::load(file, &Environment::of_process()) {
        Ok(loaded) => loaded,
        // The rules are not checked: what they may refer to is not known.
        Err(LoadError::Invalid(problems)) => return finish(&problems, None),
        Err(error) => return Err(error.into()),
    };
    let files =
        rule_files::read(&config.rules_directory).map_err(|error| Failure::new(Exit::Config, error))?;
    let accounts: Vec<String> = config.accounts.iter().map(|account| account.name.clone()).collect();
    let surroundings = Surroundings { accounts: &accounts, policy: &config.policy };
    match parse::parse(files, &surroundings) {
        Ok((rules, warnings)) => {
            problems.extend(warnings);
            finish(&problems, Some((&config, &rules)))
        }
        Err(errors) => {
            problems.extend(errors);
            finish(&problems, None)
        }
    }
}

fn finish(problems: &[Diagnostic], loaded: Option<(&Config, &RuleSet)>) -> Result<Exit, Failure> {
    let unwritten = |error: io::Error| Failure::new(Exit::Io, error);
    print_problems(problems).map_err(unwritten)?;
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let counts = format!("{}, {}", counted(errors, "error"), counted(problems.len() - errors, "warning"));
    let (line, exit) = match loaded {
        Some((config, rules)) if errors == 0 => {
            let rules_count = counted(rules.rules.len(), "rule");
            let accounts = counted(config.accounts.len(), "account");
            (format!("ok: {rules_count}, {accounts}; {counts}"), Exit::Success)
        }
        _ => (format!("not ok: {counts}"), Exit::Config),
    };
    writeln!(io::stdout().lock(), "{line}").map_err(unwritten)?;
    Ok(exit)
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
