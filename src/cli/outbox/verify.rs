//! `openeventd outbox verify`: shows, asks, marks, and waits until the daemon has looked, or looks where no daemon
//! runs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::act::{self, AllMovedOn, NothingChosen, NothingToDo};
use super::effect::{Effect, IfDone, effect};
use super::lookup::Way;
use super::preview::{How, Preview};
use crate::cli::acting::{Consent, ROWS_MAX, who};
use crate::cli::run::exit_of;
use crate::cli::terminal::{counted, stdout};
use crate::cli::without_daemon::{Doer, doer, left_to_the_daemon};
use crate::cli::{Exit, Failure, progress};
use crate::clock::now_ms;
use crate::config::Environment;
use crate::duration::whole_ms;
use crate::store::operator::act::Verb;
use crate::store::operator::select::{Chosen, First, Listing};
use crate::store::operator::verdict::{Lost, Verified};
use crate::store::operator::{Deed, Operator};
use crate::store::{Reader, StoreError};
use crate::supervise;

// What the look-ups came to.
mod outcome;

use outcome::Outcome;

/// Between two looks whether the daemon is done.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

const HOW: How = How { verb: Verb::Verify, if_done: IfDone::LeaveAlone, pace: None };

/// What `openeventd outbox verify` takes.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArguments {
    #[command(flatten)]
    arguments: act::Arguments,
    /// Leave it to the daemon: the running one, or the next
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    /// How long to wait for a running daemon, and for what is certain
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = crate::duration::parse)]
    wait: Duration,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "{0} of the look-ups are not done yet: they stay asked for, `openeventd outbox show` tells how they go"
)]
struct NotDoneYet(usize);

/// Looks up the chosen actions.
pub(super) async fn run(config: &Path, verify: &VerifyArguments) -> Result<Exit, Failure> {
    let act::Arguments { select, all, acting, database } = &verify.arguments;
    if select.is_empty() && !all {
        return Err(Failure::new(Exit::Usage, NothingChosen));
    }
    let path = database.path(config)?;
    let mut reader = database.reader(config).await?;
    let selection = select.resolve(&mut reader, act::states(Verb::Verify), now_ms()).await?;
    let chosen = reader.chosen(&selection, First::Oldest, ROWS_MAX);
    let chosen = progress::shown("looking for actions", chosen).await?;
    let preview = preview(&mut reader, chosen).await?;
    reader.close().await?;
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
    let mut operator = Operator::open(&path).await?;
    if acting.consent(&preview.question())? == Consent::Declined {
        operator.close().await?;
        writeln!(stdout(), "nothing was done")?;
        return Ok(Exit::Success);
    }
    let (who, asked_at_ms) = (who(&Environment::of_process(), &path), now_ms());
    let target = format!("{}: {}", select.in_words(), preview.in_words());
    let reason = acting.reason.as_deref().unwrap_or_default();
    let deed = Deed { who: &who, target: &target, reason, now_ms: asked_at_ms };
    let asked = operator.act(Verb::Verify, &preview.changes, None, &deed);
    let asked = progress::shown("waiting for a turn to write", asked).await;
    operator.close().await?;
    let asked = asked?;
    if asked.is_empty() {
        return Err(Failure::new(Exit::Temporary, AllMovedOn));
    }
    let asked: Vec<Chosen> = preview.changes.into_iter().filter(|row| asked.contains(&row.number)).collect();
    if verify.no_wait {
        writeln!(stdout(), "asked for {}", counted(asked.len(), "look-up"))?;
        return Ok(Exit::Success);
    }
    // What this command has looked up itself, nobody looks up again before the next start.
    let wait = match carry_out(config, &path, &asked).await? {
        Done::ByTheDaemon => verify.wait,
        Done::Here => Duration::ZERO,
    };
    report(&path, &asked, asked_at_ms, wait).await
}

/// What is looked up of the chosen, and by how many reads at most.
async fn preview(reader: &mut Reader, chosen: Listing<Chosen>) -> Result<Preview, Failure> {
    let numbers: Vec<i64> = chosen.rows.iter().map(|row| row.number).collect();
    let lost = progress::shown("looking for actions", reader.lost(&numbers)).await?;
    let ways: BTreeMap<i64, Way> = lost.iter().map(|lost: &Lost| (lost.number, lost.into())).collect();
    let reads: usize = ways.values().map(|way| if let Way::Reads(reads) = way { *reads } else { 0 }).sum();
    let preview = Preview::of(HOW, chosen, &[], |row| match ways.get(&row.number) {
        Some(Way::None(why)) => Effect::LeftAlone(why),
        Some(Way::Reads(_)) | None => effect(HOW.verb, row.into(), HOW.if_done),
    });
    Ok(preview.costing(format!("{} at most, which count in the quota", counted(reads, "read"))))
}

/// Who has looked, or will.
enum Done {
    ByTheDaemon,
    Here,
}

/// Looks up what is asked for, unless a daemon is there to do it.
async fn carry_out(config: &Path, path: &Path, asked: &[Chosen]) -> Result<Done, Failure> {
    let Doer::Us(parts, store) = doer(config, path, "look-up").await? else { return Ok(Done::ByTheDaemon) };
    let accounts: BTreeSet<String> = asked.iter().map(|row| row.account.clone()).collect();
    let verified = supervise::verify::all(*parts, store, &accounts);
    match progress::shown("looking, since no daemon runs", verified).await {
        Ok(()) => Ok(Done::Here),
        Err(error) => {
            left_to_the_daemon("look-up");
            Err(Failure::new(exit_of(&error), error))
        }
    }
}

/// Waits until each look-up has come to something, and tells to what.
async fn report(path: &Path, asked: &[Chosen], asked_at_ms: i64, wait: Duration) -> Result<Exit, Failure> {
    let mut operator = Operator::open(path).await?;
    let waited = done_within(&mut operator, asked, asked_at_ms, wait);
    let waited = progress::shown("waiting for the daemon", waited).await;
    operator.close().await?;
    let rows = waited?;
    let outcomes: Vec<(i64, Outcome)> = asked
        .iter()
        .map(|row| (row.number, Outcome::of(rows.iter().find(|it| it.number == row.number), asked_at_ms)))
        .collect();
    write!(stdout(), "{}", outcome::table(&outcomes, now_ms()).lines(0))?;
    let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|(_, outcome)| is(outcome)).count();
    match count(|outcome| *outcome == Outcome::NotYet) {
        0 => {}
        open => return Err(Failure::new(Exit::Temporary, NotDoneYet(open))),
    }
    let ambiguous = count(|outcome| matches!(outcome, Outcome::Ambiguous { .. }));
    Ok(if ambiguous > 0 { Exit::Data } else { Exit::Success })
}

/// Looks until all is certain, or nothing more is to be expected within the time.
async fn done_within(
    operator: &mut Operator,
    asked: &[Chosen],
    asked_at_ms: i64,
    wait: Duration,
) -> Result<Vec<Verified>, StoreError> {
    let (until, until_ms) = (Instant::now() + wait, now_ms().saturating_add(whole_ms(wait)));
    let mut expected = outcome::Expected::default();
    loop {
        let rows = operator.verified(asked).await?;
        let open = rows.iter().filter(|row| expected.is_open(row, asked_at_ms, until_ms)).count();
        if open == 0 || Instant::now() >= until {
            return Ok(rows);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
