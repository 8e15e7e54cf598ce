//! `openeventd status`: how the daemon does, on one screen, and as an exit code.
//!
//! All of it comes from the audit database, where the daemon renews a row about itself every few seconds; so
//! it works the same for the owner, for a member of the group, and on a copy.

use std::io::Write as _;
use std::path::Path;

use super::database::DatabaseArguments;
use super::{Exit, Failure, progress, terminal};
use crate::clock::now_ms;
use crate::upkeep;

// What the figures come to.
pub(super) mod judged;

// What a person sees.
pub(super) mod screen;

// What a program sees.
mod object;

const EXAMPLES: &str = "\
Examples:
  openeventd status
  openeventd status --json | jq .backlog
  openeventd status --attention > /dev/null || echo 'look at openeventd'

Exit codes, of which the first that is true counts:
   0  it runs and nothing is wrong
  69  it does not run, does not respond, or cannot use Kafka, or what is wrong cannot be read
  65  it works by older rules, since the present ones are wrong
  75  no partition is assigned, its intake stands still, its disk fills up, or calls are parked;
      with --attention also if something waits for a person
If it cannot look, it prints nothing to standard output, and says on standard error why:
  66  there is no audit database
  74  the database is damaged
  75  no answer in time, or the database is of an older version
  77  not permitted
  78  the configuration cannot be read, or the database is of another program or a newer version";

/// What `openeventd status` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// One JSON object
    #[arg(long)]
    pub json: bool,
    /// Fail as well if something waits for a person: held, dead, unresolved or quarantined
    #[arg(long)]
    pub attention: bool,
    /// Where to look.
    #[command(flatten)]
    pub database: DatabaseArguments,
}

/// Runs the subcommand.
pub fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    super::wait_for(look(config, arguments))
}

async fn look(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let mut reader = arguments.database.reader(config).await?;
    let path = reader.path.clone();
    let now_ms = now_ms();
    let looking = reader.condition(now_ms);
    let condition = progress::shown("looking at the audit database", looking).await?;
    drop(reader);
    let disk_free_bytes = upkeep::free_bytes(&path);
    let judged = judged::Judged::of(&condition, now_ms);
    let exit = judged.exit(arguments.attention);
    let text = if arguments.json {
        object::as_json(&condition, &judged, disk_free_bytes, exit)
    } else {
        screen::as_text(&condition, &judged, disk_free_bytes, now_ms)
    };
    let mut stdout = terminal::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(exit)
}
