//! Collects every problem of one rule file, each with its place.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Lines, Severity, nearest};
use crate::rule::RuleFile;
use crate::rule::parse::FILE_BYTES_MAX;

/// The problems of one file.
#[derive(Debug)]
pub(crate) struct Report<'f> {
    pub(crate) file: &'f RuleFile,
    lines: Lines<'f>,
    found: Vec<(usize, Diagnostic)>,
    errors: usize,
}

/// A key that will exist in a later version, and what to do until then.
pub(crate) struct LaterKey {
    pub(crate) name: &'static str,
    pub(crate) until_then: &'static str,
}

impl<'f> Report<'f> {
    pub(crate) fn new(file: &'f RuleFile) -> Self {
        Report { file, lines: Lines::new(&file.text), found: Vec::new(), errors: 0 }
    }

    pub(crate) fn error(
        &mut self,
        at: &Range<usize>,
        key: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Severity::Error, at, key, message.into(), help.into());
    }

    pub(crate) fn warning(
        &mut self,
        at: &Range<usize>,
        key: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Severity::Warning, at, key, message.into(), help.into());
    }

    pub(crate) fn add(
        &mut self,
        severity: Severity,
        at: &Range<usize>,
        key: &str,
        message: String,
        help: String,
    ) {
        let place = Some(self.lines.place(at.start));
        let diagnostic =
            Diagnostic { file: self.file.path.clone(), place, key: key.to_owned(), message, help, severity };
        self.found.push((at.start, diagnostic));
        self.errors += usize::from(severity == Severity::Error);
    }

    /// The file as TOML; `None` if it is too large, or none: each of its mistakes is then in the report.
    pub(crate) fn document(&mut self) -> Option<Spanned<DeTable<'f>>> {
        let text = self.file.text.as_str();
        if text.len() > FILE_BYTES_MAX {
            let message = format!("the file has {} bytes, at most {FILE_BYTES_MAX} are read", text.len());
            self.error(&(0..0), "", message, "split it into several files");
            return None;
        }
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let at = error.span().unwrap_or(0..0);
            let help = if error.message().contains("escape") {
                "between double quotes a backslash is written twice; between single quotes text is taken as it is"
            } else {
                ""
            };
            self.error(&at, "", format!("not TOML: {}", error.message()), help);
        }
        errors.is_empty().then_some(document)
    }

    /// Refuses every key of `table` that is not `known`.
    pub(crate) fn refuse_unknown(
        &mut self,
        table: &DeTable<'_>,
        path: &str,
        known: &[&str],
        later: &[LaterKey],
    ) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let dotted = dotted(path, name);
            if let Some(later) = later.iter().find(|later| later.name == name) {
                let message = format!("`{name}` comes in a later version");
                self.error(&key.span(), &dotted, message, later.until_then);
                continue;
            }
            let help = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the keys here are {}", known.join(", ")),
            };
            self.error(&key.span(), &dotted, "unknown key", help);
        }
    }

    /// The text under `name`, if it is there and is text.
    pub(crate) fn text<'t>(
        &mut self,
        table: &'t DeTable<'_>,
        path: &str,
        name: &str,
    ) -> Option<(&'t str, Range<usize>)> {
        let value = table.get(name)?;
        if let DeValue::String(text) = value.get_ref() {
            return Some((text.as_ref(), value.span()));
        }
        self.wrong_type(value, &dotted(path, name), "text");
        None
    }

    pub(crate) fn wrong_type(&mut self, value: &Spanned<DeValue<'_>>, key: &str, expected: &str) {
        let message = format!("expected {expected}, found {}", type_name(value.get_ref()));
        self.error(&value.span(), key, message, "");
    }

    /// The line, from 1, that `at` begins in.
    pub(crate) fn line(&self, at: &Range<usize>) -> usize {
        self.lines.line(at.start)
    }

    /// How many errors there are so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// Everything found, in order of place.
    pub(crate) fn into_diagnostics(mut self) -> impl Iterator<Item = Diagnostic> {
        self.found.sort_by_key(|(offset, _)| *offset);
        self.found.into_iter().map(|(_, diagnostic)| diagnostic)
    }
}

/// What a TOML value is called in messages.
pub(crate) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// `path.name`, or `name` at the top.
pub(crate) fn dotted(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
