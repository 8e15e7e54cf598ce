//! `openeventd sql`: a person's own question, read-only, bounded in time, rows and bytes.
//!
//! The answer is in memory before the first line is printed, so that a pager keeps no read open. For people
//! it is aligned, long values shortened, null as `null`, bytes as `x'..'`; for programs it is JSON lines.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use anstyle::Style;

use super::database::DatabaseArguments;
use super::terminal::{Columns, DIM, TITLE};
use super::{Exit, Failure, progress, terminal};
use crate::store::look::rows::{Bounds, Extent, Rows, Value};

/// Rows where nobody says how many.
const ROWS_MAX: u32 = 10_000;

/// Bytes of all values; the row that exceeds it is the last.
const BYTES_MAX: usize = 64 << 20;

/// A longer statement is a mistake.
const SQL_BYTES_MAX: u64 = 1 << 20;

/// Characters of a value for people.
const VALUE_MAX: usize = 120;

/// Bytes of a BLOB for people.
const BLOB_MAX: usize = 16;

const EXAMPLES: &str = "\
Examples:
  openeventd sql 'select * from gaps'
  openeventd sql --json \"select number, state, params from actions where state = 'held'\" | jq .
  openeventd sql - < question.sql
  openeventd sql \"select name from sqlite_schema where type = 'view'\"";

/// What `openeventd sql` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// One statement that reads, or - for standard input
    pub sql: String,
    /// JSON lines, values whole, bytes as {"base64": ...}
    #[arg(long)]
    pub json: bool,
    /// Stop after so many rows, and say so
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = ROWS_MAX, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Where to look.
    #[command(flatten)]
    pub database: DatabaseArguments,
}

/// Standard input holds more than a statement.
#[derive(Debug, thiserror::Error)]
#[error("standard input holds over {SQL_BYTES_MAX} bytes, expected one statement")]
struct TooLong;

/// Runs the subcommand.
pub fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    super::wait_for(ask(config, arguments))
}

async fn ask(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let sql = if arguments.sql == "-" { statement_of_stdin()? } else { arguments.sql.clone() };
    let bounds =
        Bounds { rows_max: usize::try_from(arguments.limit).unwrap_or(usize::MAX), bytes_max: BYTES_MAX };
    let mut reader = arguments.database.reader(config).await?;
    let rows = progress::shown("asking the audit database", reader.ask(&sql, bounds)).await?;
    drop(reader);
    let cut = match rows.extent {
        Extent::Whole => None,
        Extent::CutByCount => Some("the answer is longer, -n allows more"),
        Extent::CutBySize => Some("more of them are too large to show at once; ask for less of each row"),
    };
    if let Some(told) = cut {
        writeln!(io::stderr().lock(), "(only the first {} rows: {told})", rows.rows.len())?;
    }
    if arguments.json {
        print_json(&rows)?;
    } else {
        print_aligned(&rows)?;
    }
    Ok(Exit::Success)
}

fn statement_of_stdin() -> Result<String, Failure> {
    let mut sql = String::new();
    io::stdin().lock().take(SQL_BYTES_MAX + 1).read_to_string(&mut sql)?;
    if u64::try_from(sql.len()).is_ok_and(|length| length > SQL_BYTES_MAX) {
        return Err(Failure::new(Exit::Data, TooLong));
    }
    Ok(sql)
}

fn print_json(rows: &Rows) -> Result<(), Failure> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    for row in &rows.rows {
        serde_json::to_writer(&mut stdout, row).map_err(io::Error::from)?;
        stdout.write_all(b"\n")?;
    }
    Ok(stdout.flush()?)
}

fn print_aligned(rows: &Rows) -> Result<(), Failure> {
    let mut columns = Columns::new();
    columns.row(rows.columns.iter().map(|name| (TITLE, name.as_str())));
    for row in &rows.rows {
        let cells: Vec<(Style, String)> = row.cells().map(|(_, value)| for_people(value)).collect();
        columns.row(cells.iter().map(|(style, text)| (*style, text.as_str())));
    }
    let mut stdout = terminal::stdout();
    stdout.write_all(columns.lines(0).as_bytes())?;
    Ok(stdout.flush()?)
}

/// A value as a person reads it.
fn for_people(value: &Value) -> (Style, String) {
    let plain = Style::new();
    match value {
        Value::Null => (DIM, "null".to_owned()),
        Value::Integer(number) => (plain, number.to_string()),
        Value::Real(number) => (plain, number.to_string()),
        Value::Text(text) => match text.char_indices().nth(VALUE_MAX) {
            Some((end, _)) => (plain, format!("{}…", text.get(..end).unwrap_or_default())),
            None => (plain, text.clone()),
        },
        Value::Blob(bytes) => {
            let mut start = String::new();
            for byte in bytes.iter().take(BLOB_MAX) {
                // Writing into a String cannot fail.
                let _ = write!(start, "{byte:02x}");
            }
            let rest =
                if bytes.len() > BLOB_MAX { format!("…' ({} bytes)", bytes.len()) } else { "'".into() };
            (plain, format!("x'{start}{rest}"))
        }
    }
}
