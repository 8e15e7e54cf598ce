//! `openeventd rules try`: what other rules would have made of the events that are stored.
//!
//! Each event is decoded from the record as it arrived and planned with its accept time as `now`, by the same code as in
//! the daemon; the rules in force are run over the same events beside it. Nothing is called and nothing written. Events
//! are read in pages, so that memory does not grow with their number.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::directory;
use crate::cli::database::DatabaseArguments;
use crate::cli::exit::print_problems;
use crate::cli::progress::Sign;
use crate::cli::{Exit, Failure, progress, terminal, wait_for};
use crate::clock::now_ms;
use crate::config::RuleSettings;
use crate::diagnostic::{Severity, nearest};
use crate::duration::whole_ms;
use crate::escape::Escaped;
use crate::rule::parse::{self, Surroundings};
use crate::rule::{Mode, RuleSet};
use crate::store::Reader;
use crate::store::look::stored::Stretch;

// Events, planned by both rule sets.
mod trial;

// What came of them, by rule.
mod tally;

// Calls a day.
mod cost;

// All of it, for programs and for people.
mod report;

use report::{Against, Ran, Report};
use trial::{Side, Trial};

pub(super) const EXAMPLES: &str = "\
Examples:
  openeventd rules try --rules ./rules.d                  the last day, beside the rules in force
  openeventd rules try --rules ./rules.d --since 7d
  openeventd rules try --rules ./rules.d --as-live        what it would cost if every rule were live
  openeventd rules try --rules ./rules.d --rule rerun-failed --json | jq .cost";

/// Events that are run where nobody says how many.
const EVENTS_MAX: u32 = 1_000_000;

/// The hour before is planned as well and not counted: what was planned in it counts for `max_calls`.
const BEFORE_MS: i64 = 3_600_000;

/// What `openeventd rules try` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The rules to try, instead of the rule directory of the configuration
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Events that were accepted in the last DURATION, such as 30m or 7d
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = crate::duration::parse)]
    since: Duration,
    /// Tell only of this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Run so many events at most: the newest
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = EVENTS_MAX, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// As if every rule that is tried had `mode = "live"`; [policy] and the limits hold even then
    #[arg(long)]
    as_live: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseArguments,
}

#[derive(Debug, thiserror::Error)]
#[error("there is no rule `{}`, neither in the rules that are tried nor in those in force{}", Escaped(.name), meant(.nearest.as_deref()))]
struct UnknownRule {
    name: String,
    nearest: Option<String>,
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// Runs the subcommand.
pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let settings = directory::settings(config, arguments.rules.as_deref(), &arguments.database)?;
    let tried = tried(arguments, &settings)?;
    wait_for(attempt(config, arguments, &settings, tried))
}

/// The rules of the directory; warnings about them are printed.
fn tried(arguments: &Arguments, settings: &RuleSettings) -> Result<RuleSet, Failure> {
    let files = directory::read(&settings.directory)?;
    let (mut rules, warnings) = parse::parse(files, &surroundings(settings)).map_err(Failure::of_problems)?;
    print_problems(&warnings)?;
    if arguments.as_live {
        for rule in &mut rules.rules {
            rule.mode = Mode::Live;
        }
    }
    Ok(rules)
}

fn surroundings(settings: &RuleSettings) -> Surroundings<'_> {
    Surroundings { accounts: &settings.accounts, policy: &settings.policy }
}

async fn attempt(
    config: &Path,
    arguments: &Arguments,
    settings: &RuleSettings,
    tried: RuleSet,
) -> Result<Exit, Failure> {
    let now_ms = now_ms();
    let mut reader = arguments.database.reader(config).await?;
    let (running, against) = running(&mut reader, settings).await?;
    if let Some(name) = &arguments.rule {
        let known = || [Some(&tried), running.as_ref()].into_iter().flatten().flat_map(|set| &set.rules);
        if !known().any(|rule| rule.name == *name) {
            let nearest = nearest(name, known().map(|rule| rule.name.as_str())).map(str::to_owned);
            return Err(Failure::new(Exit::NoInput, UnknownRule { name: name.clone(), nearest }));
        }
    }
    let since_ms = now_ms.saturating_sub(whole_ms(arguments.since));
    let looking = span(&mut reader, (since_ms, now_ms), i64::from(arguments.limit));
    let span = progress::shown("looking which events there are", looking).await?;
    let mut trial = Trial::new(
        settings,
        (Side::of(tried), running.map(Side::of)),
        arguments.rule.clone(),
        span.counted_from,
    );
    through(&mut reader, &span, &mut trial).await?;
    reader.close().await?;
    let ran = Ran { since_ms: span.since_ms, until_ms: now_ms, stretch: span.stretch, is_cut: span.is_cut };
    let report = Report::of(&trial, ran, settings, &against);
    let text = if arguments.json { report.as_json() } else { report.as_text() };
    let mut out = terminal::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Exit::Success)
}

/// The rules in force, if they can be run here, and what there is to say about them.
async fn running(
    reader: &mut Reader,
    settings: &RuleSettings,
) -> Result<(Option<RuleSet>, Against), Failure> {
    let Some(stored) = reader.rules_in_force().await? else { return Ok((None, Against::Nothing)) };
    let loaded_at_ms = stored.loaded_at_ms;
    Ok(match parse::parse(stored.files, &surroundings(settings)) {
        Ok((rules, _)) => (Some(rules), Against::Rules { loaded_at_ms }),
        Err(problems) => {
            let first = problems.into_iter().find(|problem| problem.severity == Severity::Error);
            let told = first.map(|first| format!("{}: {}", first.file, first.message)).unwrap_or_default();
            (None, Against::Unfit(told))
        }
    })
}

/// Which events are run.
#[derive(Debug)]
struct Span {
    since_ms: i64,
    stretch: Stretch,
    /// The first that is planned.
    first: i64,
    /// The first that counts.
    counted_from: i64,
    /// Whether there are more than are run.
    is_cut: bool,
}

async fn span(
    reader: &mut Reader,
    (since_ms, until_ms): (i64, i64),
    count_max: i64,
) -> Result<Span, Failure> {
    let stretch = reader.stretch(since_ms, until_ms).await?;
    let is_cut = stretch.kept > count_max;
    let (mut counted_from, mut since_ms) = (stretch.first, since_ms);
    if is_cut {
        counted_from = reader.newest_of(stretch.first, stretch.end, count_max).await?;
        let first = reader.stored_event(counted_from).await?;
        let accepted = first.and_then(|first| Some(first.acceptances.first()?.accepted_at_ms));
        since_ms = accepted.unwrap_or(since_ms);
    }
    let before = reader.stretch(since_ms.saturating_sub(BEFORE_MS), since_ms).await?;
    Ok(Span { since_ms, stretch, first: before.first.min(counted_from), counted_from, is_cut })
}

/// Runs all of `span`, page by page; each page has the time limit for itself.
async fn through(reader: &mut Reader, span: &Span, trial: &mut Trial<'_>) -> Result<(), Failure> {
    let gone = |next: i64| u64::try_from(next.saturating_sub(span.first)).unwrap_or_default();
    let mut sign = Sign::of("running stored events through the rules", gone(span.stretch.end));
    let mut next = span.first;
    loop {
        reader.renew_time().await?;
        let page = reader.stored_page(next, span.stretch.end).await?;
        let Some(last) = page.acceptances.last() else { return Ok(()) };
        next = last.number.saturating_add(1);
        trial.page(page);
        sign.done(gone(next));
    }
}
