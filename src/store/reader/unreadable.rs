//! What keeps a file from being read as an audit database, told so that a person can mend it.
//!
//! Asked before SQLite opens the file, where SQLite would say it late and less plainly; and of SQLite's own
//! errors afterwards. Nothing is opened here: closing a file ends all locks that this process has on it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::fs::Access;

use super::super::open::shown;
use super::super::{StoreError, beside, primary_code};

/// Refuses what cannot be a database, or must not be read by this user.
pub(super) fn refuse(path: &Path) -> Result<(), StoreError> {
    let metadata = fs::metadata(path).map_err(|error| of_file(path, &error))?;
    let is = |found| Err(StoreError::NotADatabase { path: shown(path), found });
    if metadata.is_dir() {
        return is("a directory");
    }
    if !metadata.is_file() {
        return is("a device or pipe");
    }
    if metadata.len() == 0 {
        return is("empty");
    }
    rustix::fs::access(path, Access::READ_OK).map_err(|error| of_file(path, &error.into()))
}

fn of_file(path: &Path, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::NotFound => StoreError::Missing { path: shown(path) },
        io::ErrorKind::NotADirectory => StoreError::NotADatabase {
            path: shown(path),
            found: "a path through a file that is no directory",
        },
        io::ErrorKind::PermissionDenied => StoreError::NotReadable { path: shown(path) },
        _ => StoreError::Damaged { path: shown(path), message: error.to_string() },
    }
}

/// How the file is to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Beside whoever writes it.
    Shared,
    /// As a file that nobody changes.
    Unchanging,
}

/// Reading needs an index of the write-ahead log beside the file. Where it cannot be made, since the directory is not
/// ours to write, a copy can be read all the same: without a log and without the lock file of a daemon it is whole,
/// and nobody writes it.
pub(super) fn way(path: &Path) -> Way {
    let is_daemons = ["-wal", "-shm", "-lock"].iter().any(|suffix| beside(path, suffix).exists());
    if is_daemons || may_write_beside(path) { Way::Shared } else { Way::Unchanging }
}

fn may_write_beside(path: &Path) -> bool {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    rustix::fs::access(directory, Access::WRITE_OK).is_ok()
}

/// What SQLite's `error` about the file means, if it is about the file.
pub(super) fn of(path: &Path, error: &sqlx::Error, patience: Duration) -> Option<StoreError> {
    let refused = error.as_database_error()?;
    let path_shown = shown(path);
    Some(match primary_code(error)? {
        // Busy or locked: somebody holds it exclusively.
        5 | 6 => StoreError::Busy { path: path_shown, seconds: patience.as_secs() },
        // Input failed, or what is read makes no sense.
        10 | 11 => StoreError::Damaged { path: path_shown, message: refused.message().to_owned() },
        // Not permitted, read-only or not to be opened: the file, or what has to lie beside it.
        3 | 8 | 14 if !may_write_beside(path) => StoreError::NotReadableThere { path: path_shown },
        3 | 14 => StoreError::NotReadable { path: path_shown },
        26 => StoreError::NotADatabase { path: path_shown, found: "no SQLite database" },
        _ => return None,
    })
}
