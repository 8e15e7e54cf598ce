//! `openeventd quarantine show`: one record, its bytes escaped and bounded, or raw and whole.

use std::io::{self, Write};
use std::path::Path;

use anstyle::Style;
use serde_json::{Map, Value};

use crate::cli::database::DatabaseArguments;
use crate::cli::outbox::show::{text, write_operators};
use crate::cli::terminal::{Columns, DIM, TITLE, WARNING, stdout, styled};
use crate::cli::{Exit, Failure};
use crate::escape::Escaped;
use crate::store::operator::quarantine::Bytes;

/// Bytes of the payload that are shown.
const PAYLOAD_SHOWN: usize = 4_096;

/// What `openeventd quarantine show` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The record's number
    #[arg(value_name = "RECORD")]
    record: i64,
    /// As one JSON object, without the bytes
    #[arg(long)]
    json: bool,
    /// Only the payload, byte for byte, for a file or a pipe
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    #[command(flatten)]
    database: DatabaseArguments,
}

/// There is no such record.
#[derive(Debug, thiserror::Error)]
#[error("there is no quarantined record {0}: `openeventd quarantine list --replayed` shows them")]
pub(super) struct Unknown(pub(super) i64);

/// The fields that are shown, in this order, where they hold something.
const FIELDS: [&str; 12] = [
    "reason",
    "message",
    "topic",
    "partition",
    "offset",
    "generation",
    "quarantined_at",
    "kafka_at",
    "headers",
    "replay_requested_at",
    "replayed_at",
    "replay_problem",
];

/// Shows one record.
pub(super) async fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let mut reader = arguments.database.reader(config).await?;
    let story = reader.quarantined_story(arguments.record).await?;
    reader.close().await?;
    let Some((story, bytes)) = story else {
        return Err(Failure::new(Exit::NoInput, Unknown(arguments.record)));
    };
    if arguments.raw {
        let mut out = io::stdout().lock();
        out.write_all(&bytes.payload)?;
        out.flush()?;
    } else if arguments.json {
        writeln!(stdout(), "{}", Value::Object(story))?;
    } else {
        write(&mut stdout(), arguments.record, &story, &bytes)?;
    }
    Ok(Exit::Success)
}

fn write(out: &mut impl Write, record: i64, story: &Map<String, Value>, bytes: &Bytes) -> io::Result<()> {
    let reason = styled(WARNING, &Escaped(&text(story, "reason")).to_string());
    writeln!(out, "{} {reason}", styled(TITLE, &format!("quarantined record {record}")))?;
    let mut fields = Columns::new();
    for name in FIELDS {
        let value = text(story, name);
        if !value.is_empty() {
            fields.row([(DIM, name), (Style::new(), value.as_str())]);
        }
    }
    let event = text(story, "replayed_event");
    if !event.is_empty() {
        fields.row([(DIM, "is by now"), (Style::new(), &format!("event {event}"))]);
    }
    if let Some(key) = &bytes.key {
        fields.row([(DIM, "key"), (Style::new(), shown(key).as_str())]);
    }
    write!(out, "{}", fields.lines(2))?;
    write_operators(out, story)?;
    let (size, first) = (bytes.payload.len(), bytes.payload.get(..PAYLOAD_SHOWN).unwrap_or(&bytes.payload));
    writeln!(out, "{}", styled(TITLE, &format!("payload, {size} bytes")))?;
    writeln!(out, "  {}", shown(first))?;
    if first.len() < size {
        writeln!(out, "{}", styled(DIM, "  ... (--raw gives it whole)"))?;
    }
    Ok(())
}

/// Bytes as text, with everything active or unreadable escaped.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(&Escaped(chunk.valid()).to_string());
        text.push_str(&chunk.invalid().escape_ascii().to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_without_doing_anything() {
        assert_eq!(shown(b"{\"a\":\xff\x1b[2J\xe8\xa1\xa5\n"), "{\"a\":\\xff\\u{1b}[2J补\\n");
    }
}
