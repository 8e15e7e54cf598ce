//! The rules that a command is to look at: those of a directory, with the settings that they depend on.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::database::DatabaseArguments;
use crate::cli::{Exit, Failure, rule_files};
use crate::config::{self, Environment, LoadError, RuleSettings};
use crate::rule::RuleFile;

/// A directory that was named is not there: for the daemon it would hold no rules, here it is a mistake.
#[derive(Debug, thiserror::Error)]
#[error("there is no rule directory {}: name one with --rules", .0.display())]
pub(super) struct NoDirectory(PathBuf);

/// The settings of the file `config`, with `directory` for the one that they name. Who names both a database and a
/// directory need not have settings: a copy is looked at anywhere.
///
/// # Errors
/// The settings cannot be read, or are wrong in what rules depend on.
pub(super) fn settings(
    config: &Path,
    directory: Option<&Path>,
    database: &DatabaseArguments,
) -> Result<RuleSettings, Failure> {
    let mut settings = match config::rule_settings(config, &Environment::of_process()) {
        Err(LoadError::Read { source, .. })
            if directory.is_some()
                && database.database.is_some()
                && source.kind() == io::ErrorKind::NotFound =>
        {
            let file = config.display();
            let unknown = "accounts, [policy] and [trust] are not known";
            writeln!(io::stderr(), "there are no settings in {file}: {unknown}")?;
            RuleSettings::default()
        }
        settings => settings?,
    };
    if let Some(directory) = directory {
        directory.clone_into(&mut settings.directory);
    }
    Ok(settings)
}

/// The rule files of `directory`.
///
/// # Errors
/// It is not there, or holds what cannot be read.
pub(super) fn read(directory: &Path) -> Result<Vec<RuleFile>, Failure> {
    if !directory.is_dir() {
        return Err(Failure::new(Exit::NoInput, NoDirectory(directory.to_owned())));
    }
    rule_files::read(directory).map_err(|error| Failure::new(Exit::Config, error))
}
