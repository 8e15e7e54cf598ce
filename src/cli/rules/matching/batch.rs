//! `openeventd rules match --batch`: one pattern and one event a line, one result a line.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{BYTE_ORDER_MARK, BYTES_MAX, MatchError, parse_event};
use crate::cli::{Exit, Failure};
use crate::rule::pattern::{Dialect, Pattern};

/// One line as far as it could be read: a pattern that is no JSON spoils the line, yet not its name.
#[derive(Default)]
struct Pair<'a> {
    id: Option<&'a RawValue>,
    dialect: Option<&'a RawValue>,
    pattern: Option<&'a RawValue>,
    event: Option<&'a RawValue>,
}

/// What one line comes to.
#[derive(Clone, Copy)]
enum Outcome {
    Match,
    NoMatch,
    Invalid,
}

/// Judges the lines of `file`; `dialect` is for those that name none.
pub(super) fn run(file: &Path, dialect: Option<Dialect>) -> Result<Exit, Failure> {
    let failed = |source| MatchError::Read { path: file.to_owned(), source };
    let mut input: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(file).map_err(failed)?))
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        // The line's end is not counted.
        if input.by_ref().take(BYTES_MAX + 1).read_until(b'\n', &mut line).map_err(failed)? == 0 {
            break;
        }
        let is_whole =
            line.ends_with(b"\n") || u64::try_from(line.len()).is_ok_and(|length| length <= BYTES_MAX);
        let text = if number == 1 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line) } else { &line };
        let (id, outcome) = match std::str::from_utf8(text) {
            _ if !is_whole => {
                input.skip_until(b'\n').map_err(failed)?;
                complain(file, number, &format!("more than {BYTES_MAX} bytes"))?;
                ("null", Outcome::Invalid)
            }
            Ok(text) if text.trim().is_empty() => continue,
            Ok(text) => judge(text, dialect),
            Err(_) => {
                complain(file, number, "not UTF-8 text")?;
                ("null", Outcome::Invalid)
            }
        };
        writeln!(out, "{{\"id\": {id}, \"result\": \"{}\"}}", outcome.as_str())?;
    }
    out.flush()?;
    Ok(Exit::Success)
}

/// Why a line is invalid that cannot even be named by its `id`.
fn complain(file: &Path, line: u64, what: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "{}:{line}: error: {what}", file.display())
}

fn judge(line: &str, dialect: Option<Dialect>) -> (&str, Outcome) {
    let mut pair = Pair::default();
    let mut reader = serde_json::Deserializer::from_str(line);
    let read = (&mut pair).deserialize(&mut reader).and_then(|()| reader.end());
    let id = pair.id.map_or("null", RawValue::get);
    let outcome = read.ok().and_then(|()| pair.outcome(dialect)).unwrap_or(Outcome::Invalid);
    (id, outcome)
}

impl Pair<'_> {
    /// `None` if a part is missing or wrong.
    fn outcome(&self, dialect: Option<Dialect>) -> Option<Outcome> {
        let dialect = match self.dialect.map(RawValue::get) {
            None | Some("null" | "\"\"") => dialect,
            Some(name) => Some(Dialect::from_text(name.trim_matches('"'))?),
        };
        let pattern = self.pattern?.get();
        // A pattern may also be given as the text that a bus's rule holds.
        let text: Option<String> = serde_json::from_str(pattern).ok();
        let pattern = Pattern::parse_json(text.as_deref().unwrap_or(pattern), dialect).ok()?;
        let event = parse_event(self.event?.get()).ok()?;
        Some(if pattern.matches_document(event) { Outcome::Match } else { Outcome::NoMatch })
    }
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Match => "match",
            Outcome::NoMatch => "no-match",
            Outcome::Invalid => "invalid",
        }
    }
}

impl<'de> DeserializeSeed<'de> for &mut Pair<'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Pair<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `id`, `pattern` and `event`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let place = match key.as_str() {
                "id" => &mut self.id,
                "dialect" => &mut self.dialect,
                "pattern" => &mut self.pattern,
                "event" => &mut self.event,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if place.is_some() {
                return Err(A::Error::custom(format!("`{key}` stands twice")));
            }
            *place = Some(map.next_value()?);
        }
        Ok(())
    }
}
