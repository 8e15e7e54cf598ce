//! A stop in words, and as the arguments that name it.

use std::io::{self, Write};

use anstyle::Style;

use crate::cli::instant::ago;
use crate::cli::shell::quoted;
use crate::cli::terminal::{BAD, Columns, DIM, NAME};
use crate::store::look::rows::Row;
use crate::store::look::stops::stop_of;
use crate::store::stop::Stop;

/// What is stopped, as in `calls of rule a to RerunTaskInstances`.
pub(in crate::cli) fn in_words(stop: &Stop) -> String {
    let Stop { rule, workspace, operation } = stop;
    let rule = rule.as_ref().map(|rule| format!(" of rule {rule}"));
    let workspace = workspace.map(|workspace| format!(" for workspace {workspace}"));
    let operation = operation.as_ref().map(|operation| format!(" to {operation}"));
    let parts: String = [rule, workspace, operation].into_iter().flatten().collect();
    if parts.is_empty() { "all calls".to_owned() } else { format!("calls{parts}") }
}

/// The arguments of `stop-calls` and `resume-calls` that name it.
pub(in crate::cli) fn arguments(stop: &Stop) -> String {
    let narrowed = narrowing(stop);
    if narrowed.is_empty() { "--all".to_owned() } else { narrowed }
}

/// The arguments of `outbox` that choose the actions it is for.
pub(in crate::cli) fn narrowing(stop: &Stop) -> String {
    let Stop { rule, workspace, operation } = stop;
    let rule = rule.as_ref().map(|rule| format!("--rule {}", quoted(rule)));
    let workspace = workspace.map(|workspace| format!("--workspace {workspace}"));
    let operation = operation.as_ref().map(|operation| format!("--operation {}", quoted(operation)));
    let parts: Vec<String> = [rule, workspace, operation].into_iter().flatten().collect();
    parts.join(" ")
}

/// By whom, since when and why, of a row of view `stops`.
pub(in crate::cli) fn told(row: &Row, now_ms: i64) -> String {
    let word = |column| row.text(column).unwrap_or("?");
    format!("by {}, {} ago: {}", word("who"), ago(word("stopped_at"), now_ms), word("reason"))
}

/// One line for each of these stops.
pub(in crate::cli) fn write_stops(out: &mut impl Write, stops: &[Row], now_ms: i64) -> io::Result<()> {
    let mut columns = Columns::new();
    columns.row(["STOPPED", "SINCE", "WHO", "WHY", "TO RESUME"].map(|title| (DIM, title)));
    for row in stops {
        let stop = stop_of(row);
        let word = |column| row.text(column).unwrap_or("?");
        columns.row([
            (BAD, in_words(&stop).as_str()),
            (Style::new(), &format!("{} ago", ago(word("stopped_at"), now_ms))),
            (NAME, word("who")),
            (Style::new(), word("reason")),
            (DIM, &format!("openeventd resume-calls {}", arguments(&stop))),
        ]);
    }
    write!(out, "{}", columns.lines(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_told_and_named_again() {
        let stop = |rule: Option<&str>, workspace, operation: Option<&str>| Stop {
            rule: rule.map(str::to_owned),
            workspace,
            operation: operation.map(str::to_owned),
        };
        for (stop, words, named) in [
            (stop(None, None, None), "all calls", "--all"),
            (stop(Some("a b"), None, None), "calls of rule a b", "--rule 'a b'"),
            (
                stop(Some("a"), Some(7), Some("GetNode")),
                "calls of rule a for workspace 7 to GetNode",
                "--rule a --workspace 7 --operation GetNode",
            ),
        ] {
            assert_eq!((in_words(&stop).as_str(), arguments(&stop).as_str()), (words, named));
        }
    }
}
