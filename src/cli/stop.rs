//! `openeventd stop-calls` and `resume-calls`: what a person does in an emergency, and undoes after it.
//!
//! A stop is written at once, without a question: it loses nothing and is undone by the same words. What is
//! asked for is a reason, since a colleague will find calls missing. Ending a stop lets calls out, so that
//! one is asked about like all that does.

use std::io::Write as _;
use std::path::Path;

use super::acting::{self, ActingArguments, Consent, who};
use super::database::DatabaseArguments;
use super::terminal::{BAD, GOOD, TITLE, WARNING, counted, stdout, styled};
use super::{Exit, Failure, progress, wait_for};
use crate::clock::now_ms;
use crate::config::Environment;
use crate::store::look::rows::Row;
use crate::store::look::stops::{COUNTED_MAX, Met, stop_of};
use crate::store::operator::stop::{Resumed, Stopped};
use crate::store::operator::{Deed, Operator};
use crate::store::stop::Stop;

// Whether names are known.
mod known;

// A stop in words.
pub(super) mod words;

const STOP: &str = "\
Examples:
  openeventd stop-calls --all --reason 'wrong deployment in DataWorks'
  openeventd stop-calls --rule rerun-failed --reason 'it reruns what is broken'
  openeventd stop-calls --operation RerunTaskInstances --workspace 96384 --reason 'migration'
  openeventd stop-calls --list";

const RESUME: &str = "\
Examples:
  openeventd resume-calls --rule rerun-failed --reason 'the rule was mended'
  openeventd resume-calls --all --yes --reason 'over'      ends a stop of all calls, and no other
  openeventd outbox release --held-reason stopped --rate 2/s --reason 'over'";

/// Which calls; several of these narrow the choice.
#[derive(Debug, Clone, clap::Args)]
struct Calls {
    /// Of this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// For events of this workspace
    #[arg(long, value_name = "NUMBER")]
    workspace: Option<i64>,
    /// Of this operation
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// All calls
    #[arg(long, conflicts_with_all = ["rule", "workspace", "operation"])]
    all: bool,
}

/// What `openeventd stop-calls` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = STOP)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct StopArguments {
    #[command(flatten)]
    calls: Calls,
    /// Why; kept with your name in the audit (views `stops` and `operator_actions`)
    #[arg(long, value_name = "TEXT", value_parser = acting::reason, required_unless_present_any = ["dry_run", "list"])]
    reason: Option<String>,
    /// Also a rule that is not in force, or an operation that no catalogue lists
    // A misspelt name would stop nothing while a person believes that it does, and the refusal names the one
    // that was meant: that costs seconds. So it takes another word to stop what is not known.
    #[arg(long)]
    even_if_unknown: bool,
    /// Only show what would be stopped
    #[arg(long)]
    dry_run: bool,
    // Nothing is asked; who types it out of habit is in a hurry and must not be turned away.
    #[arg(long, short, hide = true, conflicts_with = "dry_run")]
    yes: bool,
    /// List the stops in force instead
    #[arg(long, conflicts_with_all = ["rule", "workspace", "operation", "all", "reason", "dry_run", "even_if_unknown"])]
    list: bool,
    /// One JSON object a line, with the columns of the view `stops`
    #[arg(long, requires = "list")]
    json: bool,
    #[command(flatten)]
    database: DatabaseArguments,
}

/// What `openeventd resume-calls` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = RESUME)]
pub struct ResumeArguments {
    #[command(flatten)]
    calls: Calls,
    #[command(flatten)]
    acting: ActingArguments,
    #[command(flatten)]
    database: DatabaseArguments,
}

#[derive(Debug, thiserror::Error)]
#[error("nothing is chosen: narrow by --rule, --workspace or --operation, or say --all")]
struct NothingChosen;

#[derive(Debug, thiserror::Error)]
#[error("no stop of {0} is in force: name one as it was made")]
struct NoSuchStop(String);

#[derive(Debug, thiserror::Error)]
#[error("somebody else ended that stop meanwhile: nothing was done")]
struct EndedMeanwhile;

impl Calls {
    fn chosen(&self) -> Result<Stop, Failure> {
        let stop =
            Stop { rule: self.rule.clone(), workspace: self.workspace, operation: self.operation.clone() };
        if stop == Stop::default() && !self.all {
            return Err(Failure::new(Exit::Usage, NothingChosen));
        }
        Ok(stop)
    }
}

/// Runs `openeventd stop-calls`.
pub fn stop(config: &Path, arguments: &StopArguments) -> Result<Exit, Failure> {
    if arguments.list {
        return wait_for(list(config, arguments));
    }
    let stop = arguments.calls.chosen()?;
    wait_for(stop_calls(config, arguments, stop))
}

/// Runs `openeventd resume-calls`.
pub fn resume(config: &Path, arguments: &ResumeArguments) -> Result<Exit, Failure> {
    let stop = arguments.calls.chosen()?;
    wait_for(resume_calls(config, arguments, stop))
}

async fn list(config: &Path, arguments: &StopArguments) -> Result<Exit, Failure> {
    let mut reader = arguments.database.reader(config).await?;
    let stops = reader.stops().await?;
    reader.close().await?;
    let mut out = stdout();
    if arguments.json {
        for row in &stops {
            // Only a map whose keys are no text could fail here.
            writeln!(out, "{}", serde_json::to_string(row).unwrap_or_default())?;
        }
    } else if stops.is_empty() {
        writeln!(out, "nothing is stopped")?;
    } else {
        words::write_stops(&mut out, &stops, now_ms())?;
    }
    Ok(Exit::Success)
}

async fn stop_calls(config: &Path, arguments: &StopArguments, stop: Stop) -> Result<Exit, Failure> {
    let path = arguments.database.path(config)?;
    let mut reader = arguments.database.reader(config).await?;
    if !arguments.even_if_unknown {
        known::refuse_unknown(&mut reader, &stop).await?;
    }
    let words = words::in_words(&stop);
    if arguments.dry_run {
        let met = reader.met_by(&stop).await?;
        reader.close().await?;
        let mut out = stdout();
        writeln!(out, "{}", styled(TITLE, &format!("stop: {words}")))?;
        write_met(&mut out, met)?;
        writeln!(out, "nothing was done: --dry-run")?;
        return Ok(Exit::Success);
    }
    let mut operator = Operator::open(&path).await?;
    let who = who(&Environment::of_process(), &path);
    let reason = arguments.reason.as_deref().unwrap_or_default();
    let deed = Deed { who: &who, target: &words, reason, now_ms: now_ms() };
    let stopped = progress::shown("waiting for a turn to write", operator.stop(&stop, &deed)).await;
    operator.close().await?;
    let stopped = stopped?;
    // It holds by now: nothing that fails from here on may look as if it did not.
    let mut out = stdout();
    match stopped {
        Stopped::Now => writeln!(out, "{}", styled(GOOD, &format!("stopped: {words}")))?,
        Stopped::Already => writeln!(out, "{}", styled(WARNING, &format!("stopped already: {words}")))?,
    }
    if let Ok(met) = reader.met_by(&stop).await {
        write_met(&mut out, met)?;
    }
    writeln!(out, "events go on being accepted and decided; what is planned later is held as well")?;
    writeln!(out, "to end it:")?;
    write_resume(&mut out, &stop)?;
    reader.close().await?;
    Ok(Exit::Success)
}

/// What the stop means for what there is.
fn write_met(out: &mut impl std::io::Write, met: Met) -> std::io::Result<()> {
    let several = |count: i64, noun: &str| {
        let more = if count >= COUNTED_MAX { " or more" } else { "" };
        format!("{}{more}", counted(usize::try_from(count).unwrap_or(usize::MAX), noun))
    };
    let Met { planned, in_flight, held } = met;
    writeln!(
        out,
        "  {} planned: held by the daemon, the first within a second or two",
        several(planned, "action")
    )?;
    writeln!(out, "  {} in flight: cannot be taken back", several(in_flight, "call"))?;
    if held > 0 {
        writeln!(out, "  {} held since they were stopped", several(held, "action"))?;
    }
    Ok(())
}

/// The commands that let calls go again.
fn write_resume(out: &mut impl std::io::Write, stop: &Stop) -> std::io::Result<()> {
    writeln!(out, "  openeventd resume-calls {} --reason TEXT", words::arguments(stop))?;
    write_release(out, stop)
}

/// The command that sends what was held meanwhile.
fn write_release(out: &mut impl std::io::Write, stop: &Stop) -> std::io::Result<()> {
    let narrowing = words::narrowing(stop);
    let space = if narrowing.is_empty() { "" } else { " " };
    writeln!(
        out,
        "  openeventd outbox release --held-reason stopped{space}{narrowing} --rate 2/s --reason TEXT"
    )
}

async fn resume_calls(config: &Path, arguments: &ResumeArguments, stop: Stop) -> Result<Exit, Failure> {
    let ResumeArguments { acting, database, .. } = arguments;
    let path = database.path(config)?;
    let mut reader = database.reader(config).await?;
    let stops = reader.stops().await?;
    let words = words::in_words(&stop);
    let Some(row) = stops.iter().find(|row| stop_of(row) == stop) else {
        reader.close().await?;
        write_still(&stops.iter().collect::<Vec<_>>())?;
        return Err(Failure::new(Exit::NoInput, NoSuchStop(words)));
    };
    let met = reader.met_by(&stop).await?;
    reader.close().await?;
    let title = format!("resume: {words}, stopped {}", words::told(row, now_ms()));
    writeln!(stdout(), "{}", styled(TITLE, &crate::escape::Escaped(&title).to_string()))?;
    if acting.dry_run {
        writeln!(stdout(), "nothing was done: --dry-run")?;
        return Ok(Exit::Success);
    }
    let operator = Operator::open(&path).await?;
    if acting.consent(&format!("let {words} go again?"))? == Consent::Declined {
        operator.close().await?;
        writeln!(stdout(), "nothing was done")?;
        return Ok(Exit::Success);
    }
    end(operator, acting, row, &path, &words).await?;
    let mut out = stdout();
    writeln!(out, "{}", styled(GOOD, &format!("resumed: {words}")))?;
    if met.held > 0 {
        let held = counted(usize::try_from(met.held).unwrap_or(usize::MAX), "action");
        writeln!(out, "{held} that were held meanwhile stay held; to have them sent, slowly:")?;
        write_release(&mut out, &stop)?;
    }
    drop(out);
    write_still(&stops.iter().filter(|other| other.get("id") != row.get("id")).collect::<Vec<_>>())?;
    Ok(Exit::Success)
}

/// Ends the stop in `row`.
async fn end(
    mut operator: Operator,
    acting: &ActingArguments,
    row: &Row,
    path: &Path,
    words: &str,
) -> Result<(), Failure> {
    let who = who(&Environment::of_process(), path);
    let reason = acting.reason.as_deref().unwrap_or_default();
    let deed = Deed { who: &who, target: words, reason, now_ms: now_ms() };
    let number = row.integer("id").unwrap_or_default();
    let resumed = progress::shown("waiting for a turn to write", operator.resume(number, &deed)).await;
    operator.close().await?;
    match resumed? {
        Resumed::Now => Ok(()),
        Resumed::Already => Err(Failure::new(Exit::Temporary, EndedMeanwhile)),
    }
}

/// Says what is stopped even so.
fn write_still(stops: &[&Row]) -> Result<(), Failure> {
    if stops.is_empty() {
        return Ok(());
    }
    let mut out = stdout();
    writeln!(out, "{}", styled(BAD, "still stopped:"))?;
    let stops: Vec<Row> = stops.iter().map(|row| (*row).clone()).collect();
    Ok(words::write_stops(&mut out, &stops, now_ms())?)
}
