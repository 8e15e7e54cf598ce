//! What is wrong in a file that a person wrote, where, and how to mend it.
//!
//! Rule files and settings are checked completely: every problem of every file becomes one
//! [`Diagnostic`], and all of them are shown in one report. Nothing here reads files.

use std::error::Error;
use std::fmt;

/// One problem at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file as the user named it; empty when the value came from no file.
    pub file: String,
    /// The place in the file, if it has one.
    pub place: Option<Place>,
    /// The setting's or rule's key, dotted (`kafka.topics`, `steps[0].operation`); empty if there is none.
    pub key: String,
    /// What is wrong and what was expected, a lowercase fragment.
    pub message: String,
    /// How to mend it, a lowercase fragment; empty if the message says all.
    pub help: String,
    /// Whether the file can still be used.
    pub severity: Severity,
}

/// Whether a problem refuses the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is used; a person should look.
    Warning,
}

/// A place in a file, with its line quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The text of the line; of a long one the part around the column, with `…` for what is cut off.
    pub text: String,
    /// Characters of `text` before the place.
    pub caret: usize,
}

/// A text whose lines are counted once, for finding many places in it.
#[derive(Debug)]
pub struct Lines<'t> {
    text: &'t str,
    /// Where each line but the first begins.
    starts: Vec<usize>,
}

/// Longer lines are cut: characters before the place, and behind it.
const BEFORE_CHARS_MAX: usize = 120;
const AFTER_CHARS_MAX: usize = 120;

impl Place {
    /// The place of byte `offset` in `text`; an offset past the end is the last line's end.
    #[must_use]
    pub fn of_byte(text: &str, offset: usize) -> Self {
        Lines::new(text).place(offset)
    }
}

impl<'t> Lines<'t> {
    /// Counts the lines of `text`.
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        Lines { text, starts: memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1).collect() }
    }

    /// The line, from 1, that byte `offset` stands in.
    #[must_use]
    pub fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset) + 1
    }

    /// The place of byte `offset`; an offset past the end is the last line's end.
    #[must_use]
    pub fn place(&self, offset: usize) -> Place {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.line(offset);
        let (before, after) = self.text.split_at(offset);
        let (head, tail) = (before.split_at(self.start(line)).1, after.lines().next().unwrap_or(""));
        let (text, caret) = quoted(head, tail);
        Place { line, column: head.chars().count() + 1, text, caret }
    }

    /// The beginning of a line, from 1.
    #[must_use]
    pub fn beginning(&self, line: usize) -> Place {
        self.place(self.start(line))
    }

    fn start(&self, line: usize) -> usize {
        line.checked_sub(2).and_then(|before| self.starts.get(before)).copied().unwrap_or(0)
    }
}

/// The line of `head`, which ends at the place, and `tail`, cut to what a person can look at; and where the place is.
fn quoted(head: &str, tail: &str) -> (String, usize) {
    let (cut_before, head) = match head.char_indices().nth_back(BEFORE_CHARS_MAX) {
        Some((at, last)) => ("…", head.get(at + last.len_utf8()..).unwrap_or(head)),
        None => ("", head),
    };
    let (tail, cut_after) = match tail.char_indices().nth(AFTER_CHARS_MAX) {
        Some((at, _)) => (tail.get(..at).unwrap_or(tail), "…"),
        None => (tail, ""),
    };
    (format!("{cut_before}{head}{tail}{cut_after}"), cut_before.chars().count() + head.chars().count())
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        if !self.file.is_empty() {
            write!(f, "{}:", self.file)?;
        }
        if let Some(place) = &self.place {
            write!(f, "{}:{}:", place.line, place.column)?;
        }
        if !self.file.is_empty() || self.place.is_some() {
            write!(f, " ")?;
        }
        write!(f, "{severity}: ")?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}", self.message)?;
        if let Some(place) = &self.place {
            let margin = place.line.to_string().len();
            let caret = place.caret;
            write!(f, "\n {} | {}", place.line, place.text)?;
            write!(f, "\n {:margin$} | {:caret$}^", "", "")?;
        }
        if !self.help.is_empty() {
            write!(f, "\n  help: {}", self.help)?;
        }
        Ok(())
    }
}

/// An error with all its causes, on one line: for the edge where it ends, be it a log or a terminal. Errors of
/// libraries may repeat their cause; it is told once.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        if !line.ends_with(&told) {
            line.push_str(": ");
            line.push_str(&told);
        }
        cause = error.source();
    }
    line
}

/// The known name nearest to `unknown`, if one is near enough to be what was meant.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&unknown.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_characters_and_quotes_its_line() {
        let text = "first\nzwölf = 1\nlast";
        let place = Place::of_byte(text, text.find('=').expect("the text has an equals sign"));
        assert_eq!(place, Place { line: 2, column: 7, text: "zwölf = 1".into(), caret: 6 });
        assert_eq!(Place::of_byte(text, 999).line, 3);
    }

    #[test]
    fn a_long_line_is_quoted_around_the_place() {
        let text = format!("{}?{}", "é".repeat(500_000), "x".repeat(500_000));
        let place = Place::of_byte(&text, text.find('?').expect("it is there"));
        assert_eq!((place.line, place.column, place.caret), (1, 500_001, BEFORE_CHARS_MAX + 1));
        assert_eq!(place.text.chars().count(), BEFORE_CHARS_MAX + AFTER_CHARS_MAX + 2);
        assert_eq!(place.text.chars().nth(place.caret), Some('?'));
    }

    #[test]
    fn a_diagnostic_names_file_line_key_expectation_and_fix() {
        let shown = Diagnostic {
            file: "rules.d/a.toml".into(),
            place: Some(Place { line: 12, column: 3, text: "  mod = 1".into(), caret: 2 }),
            key: "mod".into(),
            message: "unknown key".into(),
            help: "did you mean `mode`?".into(),
            severity: Severity::Error,
        }
        .to_string();
        assert_eq!(
            shown,
            "rules.d/a.toml:12:3: error: mod: unknown key\n 12 |   mod = 1\n    |   ^\n  help: did you mean `mode`?"
        );
    }

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        assert_eq!(nearest("topcis", ["topics", "group_id"]), Some("topics"));
        assert_eq!(nearest("zzz", ["topics", "group_id"]), None);
    }
}
