//! What a command does itself where no daemon runs: it opens the store as its owner, with the configuration
//! whose store it is.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::exit::{of_store, print_problems};
use super::run::parts;
use super::{Exit, Failure};
use crate::config::{self, Environment};
use crate::monitoring::Alarms;
use crate::store::{self, Store, StoreError};
use crate::supervise::Parts;

/// Who does what a person asked for.
pub(super) enum Doer {
    /// A daemon runs, and owns the store.
    Daemon,
    /// This command.
    Us(Box<Parts>, Store),
}

#[derive(Debug, thiserror::Error)]
#[error(
    "{} is not the database of {}, whose store.path is {}: what is done without a daemon goes by that configuration, \
     so leave out --database, or name the right one with --config",
    .database.display(), .config.display(), .store.display()
)]
struct NotItsDatabase {
    database: PathBuf,
    config: PathBuf,
    store: PathBuf,
}

/// Opens the store at `path` as its owner, if no daemon does; `asked` says what of, in an error's words.
///
/// # Errors
/// This command cannot do it: what was asked for stays so, and that was told.
pub(super) async fn doer(config: &Path, path: &Path, asked: &str) -> Result<Doer, Failure> {
    let mode = store::Settings { path: path.to_owned(), file_mode: 0o600 };
    let store = match Store::open(&mode).await {
        Ok(store) => store,
        Err(StoreError::InUse { .. }) => return Ok(Doer::Daemon),
        Err(error) => return Err(Failure::new(of_store(&error), error)),
    };
    let loaded = config::load(config, &Environment::of_process());
    let (settings, warnings) = loaded.inspect_err(|_| left_to_the_daemon(asked))?;
    print_problems(&warnings)?;
    if !is_same_file(path, &settings.store.path) {
        left_to_the_daemon(asked);
        let (database, store) = (path.to_owned(), settings.store.path);
        return Err(Failure::new(Exit::Usage, NotItsDatabase { database, config: config.to_owned(), store }));
    }
    Ok(Doer::Us(Box::new(parts(settings, Alarms::default())), store))
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// What was asked for stays so, whatever keeps this command from doing it.
pub(super) fn left_to_the_daemon(asked: &str) {
    // Nobody is there to be told if even this fails; the exit code says that it was not done.
    let _ = writeln!(
        io::stderr().lock(),
        "no daemon runs, and this command cannot do the {asked}: it stays asked for, the next start does it"
    );
}
