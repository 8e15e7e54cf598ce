//! The directory that a demonstration writes into: always one of its own, never one that holds anything.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The name of the first; further ones have a number behind it.
const NAME: &str = "openeventd-demo";

/// Numbers that are tried.
const NUMBER_MAX: u32 = 999;

/// Only its owner looks into it: it holds secrets, though of no use elsewhere.
const MODE: u32 = 0o700;

/// Why there is no directory.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// It cannot be made.
    #[error("cannot create the directory {}; name another one by --dir", .path.display())]
    Create {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It holds something, be it an earlier demonstration.
    #[error("{} is not empty; name a new directory by --dir, or leave --dir out", .0.display())]
    NotEmpty(PathBuf),
    /// The configuration is text and has to name it.
    #[error("the name of {} is not UTF-8; name another directory by --dir", .0.display())]
    NotText(PathBuf),
    /// Every number is taken.
    #[error("{NAME} to {NAME}-{NUMBER_MAX} exist already; remove some, or name a directory by --dir")]
    AllTaken,
}

/// The directory `asked`, new or empty; without it a new one in the current directory.
///
/// # Errors
/// [`DirectoryError`]; nothing that existed was changed.
pub fn create(asked: Option<&Path>) -> Result<PathBuf, DirectoryError> {
    let Some(asked) = asked else { return create_numbered(Path::new("")) };
    if asked.to_str().is_none() {
        return Err(DirectoryError::NotText(asked.to_owned()));
    }
    let failed = |source| DirectoryError::Create { path: asked.to_owned(), source };
    match make(asked) {
        Ok(()) => Ok(asked.to_owned()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            match fs::read_dir(asked).map_err(failed)?.next() {
                None => Ok(asked.to_owned()),
                Some(_) => Err(DirectoryError::NotEmpty(asked.to_owned())),
            }
        }
        Err(source) => Err(failed(source)),
    }
}

/// The first directory below `parent` whose name is free.
fn create_numbered(parent: &Path) -> Result<PathBuf, DirectoryError> {
    for number in 1..=NUMBER_MAX {
        let path = match number {
            1 => parent.join(NAME),
            _ => parent.join(format!("{NAME}-{number}")),
        };
        match make(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(DirectoryError::Create { path, source }),
        }
    }
    Err(DirectoryError::AllTaken)
}

fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(MODE).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_further_demonstration_gets_a_number_and_leaves_the_others_alone() {
        let parent = tempfile::tempdir().expect("a directory");
        for name in [NAME, "openeventd-demo-2"] {
            let made = create_numbered(parent.path()).expect("a free name");
            assert_eq!(made, parent.path().join(name));
        }
    }

    #[test]
    fn a_directory_that_holds_anything_is_refused() {
        let parent = tempfile::tempdir().expect("a directory");
        let asked = parent.path().join("new");
        create(Some(&asked)).expect("a new one");
        create(Some(&asked)).expect("an empty one");
        fs::write(asked.join("kept"), "").expect("a file");
        assert!(matches!(create(Some(&asked)), Err(DirectoryError::NotEmpty(_))));
        assert!(matches!(create(Some(&asked.join("kept"))), Err(DirectoryError::Create { .. })));
        assert!(matches!(create(Some(&parent.path().join("no/such"))), Err(DirectoryError::Create { .. })));
    }
}
