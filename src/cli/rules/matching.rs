//! `openeventd rules match`: a pattern and an event, or many pairs of them, judged offline.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::{Exit, Failure, terminal};
use crate::event::json::{JsonError, Node};
use crate::rule::pattern::Pattern;

pub(super) const EXAMPLES: &str = "\
Example:
  openeventd rules match pattern.json event.json";

/// Bytes of a pattern or an event.
const BYTES_MAX: u64 = 8 << 20;

/// What `openeventd rules match` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The pattern, as JSON; - is standard input
    #[arg(value_name = "PATTERN")]
    pattern: PathBuf,
    /// The event, as JSON; - is standard input
    #[arg(value_name = "EVENT")]
    event: PathBuf,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    single(&arguments.pattern, &arguments.event)
}

/// Why a file cannot be judged.
#[derive(Debug, thiserror::Error)]
enum MatchError {
    #[error("cannot read {}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} has more than {BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    #[error("{} is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    #[error("the event {} is not valid", .path.display())]
    Event { path: PathBuf, source: JsonError },
    #[error("both the pattern and the event are to be read from standard input")]
    OneInput,
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

fn single(pattern_file: &Path, event_file: &Path) -> Result<Exit, Failure> {
    if pattern_file == Path::new("-") && event_file == Path::new("-") {
        return Err(MatchError::OneInput.into());
    }
    let pattern_text = read(pattern_file)?;
    let event_text = read(event_file)?;
    let pattern = match Pattern::parse_json(&pattern_text) {
        Ok(pattern) => pattern,
        Err(error) => return Err(Failure::new(Exit::Data, error)),
    };
    let event = Node::parse(&event_text)
        .map_err(|source| MatchError::Event { path: event_file.to_owned(), source })?;
    let said = if pattern.matches_document(event) { "match" } else { "no match" };
    writeln!(terminal::stdout(), "{said}")?;
    Ok(Exit::Success)
}

fn read(path: &Path) -> Result<String, MatchError> {
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
    String::from_utf8(bytes).map_err(|_| MatchError::NotText(path.to_owned()))
}
