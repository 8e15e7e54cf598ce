//! The program: parses the arguments, runs the subcommand, and turns its outcome into an exit code.

use std::process::ExitCode;

use openeventd::cli::{self, Arguments};

fn main() -> ExitCode {
    let outcome = Arguments::parse_process().and_then(|arguments| cli::run(&arguments));
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report().into(),
    }
}
