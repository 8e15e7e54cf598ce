//! `openeventd rules import`: rules of event buses become a rule file.
//!
//! The file goes to standard output, or to a new file; what a person should know goes to standard error.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::matching;
use crate::cli::exit::print_problems;
use crate::cli::terminal::counted;
use crate::cli::{Exit, Failure};
use crate::diagnostic::Severity;
use crate::rule::exchange::import::{Imported, Importer};
use crate::rule::parse::{self, Surroundings};
use crate::rule::pattern::Dialect;
use crate::rule::{Policy, RuleFile};

pub(super) const EXAMPLES: &str = "\
Examples:
  aws events list-rules | openeventd rules import -
  openeventd rules import --dialect aws pattern.json
  openeventd rules import exported/*.json --out rules.d/imported.toml";

/// What `openeventd rules import` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What a bus exports, as JSON; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The bus of patterns that do not tell: `aws` or `alibaba`
    #[arg(long, value_name = "BUS", value_parser = matching::parse_dialect)]
    dialect: Option<Dialect>,
    /// Write the rules into this file, which must not exist
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The rule file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}; a file that exists is not overwritten", .path.display())]
struct WriteError {
    path: PathBuf,
    source: io::Error,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut reader = Importer::new(arguments.dialect);
    for file in &arguments.files {
        let text = matching::read(file)?;
        let stem = if file == Path::new("-") { None } else { file.file_stem() };
        let stem = stem.unwrap_or_default().to_string_lossy();
        reader.add(&file.display().to_string(), &stem, &text);
    }
    let imported = reader.finish();
    print_problems(&imported.problems)?;
    let read_again = read_again(&imported, arguments.out.as_deref())?;
    if imported.rules > 0 {
        match &arguments.out {
            None => io::stdout().lock().write_all(imported.text.as_bytes())?,
            Some(path) => {
                let failed =
                    |source| Failure::new(Exit::CannotCreate, WriteError { path: path.clone(), source });
                let mut file = File::create_new(path).map_err(failed)?;
                file.write_all(imported.text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
            }
        }
    }
    let left_out =
        if imported.left_out == 0 { String::new() } else { format!(", {} left out", imported.left_out) };
    writeln!(io::stderr().lock(), "{} imported{left_out}", counted(read_again, "rule"))?;
    let is_whole = imported.problems.iter().all(|problem| problem.severity != Severity::Error);
    Ok(if is_whole { Exit::Success } else { Exit::Data })
}

/// Reads the rules as `openeventd check` will, and prints its warnings; gives how many there are.
fn read_again(imported: &Imported, out: Option<&Path>) -> Result<usize, Failure> {
    let path = out.map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
    let file = RuleFile { path, text: imported.text.clone() };
    let surroundings = Surroundings { accounts: &[], policy: &Policy::default() };
    match parse::parse(vec![file], &surroundings) {
        Ok((rules, warnings)) => {
            print_problems(&warnings)?;
            Ok(rules.rules.len())
        }
        Err(problems) => Err(Failure::of_data(problems)),
    }
}
