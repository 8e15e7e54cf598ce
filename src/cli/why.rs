//! `openeventd why`: everything that happened around an object in some time, matched by rules or not.
//!
//! Only matched events are indexed by their objects, so every event of the time is looked at, the newest first and in
//! pages, by the facts that decoding gave it when it was accepted. Nothing is changed.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;

use super::audit::target::{self, Target};
use super::audit::{essence, line};
use super::database::DatabaseArguments;
use super::moment::{self, Moment};
use super::progress::{self, Sign};
use super::terminal::{self, DIM, counted, styled};
use super::{Exit, Failure};
use crate::clock::now_ms;
use crate::escape::Escaped;
use crate::store::look::accepted::Stretch;
use crate::store::look::event::ObjectKind;
use crate::store::look::list::{Detail, List};
use crate::store::look::rows::Extent;
use crate::store::{Reader, StoreError};

// What is known of the reasons why nothing came.
mod silence;

const EXAMPLES: &str = "\
Examples:
  openeventd why instance:73910042265                        in the last day
  openeventd why table:ods_orders --since 7d
  openeventd why workspace:96384 --since 2026-11-22T03:00:00Z --until 2026-11-22T04:00:00Z
  openeventd why node:700005183003 --json | jq '.events[].decisions'";

/// Event numbers of one page.
const PAGE_EVENTS: i64 = 50_000;

/// Events shown where nobody says how many.
const COUNT: u16 = 20;

/// What `openeventd why` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// An object of events, such as instance:73910042265 (also node, file, table, workspace, operator)
    object: String,
    /// From when on: how long ago (24h, 7d), or a time with its zone
    #[arg(long, value_name = "WHEN", default_value = "24h", value_parser = moment::parse)]
    since: Moment,
    /// Until when, written likewise; until now if it is not given
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    until: Option<Moment>,
    /// Show so many events at most: the newest
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = COUNT, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
    /// One JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseArguments,
}

#[derive(Debug, thiserror::Error)]
enum WhyError {
    #[error("`{0}` is no object: expected its kind before a colon, as in `instance:73910042265`{1}")]
    NoObject(String, String),
    #[error(
        "`{kind}` is no kind of object: expected instance, node, file, table, workspace or operator{meant}"
    )]
    NoKind { kind: String, meant: String },
    #[error("--since is not before --until")]
    NoTime,
    #[error("no event of {kind} {id} was accepted in that time")]
    Nothing { kind: &'static str, id: String },
}

impl WhyError {
    /// What was named is no object: an event, or something misspelt.
    fn of_other(text: &str) -> Self {
        let instead = || format!("; what became of an event tells `openeventd audit {}`", Escaped(text));
        match (text.split_once(':'), target::meant(text)) {
            (None, _) => WhyError::NoObject(text.to_owned(), instead()),
            (Some((kind, _)), None) => WhyError::NoKind { kind: kind.to_owned(), meant: instead() },
            (Some((kind, _)), Some(meant)) => {
                let meant = format!(", did you mean `{}`?", Escaped(&meant));
                WhyError::NoKind { kind: kind.to_owned(), meant }
            }
        }
    }
}

impl From<WhyError> for Failure {
    fn from(error: WhyError) -> Self {
        let exit = match error {
            WhyError::NoObject(..) | WhyError::NoKind { .. } | WhyError::NoTime => Exit::Usage,
            WhyError::Nothing { .. } => Exit::NoInput,
        };
        Failure::new(exit, error)
    }
}

/// What was asked.
struct Asked<'a> {
    kind: ObjectKind,
    id: &'a str,
    since_ms: i64,
    /// Exclusive.
    until_ms: i64,
    now_ms: i64,
}

/// Runs the subcommand.
pub fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    super::wait_for(look(config, arguments))
}

async fn look(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let now_ms = now_ms();
    let (kind, id) = match Target::of(&arguments.object)? {
        Target::Object(kind, id) => (kind, id),
        Target::Number(_) | Target::Action(_) | Target::Id(_) => {
            return Err(WhyError::of_other(&arguments.object).into());
        }
    };
    // What is accepted in this very millisecond counts as well.
    let until_ms = arguments.until.map_or(now_ms.saturating_add(1), |until| until.at_ms(now_ms));
    let since_ms = arguments.since.at_ms(now_ms);
    if since_ms >= until_ms {
        return Err(WhyError::NoTime.into());
    }
    let asked = Asked { kind, id: &id, since_ms, until_ms, now_ms };
    let mut reader = arguments.database.reader(config).await?;
    let stretch = reader.stretch(since_ms, until_ms);
    let stretch = progress::shown("counting the events of that time", stretch).await?;
    let limit = usize::from(arguments.limit);
    let numbers = scan(&mut reader, &asked, &stretch, limit.saturating_add(1)).await?;
    let detail = if arguments.json { Detail::Whole } else { Detail::Line };
    let list = reader.listed(numbers, limit, detail).await?;
    let silence = match list.events.as_slice() {
        [] => Some(silence::look(&mut reader, &asked).await?),
        _ => None,
    };
    if arguments.json {
        print_json(&asked, &stretch, &list, silence.as_ref())?;
    } else {
        let mut text = headline(&asked, &stretch);
        match &silence {
            Some(silence) => text.push_str(&silence.as_text(&asked)),
            None => text.push_str(&told(&mut reader, &list, now_ms).await?),
        }
        let mut stdout = terminal::stdout();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()?;
    }
    reader.close().await?;
    match silence {
        Some(_) => Err(WhyError::Nothing { kind: kind.as_str(), id }.into()),
        None => Ok(Exit::Success),
    }
}

/// The newest events about the object, at most `count_max`: the newest first.
async fn scan(
    reader: &mut Reader,
    asked: &Asked<'_>,
    stretch: &Stretch,
    count_max: usize,
) -> Result<Vec<i64>, StoreError> {
    let whole = u64::try_from(stretch.end.saturating_sub(stretch.first)).unwrap_or_default();
    let mut sign = Sign::of("looking through all events of that time", whole);
    let (mut numbers, mut end) = (Vec::new(), stretch.end);
    while end > stretch.first && numbers.len() < count_max {
        let first = end.saturating_sub(PAGE_EVENTS).max(stretch.first);
        // Each page is a question of its own, which holds nothing open.
        reader.renew_time().await?;
        let wanted = count_max.saturating_sub(numbers.len());
        numbers.extend(reader.numbers_about((asked.kind, asked.id), (first, end), wanted).await?);
        end = first;
        sign.done(u64::try_from(stretch.end.saturating_sub(end)).unwrap_or_default());
    }
    reader.renew_time().await?;
    Ok(numbers)
}

/// What was looked at.
fn headline(asked: &Asked<'_>, stretch: &Stretch) -> String {
    let kept = usize::try_from(stretch.kept).unwrap_or_default();
    let retired = match stretch.retired() {
        0 => String::new(),
        gone => format!("; {gone} more have left by retention"),
    };
    let told = format!(
        "{} {} from {} to {} UTC: {} looked at{retired}",
        asked.kind.as_str(),
        Escaped(asked.id),
        moment::spaced(asked.since_ms),
        moment::spaced(asked.until_ms),
        counted(kept, "event"),
    );
    format!("{}\n", styled(DIM, &told))
}

/// The events, each with what came of it below its line where they are few.
async fn told(reader: &mut Reader, list: &List, now_ms: i64) -> Result<String, StoreError> {
    let lines = line::as_text(&list.events, now_ms);
    let (heading, lines) = lines.split_once('\n').unwrap_or_default();
    let mut text = format!("{heading}\n");
    let are_few = list.events.len() <= essence::EVENTS_MAX;
    let mut unmatched = None;
    for (listed, line) in list.events.iter().zip(lines.lines()) {
        text.push_str(line);
        text.push('\n');
        let number = listed.event.integer("seq").unwrap_or_default();
        if listed.decisions.is_empty() {
            unmatched = Some(number);
            if are_few {
                let told = format!("no rule matched: `openeventd explain {number}` says why");
                // Writing into a String cannot fail.
                let _ = writeln!(text, "       {}", styled(DIM, &told));
            }
        } else if are_few && let Some(story) = reader.story(number).await? {
            text.push_str(&essence::as_text(&story, now_ms));
        }
    }
    let mut note = |told: &str| {
        let _ = writeln!(text, "{}", styled(DIM, told));
    };
    if !are_few && let Some(number) = unmatched {
        note(&format!("where no rule matched, `openeventd explain {number}` and the like say why"));
    }
    match list.extent {
        Extent::Whole => {}
        Extent::CutByCount => note("these are the newest; there are more: -n, or a narrower time"),
        Extent::CutBySize => note("these are the newest; more would be too large to show at once"),
    }
    Ok(text)
}

#[derive(Serialize)]
struct Document<E, S> {
    kind: &'static str,
    id: String,
    since_ms: i64,
    until_ms: i64,
    looked_at: i64,
    retired: i64,
    has_more: bool,
    events: Vec<E>,
    nothing: Option<S>,
}

fn print_json(
    asked: &Asked<'_>,
    stretch: &Stretch,
    list: &List,
    silence: Option<&silence::Known>,
) -> Result<(), Failure> {
    let document = Document {
        kind: asked.kind.as_str(),
        id: asked.id.to_owned(),
        since_ms: asked.since_ms,
        until_ms: asked.until_ms,
        looked_at: stretch.kept,
        retired: stretch.retired(),
        has_more: list.extent != Extent::Whole,
        events: list.events.iter().map(line::as_json).collect(),
        nothing: silence.map(silence::Known::as_json),
    };
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut stdout, &document).map_err(io::Error::from)?;
    stdout.write_all(b"\n")?;
    Ok(stdout.flush()?)
}
