//! `openeventd quarantine list`: what could not be decoded, as aligned text or JSON lines.

use std::io::Write as _;
use std::path::Path;

use anstyle::Style;

use super::select::SelectArguments;
use crate::cli::database::DatabaseArguments;
use crate::cli::instant::age;
use crate::cli::terminal::{Columns, DIM, GOOD, NAME, TITLE, WARNING, stdout, write_list};
use crate::cli::{Exit, Failure, progress};
use crate::clock::now_ms;
use crate::store::operator::quarantine::{Chosen, Replay, Replayed};

/// What `openeventd quarantine list` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    select: SelectArguments,
    /// Also those that are events by now
    #[arg(long)]
    replayed: bool,
    /// Show so many at most
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50,
          value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
    /// One JSON object a line, with the columns of the view `quarantined` but for the bytes
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseArguments,
}

/// Lists the chosen records.
pub(super) async fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let mut reader = arguments.database.reader(config).await?;
    let now_ms = now_ms();
    let replayed = if arguments.replayed { Replayed::Included } else { Replayed::Excluded };
    let selection = arguments.select.selection(replayed, now_ms);
    let chosen = reader.quarantined(&selection, usize::from(arguments.limit));
    let listing = progress::shown("looking for records", chosen).await?;
    let mut out = stdout();
    if arguments.json {
        let ids: Vec<i64> = listing.rows.iter().map(|row| row.id).collect();
        for record in reader.quarantined_records(&ids).await? {
            writeln!(out, "{record}")?;
        }
        return Ok(Exit::Success);
    }
    reader.close().await?;
    let rows = &listing.rows;
    let empty = "nothing is quarantined that was asked for";
    write_list(&mut out, &table(rows, now_ms), rows.len(), listing.total, empty)?;
    Ok(Exit::Success)
}

/// The records in columns, with their titles.
pub(super) fn table(rows: &[Chosen], now_ms: i64) -> Columns {
    let mut columns = Columns::new();
    let titles = ["RECORD", "REASON", "TOPIC", "PARTITION", "OFFSET", "BYTES", "REPLAY", "QUARANTINED"];
    columns.row(titles.map(|title| (DIM, title)));
    for row in rows {
        let (style, replay) = shown(&row.replay);
        columns.row([
            (TITLE, row.id.to_string().as_str()),
            (WARNING, row.reason.as_str()),
            (NAME, row.topic.as_str()),
            (Style::new(), row.partition.to_string().as_str()),
            (Style::new(), row.offset.to_string().as_str()),
            (Style::new(), row.payload_bytes.to_string().as_str()),
            (style, replay.as_str()),
            (DIM, format!("{} ago", age(now_ms - row.quarantined_at_ms)).as_str()),
        ]);
    }
    columns
}

/// What became of a record, in few words.
fn shown(replay: &Replay) -> (Style, String) {
    match replay {
        Replay::Never => (DIM, "-".into()),
        Replay::Asked => (WARNING, "asked for".into()),
        Replay::Failed(_) => (WARNING, "failed".into()),
        Replay::Event(event) => (GOOD, format!("event {event}")),
    }
}
