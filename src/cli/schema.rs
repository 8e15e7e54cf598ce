//! `openeventd schema`: JSON Schema of the files that people write, for editors that complete and check.

use std::io::Write as _;

use clap::ValueEnum;
use serde_json::Value;

use super::{Exit, Failure, terminal};
use crate::{config, rule, rule_test};

/// What `openeventd schema` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The kind of file
    #[arg(value_name = "FILES")]
    of: Files,
}

/// The kinds of files that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Files {
    /// The rule files
    Rules,
    /// The files of tests, `*.test.toml`
    RuleTests,
    /// The configuration
    Config,
}

impl Files {
    fn schema(self) -> Value {
        match self {
            Files::Rules => rule::schema::of_rules(),
            Files::RuleTests => rule_test::schema::of_tests(),
            Files::Config => config::schema::of_config(),
        }
    }
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    writeln!(terminal::stdout(), "{:#}", arguments.of.schema())?;
    Ok(Exit::Success)
}
