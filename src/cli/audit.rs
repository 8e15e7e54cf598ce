//! `openeventd audit`: what happened and why, from the audit database alone.
//!
//! A list of events, the story of one, the events of an object, or actions by state; text for people, JSON
//! lines under the names of the views for programs. Everything is gathered before anything is printed. What
//! is not found is an error that says what to try.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use self::target::Target;
use super::database::DatabaseArguments;
use super::moment::{self, Moment};
use super::{Exit, Failure, progress, terminal};
use crate::clock::now_ms;
use crate::store::Reader;
use crate::store::look::event::{Known, ObjectKind};
use crate::store::look::list::{Detail, LOOKED_AT_MAX, List, Matching, Wanted};
use crate::store::look::rows::Extent;

// What a person names.
pub(super) mod target;

// One line for an event.
pub(super) mod line;

// What came of an event, in a few lines.
pub(super) mod essence;

// Why a decision came to what it did.
pub(super) mod reason;

// The whole story of an event.
mod story;

// Actions by state.
mod actions;

// Names that nothing has, where nothing was found.
mod unknown;

/// Lines printed where nobody says how many: less than a screen.
const COUNT: u16 = 20;

/// Longer lists are for `openeventd sql`, and for reports from a copy.
const COUNT_MAX: i64 = 10_000;

/// How far counts of actions look back where nobody says.
const COUNTED_SINCE: Duration = Duration::from_hours(24);

const EXAMPLES: &str = "\
Examples:
  openeventd audit                                  the last events
  openeventd audit --matched --since 12h -n 200     what rules did last night
  openeventd audit 1042                             one event, from record to response
  openeventd audit instance:73910042265             what happened to a task instance, and why
  openeventd audit instance:73910042265 --all --since 1d
                                                    the same, with events that no rule matched
  openeventd audit --actions                        how many actions stand where
  openeventd audit --actions held,unresolved        what waits for a person
  openeventd audit 1042 --json | jq .attempts       for programs";

/// What `openeventd audit` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// An event's number or id, an action's id, or an object such as instance:ID (also node, file,
    /// table, workspace, operator)
    pub target: Option<String>,
    /// JSON lines with the columns of the views
    #[arg(long)]
    pub json: bool,
    /// Show so many at most, up to 10000: the newest
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = COUNT, value_parser = clap::value_parser!(u16).range(1..=COUNT_MAX))]
    pub limit: u16,
    /// Only what was accepted or planned since then: how long ago (30m, 2d), or a time with its zone
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    pub since: Option<Moment>,
    /// Only events of this code
    #[arg(long, value_name = "CODE", conflicts_with_all = ["target", "actions"])]
    pub code: Option<String>,
    /// Only events that this rule matched, or its actions
    #[arg(long, value_name = "NAME", conflicts_with = "target")]
    pub rule: Option<String>,
    /// Only events that some rule matched
    #[arg(long, conflicts_with_all = ["target", "actions"])]
    pub matched: bool,
    /// With an object: look through all events of the time, not only those that a rule matched
    #[arg(long, requires_all = ["target", "since"])]
    pub all: bool,
    /// Actions in these states; how many stand where if none is given
    #[arg(long, value_name = "STATE", num_args = 0.., value_delimiter = ',', value_parser = actions::STATES, conflicts_with = "target")]
    pub actions: Option<Vec<String>>,
    /// Where to look.
    #[command(flatten)]
    pub database: DatabaseArguments,
}

/// What was named is not there.
#[derive(Debug, thiserror::Error)]
enum NotFound {
    #[error(
        "no event has the number or id `{id}`, and no action the id: an object is named with its kind, as in `{object}`; `openeventd audit` lists the last events; unmatched ones leave after store.retention_unmatched"
    )]
    Event { id: String, object: String },
    #[error(
        "an event with the id `{0}` was accepted, and its row has left by retention: store.retention_unmatched and store.retention_matched say when"
    )]
    Retired(String),
    #[error(
        "no rule matched an event of {kind} {id}, and only matched events are found by their objects: `openeventd audit {kind}:{id} --all --since 1d` looks through every event of a day"
    )]
    Unmatched { kind: &'static str, id: String },
    #[error("no event of {kind} {id} was accepted in that time: try a longer --since")]
    Nowhere { kind: &'static str, id: String },
}

impl NotFound {
    fn event(target: &Target) -> Self {
        let id = target.to_string();
        let object = target::meant(&id).unwrap_or_else(|| format!("instance:{id}"));
        NotFound::Event { id, object }
    }
}

impl From<NotFound> for Failure {
    fn from(error: NotFound) -> Self {
        Failure::new(Exit::NoInput, error)
    }
}

/// Runs the subcommand.
pub fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    super::wait_for(look(config, arguments))
}

async fn look(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let target = arguments.target.as_deref().map(Target::of).transpose()?;
    let mut reader = arguments.database.reader(config).await?;
    let now_ms = now_ms();
    let since_ms = arguments.since.map(|since| since.at_ms(now_ms));
    if let Some(states) = &arguments.actions {
        return actions::show(&mut reader, arguments, states, since_ms, now_ms).await;
    }
    match target {
        None => last(&mut reader, arguments, since_ms, now_ms).await,
        Some(Target::Object(kind, id)) => object(&mut reader, arguments, (kind, &id), since_ms, now_ms).await,
        Some(target) => {
            let number = progress::shown("looking for the event", find(&mut reader, &target)).await?;
            let number = number.ok_or_else(|| NotFound::event(&target))?;
            let story = progress::shown("reading its story", reader.story(number)).await?;
            let story = story.ok_or_else(|| NotFound::Retired(target.to_string()))?;
            if arguments.json {
                print_json([story::as_json(&story)])?;
            } else {
                print(&story::as_text(&story, now_ms))?;
            }
            Ok(Exit::Success)
        }
    }
}

/// The number of the event that `target` names, if there ever was one.
pub(super) async fn find(reader: &mut Reader, target: &Target) -> Result<Option<i64>, Failure> {
    let found = match target {
        Target::Number(number) => reader.event_by_number(*number).await?,
        Target::Action(id) => reader.event_of_action(id).await?,
        Target::Id(_) | Target::Object(..) => None,
    };
    if found.is_some() {
        return Ok(found);
    }
    // Ids are free text: one may look like a number or an action's id.
    let id = target.to_string();
    match reader.events_by_id(&id).await? {
        Known::Events(numbers) => {
            for number in numbers.iter().skip(1) {
                note(&format!("event {number} has the same id"))?;
            }
            Ok(numbers.first().copied())
        }
        Known::Retired => Err(NotFound::Retired(id).into()),
        Known::Unknown => Ok(None),
    }
}

async fn last(
    reader: &mut Reader,
    arguments: &Arguments,
    since_ms: Option<i64>,
    now_ms: i64,
) -> Result<Exit, Failure> {
    let wanted = wanted(arguments, since_ms);
    let events = reader.last_events(&wanted, detail(arguments));
    let list = progress::shown("looking through events", events).await?;
    if list.events.is_empty() {
        let unknown = unknown::told(reader, wanted.rule.as_deref(), wanted.code.as_deref()).await?;
        note(&format!("no such event; fewer conditions or a longer --since may find some{unknown}"))?;
    }
    if wanted.code.is_some() && since_ms.is_none() && list.extent == Extent::Whole {
        note(&format!("the last {LOOKED_AT_MAX} events were looked at; --since looks further"))?;
    }
    show(&list, arguments, now_ms)?;
    Ok(Exit::Success)
}

async fn object(
    reader: &mut Reader,
    arguments: &Arguments,
    (kind, id): (ObjectKind, &str),
    since_ms: Option<i64>,
    now_ms: i64,
) -> Result<Exit, Failure> {
    let (wanted, detail) = (wanted(arguments, since_ms), detail(arguments));
    let told = || (kind.as_str(), id.to_owned());
    if arguments.all {
        let events = reader.all_events_of((kind, id), &wanted, detail);
        let list = progress::shown("looking through all events of that time", events).await?;
        if list.events.is_empty() {
            let (kind, id) = told();
            return Err(NotFound::Nowhere { kind, id }.into());
        }
        show_told(reader, &list, arguments, now_ms).await?;
        return Ok(Exit::Success);
    }
    let events = reader.matched_events_of((kind, id), &wanted, detail);
    let list = progress::shown("looking for its events", events).await?;
    if list.events.is_empty() {
        let (kind, id) = told();
        return Err(NotFound::Unmatched { kind, id }.into());
    }
    show_told(reader, &list, arguments, now_ms).await?;
    note(&format!(
        "only events that a rule matched; `audit {}:{id} --all --since 1d` looks through all",
        kind.as_str()
    ))?;
    Ok(Exit::Success)
}

fn wanted(arguments: &Arguments, since_ms: Option<i64>) -> Wanted {
    Wanted {
        since_ms,
        code: arguments.code.clone(),
        rule: arguments.rule.clone(),
        matching: if arguments.matched { Matching::Matched } else { Matching::Any },
        count_max: usize::from(arguments.limit),
    }
}

fn detail(arguments: &Arguments) -> Detail {
    if arguments.json { Detail::Whole } else { Detail::Line }
}

fn show(list: &List, arguments: &Arguments, now_ms: i64) -> Result<(), Failure> {
    if arguments.json {
        print_json(list.events.iter().map(line::as_json))?;
    } else if !list.events.is_empty() {
        print(&line::as_text(&list.events, now_ms))?;
    }
    note_cut(list.extent, list.events.len())
}

/// Shows the events of an object; where they are few and for people, with what came of each below its line.
async fn show_told(
    reader: &mut Reader,
    list: &List,
    arguments: &Arguments,
    now_ms: i64,
) -> Result<(), Failure> {
    if arguments.json || list.events.len() > essence::EVENTS_MAX {
        return show(list, arguments, now_ms);
    }
    let lines = line::as_text(&list.events, now_ms);
    let (heading, lines) = lines.split_once('\n').unwrap_or_default();
    let mut text = format!("{heading}\n");
    for (listed, line) in list.events.iter().zip(lines.lines()) {
        text.push_str(line);
        text.push('\n');
        let number = listed.event.integer("seq").unwrap_or_default();
        if let Some(story) = reader.story(number).await? {
            text.push_str(&essence::as_text(&story, now_ms));
        }
    }
    print(&text)?;
    note_cut(list.extent, list.events.len())
}

/// Says that a list of the newest `shown` is not whole, and what it was cut by.
fn note_cut(extent: Extent, shown: usize) -> Result<(), Failure> {
    match extent {
        Extent::Whole => Ok(()),
        Extent::CutByCount => note(&format!("the newest {shown}; there are more: -n, or a narrower list")),
        Extent::CutBySize => note(&format!(
            "the newest {shown}; there are more, cut since they are too large to show at once: a narrower list shows others"
        )),
    }
}

/// Prints the result for people.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = terminal::stdout();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Prints the result for programs, one object a line.
fn print_json(objects: impl IntoIterator<Item = impl Serialize>) -> Result<(), Failure> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    for object in objects {
        serde_json::to_writer(&mut stdout, &object).map_err(io::Error::from)?;
        stdout.write_all(b"\n")?;
    }
    Ok(stdout.flush()?)
}

/// Says something about the result that is not part of it.
fn note(text: &str) -> Result<(), Failure> {
    let escaped = crate::escape::Escaped(text);
    Ok(writeln!(anstream::stderr().lock(), "{}", terminal::styled(terminal::DIM, &format!("({escaped})")))?)
}
