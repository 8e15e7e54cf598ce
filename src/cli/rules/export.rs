//! `openeventd rules export`: the patterns of the rules, as an event bus takes them.
//!
//! They go to standard output in the form that `openeventd rules import` reads; what is left out, and why, goes to
//! standard error.

use std::io::{self, Write as _};
use std::path::Path;

use super::matching;
use crate::cli::check;
use crate::cli::exit::print_problems;
use crate::cli::{Exit, Failure, terminal};
use crate::config::Environment;
use crate::rule::exchange::export::{self, Exported};
use crate::rule::pattern::Dialect;

pub(super) const EXAMPLES: &str = "\
Examples:
  openeventd rules export
  openeventd rules export --dialect aws
  openeventd rules export --rule large-download --dialect alibaba > pattern.json";

/// What `openeventd rules export` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only this rule's pattern, by itself
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// The bus that the patterns are for: `aws` or `alibaba`
    #[arg(long, value_name = "BUS", value_parser = matching::parse_dialect)]
    dialect: Option<Dialect>,
}

/// There is no rule of a name.
#[derive(Debug, thiserror::Error)]
#[error("there is no rule \"{0}\"; `openeventd rules export` lists all")]
struct UnknownRule(String);

/// Runs the subcommand.
pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let rules = check::rules_alone(config, &Environment::of_process())?;
    let exported = export::export(&rules, arguments.rule.as_deref(), arguments.dialect);
    print_problems(&exported.problems)?;
    if let Some(name) = &arguments.rule {
        if exported.patterns.is_empty() && exported.left_out == 0 {
            return Err(Failure::new(Exit::NoInput, UnknownRule(name.clone())));
        }
        for (_, pattern) in &exported.patterns {
            writeln!(terminal::stdout(), "{pattern}")?;
        }
    } else {
        io::stdout().lock().write_all(all(&exported, arguments.dialect).as_bytes())?;
    }
    Ok(if exported.left_out == 0 { Exit::Success } else { Exit::Data })
}

/// The rules with their names as the bus lists them; without one in the form whose names are those of CloudEvents.
fn all(exported: &Exported, dialect: Option<Dialect>) -> String {
    let (name_key, pattern_key) = match dialect {
        Some(Dialect::Aws) => ("Name", "EventPattern"),
        Some(Dialect::Alibaba) | None => ("RuleName", "FilterPattern"),
    };
    let rule = |(name, pattern): &(String, String)| {
        format!("    {{\"{name_key}\": \"{name}\", \"{pattern_key}\": {}}}", pattern.replace('\n', "\n    "))
    };
    let rules: Vec<String> = exported.patterns.iter().map(rule).collect();
    if rules.is_empty() {
        return "{\"Rules\": []}\n".to_owned();
    }
    format!("{{\n  \"Rules\": [\n{}\n  ]\n}}\n", rules.join(",\n"))
}
