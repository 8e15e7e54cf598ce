//! `openeventd tail`: shows the events of the topics as rules see them, and which rules would fire.
//!
//! Takes the daemon's configuration and reads by assignment: no group is joined, nothing is committed, no
//! database is opened, nothing is called. Records are decoded and matched by the daemon's own function. Events
//! go to standard output, everything about the connection and the summary to standard error. What cannot pass
//! by itself (a wrong password, a topic that does not exist) ends with 69; what can is shown and waited out.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinError;

use super::exit::print_problems;
use super::{Exit, Failure, rule_files};
use crate::config::{self, Config, Environment};
use crate::diagnostic::{Severity, chain, nearest};
use crate::event::catalogue;
use crate::rule::RuleSet;
use crate::rule::parse::{self, Surroundings};

// Where to begin, as people write it.
mod from;

// What is wrong with the connection, and whether waiting helps.
mod trouble;

// The connection: making it, and saying what is wrong with it.
mod connect;

// From the first connection to the last record.
mod follow;

// One event as one line.
pub(super) mod line;

// What was seen.
mod tally;

use follow::Follow;
use from::From;
use tally::Filter;

/// How long one poll waits for a first record, and so how long Ctrl-C may take.
const POLL_WAIT: Duration = Duration::from_millis(200);
/// How long it may take to end in order after a signal.
const STOP_WAIT: Duration = Duration::from_secs(1);

/// What `openeventd tail` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// Where to begin: earliest, latest, how long ago (10m), a time (2026-11-22T10:00:00Z), or an offset
    #[arg(long, value_name = "WHERE", default_value = "latest", value_parser = from::parse)]
    from: From,
    /// End after so many lines
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Show events of this code only; may be repeated
    #[arg(long, value_name = "CODE")]
    code: Vec<String>,
    /// Show events that this rule would fire for only; may be repeated
    #[arg(long, value_name = "NAME")]
    rule: Vec<String>,
    /// Show events that some rule would fire for only
    #[arg(long)]
    matched: bool,
    /// One JSON object a line: the event as rules see it, where it lies, and the rules
    #[arg(long)]
    json: bool,
    /// Show what is there now, then end
    #[arg(long)]
    no_follow: bool,
}

const EXAMPLES: &str = "\
Examples:
  openeventd tail --config openeventd.toml          what comes from now on, until Ctrl-C
  openeventd tail --from earliest -n 20             twenty of the oldest events in Kafka
  openeventd tail --from 1h --no-follow --matched   the last hour, where rules would fire
  openeventd tail --code commit-file --json | jq .operator

Each line: time (UTC), partition:offset, code, facts, and after -> the rules that would fire, each
with its mode. Whether a call follows is decided by the daemon: by mode, age, limits and policy.
Order holds within a partition. Records that cannot be decoded are shown with the reason, whatever
is filtered.";

/// Runs the subcommand.
pub fn run(file: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let (config, warnings) = config::load(file, &Environment::of_process())?;
    print_problems(&warnings).map_err(unwritten)?;
    let rules = rules(&config)?;
    hint("event code", &arguments.code, || catalogue::all().map(|row| row.code))?;
    hint("rule", &arguments.rule, || rules.rules.iter().map(|rule| rule.name.as_str()))?;
    let filter = Filter {
        codes: arguments.code.clone(),
        rules: arguments.rule.clone(),
        matched_only: arguments.matched || !arguments.rule.is_empty(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let follow = Follow::new(&config, rules, filter, arguments, Arc::clone(&stop))?;
    super::wait_for(until_stopped(follow, stop))
}

/// Follows the topics until that ends by itself, or by Ctrl-C or SIGTERM, which is a success.
///
/// What follows writes, and a full pipe or a paused terminal may take nothing ever again. So it has a thread of its
/// own, which is left behind if it does not end soon after the first signal, or at the second.
async fn until_stopped(follow: Follow, stop: Arc<AtomicBool>) -> Result<Exit, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::new(Exit::Internal, error));
    let (mut interrupted, mut terminated) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut following = tokio::task::spawn_blocking(move || super::wait_for(follow.run()));
    let ended = |joined: Result<_, JoinError>| joined.map_err(|error| Failure::new(Exit::Internal, error))?;
    tokio::select! {
        joined = &mut following => return ended(joined),
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    stop.store(true, Ordering::Release);
    tokio::select! {
        joined = &mut following => ended(joined),
        _ = interrupted.recv() => Ok(Exit::Success),
        _ = terminated.recv() => Ok(Exit::Success),
        () = tokio::time::sleep(STOP_WAIT) => Ok(Exit::Success),
    }
}

/// The rules of the configured directory; none if they have errors, which are shown.
fn rules(config: &Config) -> Result<RuleSet, Failure> {
    let accounts = config.known_accounts();
    let surroundings = Surroundings { accounts: &accounts, policy: &config.policy };
    let files = match rule_files::read(&config.rules_directory) {
        Ok(files) => files,
        Err(error) => {
            say(&format!("going on without rules: {}", chain(&error)))?;
            Vec::new()
        }
    };
    match parse::parse(files, &surroundings) {
        // Warnings are for `check`: here nothing is called.
        Ok((rules, _warnings)) => Ok(rules),
        Err(problems) => {
            let errors: Vec<_> =
                problems.into_iter().filter(|problem| problem.severity == Severity::Error).collect();
            print_problems(&errors).map_err(unwritten)?;
            say("the rules have errors: going on without any")?;
            parse::parse(Vec::new(), &surroundings).map(|(rules, _)| rules).map_err(Failure::of_problems)
        }
    }
}

/// Says which of `given` are not `known`: they may come later, or be new, and are mostly typing errors.
fn hint<'a, K: Iterator<Item = &'a str>>(
    what: &str,
    given: &[String],
    known: impl Fn() -> K,
) -> Result<(), Failure> {
    for name in given.iter().filter(|name| !known().any(|known| known == *name)) {
        let meant =
            nearest(name, known()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        say(&format!("no known {what} `{name}`{meant}"))?;
    }
    Ok(())
}

/// One line for the person at the terminal.
fn say(line: &str) -> Result<(), Failure> {
    writeln!(io::stderr().lock(), "openeventd: {line}").map_err(unwritten)
}

fn unwritten(error: io::Error) -> Failure {
    Failure::new(Exit::Io, error)
}
