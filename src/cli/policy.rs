//! `openeventd policy ram`: the permissions that the rules need, as a policy of Alibaba Cloud's RAM.
//!
//! The policy goes to standard output, so that it can be handed on; what it is for goes to standard error.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};

use super::check::examine;
use super::terminal::counted;
use super::{Exit, Failure};
use crate::config::Environment;
use crate::dispatch::Lookups;
use crate::operation::recipe::{self, Recipe};
use crate::operation::{Operation, RepeatEffect};
use crate::rule::{Mode, RuleSet};

/// What `openeventd policy` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a RAM policy for what the rules call
    ///
    /// It names each operation that a rule in mode approve or live calls and, unless `dispatch.verify` is false, the
    /// reads that look up lost calls. Which rule needs which operation goes to standard error. Nothing is asked of
    /// Alibaba Cloud.
    #[command(after_long_help = RAM)]
    Ram(RamArguments),
}

const RAM: &str = "\
Examples:
  openeventd policy ram > policy.json
  openeventd policy ram --all --config ./openeventd.toml";

/// What `openeventd policy ram` takes.
#[derive(Debug, clap::Args)]
struct RamArguments {
    /// Also for rules in mode observe
    #[arg(long)]
    all: bool,
    /// The policy on one line, and nothing on standard error
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Ram(arguments) => ram(config, arguments),
    }
}

fn ram(config: &Path, arguments: &RamArguments) -> Result<Exit, Failure> {
    let checked = examine(config, &Environment::of_process())?;
    let Some((config, rules)) = &checked.loaded else { return Err(Failure::of_problems(checked.problems)) };
    let needs = needs(rules, arguments.all, config.dispatch.lookups);
    if arguments.json {
        writeln!(io::stdout().lock(), "{}", policy(&needs))?;
        return Ok(Exit::Success);
    }
    tell(&needs, rules, arguments.all)?;
    writeln!(io::stdout().lock(), "{:#}", policy(&needs))?;
    Ok(Exit::Success)
}

/// The operations that rules call or that look up their calls, each with what needs it.
type Needs = BTreeMap<&'static str, Vec<String>>;

fn needs(rules: &RuleSet, all: bool, lookups: Lookups) -> Needs {
    let mut needs = Needs::new();
    for rule in rules.rules.iter().filter(|rule| all || rule.mode != Mode::Observe) {
        let Some(step) = &rule.step else { continue };
        needs.entry(step.operation.name).or_default().push(rule.name.clone());
        for read in reads(step.operation, lookups) {
            needs.entry(read).or_default().push(format!("{} (look-ups)", rule.name));
        }
    }
    needs
}

/// The operations that read what became of a lost call of `operation`.
fn reads(operation: &Operation, lookups: Lookups) -> Vec<&'static str> {
    match (lookups, operation.repeat_effect) {
        (Lookups::On, RepeatEffect::Duplicates | RepeatEffect::Unknown) => {
            recipe::of(operation).map(Recipe::operations).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn policy(needs: &Needs) -> Value {
    let actions: Vec<String> = needs.keys().map(|operation| format!("dataworks:{operation}")).collect();
    // RAM refuses a statement without actions.
    let statements: Vec<Value> = (!actions.is_empty())
        .then(|| json!({ "Effect": "Allow", "Action": actions, "Resource": "*" }))
        .into_iter()
        .collect();
    json!({ "Version": "1", "Statement": statements })
}

fn tell(needs: &Needs, rules: &RuleSet, all: bool) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    for (operation, by) in needs {
        writeln!(stderr, "# {operation}: {}", by.join(", "))?;
    }
    if needs.is_empty() {
        writeln!(stderr, "# no rule calls anything, so the policy allows nothing")?;
    }
    let observing =
        rules.rules.iter().filter(|rule| rule.mode == Mode::Observe && rule.step.is_some()).count();
    if observing > 0 && !all {
        let left_out = counted(observing, "rule");
        writeln!(stderr, "# left out: {left_out} in mode observe, which send nothing; --all includes them")?;
    }
    writeln!(
        stderr,
        "# RAM knows many operations of DataWorks only as dataworks:*; if one of these is refused"
    )?;
    writeln!(
        stderr,
        "# with Forbidden or NoPermission, allow that, and let DataWorks' own roles limit the user"
    )
}
