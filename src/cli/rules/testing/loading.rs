//! Settings, rules and tests, or every mistake of all three: a wrong rule hides no mistake of a test.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use super::super::super::{CONFIG_DEFAULT, rule_files};
use super::event_file;
use crate::action::plan::Trust;
use crate::cli::{Exit, Failure};
use crate::config::{self, Environment, LoadError, Planning};
use crate::diagnostic::{Diagnostic, Severity};
use crate::event::decode::Limits;
use crate::rule::kept::mentioned;
use crate::rule::parse::{self, KnownAccount, PartlyKnown};
use crate::rule::{RuleFile, RuleSet};
use crate::rule_test::{self, RuleTest};

/// What a run needs.
pub(super) struct Loaded {
    pub(super) settings: Planning,
    pub(super) rules: RuleSet,
    pub(super) tests: Vec<RuleTest>,
    /// Those about the tests; those about rules are `openeventd check`'s to tell.
    pub(super) warnings: Vec<Diagnostic>,
}

/// Loads the tests of `directory`, or of the directory that the configuration `config` names.
pub(super) fn load(config: &Path, directory: Option<&Path>) -> Result<Loaded, Failure> {
    let environment = Environment::of_process();
    let settings = match config::planning(config, &environment) {
        Err(error) if directory.is_some() && is_absent(config, &error) => Ok(None),
        settings => settings.map(Some),
    };
    let directory = match (directory, &settings) {
        (Some(directory), _) => directory.to_owned(),
        (None, Ok(Some(settings))) => settings.rules_directory.clone(),
        (None, _) => config::rules_directory(config, &environment)?,
    };
    rule_files::existing(&directory)?;
    let unreadable = |error| Failure::new(Exit::Config, error);
    let files = rule_files::read(&directory).map_err(unreadable)?;
    let test_files = rule_files::read_tests(&directory).map_err(unreadable)?;
    let (settings, mut problems) = match settings {
        Ok(settings) => (Some(settings.unwrap_or_else(|| alone(&directory, &files))), Vec::new()),
        Err(LoadError::Invalid(problems)) => (None, problems),
        Err(error) => return Err(error.into()),
    };
    let names = files.iter().map(|file| parse::names(&file.text)).collect::<Option<Vec<_>>>();
    let names = names.map(|names| names.into_iter().flatten().collect::<BTreeSet<String>>());
    let known = PartlyKnown {
        accounts: settings.as_ref().map(|settings| settings.accounts.as_slice()),
        policy: settings.as_ref().map(|settings| &settings.policy),
    };
    let rules = parse::parse_within(files, known).map_err(|mut found| {
        found.retain(|problem| problem.severity == Severity::Error);
        problems.extend(found);
    });
    let mut read = |path: &str| event_file::read(&directory, path);
    match (settings, rules, rule_test::parse::parse(&test_files, names.as_ref(), &mut read)) {
        (Some(settings), Ok((rules, _)), Ok((tests, mut warnings))) => {
            if tests.is_empty() {
                warnings.push(no_tests(&directory));
            }
            Ok(Loaded { settings, rules, tests, warnings })
        }
        (_, _, tests) => {
            problems.extend(tests.map_or_else(|found| found, |(_, warnings)| warnings));
            Err(Failure::of_problems(problems))
        }
    }
}

fn no_tests(directory: &Path) -> Diagnostic {
    Diagnostic {
        file: directory.display().to_string(),
        place: None,
        key: String::new(),
        message: "no tests".to_owned(),
        help: "they are read from the files in it whose names end in `.test.toml`".to_owned(),
        severity: Severity::Warning,
    }
}

/// Whether nobody has named a configuration, and there is none.
fn is_absent(config: &Path, error: &LoadError) -> bool {
    let is_missing = matches!(error, LoadError::Read { source, .. } if source.kind() == ErrorKind::NotFound);
    is_missing && config == Path::new(CONFIG_DEFAULT)
}

/// What the rules of `directory` need of a configuration where there is none: the accounts are those that steps name,
/// and every write is allowed.
fn alone(directory: &Path, files: &[RuleFile]) -> Planning {
    let (accounts, policy) = mentioned(files);
    Planning {
        limits: Limits::default(),
        accounts: accounts.iter().map(|name| KnownAccount::named(name)).collect(),
        budgets: Vec::new(),
        policy,
        trust: Trust::default(),
        rules_directory: directory.to_owned(),
    }
}
