//! `openeventd check`: finds every mistake in the configuration and the rules, and touches nothing else.
//!
//! Problems go to standard error, one line of summary to standard output; with `--calls`, before it, a line for
//! each rule that calls something.

use std::io::{self, Write as _};
use std::path::Path;

use anstyle::Style;

use super::api::repeat;
use super::exit::print_problems;
use super::instant::age;
use super::terminal::{Columns, DIM, NAME, counted};
use super::{Exit, Failure, rule_files};
use crate::config::{self, Config, Environment, LoadError};
use crate::diagnostic::{Diagnostic, Severity};
use crate::duration::whole_ms;
use crate::rule::RuleSet;
use crate::rule::parse::{self, Parsed, Surroundings};

/// What `openeventd check` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Also list what the rules call, and what happens to a call whose response is lost
    #[arg(long)]
    calls: bool,
}

/// What a check found.
pub(super) struct Checked {
    /// Every problem, warnings among them.
    pub(super) problems: Vec<Diagnostic>,
    /// Configuration and rules, if both are right.
    pub(super) loaded: Option<(Config, RuleSet)>,
}

/// Checks the configuration `file` and the rules that it names.
pub fn run(file: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let checked = examine(file, &Environment::of_process())?;
    let unwritten = |error: io::Error| Failure::new(Exit::Io, error);
    print_problems(&checked.problems).map_err(unwritten)?;
    let mut out = super::terminal::stdout();
    if arguments.calls {
        write!(out, "{}", checked.calls().lines(0)).map_err(unwritten)?;
    }
    writeln!(out, "{}", checked.summary()).map_err(unwritten)?;
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

    /// What the rules call, a row for each rule with a step.
    fn calls(&self) -> Columns {
        let mut columns = Columns::new();
        let Some((config, rules)) = &self.loaded else { return columns };
        let within = age(whole_ms(config.dispatch.retry.repeat_within));
        for rule in &rules.rules {
            let Some(step) = &rule.step else { continue };
            let operation = step.operation;
            columns.row([
                (NAME, rule.name.as_str()),
                (Style::new(), rule.mode.as_str()),
                (Style::new(), operation.name),
                (DIM, operation.version.as_str()),
                (Style::new(), operation.access.as_str()),
                (Style::new(), repeat::in_words(operation.repeat_effect, &within).as_str()),
            ]);
        }
        columns
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
