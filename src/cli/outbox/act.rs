//! `openeventd outbox release | cancel | requeue`: shows, asks, does, tells.

use std::io::Write as _;
use std::path::Path;

use super::effect::{IfDone, effect};
use super::pace;
use super::preview::{How, Preview};
use super::select::SelectArguments;
use crate::action::ActionState;
use crate::cli::acting::{ActingArguments, Consent, ROWS_MAX, who};
use crate::cli::database::DatabaseArguments;
use crate::cli::terminal::{GOOD, WARNING, counted, stdout, styled};
use crate::cli::{Exit, Failure, progress};
use crate::clock::now_ms;
use crate::config::Environment;
use crate::store::look::stops::stop_of;
use crate::store::operator::act::{Pace, Verb};
use crate::store::operator::select::First;
use crate::store::operator::{Deed, Operator};
use crate::store::stop::Stop;

/// What all of them take, and `openeventd outbox cancel` nothing else.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) select: SelectArguments,
    /// All that the command is for
    #[arg(long, conflicts_with = "actions")]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) acting: ActingArguments,
    #[command(flatten)]
    pub(super) database: DatabaseArguments,
}

/// What `openeventd outbox release` takes.
#[derive(Debug, clap::Args)]
pub(super) struct ReleaseArguments {
    #[command(flatten)]
    arguments: Arguments,
    /// Let them out slowly, the oldest first: so many a second, a minute or an hour, as in 2/s, 30/m or 100/h
    #[arg(long, value_name = "RATE", value_parser = pace::parse)]
    rate: Option<Pace>,
}

/// What `openeventd outbox requeue` takes.
#[derive(Debug, clap::Args)]
pub(super) struct RequeueArguments {
    #[command(flatten)]
    arguments: Arguments,
    /// Also those that DataWorks may have executed already, and that then happen a second time
    #[arg(long)]
    even_if_done: bool,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "nothing is chosen: name actions, narrow by --rule, --state, --older-than and the like, or say --all"
)]
pub(super) struct NothingChosen;

#[derive(Debug, thiserror::Error)]
#[error("none of the named actions can be changed by this command: nothing was done")]
pub(super) struct NothingToDo;

#[derive(Debug, thiserror::Error)]
#[error("all of them had moved on meanwhile: nothing was done, look again")]
pub(super) struct AllMovedOn;

/// Releases held actions.
pub(super) async fn release(config: &Path, release: &ReleaseArguments) -> Result<Exit, Failure> {
    let how = How { verb: Verb::Release, if_done: IfDone::LeaveAlone, pace: release.rate };
    run(config, how, &release.arguments).await
}

/// Cancels actions.
pub(super) async fn cancel(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let how = How { verb: Verb::Cancel, if_done: IfDone::LeaveAlone, pace: None };
    run(config, how, arguments).await
}

/// Requeues dead and unresolved actions.
pub(super) async fn requeue(config: &Path, requeue: &RequeueArguments) -> Result<Exit, Failure> {
    let if_done = if requeue.even_if_done { IfDone::Again } else { IfDone::LeaveAlone };
    let how = How { verb: Verb::Requeue, if_done, pace: None };
    run(config, how, &requeue.arguments).await
}

/// The states that a command is for.
pub(super) fn states(verb: Verb) -> &'static [ActionState] {
    use ActionState as S;
    match verb {
        Verb::Release => &[S::Held],
        Verb::Requeue => &[S::Dead, S::Unresolved],
        Verb::Verify => &[S::Unresolved],
        Verb::Cancel => &[S::Held, S::Dead, S::Unresolved, S::Planned, S::Waiting, S::InFlight],
    }
}

async fn run(config: &Path, how: How, arguments: &Arguments) -> Result<Exit, Failure> {
    let Arguments { select, all, acting, database } = arguments;
    if select.is_empty() && !all {
        return Err(Failure::new(Exit::Usage, NothingChosen));
    }
    let path = database.path(config)?;
    let mut reader = database.reader(config).await?;
    let selection = select.resolve(&mut reader, states(how.verb), now_ms()).await?;
    let chosen =
        progress::shown("looking for actions", reader.chosen(&selection, First::Oldest, ROWS_MAX)).await?;
    let stops: Vec<Stop> = reader.stops().await?.iter().map(stop_of).collect();
    reader.close().await?;
    let preview = Preview::of(how, chosen, &stops, |row| effect(how.verb, row.into(), how.if_done));
    // The output stays unlocked while a person thinks.
    preview.write(&mut stdout(), now_ms())?;
    if preview.changes.is_empty() {
        if select.names_actions() {
            return Err(Failure::new(Exit::NoInput, NothingToDo));
        }
        return Ok(Exit::Success);
    }
    if acting.dry_run {
        writeln!(stdout(), "nothing was done: --dry-run")?;
        return Ok(Exit::Success);
    }
    // Whether that is permitted is found out before anybody is asked.
    let operator = Operator::open(&path).await?;
    match acting.consent(&preview.question())? {
        Consent::Given => {
            let who = who(&Environment::of_process(), &path);
            act(operator, &preview, select, acting, &who).await
        }
        Consent::Declined => {
            operator.close().await?;
            writeln!(stdout(), "nothing was done")?;
            Ok(Exit::Success)
        }
    }
}

/// Does what was shown, and tells what had moved on.
async fn act(
    mut operator: Operator,
    preview: &Preview,
    select: &SelectArguments,
    acting: &ActingArguments,
    who: &str,
) -> Result<Exit, Failure> {
    let target = format!("{}: {}", select.in_words(), preview.in_words());
    let deed =
        Deed { who, target: &target, reason: acting.reason.as_deref().unwrap_or_default(), now_ms: now_ms() };
    let How { verb, pace, .. } = preview.how;
    let acted = operator.act(verb, &preview.changes, pace, &deed);
    let changed = progress::shown("waiting for a turn to write", acted).await;
    operator.close().await?;
    let changed = changed?;
    let moved_on = preview.changes.len().saturating_sub(changed.len());
    if changed.is_empty() {
        return Err(Failure::new(Exit::Temporary, AllMovedOn));
    }
    let done = match verb {
        Verb::Release => "released",
        Verb::Requeue => "requeued",
        Verb::Cancel => "cancelled",
        Verb::Verify => "asked for a look-up of",
    };
    let mut out = stdout();
    writeln!(out, "{}", styled(GOOD, &format!("{done} {}", counted(changed.len(), "action"))))?;
    if moved_on > 0 {
        let told = format!("{} had moved on meanwhile and stay as they are", counted(moved_on, "action"));
        writeln!(out, "{}", styled(WARNING, &told))?;
    }
    Ok(Exit::Success)
}
