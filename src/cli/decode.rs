//! `openeventd decode [FILE...]`: shows records as the normalised events that rules see.
//!
//! Takes inputs (files, or standard input without FILE or for `-`) and writes one JSON line per record: the
//! event, or `{"quarantined": REASON, "message": TEXT}`. An input that is one JSON document, which may span
//! lines, is one record; otherwise, if any of its lines is a JSON object by itself, every non-empty line is
//! one; otherwise the whole input is one record that cannot be decoded. Lines are read one at a time, and
//! never more than one record of the largest size is held.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

use crate::event::decode::{DecodeError, Limits, decode};
use crate::record::Record;

/// What came of all inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every record is an event: exit 0.
    Decoded,
    /// At least one record would go to quarantine: exit 65.
    Quarantined,
}

/// Why decoding stopped early.
#[derive(Debug, thiserror::Error)]
pub enum DecodeCommandError {
    /// An input cannot be opened.
    #[error("open {}", path.display())]
    Open {
        /// As the user named it.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An input cannot be read to its end.
    #[error("read {}", path.display())]
    Read {
        /// As the user named it; `-` is standard input.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The result cannot be written.
    #[error("write the decoded events")]
    Write(#[source] io::Error),
}

/// Decodes `files` in order, or `stdin` if there are none, and writes one JSON line per record to `out`.
///
/// # Errors
/// The first input that cannot be opened or read, or a failed write; records that cannot be decoded are an
/// [`Outcome`].
pub fn run(
    files: &[PathBuf],
    stdin: impl Read,
    out: &mut impl Write,
    limits: &Limits,
) -> Result<Outcome, DecodeCommandError> {
    let standard_input = [PathBuf::from("-")];
    let files = if files.is_empty() { standard_input.as_slice() } else { files };
    let mut stdin = stdin;
    let mut outcome = Outcome::Decoded;
    for path in files {
        let of_input = if path == Path::new("-") {
            decode_input(path, &mut stdin, out, limits)?
        } else {
            let file =
                File::open(path).map_err(|source| DecodeCommandError::Open { path: path.clone(), source })?;
            decode_input(path, file, out, limits)?
        };
        outcome = outcome.and(of_input);
    }
    out.flush().map_err(DecodeCommandError::Write)?;
    Ok(outcome)
}

impl Outcome {
    fn and(self, other: Outcome) -> Outcome {
        if self == Outcome::Quarantined { self } else { other }
    }
}

/// Decodes one input; `path` names it in errors.
fn decode_input(
    path: &Path,
    input: impl Read,
    out: &mut impl Write,
    limits: &Limits,
) -> Result<Outcome, DecodeCommandError> {
    let failed = |source| DecodeCommandError::Read { path: path.to_owned(), source };
    // One byte more than a record may have tells a record that is too large from one that just fits.
    let mut input = BufReader::new(input);
    let mut start = Vec::new();
    input.by_ref().take(bytes_max(limits)).read_to_end(&mut start).map_err(failed)?;
    let is_whole = start.len() <= limits.payload_bytes_max;
    if (is_whole && is_document(&start)) || !has_object_line(&start) {
        let record = if is_whole { start.trim_ascii() } else { start.as_slice() };
        return write_record(record, out, limits);
    }
    let mut lines = start.as_slice().chain(input);
    let mut outcome = Outcome::Decoded;
    while let Some(line) = next_line(&mut lines, limits).map_err(failed)? {
        if !line.trim_ascii().is_empty() {
            outcome = outcome.and(write_record(&line, out, limits)?);
        }
    }
    Ok(outcome)
}

fn bytes_max(limits: &Limits) -> u64 {
    u64::try_from(limits.payload_bytes_max).unwrap_or(u64::MAX).saturating_add(1)
}

fn is_document(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(bytes).is_ok()
}

fn has_object_line(bytes: &[u8]) -> bool {
    bytes
        .split(|byte| *byte == b'\n')
        .any(|line| line.trim_ascii_start().starts_with(b"{") && is_document(line))
}

/// The next line, at most one byte longer than a record may be; what exceeds that is passed over.
fn next_line(lines: &mut impl BufRead, limits: &Limits) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if lines.by_ref().take(bytes_max(limits)).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else {
        lines.skip_until(b'\n')?;
    }
    Ok(Some(line))
}

fn write_record(
    payload: &[u8],
    out: &mut impl Write,
    limits: &Limits,
) -> Result<Outcome, DecodeCommandError> {
    let (line, outcome) = match decode(&Record::of_payload(payload), limits) {
        Ok(event) => (event.to_json_line(), Outcome::Decoded),
        Err(refused) => (quarantined_line(&refused), Outcome::Quarantined),
    };
    writeln!(out, "{line}").map_err(DecodeCommandError::Write)?;
    Ok(outcome)
}

fn quarantined_line(refused: &DecodeError) -> String {
    serde_json::json!({ "quarantined": refused.reason, "message": refused.message }).to_string()
}
