//! `openeventd rules match`: a pattern and an event, or many pairs of them, judged offline.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::{Exit, Failure, terminal};
use crate::diagnostic::{Diagnostic, Lines, Severity};
use crate::event::json::{JsonError, Node};
use crate::rule::pattern::{Dialect, Pattern, PatternProblem};

// Many pairs.
mod batch;

pub(super) const EXAMPLES: &str = "\
Examples:
  openeventd rules match pattern.json event.json
  openeventd rules match --dialect aws pattern.json event.json
  openeventd rules match --batch pairs.jsonl";

/// Bytes of a pattern, an event, or a line of a batch.
const BYTES_MAX: u64 = 8 << 20;
/// Some editors begin a text with it.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What `openeventd rules match` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The pattern, as JSON; - is standard input
    #[arg(value_name = "PATTERN", required_unless_present = "batch")]
    pattern: Option<PathBuf>,
    /// The event, as JSON; - is standard input
    #[arg(value_name = "EVENT", required_unless_present = "batch")]
    event: Option<PathBuf>,
    /// Judge every line of this file; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pattern", "event"])]
    batch: Option<PathBuf>,
    /// Refuse what this bus lacks: `aws` or `alibaba`; lines of a batch may say it themselves
    #[arg(long, value_name = "BUS", value_parser = parse_dialect)]
    dialect: Option<Dialect>,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let dialect = arguments.dialect;
    match (&arguments.batch, &arguments.pattern, &arguments.event) {
        (None, Some(pattern), Some(event)) => single(pattern, event, dialect),
        (Some(file), ..) => batch::run(file, dialect),
        // clap asks for both.
        (None, ..) => Ok(Exit::Usage),
    }
}

/// Why a file cannot be judged.
#[derive(Debug, thiserror::Error)]
pub(super) enum MatchError {
    #[error("cannot read {}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} has more than {BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    #[error("{} is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    #[error("the event {} is not valid", .path.display())]
    Event { path: PathBuf, source: EventError },
    #[error("both the pattern and the event are to be read from standard input")]
    OneInput,
}

/// Why a text is no event that can be judged.
#[derive(Debug, thiserror::Error)]
pub(super) enum EventError {
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error("half of a surrogate pair stands in a string")]
    Surrogate,
}

pub(super) fn parse_dialect(text: &str) -> Result<Dialect, String> {
    Dialect::from_text(text).ok_or_else(|| "expected `aws` or `alibaba`".to_owned())
}

/// The event as a document; the daemon puts up with half of a surrogate pair, a test of patterns must not.
fn parse_event(text: &str) -> Result<Node<'_>, EventError> {
    let node = Node::parse(text)?;
    if has_lone_surrogate(text) { Err(EventError::Surrogate) } else { Ok(node) }
}

impl From<MatchError> for Failure {
    fn from(error: MatchError) -> Self {
        let exit = match error {
            MatchError::Read { .. } => Exit::NoInput,
            MatchError::TooLarge(_) | MatchError::NotText(_) | MatchError::Event { .. } => Exit::Data,
            MatchError::OneInput => Exit::Usage,
        };
        Failure::new(exit, error)
    }
}

fn single(pattern_file: &Path, event_file: &Path, dialect: Option<Dialect>) -> Result<Exit, Failure> {
    if pattern_file == Path::new("-") && event_file == Path::new("-") {
        return Err(MatchError::OneInput.into());
    }
    let pattern_text = read(pattern_file)?;
    let event_text = read(event_file)?;
    let told = |problems, severity| diagnostics(pattern_file, &pattern_text, problems, severity);
    let (pattern, warnings) = Pattern::parse_json_with_warnings(&pattern_text, dialect)
        .map_err(|error| Failure::of_data(told(error.problems, Severity::Error)))?;
    for warning in told(warnings, Severity::Warning) {
        writeln!(io::stderr().lock(), "{warning}")?;
    }
    let event = parse_event(&event_text)
        .map_err(|source| MatchError::Event { path: event_file.to_owned(), source })?;
    let said = if pattern.matches_document(event) { "match" } else { "no match" };
    writeln!(terminal::stdout(), "{said}")?;
    Ok(Exit::Success)
}

/// The problems of a pattern with their places in its file.
fn diagnostics(
    file: &Path,
    text: &str,
    problems: Vec<PatternProblem>,
    severity: Severity,
) -> Vec<Diagnostic> {
    let lines = Lines::new(text);
    let of_problem = |problem: PatternProblem| Diagnostic {
        file: file.display().to_string(),
        place: Some(lines.place(problem.span.start)),
        key: problem.key,
        message: problem.message,
        help: problem.help,
        severity,
    };
    problems.into_iter().map(of_problem).collect()
}

/// The text of a file, or of standard input for `-`.
pub(super) fn read(path: &Path) -> Result<String, MatchError> {
    let failed = |source| MatchError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        File::open(path).map_err(failed)?.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if u64::try_from(bytes.len()).is_ok_and(|length| length > BYTES_MAX) {
        return Err(MatchError::TooLarge(path.to_owned()));
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    String::from_utf8(bytes).map_err(|_| MatchError::NotText(path.to_owned()))
}

/// Whether an escape in JSON text that was found right stands for half of a surrogate pair.
fn has_lone_surrogate(text: &str) -> bool {
    let unit = |at: usize| {
        let digits = text.get(at..)?.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (mut at, bytes) = (0, text.as_bytes());
    while let Some(found) = memchr::memchr(b'\\', bytes.get(at..).unwrap_or_default()) {
        at += found;
        match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            Some(0xd800..=0xdfff) => return true,
            // The escaped character, a backslash perhaps, is passed too.
            _ => at += 2,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_surrogate_pair_is_found() {
        for (text, expected) in [
            (r#"["\ud800"]"#, true),
            (r#"["\\\ud800"]"#, true),
            (r#"["\ud83d\ude00"]"#, false),
            (r#"["\ud83d\u0041"]"#, true),
            (r#"["\\ud83d"]"#, false),
            (r#"["\ude00"]"#, true),
            (r#"["\u0041\n"]"#, false),
        ] {
            assert_eq!(has_lone_surrogate(text), expected, "{text}");
        }
    }
}
