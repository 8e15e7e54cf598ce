//! `openeventd completions` and `openeventd man`: generated from the same definition as the command line.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;

use super::{Arguments, Exit, Failure};

/// Why the pages are not written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the manual pages to {}", .directory.display())]
struct PagesError {
    directory: PathBuf,
    source: io::Error,
}

/// Prints the completions of `shell`.
pub fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "openeventd", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(Exit::Success)
}

/// Writes one page a subcommand into `directory`, which is created if it does not exist.
pub fn pages(directory: &Path) -> Result<Exit, Failure> {
    let failed =
        |source| Failure::new(Exit::CannotCreate, PagesError { directory: directory.to_owned(), source });
    std::fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(Arguments::command(), directory).map_err(failed)?;
    writeln!(io::stdout().lock(), "wrote the pages to {}", directory.display())?;
    Ok(Exit::Success)
}
