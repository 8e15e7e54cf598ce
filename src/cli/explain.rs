//! `openeventd explain`: why rules fired for an event, or did not.
//!
//! The event is a stored one or a record of a person's, the rules those of its day or of a directory. What each rule
//! sees is [`crate::rule::explain`]'s to say; here both are found, and shown.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use self::input::Given;
use self::outcome::Outcomes;
use self::report::{Report, Shown};
use super::database::DatabaseArguments;
use super::{Exit, Failure, terminal};
use crate::clock::now_ms;
use crate::diagnostic::nearest;
use crate::event::decode::{Limits, decode};
use crate::event::json::DEPTH_CEILING;
use crate::rule::{Firing, RuleSet};

// The event that a person names.
mod input;

// The rules that look at it.
mod rules;

// What came of a rule that fired, or would.
mod outcome;

// What is shown of each rule.
mod report;

// The report for people.
mod text;

const EXAMPLES: &str = "\
Examples:
  openeventd explain 1042                           why rules fired for event 1042, or did not
  openeventd explain 1042 --rule rerun-failed       one rule with all its conditions
  openeventd explain 1042 --rules ./rules.d         the same event with other rules
  openeventd explain event.json --json | jq .rules  a record from a file, for programs";

/// Rules that did not fire and are shown where nobody says how many.
const MISSED: u16 = 5;

/// What `openeventd explain` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// An event's number or id, a file with one record, or - for standard input
    event: String,
    /// Only this rule, with all its conditions
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// The rules of this directory, instead of those of the event's day or of the configuration
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// One JSON document, with all conditions
    #[arg(long)]
    json: bool,
    /// Show so many rules that did not fire
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = MISSED, conflicts_with = "rule")]
    limit: u16,
    /// Show all rules
    #[arg(long, conflicts_with_all = ["rule", "limit"])]
    all: bool,
    #[command(flatten)]
    database: DatabaseArguments,
}

#[derive(Debug, thiserror::Error)]
enum ExplainError {
    #[error("there is no rule `{name}` in {rules}{meant}")]
    NoRule { name: String, rules: String, meant: String },
    #[error("{input} is no event, the daemon would put it in quarantine ({reason}): {message}")]
    NoEvent { input: String, reason: &'static str, message: String },
}

impl From<ExplainError> for Failure {
    fn from(error: ExplainError) -> Self {
        let exit = match error {
            ExplainError::NoRule { .. } => Exit::NoInput,
            ExplainError::NoEvent { .. } => Exit::Data,
        };
        Failure::new(exit, error)
    }
}

/// Runs the subcommand.
pub fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let input = super::wait_for(input::read(config, &arguments.event, &arguments.database))?;
    let of_rules = rules::of(config, arguments.rules.as_deref(), &input)?;
    let rules = &of_rules.rules;
    let limits = match input.given {
        // It was accepted once, whatever the limits were.
        Given::Stored { .. } => Limits { payload_bytes_max: usize::MAX, depth_max: DEPTH_CEILING },
        Given::Record { .. } => of_rules.limits(),
    };
    let record = input.record();
    let event = decode(&record, &limits).map_err(|refused| ExplainError::NoEvent {
        input: input.to_string(),
        reason: refused.reason,
        message: refused.message,
    })?;
    let explaining = rules.explaining(&event);
    let near = explaining.by_nearness();
    let fired: Vec<_> = near.iter().filter(|near| near.firing != Firing::No).copied().collect();
    let outcomes = Outcomes::of(&input, &of_rules, &event, &fired, now_ms());
    let count = near.len();
    let shown = match &arguments.rule {
        Some(name) => {
            let place = rules.rules.iter().position(|rule| rule.name == *name);
            let wanted =
                near.iter().filter(|near| usize::try_from(near.rule.0).is_ok_and(|at| Some(at) == place));
            let wanted: Vec<_> = wanted.copied().collect();
            if wanted.is_empty() {
                return Err(no_rule(name, rules, &of_rules.told()).into());
            }
            wanted
        }
        None if arguments.all => near,
        None => near.into_iter().take(fired.len() + usize::from(arguments.limit)).collect(),
    };
    let left_out = if arguments.rule.is_some() { 0 } else { count - shown.len() };
    let shown = shown.into_iter().filter_map(|near| {
        let rule = rules.rule(near.rule)?;
        let conditions = explaining.conditions(near.rule);
        Some(Shown { rule, near, conditions, outcome: outcomes.of_rule(&rule.name) })
    });
    let report = Report { input: &input, event: &event, rules: &of_rules, shown: shown.collect(), left_out };
    if arguments.json {
        let mut stdout = io::BufWriter::new(io::stdout().lock());
        serde_json::to_writer(&mut stdout, &report.as_json()).map_err(io::Error::from)?;
        stdout.write_all(b"\n")?;
        stdout.flush()?;
    } else {
        let mut stdout = terminal::stdout();
        let detail = if arguments.rule.is_some() { text::Detail::Whole } else { text::Detail::Failing };
        stdout.write_all(text::of(&report, detail).as_bytes())?;
        stdout.flush()?;
    }
    Ok(Exit::Success)
}

fn no_rule(name: &str, rules: &RuleSet, told: &str) -> ExplainError {
    let known = rules.rules.iter().map(|rule| rule.name.as_str());
    let meant = nearest(name, known).map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
    ExplainError::NoRule { name: name.to_owned(), rules: told.to_owned(), meant }
}
