//! `openeventd quarantine replay`: shows, asks, marks, and waits until the daemon has done it, or does it where
//! no daemon runs.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anstyle::Style;

use super::list;
use super::select::SelectArguments;
use super::show::Unknown;
use crate::cli::acting::{ActingArguments, Consent, ROWS_MAX, who, write_beyond, write_cut};
use crate::cli::database::DatabaseArguments;
use crate::cli::exit::print_problems;
use crate::cli::run::exit_of;
use crate::cli::terminal::{Columns, DIM, GOOD, NAME, TITLE, WARNING, counted, stdout, styled};
use crate::cli::without_daemon::{Doer, doer, left_to_the_daemon};
use crate::cli::{Exit, Failure, progress};
use crate::clock::now_ms;
use crate::config::Environment;
use crate::store::StoreError;
use crate::store::daemon::RulesCondition;
use crate::store::operator::quarantine::{Chosen, Replay, Replayed};
use crate::store::operator::{Deed, Operator};
use crate::supervise::{self, SuperviseError};

/// Records that are shown one by one.
const SHOWN_MAX: usize = 10;

/// Between two looks whether the daemon is done.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What `openeventd quarantine replay` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    select: SelectArguments,
    /// All that are no event yet
    #[arg(long, conflicts_with = "records")]
    all: bool,
    #[command(flatten)]
    acting: ActingArguments,
    /// Leave it to the daemon: the running one, or the next
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    /// How long to wait for a running daemon
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = crate::duration::parse)]
    wait: Duration,
    #[command(flatten)]
    database: DatabaseArguments,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "nothing is chosen: name records, narrow by --quarantine-reason, --older-than and the like, or say --all"
)]
struct NothingChosen;

#[derive(Debug, thiserror::Error)]
#[error("all of the named records are events by now: nothing was done")]
struct NothingToDo;

#[derive(Debug, thiserror::Error)]
#[error("{0} of the replays are not done yet: they stay asked for, `openeventd quarantine list` shows them")]
struct NotDoneYet(usize);

#[derive(Debug, thiserror::Error)]
#[error("{0} of the records are gone: retention removed them, and what their replay came to is not known")]
struct Gone(usize);

/// Replays the chosen records.
pub(super) async fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let Arguments { select, all, acting, database, .. } = arguments;
    if select.is_empty() && !all {
        return Err(Failure::new(Exit::Usage, NothingChosen));
    }
    let path = database.path(config)?;
    let mut reader = database.reader(config).await?;
    let selection = select.selection(Replayed::Excluded, now_ms());
    let listing = progress::shown("looking for records", reader.quarantined(&selection, ROWS_MAX)).await?;
    reader.close().await?;
    if let Some(unknown) = select.named().iter().find(|id| !listing.rows.iter().any(|row| row.id == **id)) {
        return Err(Failure::new(Exit::NoInput, Unknown(*unknown)));
    }
    let (done, chosen): (Vec<_>, Vec<_>) =
        listing.rows.into_iter().partition(|row| matches!(row.replay, Replay::Event(_)));
    preview(&mut stdout(), &chosen, done.len(), listing.total)?;
    if chosen.is_empty() {
        return if done.is_empty() {
            Ok(Exit::Success)
        } else {
            Err(Failure::new(Exit::NoInput, NothingToDo))
        };
    }
    if acting.dry_run {
        writeln!(stdout(), "nothing was done: --dry-run")?;
        return Ok(Exit::Success);
    }
    // Whether that is permitted is found out before anybody is asked.
    let mut operator = Operator::open(&path).await?;
    let question = format!("replay {}?", counted(chosen.len(), "record"));
    if acting.consent(&question)? == Consent::Declined {
        operator.close().await?;
        writeln!(stdout(), "nothing was done")?;
        return Ok(Exit::Success);
    }
    let asked = ask(&mut operator, &chosen, arguments, &who(&Environment::of_process(), &path)).await;
    operator.close().await?;
    let asked = asked?;
    if arguments.no_wait {
        writeln!(stdout(), "asked for {}", counted(asked.len(), "replay"))?;
        return Ok(Exit::Success);
    }
    carry_out(config, &path).await?;
    report(&path, &asked, arguments.wait).await
}

/// Shows what is to be replayed, by reason and then the first ones.
fn preview(out: &mut impl Write, chosen: &[Chosen], done: usize, total: i64) -> io::Result<()> {
    writeln!(out, "{}", styled(TITLE, &format!("replay: {}", counted(chosen.len(), "record"))))?;
    let mut groups: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in chosen {
        *groups.entry((&row.reason, &row.topic)).or_default() += 1;
    }
    let mut columns = Columns::new();
    for ((reason, topic), count) in groups {
        columns.row([(TITLE, count.to_string().as_str()), (WARNING, reason), (NAME, topic)]);
    }
    write!(out, "{}", columns.lines(2))?;
    if done > 0 {
        writeln!(out, "left alone: {}, events by now", counted(done, "record"))?;
    }
    if !chosen.is_empty() {
        writeln!(out)?;
        let first = chosen.get(..SHOWN_MAX).unwrap_or(chosen);
        write!(out, "{}", list::table(first, now_ms()).lines(2))?;
    }
    write_cut(out, chosen.len(), SHOWN_MAX, "record")?;
    write_beyond(out, total, chosen.len() + done, "record")
}

async fn ask(
    operator: &mut Operator,
    chosen: &[Chosen],
    arguments: &Arguments,
    who: &str,
) -> Result<Vec<i64>, Failure> {
    let target = arguments.select.in_words();
    let reason = arguments.acting.reason.as_deref().unwrap_or_default();
    let deed = Deed { who, target: &target, reason, now_ms: now_ms() };
    let ids: Vec<i64> = chosen.iter().map(|row| row.id).collect();
    let asked = operator.ask_for_replay(&ids, &deed);
    Ok(progress::shown("waiting for a turn to write", asked).await?)
}

/// Replays what is asked for, unless a daemon is there to do it.
async fn carry_out(config: &Path, path: &Path) -> Result<(), Failure> {
    let Doer::Us(parts, store) = doer(config, path, "replay").await? else { return Ok(()) };
    let replayed = supervise::replay::all(*parts, store);
    match progress::shown("replaying, since no daemon runs", replayed).await {
        Ok(RulesCondition::Current) => Ok(()),
        Ok(RulesCondition::Degraded) => {
            writeln!(
                io::stderr().lock(),
                "the rule directory has errors: the rules that were last in force decided"
            )?;
            Ok(())
        }
        Err(error) => {
            left_to_the_daemon("replay");
            if let SuperviseError::NoRules(problems) = &error {
                print_problems(problems)?;
            }
            Err(Failure::new(exit_of(&error), error))
        }
    }
}

/// Waits until each replay has come to something, and tells to what.
async fn report(path: &Path, asked: &[i64], wait: Duration) -> Result<Exit, Failure> {
    let mut operator = Operator::open(path).await?;
    let waited = progress::shown("waiting for the daemon", done_within(&mut operator, asked, wait)).await;
    operator.close().await?;
    let outcomes = waited?;
    let mut columns = Columns::new();
    for (id, replay) in &outcomes {
        let (style, told) = match replay {
            Replay::Event(event) => (GOOD, format!("is event {event}")),
            Replay::Failed(problem) => (WARNING, format!("still is no event: {problem}")),
            Replay::Asked | Replay::Never => (DIM, "not done yet".to_owned()),
        };
        columns.row([(TITLE, "record"), (Style::new(), id.to_string().as_str()), (style, told.as_str())]);
    }
    let gone = asked.iter().filter(|id| !outcomes.iter().any(|(known, _)| known == *id));
    let gone: Vec<String> = gone.map(ToString::to_string).collect();
    for id in &gone {
        columns.row([(TITLE, "record"), (Style::new(), id.as_str()), (WARNING, "is gone")]);
    }
    write!(stdout(), "{}", columns.lines(0))?;
    let open = outcomes.iter().filter(|(_, replay)| *replay == Replay::Asked).count();
    if open > 0 {
        return Err(Failure::new(Exit::Temporary, NotDoneYet(open)));
    }
    if !gone.is_empty() {
        return Err(Failure::new(Exit::NoInput, Gone(gone.len())));
    }
    let failed = outcomes.iter().any(|(_, replay)| matches!(replay, Replay::Failed(_)));
    Ok(if failed { Exit::Data } else { Exit::Success })
}

async fn done_within(
    operator: &mut Operator,
    asked: &[i64],
    wait: Duration,
) -> Result<Vec<(i64, Replay)>, StoreError> {
    let until = Instant::now() + wait;
    loop {
        let outcomes = operator.replays(asked).await?;
        let is_done = outcomes.iter().all(|(_, replay)| *replay != Replay::Asked);
        if is_done || Instant::now() >= until {
            return Ok(outcomes);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
