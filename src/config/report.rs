//! Collects every problem of the settings, each with the place where a person would mend it.
//!
//! A setting that came from the environment is shown by its variable, one from the file by line and
//! column, a missing one by its table. A line that may hold a secret is never quoted beyond its key.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Place, Severity};

/// Keys with one of these words in them may hold a secret, also when they were written by mistake.
const SECRET_WORDS: [&str; 6] = ["password", "secret", "token", "ssl.key", "pem", "jaas"];

/// The message about a key that does not exist: its place is the key, not the value.
pub(super) const UNKNOWN_KEY: &str = "unknown key";

/// Whether the key or path `name` may hold a secret.
pub(super) fn may_hold_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Where a setting stands in the file, bytes.
#[derive(Debug, Clone, Copy)]
struct Offsets {
    key: usize,
    /// Of a table, which may be spread over the file, its key again.
    value: usize,
}

/// The problems found so far.
#[derive(Debug)]
pub(super) struct Report<'a> {
    file: &'a str,
    text: &'a str,
    /// Dotted setting to where it stands in the file.
    offsets: BTreeMap<String, Offsets>,
    /// Dotted setting to the variable that sets it.
    variables: BTreeMap<String, String>,
    found: Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    /// An empty report about `file`, as the user named it.
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Report { file, text, offsets: BTreeMap::new(), variables: BTreeMap::new(), found: Vec::new() }
    }

    /// Notes where everything of `table` stands.
    pub(super) fn index(&mut self, path: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = join(path, key.get_ref());
            let key = key.span().start;
            let is_table = matches!(value.get_ref(), DeValue::Table(_));
            let value_at = if is_table { key } else { value.span().start };
            self.index_value(path, Offsets { key, value: value_at }, value);
        }
    }

    fn index_value(&mut self, path: String, offsets: Offsets, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => self.index(&path, table),
            DeValue::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    let start = item.span().start;
                    self.index_value(format!("{path}[{at}]"), Offsets { key: start, value: start }, item);
                }
            }
            _ => {}
        }
        self.offsets.insert(path, offsets);
    }

    /// Notes that `variable` sets `path`.
    pub(super) fn index_variable(&mut self, path: String, variable: &str) {
        self.variables.insert(path, variable.to_owned());
    }

    /// Adds an error about the setting `path`.
    pub(super) fn error(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.add(Severity::Error, path, message.into(), help.into());
    }

    /// Adds a warning about the setting `path`.
    pub(super) fn warning(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.add(Severity::Warning, path, message.into(), help.into());
    }

    /// Adds an error about the syntax at a byte of the file.
    pub(super) fn syntax_error(&mut self, offset: usize, message: String) {
        let place = Some(self.place(offset, ""));
        self.found.push(Diagnostic {
            file: self.file.to_owned(),
            place,
            key: String::new(),
            message,
            help: String::new(),
            severity: Severity::Error,
        });
    }

    /// Adds an error about a variable of the environment.
    pub(super) fn variable_error(&mut self, variable: &str, message: String, help: String) {
        self.found.push(Diagnostic {
            file: String::new(),
            place: None,
            key: variable.to_owned(),
            message,
            help,
            severity: Severity::Error,
        });
    }

    /// How many errors were found so far.
    pub(super) fn errors(&self) -> usize {
        self.found.iter().filter(|found| found.severity == Severity::Error).count()
    }

    /// All problems in order of place; those without one come last.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|found| {
            found.place.as_ref().map_or((usize::MAX, usize::MAX), |place| (place.line, place.column))
        });
        self.found
    }

    fn add(&mut self, severity: Severity, path: &str, message: String, help: String) {
        let variable = self.variables.get(path).or_else(|| {
            // A variable may also set a part of the value, such as the `file` of a secret.
            let inside = format!("{path}.");
            self.variables.iter().find(|(setting, _)| setting.starts_with(&inside)).map(|(_, name)| name)
        });
        let (file, place, key) = if let Some(variable) = variable {
            (String::new(), None, variable.clone())
        } else {
            let offsets = self.nearest_offsets(path);
            let place = offsets.map(|at| {
                let offset = if message == UNKNOWN_KEY { at.key } else { at.value };
                // The words of the message too: a misspelt key is shown with the one that was meant.
                self.place(offset, &format!("{path} {message} {help}"))
            });
            (self.file.to_owned(), place, path.to_owned())
        };
        self.found.push(Diagnostic { file, place, key, message, help, severity });
    }

    /// Where the setting stands, or of the nearest table around it.
    fn nearest_offsets(&self, path: &str) -> Option<Offsets> {
        let mut path = path;
        loop {
            if let Some(offsets) = self.offsets.get(path) {
                return Some(*offsets);
            }
            path = path.get(..path.rfind(['.', '['])?)?;
        }
    }

    fn place(&self, offset: usize, about: &str) -> Place {
        let mut place = Place::of_byte(self.text, offset);
        let before = self.text.get(..offset).unwrap_or(self.text);
        let header = before.lines().rev().map(str::trim).find(|line| line.starts_with('['));
        // The whole line, of which a long one is quoted in part.
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if [about, key, header.unwrap_or_default()].into_iter().any(may_hold_secret) && line.len() > key.len()
        {
            place.text = format!("{key}= (not shown)");
            place.caret = place.column.saturating_sub(1).min(place.text.chars().count());
        } else if place.caret < place.column.saturating_sub(1) && may_hold_secret(value) {
            // What is cut off may be the name of a secret whose value is not.
            place.text = String::from("(not shown)");
            place.caret = 0;
        }
        place
    }
}

/// The path of `key` in the table `path`.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
