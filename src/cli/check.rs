//! `openeventd check`: finds every mistake in the configuration and the rules, and touches nothing else.
//!
//! Problems go to standard error, one line of summary to standard output; with `--calls`, before it, a line for
//! each rule that calls something. With `--format json` all of it is one document on standard output.

use std::io::{self, Write as _};
use std::path::Path;

use clap::ValueEnum;

use super::exit::print_problems;
use super::terminal::counted;
use super::{Exit, Failure, rule_files};
use crate::config::{self, Config, Environment, LoadError};
use crate::diagnostic::{Diagnostic, Severity, chain};
use crate::rule::RuleSet;
use crate::rule::parse::{self, PartlyKnown};

// What the rules call.
mod calls;

// The report as a document.
mod document;

/// What `openeventd check` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Also list what the rules call, and what happens to a call whose response is lost
    #[arg(long)]
    calls: bool,
    /// How the result is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Refuse warnings too, as in CI
    #[arg(long)]
    deny_warnings: bool,
}

/// How the result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: problems on standard error, a summary on standard output
    Text,
    /// For programs: one JSON document on standard output
    Json,
}

/// What a check found.
pub(super) struct Checked {
    /// Every problem, warnings among them.
    pub(super) problems: Vec<Diagnostic>,
    /// Configuration and rules, if both are right.
    pub(super) loaded: Option<(Config, RuleSet)>,
    /// A warning is as wrong as an error.
    denies_warnings: bool,
}

/// Checks the configuration `file` and the rules that it names.
pub fn run(file: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let examined = examine(file, &Environment::of_process());
    let unwritten = |error: io::Error| Failure::new(Exit::Io, error);
    let checked = match (examined, arguments.format) {
        (Err(error), Format::Json) => Checked::of(vec![unreadable(file, &error)], None),
        (examined, _) => examined?,
    };
    let checked = Checked { denies_warnings: arguments.deny_warnings, ..checked };
    let mut out = super::terminal::stdout();
    match arguments.format {
        Format::Json => writeln!(out, "{:#}", document::of(&checked, arguments.calls)).map_err(unwritten)?,
        Format::Text => {
            print_problems(&checked.problems).map_err(unwritten)?;
            if arguments.calls {
                write!(out, "{}", calls::columns(&checked).lines(0)).map_err(unwritten)?;
            }
            writeln!(out, "{}", checked.summary()).map_err(unwritten)?;
        }
    }
    Ok(if checked.is_right() { Exit::Success } else { Exit::Config })
}

/// Looks at the configuration `file`, with the settings of `environment` over it, and the rules that it names,
/// and prints nothing. What is wrong with the one hides nothing of the other.
pub(super) fn examine(file: &Path, environment: &Environment) -> Result<Checked, LoadError> {
    let survey = config::survey(file, environment)?;
    let rules = examine_rules(&survey.rules_directory, survey.known());
    let mut problems = survey.problems;
    let loaded = match rules {
        Ok((rules, warnings)) => {
            problems.extend(warnings);
            if rules.rules.is_empty() && survey.config.is_some() {
                problems.push(no_rules(file, &survey.rules_directory));
            }
            survey.config.map(|config| (config, rules))
        }
        Err(errors) => {
            problems.extend(errors);
            None
        }
    };
    Ok(Checked::of(problems, loaded))
}

/// The rules that the configuration `file` names, whatever else is wrong in it.
pub(super) fn rules_alone(file: &Path, environment: &Environment) -> Result<RuleSet, Failure> {
    let survey = config::survey(file, environment)?;
    match examine_rules(&survey.rules_directory, PartlyKnown { accounts: None, policy: None }) {
        Ok((rules, _)) => Ok(rules),
        Err(errors) => Err(Failure::of_problems(errors)),
    }
}

/// Looks at the rules of `directory` alone.
pub(super) fn examine_rules(directory: &Path, known: PartlyKnown<'_>) -> parse::Parsed {
    let files = rule_files::read(directory).map_err(|error| vec![unreadable(Path::new(""), &error)])?;
    parse::parse_within(files, known)
}

/// A daemon without rules only stores events, which nobody means who names the wrong directory.
fn no_rules(file: &Path, directory: &Path) -> Diagnostic {
    Diagnostic {
        file: file.display().to_string(),
        place: None,
        key: "rules.directory".to_owned(),
        message: "no rules: nothing will be decided".to_owned(),
        help: format!("rules are read from {}", directory.display()),
        severity: Severity::Warning,
    }
}

/// What cannot be read, as a problem among others.
fn unreadable(file: &Path, error: &dyn std::error::Error) -> Diagnostic {
    Diagnostic {
        file: file.display().to_string(),
        place: None,
        key: String::new(),
        message: chain(error),
        help: String::new(),
        severity: Severity::Error,
    }
}

impl Checked {
    fn of(problems: Vec<Diagnostic>, loaded: Option<(Config, RuleSet)>) -> Self {
        Checked { problems, loaded, denies_warnings: false }
    }

    /// Whether the daemon would start with it, and if warnings are denied, without one.
    fn is_right(&self) -> bool {
        self.loaded.is_some() && !(self.denies_warnings && self.count(Severity::Warning) > 0)
    }

    fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }

    /// All of it in one line.
    pub(super) fn summary(&self) -> String {
        let errors = counted(self.count(Severity::Error), "error");
        let counts = format!("{errors}, {}", counted(self.count(Severity::Warning), "warning"));
        match &self.loaded {
            Some((config, rules)) if self.is_right() => {
                let rules_count = counted(rules.rules.len(), "rule");
                let accounts = counted(config.accounts.len(), "account");
                format!("ok: {rules_count}, {accounts}; {counts}")
            }
            _ => format!("not ok: {counts}"),
        }
    }
}
