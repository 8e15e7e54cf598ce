//! What a configuration says, be all of it right or not: so that rules can be checked beside its mistakes.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::{Environment, setting_of};
use super::report::{Report, UNKNOWN_KEY};
use super::resolved::Config;
use super::{LoadError, layers, read, resolve};
use crate::diagnostic::{Diagnostic, Severity};
use crate::rule::Policy;
use crate::rule::parse::{KnownAccount, PartlyKnown};

/// What could be found out about a configuration.
#[derive(Debug)]
pub struct Survey {
    /// The configuration, if it is right.
    pub config: Option<Config>,
    /// Every problem, warnings among them.
    pub problems: Vec<Diagnostic>,
    /// Where the rules are, as far as that could be read.
    pub rules_directory: PathBuf,
    /// The accounts, unless a mistake leaves open which there are.
    pub accounts: Option<Vec<KnownAccount>>,
    /// The policy, unless there is a mistake in it.
    pub policy: Option<Policy>,
}

/// Looks at the settings of `file` and `environment`.
///
/// # Errors
/// The file cannot be read.
pub fn survey(file: &Path, environment: &Environment) -> Result<Survey, LoadError> {
    let text = read(file)?;
    let name = file.display().to_string();
    let mut report = Report::new(&name, &text);
    let config = layers::merge(&text, environment, &mut report)
        .map(|raw| resolve::resolve(&raw, file, environment, &mut report));
    let problems = report.finish();
    let Some(config) = config else {
        let rules_directory = rules_directory(&text, file, environment);
        return Ok(Survey { config: None, problems, rules_directory, accounts: None, policy: None });
    };
    let errors = || problems.iter().filter(|problem| problem.severity == Severity::Error);
    let misspelt = errors().any(is_unknown_section);
    let accounts = !misspelt && !errors().any(hides_accounts);
    let policy = !misspelt && !errors().any(|problem| setting(problem).starts_with("policy"));
    Ok(Survey {
        rules_directory: config.rules_directory.clone(),
        accounts: accounts.then(|| config.known_accounts()),
        policy: policy.then(|| config.policy.clone()),
        config: errors().next().is_none().then_some(config),
        problems,
    })
}

/// The setting that a problem is about, also if a variable sets it.
fn setting(problem: &Diagnostic) -> String {
    setting_of(&problem.key).unwrap_or_else(|| problem.key.clone())
}

/// Whether a whole section has an unknown name: it may be the one of the accounts, or the policy.
fn is_unknown_section(problem: &Diagnostic) -> bool {
    let is_variable = setting_of(&problem.key).is_some();
    problem.message == UNKNOWN_KEY && (is_variable || !problem.key.contains('.'))
}

/// Whether a mistake leaves open which accounts there are, or which API version they prefer.
fn hides_accounts(problem: &Diagnostic) -> bool {
    let setting = setting(problem);
    let parts: Vec<&str> = setting.split('.').collect();
    match parts.as_slice() {
        ["account"] | ["account", _] => true,
        ["account", .., last] => *last == "api_version" || problem.message == UNKNOWN_KEY,
        _ => false,
    }
}

/// Where the rules are according to a file that is no TOML as a whole.
fn rules_directory(text: &str, file: &Path, environment: &Environment) -> PathBuf {
    let (table, _) = DeTable::parse_recoverable(text);
    let written = table.get_ref().get("rules").map(Spanned::get_ref);
    let written = written.and_then(DeValue::as_table).and_then(|rules| rules.get("directory"));
    let written = written.and_then(|directory| directory.get_ref().as_str());
    let named = environment.get("OPENEVENTD__RULES__DIRECTORY").or(written);
    file.parent().unwrap_or(Path::new("")).join(named.filter(|name| !name.is_empty()).unwrap_or("rules.d"))
}

impl Survey {
    /// What rules may refer to, as far as it is known.
    #[must_use]
    pub fn known(&self) -> PartlyKnown<'_> {
        PartlyKnown { accounts: self.accounts.as_deref(), policy: self.policy.as_ref() }
    }
}
