//! `openeventd outbox list`: what waits, as aligned text or JSON lines.

use std::io::Write as _;
use std::path::Path;

use anstyle::Style;

use super::select::SelectArguments;
use crate::action::ActionState;
use crate::cli::database::DatabaseArguments;
use crate::cli::instant::age;
use crate::cli::terminal::{BAD, Columns, DIM, GOOD, NAME, TITLE, WARNING, abbreviated, stdout, write_list};
use crate::cli::{Exit, Failure, progress};
use crate::clock::now_ms;
use crate::store::operator::select::{Chosen, First};

/// What waits, the most urgent first.
const WAITING: [ActionState; 6] = [
    ActionState::Unresolved,
    ActionState::Held,
    ActionState::Dead,
    ActionState::InFlight,
    ActionState::Planned,
    ActionState::Waiting,
];

/// What `openeventd outbox list` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    select: SelectArguments,
    /// Show so many at most
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50,
          value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
    /// One JSON object a line, with the columns of the view `actions`
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseArguments,
}

/// Lists the chosen actions.
pub(super) async fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let mut reader = arguments.database.reader(config).await?;
    let now_ms = now_ms();
    let selection = arguments.select.resolve(&mut reader, &WAITING, now_ms).await?;
    let chosen = reader.chosen(&selection, First::Urgent, usize::from(arguments.limit));
    let listing = progress::shown("looking for actions", chosen).await?;
    let mut out = stdout();
    if arguments.json {
        let numbers: Vec<i64> = listing.rows.iter().map(|row| row.number).collect();
        for action in reader.actions(&numbers).await? {
            writeln!(out, "{action}")?;
        }
        return Ok(Exit::Success);
    }
    reader.close().await?;
    let rows = &listing.rows;
    let empty = "nothing waits that was asked for";
    write_list(&mut out, &table(rows, now_ms), rows.len(), listing.total, empty)?;
    Ok(Exit::Success)
}

/// The actions in columns, with their titles.
pub(super) fn table(rows: &[Chosen], now_ms: i64) -> Columns {
    let mut columns = Columns::new();
    let titles = ["NUMBER", "ID", "STATE", "RULE", "OPERATION", "WORKSPACE", "ATTEMPTS", "EVENT", "PLANNED"];
    columns.row(titles.map(|title| (DIM, title)));
    for row in rows {
        let due_in = row.due_at_ms - now_ms;
        let due = match row.state {
            ActionState::Planned if due_in > 0 => format!(", due in {}", age(due_in)),
            _ => String::new(),
        };
        columns.row([
            (TITLE, row.number.to_string().as_str()),
            (DIM, abbreviated(&row.id)),
            (style(row.state), state(row).as_str()),
            (NAME, row.rule.as_str()),
            (Style::new(), row.operation.as_str()),
            (Style::new(), row.workspace.map(|id| id.to_string()).unwrap_or_default().as_str()),
            (Style::new(), row.attempts.to_string().as_str()),
            (Style::new(), row.event.to_string().as_str()),
            (DIM, format!("{} ago{due}", age(now_ms - row.planned_at_ms)).as_str()),
        ]);
    }
    columns
}

/// The state, and why it is held.
pub(super) fn state(row: &Chosen) -> String {
    match row.held_reason {
        Some(reason) => format!("{} ({})", row.state.as_str(), reason.as_str()),
        None => row.state.as_str().to_owned(),
    }
}

/// How a state looks.
pub(super) fn style(state: ActionState) -> Style {
    match state {
        ActionState::Unresolved | ActionState::Dead => BAD,
        ActionState::Held => WARNING,
        ActionState::Succeeded => GOOD,
        ActionState::Planned | ActionState::InFlight | ActionState::Waiting => Style::new(),
        ActionState::Cancelled | ActionState::Observed => DIM,
    }
}
