//! The event that a person names: a stored one, or a record from a file or standard input.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::cli::audit::{self, target::Target};
use crate::cli::database::DatabaseArguments;
use crate::cli::{Exit, Failure, progress};
use crate::record::Record;
use crate::rule::RuleFile;
use crate::store::look::accepted::Accepted;
use crate::store::look::story::Story;

/// Bytes of a record: more than the daemon takes.
const BYTES_MAX: u64 = 16 << 20;

/// What was named, and its record.
pub(super) struct Input {
    pub(super) given: Given,
    payload: Vec<u8>,
}

/// What was named.
pub(super) enum Given {
    /// A stored event, with the rules of its day if they are kept, and what came of it.
    Stored { accepted: Accepted, rules: Option<Vec<RuleFile>>, story: Box<Story> },
    /// A record, by the name of its file; `-` is standard input.
    Record { name: PathBuf },
}

#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error("cannot read {}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} has more than {BYTES_MAX} bytes: expected one record", .0.display())]
    TooLarge(PathBuf),
    #[error("{0} is no event but an object of events: `openeventd why {0}` shows what happened around it")]
    Object(String),
    #[error(
        "no event has the number or id `{0}`, and no file is called so; `openeventd audit` lists the last events; unmatched ones leave after store.retention_unmatched"
    )]
    Unknown(Target),
    #[error(
        "the row of event {0} has left by retention: store.retention_unmatched and store.retention_matched say when"
    )]
    Retired(i64),
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        let exit = match error {
            InputError::Read { .. } | InputError::Unknown(_) | InputError::Retired(_) => Exit::NoInput,
            InputError::TooLarge(_) => Exit::Data,
            InputError::Object(_) => Exit::Usage,
        };
        Failure::new(exit, error)
    }
}

/// Reads what `text` names.
pub(super) async fn read(config: &Path, text: &str, database: &DatabaseArguments) -> Result<Input, Failure> {
    let target = Target::of(text)?;
    if let Target::Object(..) = target {
        return Err(InputError::Object(text.to_owned()).into());
    }
    let is_number = matches!(target, Target::Number(_));
    // An id is no path: what looks like one is meant as a file, be it that it is not there.
    let path = Path::new(text);
    let is_named_like_one =
        text.contains('/') || path.extension().is_some_and(|extension| extension == "json");
    if text == "-" || is_named_like_one || (!is_number && path.is_file()) {
        return Ok(of_file(path)?);
    }
    let mut reader = database.reader(config).await?;
    let number = progress::shown("looking for the event", audit::find(&mut reader, &target)).await?;
    let number = number.ok_or(InputError::Unknown(target))?;
    let accepted = reader.accepted_event(number).await?.ok_or(InputError::Retired(number))?;
    let rules = match accepted.rule_set {
        Some(row) => reader.rule_files(row).await?,
        None => None,
    };
    let story = Box::new(reader.story(number).await?.ok_or(InputError::Retired(number))?);
    reader.close().await?;
    Ok(Input { given: Given::Stored { accepted, rules, story }, payload: Vec::new() })
}

fn of_file(path: &Path) -> Result<Input, InputError> {
    let failed = |source| InputError::Read { path: path.to_owned(), source };
    let mut payload = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(BYTES_MAX + 1).read_to_end(&mut payload).map_err(failed)?;
    } else {
        File::open(path).map_err(failed)?.take(BYTES_MAX + 1).read_to_end(&mut payload).map_err(failed)?;
    }
    if u64::try_from(payload.len()).is_ok_and(|length| length > BYTES_MAX) {
        return Err(InputError::TooLarge(path.to_owned()));
    }
    Ok(Input { given: Given::Record { name: path.to_owned() }, payload })
}

impl Input {
    /// The record as Kafka delivered it, or as it stands in the file.
    pub(super) fn record(&self) -> Record<'_> {
        let stored = match &self.given {
            Given::Stored { accepted, .. } => accepted.records.records().next(),
            Given::Record { .. } => None,
        };
        stored.unwrap_or_else(|| Record::of_payload(self.payload.trim_ascii()))
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.given {
            Given::Stored { accepted, .. } => write!(f, "event {}", accepted.number),
            Given::Record { name } if name == Path::new("-") => f.write_str("the record of standard input"),
            Given::Record { name } => write!(f, "the record of {}", name.display()),
        }
    }
}
