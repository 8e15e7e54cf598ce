//! `openeventd api list`: the operations, as aligned text or JSON lines.

use std::io::Write as _;

use anstyle::Style;
use serde_json::{Value, json};

use super::find::{access, all, version};
use crate::cli::terminal::{Columns, DIM, NAME, WARNING, stdout};
use crate::cli::{Exit, Failure};
use crate::operation::{Access, ApiVersion, Operation};

/// What `openeventd api list` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Of this API version
    #[arg(long, value_name = "VERSION", value_parser = version)]
    api_version: Option<ApiVersion>,
    /// Those that only read, or those that write
    #[arg(long, value_name = "read|write", value_parser = access)]
    access: Option<Access>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Lists the operations.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let chosen = all().filter(|operation| {
        arguments.api_version.is_none_or(|version| operation.version == version)
            && arguments.access.is_none_or(|access| operation.access == access)
    });
    let mut out = stdout();
    if arguments.json {
        for operation in chosen {
            writeln!(out, "{}", summary(operation))?;
        }
    } else {
        write!(out, "{}", table(chosen).lines(0))?;
    }
    Ok(Exit::Success)
}

/// Operations in columns, with their titles.
pub(super) fn table(operations: impl IntoIterator<Item = &'static Operation>) -> Columns {
    let mut columns = Columns::new();
    columns.row(["OPERATION", "VERSION", "METHOD", "ACCESS", "REPEATED"].map(|title| (DIM, title)));
    for operation in operations {
        let of_access = if operation.access == Access::Write { WARNING } else { Style::new() };
        columns.row([
            (NAME, operation.name),
            (DIM, operation.version.as_str()),
            (Style::new(), operation.method.as_str()),
            (of_access, operation.access.as_str()),
            (Style::new(), operation.repeat_effect.as_str()),
        ]);
    }
    columns
}

/// What programs get of an operation in a list.
pub(super) fn summary(operation: &Operation) -> Value {
    json!({
        "name": operation.name,
        "version": operation.version.as_str(),
        "method": operation.method.as_str(),
        "access": operation.access.as_str(),
        "repeat_effect": operation.repeat_effect.as_str(),
        "client_token": operation.client_token,
        "params": operation.params.iter().map(|param| param.name).collect::<Vec<_>>(),
    })
}
