//! `openeventd rules try`: stored events run through the rules of a directory, without any effect.
//!
//! Events are decoded, matched and planned by the code that the daemon uses, each at the time when it was accepted;
//! the calls of the hour before the first one are not known, so counting begins with it. Nothing is written, no
//! secret is read. What is kept in memory grows with the rules that match and the days, never with the events.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use self::compared::Apart;
use self::side::Side;
use crate::batch::{Content, Entry};
use crate::cli::database::DatabaseArguments;
use crate::cli::moment::{self, Moment};
use crate::cli::{Exit, Failure, progress, rule_files, terminal};
use crate::clock::now_ms;
use crate::config::{self, Environment, Planning};
use crate::diagnostic::{Diagnostic, Severity, nearest};
use crate::ingest::decode_batch;
use crate::rule::RuleSet;
use crate::rule::parse::{self, Surroundings};
use crate::store::Reader;
use crate::store::look::accepted::Stretch;
use crate::store::look::rules::KeptRules;
use crate::store::look::stored::Page;

// One rule set at work.
mod side;

// Calls by account and day.
mod cost;

// Which events only one of two sets matched.
mod compared;

// What it all comes to, and as JSON.
mod figures;

// What a person sees.
mod screen;

pub(super) const EXAMPLES: &str = "\
Examples:
  openeventd rules try --rules ./rules.d --since 7d
  openeventd rules try --rule rerun-failed --database copy.db
  openeventd rules try --json | jq '.rules[] | {name, matches, calls_if_live}'";

/// What `openeventd rules try` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The rule directory, instead of the one that the configuration names
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Events that were accepted since then: how long ago (12h, 7d), or a time with its zone
    #[arg(long, value_name = "WHEN", default_value = "24h", value_parser = moment::parse)]
    since: Moment,
    /// Only this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseArguments,
}

#[derive(Debug, thiserror::Error)]
#[error("neither the directory nor the rules in force have a rule `{}`{}", crate::escape::Escaped(.name), meant(.nearest.as_deref()))]
struct UnknownRule {
    name: String,
    nearest: Option<String>,
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// The rules in force beside those that are tried.
enum Running {
    /// They ran as well.
    Ran { hash: String, side: Box<Side>, apart: Apart },
    /// They could not, and why.
    NotCompared(String),
}

/// Everything that was found out.
struct Trial {
    directory: PathBuf,
    since_ms: i64,
    stretch: Stretch,
    /// Events that were read.
    events: u64,
    /// Of them, those that today's limits and decoder refuse; the number of the first, and why.
    undecodable: u64,
    refused: Option<(i64, String)>,
    side: Side,
    running: Running,
}

/// Runs the subcommand.
pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let planning = config::planning(config, &Environment::of_process())?;
    let directory = match &arguments.rules {
        Some(directory) => rule_files::existing(directory)?.to_owned(),
        None => planning.rules_directory.clone(),
    };
    let files = rule_files::read(&directory).map_err(|error| Failure::new(Exit::Config, error))?;
    let surroundings = Surroundings { accounts: &planning.accounts, policy: &planning.policy };
    let (rules, _warnings) = parse::parse(files, &surroundings).map_err(Failure::of_problems)?;
    let trial = crate::cli::wait_for(look(config, arguments, &planning, (directory, rules)))?;
    let figures = figures::of(&trial, &planning);
    let text = if arguments.json { figures::as_json(&figures) } else { screen::as_text(&figures) };
    let mut out = terminal::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(if trial.side.has_failed() { Exit::Data } else { Exit::Success })
}

async fn look(
    config: &Path,
    arguments: &Arguments,
    planning: &Planning,
    (directory, rules): (PathBuf, RuleSet),
) -> Result<Trial, Failure> {
    let mut reader = arguments.database.reader(config).await?;
    let now_ms = now_ms();
    let since_ms = arguments.since.at_ms(now_ms);
    let kept = reader.running_rules().await?;
    let running = Running::of(kept, &rules, planning, arguments.rule.as_deref());
    if let Some(name) = &arguments.rule {
        refuse_unknown(name, &rules, &running)?;
    }
    let stretch = reader.stretch(since_ms, now_ms.saturating_add(1)).await?;
    let side = Side::of(rules, arguments.rule.clone());
    let mut trial =
        Trial { directory, since_ms, stretch, events: 0, undecodable: 0, refused: None, side, running };
    let trying = trial.read(&mut reader, planning);
    progress::shown("running stored events through the rules", trying).await?;
    reader.close().await?;
    Ok(trial)
}

fn refuse_unknown(name: &str, rules: &RuleSet, running: &Running) -> Result<(), Failure> {
    let mut known: Vec<&str> = rules.rules.iter().map(|rule| rule.name.as_str()).collect();
    if let Running::Ran { side, .. } = running {
        known.extend(side.rules.rules.iter().map(|rule| rule.name.as_str()));
    }
    if known.contains(&name) {
        return Ok(());
    }
    let nearest = nearest(name, known).map(str::to_owned);
    Err(Failure::new(Exit::NoInput, UnknownRule { name: name.to_owned(), nearest }))
}

impl Running {
    fn of(kept: Option<KeptRules>, tried: &RuleSet, planning: &Planning, only: Option<&str>) -> Self {
        let Some(KeptRules { hash, files, .. }) = kept else {
            return Running::NotCompared("no rule set was ever in force".to_owned());
        };
        let surroundings = Surroundings { accounts: &planning.accounts, policy: &planning.policy };
        match parse::parse(files, &surroundings) {
            Ok((rules, _warnings)) => {
                let apart = Apart::between(tried, &rules);
                Running::Ran { hash, side: Box::new(Side::of(rules, only.map(str::to_owned))), apart }
            }
            Err(problems) => {
                let is_error = |problem: &&Diagnostic| problem.severity == Severity::Error;
                let first = problems.iter().find(is_error).map(ToString::to_string).unwrap_or_default();
                let first = first.lines().next().unwrap_or_default().to_owned();
                Running::NotCompared(format!("the rules in force do not fit this configuration: {first}"))
            }
        }
    }
}

impl Trial {
    async fn read(&mut self, reader: &mut Reader, planning: &Planning) -> Result<(), Failure> {
        let mut next = self.stretch.first;
        while next < self.stretch.end {
            let page = reader.stored_events(next, self.stretch.end).await?;
            let Some((last, _)) = page.events.last() else { break };
            next = last.saturating_add(1);
            self.page(page, planning);
        }
        Ok(())
    }

    fn page(&mut self, page: Page, planning: &Planning) {
        let Page { records, events } = page;
        let batch = decode_batch(records, &planning.limits, &self.side.rules);
        for (entry, stored) in batch.entries().iter().zip(events) {
            self.events += 1;
            self.event(entry, stored, planning);
        }
        self.side.commit();
        if let Running::Ran { side, .. } = &mut self.running {
            side.commit();
        }
    }

    /// One event with its number and the time when it was accepted.
    fn event(&mut self, entry: &Entry<'_>, stored: (i64, i64), planning: &Planning) {
        let (event, mut matched, mut failed) = match &entry.content {
            Content::Event { event, matched, failed } => (event, matched.clone(), failed.clone()),
            Content::Quarantined(reason) => {
                self.undecodable += 1;
                self.refused.get_or_insert_with(|| (stored.0, reason.message.clone()));
                return;
            }
        };
        self.side.decide((event, &entry.record), (&mut matched, &mut failed), stored, planning);
        if let Running::Ran { side, apart, .. } = &mut self.running {
            let (mut theirs, mut failed) = (Vec::new(), Vec::new());
            side.rules.matches(event, &mut theirs, &mut failed);
            side.decide((event, &entry.record), (&mut theirs, &mut failed), stored, planning);
            apart.event(stored.0, (&matched, &self.side.rules), (&theirs, &side.rules));
        }
    }
}
