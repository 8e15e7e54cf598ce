//! The subcommands, one module each, and what they share: arguments, exit codes, the printing of errors.
//!
//! This is the edge where an error ends: its whole chain is printed once, on one line, and becomes an
//! exit code. Below here errors are returned. Results go to standard output, everything else to standard
//! error.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::event::decode::Limits;

// How the program ends.
pub mod exit;

// The texts of the rule directory.
pub mod rule_files;

// Colours and columns.
pub mod terminal;

// Words of commands that people copy.
mod shell;

// Who acts, and whether they agree.
pub mod acting;

// Times and ages as people read them.
pub mod instant;

// A time as people write it.
pub mod moment;

// A sign of life for what takes long.
pub mod progress;

// What a read about a lost call found, in words.
mod found;

// Which database a command looks at.
pub mod database;

// What a command does itself where no daemon runs.
mod without_daemon;

// `openeventd demo`
pub mod demo;

// `openeventd init`
pub mod init;

// `openeventd tail`
pub mod tail;

// `openeventd check`
pub mod check;

// `openeventd schema`
pub mod schema;

// `openeventd rules`
pub mod rules;

// `openeventd credentials`
pub mod credentials;

// `openeventd run`
pub mod run;

// `openeventd status`
pub mod status;

// `openeventd audit`
pub mod audit;

// `openeventd explain`
pub mod explain;

// `openeventd why`
pub mod why;

// `openeventd sql`
pub mod sql;

// `openeventd outbox`
pub mod outbox;

// `openeventd quarantine`
pub mod quarantine;

// `openeventd api`
pub mod api;

// `openeventd policy`
pub mod policy;

// `openeventd stop-calls` and `openeventd resume-calls`
pub mod stop;

// `openeventd quota`
pub mod quota;

// `openeventd decode`
pub mod decode;

// `openeventd completions` and `openeventd man`
pub mod manual;

pub use exit::{Exit, Failure};

/// Where the configuration is looked for.
const CONFIG_DEFAULT: &str = "/etc/openeventd/openeventd.toml";

/// Consumes DataWorks OpenEvent change events from Kafka, decides by rules, answers with signed
/// OpenAPI calls, and keeps an audit of every decision.
#[derive(Debug, Parser)]
#[command(name = "openeventd", version, propagate_version = true, after_long_help = EXAMPLES)]
pub struct Arguments {
    /// The configuration; rules are read from rules.d beside it unless it says otherwise
    #[arg(long, global = true, value_name = "FILE", env = "OPENEVENTD_CONFIG", default_value = CONFIG_DEFAULT)]
    pub config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  openeventd check --config ./openeventd.toml     find every mistake before a start
  openeventd run                                  run with /etc/openeventd/openeventd.toml
  OPENEVENTD__LOG__LEVEL=debug openeventd run     override one setting

Exit codes:
   0  success                   70  internal error
  64  wrong arguments           73  cannot create a file
  65  bad data                  74  input or output failed
  66  input not found           75  temporary failure, try again
  69  a service is unavailable  77  permission denied
  78  wrong configuration      130  interrupted at a question";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole path at work, with a broker and an endpoint of its own
    ///
    /// The daemon reads events from a Kafka broker in this process and answers them by calls to an endpoint
    /// in this process, which verifies the signatures; both are on loopback. What the audit database knows
    /// is shown as it comes, for about twenty seconds. Configuration, rules and audit stay in a new
    /// directory; the settings of a real installation are not looked at.
    #[command(
        after_long_help = "Examples:\n  openeventd demo\n  openeventd demo --dir /tmp/first-look",
        arg(hidden_config())
    )]
    Demo(demo::Arguments),
    /// Write a configuration and a first rule
    ///
    /// On a terminal it asks for what the flags leave open; without one, what is missing is named and
    /// nothing is written. The result is checked as by `openeventd check`, and the next two commands are
    /// shown. It writes into --dir; settings of the environment are not looked at.
    #[command(arg(hidden_config()))]
    Init(init::Arguments),
    /// Show the events of the topic, and which rules would fire; changes nothing
    ///
    /// It joins no consumer group, commits nothing, opens no database and calls nothing, so it does no harm
    /// beside a running daemon. A wrong password, topic or certificate is named with its fix, and the exit
    /// code is 69; a server that cannot be reached is waited for. New partitions are taken up within half a
    /// minute.
    Tail(tail::Arguments),
    /// Consume, decide, call and audit until stopped
    ///
    /// SIGTERM and SIGINT stop it in order: it stops polling, finishes or leaves what is in flight,
    /// commits, and leaves the consumer group within the configured stop time-out.
    #[command(after_long_help = "Example:\n  openeventd run --config /etc/openeventd/openeventd.toml")]
    Run,
    /// Check the configuration and all rules; touches nothing else
    ///
    /// Every problem of every file is shown at once, with its line and how to mend it. Secrets are read,
    /// to see whether they can be; no database is opened and no network is used. The exit code is for scripts: 0 if
    /// all is right, 78 if there is an error, or with --deny-warnings a warning.
    #[command(
        after_long_help = "Examples:\n  openeventd check --config ./openeventd.toml\n  openeventd check --calls\n  openeventd check --deny-warnings\n  openeventd check --format json"
    )]
    Check(check::Arguments),
    /// Print the JSON Schema of rule files or of the configuration, for editors
    ///
    /// Editors complete and check a TOML file whose first line names its schema: `#:schema PATH`.
    #[command(after_long_help = "Example:\n  openeventd schema rules > rules.schema.json")]
    Schema(schema::Arguments),
    /// Write rules: match a pattern, test, import, export, compare with those in force, try on stored events
    Rules(rules::Arguments),
    /// Show which credentials each account has, from where, and until when; never a secret
    ///
    /// They are got as the daemon would get them, so this finds out whether it works: files are read, roles are
    /// assumed, the metadata service is asked. DataWorks itself is not called. Each step of the default chain that gave
    /// nothing is shown with its reason. Without a configuration, the default chain of this environment is shown.
    Credentials(credentials::Arguments),
    /// Show how the daemon does, on one screen
    ///
    /// It reads what the daemon writes down about itself every few seconds, so it needs the audit database
    /// only. The exit code is for scripts: 0 if the daemon runs and nothing is wrong, 69 if it does not run, does
    /// not respond or cannot use Kafka, 65 if it works by older rules because the present ones are wrong, 75 if it is
    /// starting, its intake stands still, its disk fills up or calls are parked.
    Status(status::Arguments),
    /// Show what happened and why
    ///
    /// Without TARGET: the last events, the newest at the end as in a log, one line each with what every
    /// matched rule came to. With the number or the id of an event, or the id of an action: its whole story, from
    /// the record in Kafka to the last response. With an object such as instance:73910042265: the events about it
    /// that a rule matched. Nothing is changed. Exit code 66 if TARGET is not known.
    Audit(audit::Arguments),
    /// Show why rules fired for an event, or did not
    ///
    /// EVENT is the number or the id of a stored event, a file with one record as `openeventd decode` takes it, or `-`
    /// for standard input. A stored event is looked at by the rules of its day, which the audit database keeps; anything
    /// else, by the rules of the configured directory. Rules that fire come first, then those that nearly did, with each
    /// condition that does not hold: where it looks, what it sees there and what it expects. The daemon's own evaluator
    /// judges, and nothing is changed. Exit code 66 if EVENT is not known, 65 if it is no event.
    Explain(explain::Arguments),
    /// Show everything that happened around an object, matched by rules or not
    ///
    /// OBJECT is one of events, such as instance:73910042265, node:, file:, table:, workspace: or operator:. Every event
    /// of the time is looked at, which takes a while where there are millions; what rules made of it and what came of
    /// their calls stands below each. If nothing is found, what is known of the reasons is shown: when the last event
    /// came, gaps, quarantined records, the daemon's condition. Exit code 66 then, 64 if OBJECT names none.
    Why(why::Arguments),
    /// Ask the audit database in SQL, read-only
    ///
    /// One statement, from the argument or from standard input for `-`. The views are described in docs/audit.md,
    /// with many queries to begin with. Long values are shortened for people; --json shows them whole.
    Sql(sql::Arguments),
    /// Look at planned calls, and release, cancel, verify or requeue them
    Outbox(outbox::Arguments),
    /// Look at records that could not be decoded, and replay them
    Quarantine(quarantine::Arguments),
    /// Look at the operations of the OpenAPI, and make single calls
    Api(api::Arguments),
    /// Show which permissions the rules need
    Policy(policy::Arguments),
    /// Stop calls at once: all of them, or those of a rule, a workspace or an operation
    ///
    /// It holds within a second or two, over restarts, and until `openeventd resume-calls`. Nothing is asked: a
    /// stop loses nothing. Events go on being accepted and decided; what is planned, now or later, is held with
    /// the reason `stopped`. Calls in flight cannot be taken back and end as they would have.
    /// Reads that look up lost calls, and calls by hand (`openeventd api call`), are made even so.
    StopCalls(stop::StopArguments),
    /// End a stop, named as it was when it was made
    ///
    /// What was held meanwhile stays held: `openeventd outbox release --held-reason stopped` has it sent, slowly with
    /// --rate. Exit code 66 if there is no such stop; those that there are are listed then.
    ResumeCalls(stop::ResumeArguments),
    /// Show what accounts have spent of their calls a day and a month, who spent it, and what waits
    ///
    /// The settings say what an account may spend, the audit database what it has spent; no secret is read. Accounts
    /// that only the database knows are shown without limits. Nothing is called: others who use the same account
    /// spend of the same quota, so what is left is at most what is shown.
    Quota(quota::Arguments),
    /// Decode records from files or standard input into normalised events
    ///
    /// Each input is one record value, which may span lines, or JSON lines. One JSON line comes out per
    /// record, under the names that rules use; `envelope` and `flags` tell of the record and are not for rules.
    /// One that cannot be decoded gives {"quarantined": REASON}, and exit code 65 at the end.
    #[command(
        after_long_help = "Examples:\n  openeventd decode event.json\n  kcat -C -t topic -e | openeventd decode"
    )]
    Decode {
        /// Files to read instead of standard input
        files: Vec<PathBuf>,
    },
    /// Print the completions of a shell
    #[command(
        after_long_help = "Example:\n  openeventd completions bash > /etc/bash_completion.d/openeventd"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    #[command(after_long_help = "Example:\n  openeventd man --dir /usr/share/man/man1")]
    Man {
        /// Where the pages go, one for each subcommand
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
}

/// `--config` where it has no use: not shown, and known, so that it is refused with what to name instead.
fn hidden_config() -> clap::Arg {
    clap::Arg::new("config").long("config").value_parser(clap::value_parser!(PathBuf)).hide(true)
}

impl Command {
    /// Where a configuration that was named would be ignored, unnoticed: what to name instead.
    fn why_no_config(&self) -> Option<&'static str> {
        match self {
            Command::Init(_) => {
                Some("init writes openeventd.toml into a directory: instead of --config, use --dir")
            }
            Command::Demo(_) => Some("demo writes its own configuration: instead of --config, use --dir"),
            _ => None,
        }
    }
}

impl Arguments {
    /// The arguments of this process.
    ///
    /// # Errors
    /// They are wrong, or cannot be followed.
    pub fn parse_process() -> Result<Self, Failure> {
        Self::parse_matches().map_err(Failure::of_arguments)
    }

    fn parse_matches() -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        let arguments = Self::from_arg_matches(&matches)?;
        let is_given = matches.subcommand().and_then(|(_, of)| of.value_source("config"));
        if is_given == Some(ValueSource::CommandLine)
            && let Some(message) = arguments.command.why_no_config()
        {
            return Err(command.error(ErrorKind::ArgumentConflict, message));
        }
        Ok(arguments)
    }
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let config = &arguments.config;
    match &arguments.command {
        Command::Demo(arguments) => demo::run(arguments),
        Command::Init(arguments) => init::run(arguments),
        Command::Tail(arguments) => tail::run(config, arguments),
        Command::Check(arguments) => check::run(config, arguments),
        Command::Schema(arguments) => schema::run(arguments),
        Command::Rules(arguments) => rules::run(config, arguments),
        Command::Credentials(arguments) => credentials::run(config, arguments),
        Command::Run => run::run(config),
        Command::Status(arguments) => status::run(config, arguments),
        Command::Audit(arguments) => audit::run(config, arguments),
        Command::Explain(arguments) => explain::run(config, arguments),
        Command::Why(arguments) => why::run(config, arguments),
        Command::Sql(arguments) => sql::run(config, arguments),
        Command::Outbox(arguments) => outbox::run(config, arguments),
        Command::Quarantine(arguments) => quarantine::run(config, arguments),
        Command::Api(arguments) => api::run(config, arguments),
        Command::Policy(arguments) => policy::run(config, arguments),
        Command::StopCalls(arguments) => stop::stop(config, arguments),
        Command::ResumeCalls(arguments) => stop::resume(config, arguments),
        Command::Quota(arguments) => quota::run(config, arguments),
        Command::Decode { files } => decode_files(files),
        Command::Completions { shell } => manual::completions(*shell),
        Command::Man { dir } => manual::pages(dir),
    }
}

/// Waits for `future` on this thread, and for nothing that it has left behind.
fn wait_for<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Internal, error))?;
    let outcome = runtime.block_on(future);
    runtime.shutdown_background();
    outcome
}

fn decode_files(files: &[PathBuf]) -> Result<Exit, Failure> {
    let (stdin, mut stdout) = (std::io::stdin().lock(), std::io::stdout().lock());
    match decode::run(files, stdin, &mut stdout, &Limits::default()) {
        Ok(decode::Outcome::Decoded) => Ok(Exit::Success),
        Ok(decode::Outcome::Quarantined) => Ok(Exit::Data),
        Err(error @ decode::DecodeCommandError::Open { .. }) => Err(Failure::new(Exit::NoInput, error)),
        Err(error) => Err(Failure::new(Exit::Io, error)),
    }
}
