//! What is known of the reasons why nothing was heard of an object.

use anstyle::Style;
use serde::Serialize;
use serde_json::{Value, json};

use super::Asked;
use crate::cli::instant::{ago, spaced};
use crate::cli::status::judged::Judged;
use crate::cli::terminal::{BAD, Columns, DIM, GOOD, WARNING};
use crate::cli::{Failure, progress};
use crate::store::Reader;
use crate::store::look::event::ObjectKind;
use crate::store::look::rows::Row;
use crate::store::look::silence::Silence;

/// What is known.
pub(super) struct Known {
    silence: Silence,
    state: &'static str,
    runs: bool,
    lag: Option<i64>,
    kind: ObjectKind,
}

/// Looks for what is known.
pub(super) async fn look(reader: &mut Reader, asked: &Asked<'_>) -> Result<Known, Failure> {
    let silence = reader.silence((asked.kind, asked.id), (asked.since_ms, asked.until_ms));
    let silence = progress::shown("looking for reasons", silence).await?;
    let condition = progress::shown("looking at the daemon", reader.condition(asked.now_ms)).await?;
    let judged = Judged::of(&condition, asked.now_ms);
    let lag = condition.daemon.as_ref().and_then(|daemon| daemon.integer("lag"));
    Ok(Known { silence, state: judged.state.as_str(), runs: judged.is_alive(), lag, kind: asked.kind })
}

impl Known {
    /// For people: one line for each thing that is known.
    pub(super) fn as_text(&self, asked: &Asked<'_>) -> String {
        let Silence { last, last_matched, last_of_workspace, gaps, quarantined } = &self.silence;
        let mut lines = Columns::new();
        let mut add = |label: &str, style: Style, told: String| {
            lines.row([(DIM, label), (style, told.as_str())]);
        };
        let plain = Style::new();
        let of_row = |row: &Row| {
            let at = row.text("accepted_at").unwrap_or_default();
            let number = row.integer("seq").unwrap_or_default();
            format!("{} UTC, {} ago: event {number}", spaced(at), ago(at, asked.now_ms))
        };
        let told = last.as_ref().map_or_else(|| "none at all".to_owned(), of_row);
        add("Last event", if last.is_some() { plain } else { WARNING }, told);
        if let Some(row) = last_of_workspace {
            let workspace = row.integer("workspace").unwrap_or_default();
            add("Of its workspace", plain, format!("{workspace}, {}", of_row(row)));
        } else if self.kind == ObjectKind::Workspace {
            add("Of its workspace", WARNING, "none of the last 100000 events".to_owned());
        }
        if let Some(row) = last_matched {
            add("About it", plain, format!("{}, which a rule matched", of_row(row)));
        }
        let style = if self.runs { GOOD } else { BAD };
        add("Daemon", style, format!("{}; `openeventd status` tells more", self.state));
        match self.lag {
            Some(0) => add("Behind", plain, "0 records".to_owned()),
            Some(lag) => add("Behind", WARNING, format!("{lag} records: it may be among these")),
            None => add("Behind", plain, "not known".to_owned()),
        }
        let number = |row: &Row, column| row.integer(column).unwrap_or_default();
        match number(gaps, "gaps") {
            0 => add("Gaps", plain, "none noticed in that time".to_owned()),
            count => {
                let told = format!("{count} noticed in that time, {} records lost", number(gaps, "offsets"));
                add("Gaps", WARNING, told);
            }
        }
        match (number(quarantined, "records"), number(quarantined, "mentioning")) {
            (0, _) => add("Quarantined", plain, "none in that time".to_owned()),
            (records, 0) => {
                let told = format!("{records} in that time: `openeventd quarantine list`");
                add("Quarantined", WARNING, told);
            }
            (records, mentioning) => {
                let example = number(quarantined, "example");
                let told = format!(
                    "{records} in that time, {mentioning} with its id: `openeventd quarantine show {example}`"
                );
                add("Quarantined", BAD, told);
            }
        }
        lines.lines(2)
    }

    /// For programs.
    pub(super) fn as_json(&self) -> impl Serialize + use<> {
        let Silence { last, last_matched, last_of_workspace, gaps, quarantined } = &self.silence;
        let row = |row: &Option<Row>| serde_json::to_value(row).unwrap_or(Value::Null);
        json!({
            "last": row(last),
            "last_matched": row(last_matched),
            "last_of_workspace": row(last_of_workspace),
            "daemon": self.state,
            "lag": self.lag,
            "gaps": gaps.integer("gaps"),
            "gap_offsets": gaps.integer("offsets"),
            "quarantined": quarantined.integer("records"),
            "quarantined_mentioning": quarantined.integer("mentioning"),
            "quarantined_example": quarantined.integer("example"),
        })
    }
}
