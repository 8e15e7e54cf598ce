//! `openeventd check`: finds every mistake in the configuration and the rules, and touches nothing else.
//!
//! Problems go to standard error, one line of summary to standard output.

use std::io::{self, Write as _};
use std::path::Path;

use super::exit::print_problems;
use super::terminal::counted;
use super::{Exit, Failure, rule_files};
use crate::config::{self, Config, Environment, LoadError};
use crate::diagnostic::{Diagnostic, Severity};
use crate::rule::RuleSet;
use crate::rule::parse::{self, Parsed, Surroundings};

/// What a check found.
pub(super) struct Checked {
    /// Every problem, warnings among them.
    pub(super) problems: Vec<Diagnostic>,
    /// Configuration and rules, if both are right.
    loaded: Option<(Config, RuleSet)>,
}

/// Checks the configuration `file` and the rules that it names.
pub fn run(file: &Path) -> Result<Exit, Failure> {
    let checked = examine(file, &Environment::of_process())?;
    let unwritten = |error: io::Error| Failure::new(Exit::Io, error);
    print_problems(&checked.problems).map_err(unwritten)?;
    writeln!(io::stdout().lock(), "{}", checked.summary()).map_err(unwritten)?;
    Ok(if checked.is_right() { Exit::Success } else { Exit::Config })
}

/// Looks at the configuration `file`, with the settings of `environment` over it, and the rules that it names,
/// and prints nothing.
pub(super) fn examine(file: &Path, environment: &Environment) -> Result<Checked, Failure> {
    let (config, mut problems) = match config::load(file, environment) {
        Ok(loaded) => loaded,
        // The rules are not checked: what they may refer to is not known.
        Err(LoadError::Invalid(problems)) => return Ok(Checked { problems, loaded: None }),
        Err(error) => return Err(error.into()),
    };
    let accounts = config.known_accounts();
    let surroundings = Surroundings { accounts: &accounts, policy: &config.policy };
    match examine_rules(&config.rules_directory, &surroundings)? {
        Ok((rules, warnings)) => {
            problems.extend(warnings);
            Ok(Checked { problems, loaded: Some((config, rules)) })
        }
        Err(errors) => {
            problems.extend(errors);
            Ok(Checked { problems, loaded: None })
        }
    }
}

/// Looks at the rules of `directory` alone.
pub(super) fn examine_rules(directory: &Path, surroundings: &Surroundings<'_>) -> Result<Parsed, Failure> {
    let files = rule_files::read(directory).map_err(|error| Failure::new(Exit::Config, error))?;
    Ok(parse::parse(files, surroundings))
}

impl Checked {
    /// Whether the daemon would start with it.
    pub(super) fn is_right(&self) -> bool {
        self.loaded.is_some()
    }

    /// All of it in one line.
    pub(super) fn summary(&self) -> String {
        let errors = self.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
        let warnings = self.problems.len() - errors;
        let counts = format!("{}, {}", counted(errors, "error"), counted(warnings, "warning"));
        match &self.loaded {
            Some((config, rules)) => {
                let rules_count = counted(rules.rules.len(), "rule");
                let accounts = counted(config.accounts.len(), "account");
                format!("ok: {rules_count}, {accounts}; {counts}")
            }
            None => format!("not ok: {counts}"),
        }
    }
}
