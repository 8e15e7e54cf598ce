//! `openeventd outbox show`: one action with all that is known of it, and which command would do what.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anstyle::Style;
use serde_json::{Map, Value};

use super::effect::{Effect, IfDone, Standing, effect};
use super::list;
use super::lookup::Way;
use super::select::{SelectError, find};
use crate::action::{ActionState, HeldReason};
use crate::cli::database::DatabaseArguments;
use crate::cli::instant::age;
use crate::cli::terminal::{Columns, DIM, NAME, TITLE, stdout, styled};
use crate::cli::{Exit, Failure, progress};
use crate::duration::whole_ms;
use crate::store::look::stops::stop_of;
use crate::store::operator::act::Verb;
use crate::store::operator::select::{Chosen, First, Selection};
use crate::store::stop::Stop;

// What was found out about its attempts.
mod lookups;

// What it waits for.
mod waiting;

/// What `openeventd outbox show` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The action by number, or by the beginning of its id; digits alone are a number
    #[arg(value_name = "ACTION")]
    name: String,
    /// As one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseArguments,
}

/// Columns that are shown as they are, in this order, where they hold something.
const FIELDS: [&str; 16] = [
    "id",
    "event",
    "rule",
    "rule_path",
    "operation",
    "version",
    "access",
    "repeat_effect",
    "account",
    "region",
    "workspace",
    "in_order_by",
    "planned_at",
    "due_at",
    "runs_at",
    "expires_at",
];

/// Characters of a response that are shown.
const RESPONSE_SHOWN: usize = 500;

/// Shows one action.
pub(super) async fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let mut reader = arguments.database.reader(config).await?;
    let number = find(&mut reader, &arguments.name).await?;
    let story = progress::shown("reading the action", reader.action_story(number)).await?;
    let this = Selection { numbers: vec![number], ..Selection::default() };
    let chosen = progress::shown("reading the action", reader.chosen(&this, First::Urgent, 1)).await?;
    let chosen = chosen.rows.first();
    let standing = chosen.map(Standing::from);
    let mut stops = reader.stops().await?;
    reader.close().await?;
    let Some(mut story) = story else { return Err(SelectError::Unknown(arguments.name.clone()).into()) };
    stops.retain(|row| chosen.is_some_and(|action| is_stopped(action, &stop_of(row))));
    // A row whose keys are texts always is a value.
    story.insert("stops".into(), serde_json::to_value(&stops).unwrap_or_default());
    let mut out = stdout();
    if arguments.json {
        writeln!(out, "{}", Value::Object(story))?;
    } else {
        write(&mut out, number, &story, standing)?;
    }
    Ok(Exit::Success)
}

/// Whether `stop` keeps the action from being called, now or once a person lets it go.
fn is_stopped(action: &Chosen, stop: &Stop) -> bool {
    action.state.is_open() && stop.stops(&action.rule, action.workspace, &action.operation)
}

fn write(
    out: &mut impl Write,
    number: i64,
    story: &Map<String, Value>,
    standing: Option<Standing>,
) -> io::Result<()> {
    let state = ActionState::from_text(&text(story, "state"));
    let style = state.map_or(Style::new(), list::style);
    writeln!(out, "{} {}", styled(TITLE, &format!("action {number}")), styled(style, &text(story, "state")))?;
    let reason = HeldReason::from_text(&text(story, "held_reason"));
    let mut fields = Columns::new();
    if let Some(reason) = reason {
        fields.row([(DIM, "held"), (Style::new(), &format!("{}: {}", reason.as_str(), meaning(reason)))]);
    }
    waiting::rows(&mut fields, story, crate::clock::now_ms());
    for name in FIELDS {
        let value = text(story, name);
        if !value.is_empty() {
            fields.row([(DIM, name), (if name == "rule" { NAME } else { Style::new() }, value.as_str())]);
        }
    }
    if let Some(decision) = story.get("decision").and_then(Value::as_object) {
        let seconds = decision.get("age_seconds").and_then(Value::as_f64).unwrap_or_default();
        let old = Duration::try_from_secs_f64(seconds).map_or(0, whole_ms);
        let calls = text(decision, "calls_in_hour");
        let known = format!("the event was {} old; calls of the rule in the hour before: {calls}", age(old));
        fields.row([(DIM, "decided"), (Style::new(), known.as_str())]);
    }
    if let Some(Value::Object(params)) = story.get("params") {
        for (name, value) in params {
            fields.row([(DIM, "params"), (Style::new(), &format!("{name} = {value}"))]);
        }
    }
    write!(out, "{}", fields.lines(2))?;
    write_attempts(out, story)?;
    lookups::write(out, story)?;
    write_operators(out, story)?;
    write_commands(out, number, standing, lookups::way_of(story))
}

fn write_attempts(out: &mut impl Write, story: &Map<String, Value>) -> io::Result<()> {
    let attempts = objects(story, "attempted");
    if attempts.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", styled(TITLE, "attempts"))?;
    let mut columns = Columns::new();
    for attempt in &attempts {
        let cell = |name: &str| text(attempt, name);
        let latency = cell("latency_ms");
        let latency = if latency.is_empty() { latency } else { format!("{latency} ms") };
        let problem = [cell("error_code"), cell("error_message"), cell("request_id")];
        let problem: Vec<_> = problem.into_iter().filter(|text| !text.is_empty()).collect();
        columns.row([
            (TITLE, cell("number").as_str()),
            (DIM, cell("started_at").as_str()),
            (Style::new(), cell("outcome").as_str()),
            (Style::new(), cell("class").as_str()),
            (Style::new(), cell("http_status").as_str()),
            (DIM, latency.as_str()),
            (Style::new(), problem.join(" ").as_str()),
        ]);
    }
    write!(out, "{}", columns.lines(2))?;
    let mut known = Columns::new();
    for attempt in &attempts {
        if let Some(told) = lookups::known_before(attempt) {
            known.row([(DIM, "known before"), (TITLE, &text(attempt, "number")), (Style::new(), &told)]);
        }
    }
    write!(out, "{}", known.lines(2))?;
    let response = attempts.last().map(|last| text(last, "response")).unwrap_or_default();
    if response.is_empty() {
        return Ok(());
    }
    let shown: String = response.chars().take(RESPONSE_SHOWN).collect();
    let mut columns = Columns::new();
    columns.row([(DIM, "response"), (Style::new(), shown.as_str())]);
    write!(out, "{}", columns.lines(2))
}

/// What people did to it.
pub(in crate::cli) fn write_operators(out: &mut impl Write, story: &Map<String, Value>) -> io::Result<()> {
    let deeds = objects(story, "operator_actions");
    if deeds.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", styled(TITLE, "people"))?;
    let mut columns = Columns::new();
    for deed in deeds {
        columns.row([
            (DIM, text(deed, "at").as_str()),
            (NAME, text(deed, "who").as_str()),
            (Style::new(), text(deed, "verb").as_str()),
            (Style::new(), text(deed, "reason").as_str()),
        ]);
    }
    write!(out, "{}", columns.lines(2))
}

fn write_commands(out: &mut impl Write, number: i64, standing: Option<Standing>, way: Way) -> io::Result<()> {
    let Some(standing) = standing else { return Ok(()) };
    writeln!(out, "{}", styled(TITLE, "commands"))?;
    let mut columns = Columns::new();
    for (verb, does) in [
        (Verb::Release, "it is sent"),
        (Verb::Verify, "it is found out what became of it, and that decides"),
        (Verb::Requeue, "it is sent again"),
        (Verb::Cancel, "it is never sent"),
    ] {
        let command = format!("outbox {} {number}", verb.as_str());
        let effect = match (effect(verb, standing, IfDone::LeaveAlone), way) {
            (Effect::Done, Way::None(why)) if verb == Verb::Verify => Effect::LeftAlone(why),
            (effect, _) => effect,
        };
        match effect {
            Effect::Done => columns.row([(NAME, command.as_str()), (Style::new(), does)]),
            Effect::PerhapsTwice => columns.row([
                (NAME, command.as_str()),
                (Style::new(), "it is sent again, though DataWorks may have executed it already"),
            ]),
            Effect::LeftAlone(why) => {
                columns.row([(DIM, command.as_str()), (DIM, &format!("does nothing: {why}"))]);
            }
        }
    }
    write!(out, "{}", columns.lines(2))
}

/// What a reason to hold means to whoever has to decide.
pub(in crate::cli) fn meaning(reason: HeldReason) -> &'static str {
    match reason {
        HeldReason::Approve => "its rule asks a person each time (mode approve)",
        HeldReason::Stale => "its event was older than the rule's max_event_age when it arrived",
        HeldReason::MaxCalls => "its rule had planned its max_calls within an hour",
        HeldReason::Brake => "an emergency brake was pulled",
        HeldReason::Stopped => "a person stopped calls like it (`openeventd stop-calls --list`)",
        HeldReason::Expired => "its time had passed before it could be sent",
        HeldReason::Loop => "its event is an echo of our own calls",
        HeldReason::Policy => "the [policy] of the configuration does not allow the call",
    }
}

/// A value as text: nothing for null, no quotation marks around text.
pub(in crate::cli) fn text(object: &Map<String, Value>, name: &str) -> String {
    match object.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn objects<'a>(story: &'a Map<String, Value>, name: &str) -> Vec<&'a Map<String, Value>> {
    story.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object).collect()
}
