//! The environment as data: what the process was started with, read once.
//!
//! Values may be secrets, so `Debug` shows names only. Names or values that are no UTF-8 are kept by
//! name, so that a setting among them is reported and not overlooked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Variables of this prefix are settings.
const PREFIX: &str = "OPENEVENTD__";

/// Names and values of the environment's variables.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    not_utf8: BTreeSet<String>,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let mut environment = Environment::default();
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => {
                    environment.variables.insert(name, value);
                }
                (Ok(name), Err(_)) => {
                    environment.not_utf8.insert(name);
                }
                (Err(name), _) => {
                    environment.not_utf8.insert(name.to_string_lossy().into_owned());
                }
            }
        }
        environment
    }

    /// The value of the variable `name`; an empty one counts as not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The same without the variables that are settings, for a look at what a file says by itself.
    #[must_use]
    pub fn without_settings(mut self) -> Self {
        self.variables.retain(|name, _| !name.starts_with(PREFIX));
        self.not_utf8.retain(|name| !name.starts_with(PREFIX));
        self
    }

    /// The variables whose names begin with `prefix`.
    pub(super) fn starting_with(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        let all = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(move |(name, _)| name.starts_with(prefix))
    }

    /// The variables that are settings.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Settings whose name or value is no UTF-8.
    pub(super) fn unreadable_settings(&self) -> impl Iterator<Item = &str> {
        self.not_utf8.iter().map(String::as_str).filter(|name| name.starts_with(PREFIX))
    }
}

/// The dotted setting that `variable` names (`OPENEVENTD__KAFKA__TOPICS` is `kafka.topics`), or `None`
/// if it can name none.
pub(super) fn setting_of(variable: &str) -> Option<String> {
    let parts: Vec<&str> = variable.strip_prefix(PREFIX)?.split("__").collect();
    let is_name =
        |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    parts.iter().all(is_name).then(|| parts.join(".").to_lowercase())
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Environment {
            variables: variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            not_utf8: BTreeSet::new(),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_names_its_setting_by_double_underscores() {
        for (variable, setting) in [
            ("OPENEVENTD__KAFKA__TOPICS", Some("kafka.topics")),
            ("OPENEVENTD__KAFKA__GROUP_ID", Some("kafka.group_id")),
            (
                "OPENEVENTD__ACCOUNT__MAIN__ACCESS_KEY_SECRET__FILE",
                Some("account.main.access_key_secret.file"),
            ),
            ("OPENEVENTD__", None),
            ("OPENEVENTD__KAFKA____TOPICS", None),
            ("OPENEVENTD__KAFKA__A.B", None),
            ("PATH", None),
        ] {
            assert_eq!(setting_of(variable).as_deref(), setting, "{variable}");
        }
    }

    #[test]
    fn debug_shows_names_and_no_values() {
        let environment: Environment = [("OPENEVENTD__A", "hunter2")].into_iter().collect();
        assert_eq!(format!("{environment:?}"), r#"{"OPENEVENTD__A"}"#);
    }
}
