//! The directory that a demonstration writes into: always one of its own, never one that holds anything.
//!
//! What is made in it is remembered and removed again, with it, unless it is kept: a demonstration that could
//! not begin leaves nothing. What somebody else put there stays.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::begun::Begun;

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

/// The directory, and what was made.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    begun: Begun,
}

impl Directory {
    /// The directory `asked`, new or empty; without it a new one in the current directory.
    ///
    /// # Errors
    /// [`DirectoryError`]; nothing that existed was changed.
    pub fn create(asked: Option<&Path>) -> Result<Self, DirectoryError> {
        let mut begun = Begun::default();
        let path = create(asked, &mut begun)?;
        Ok(Directory { path, begun })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a directory in it.
    pub(super) fn subdirectory(&mut self, path: &Path) -> io::Result<()> {
        self.begun.directory(path, 0o777)
    }

    /// Opens a new file for writing.
    pub(super) fn file(&mut self, path: &Path, mode: u32) -> io::Result<File> {
        self.begun.file(path, mode)
    }

    /// Keeps everything.
    pub fn keep(&mut self) {
        self.begun.keep();
    }
}

/// The directory `asked`, made unless it is there and empty; without it one in the current directory.
fn create(asked: Option<&Path>, begun: &mut Begun) -> Result<PathBuf, DirectoryError> {
    let Some(asked) = asked else { return create_numbered(Path::new(""), begun) };
    if asked.to_str().is_none() {
        return Err(DirectoryError::NotText(asked.to_owned()));
    }
    let failed = |source| DirectoryError::Create { path: asked.to_owned(), source };
    match begun.directory(asked, MODE) {
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
fn create_numbered(parent: &Path, begun: &mut Begun) -> Result<PathBuf, DirectoryError> {
    for number in 1..=NUMBER_MAX {
        let path = match number {
            1 => parent.join(NAME),
            _ => parent.join(format!("{NAME}-{number}")),
        };
        match begun.directory(&path, MODE) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(DirectoryError::Create { path, source }),
        }
    }
    Err(DirectoryError::AllTaken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_further_demonstration_gets_a_number_and_leaves_the_others_alone() {
        let (parent, mut begun) = (tempfile::tempdir().expect("a directory"), Begun::default());
        for name in [NAME, "openeventd-demo-2"] {
            let made = create_numbered(parent.path(), &mut begun).expect("a free name");
            assert_eq!(made, parent.path().join(name));
        }
    }

    #[test]
    fn a_directory_that_holds_anything_is_refused() {
        let (parent, mut begun) = (tempfile::tempdir().expect("a directory"), Begun::default());
        let asked = parent.path().join("new");
        create(Some(&asked), &mut begun).expect("a new one");
        create(Some(&asked), &mut begun).expect("an empty one");
        fs::write(asked.join("kept"), "").expect("a file");
        assert!(matches!(create(Some(&asked), &mut begun), Err(DirectoryError::NotEmpty(_))));
        assert!(matches!(create(Some(&asked.join("kept")), &mut begun), Err(DirectoryError::Create { .. })));
        assert!(matches!(
            create(Some(&parent.path().join("no/such")), &mut begun),
            Err(DirectoryError::Create { .. })
        ));
    }

    #[test]
    fn what_is_not_kept_is_gone_and_what_others_made_stays() {
        let parent = tempfile::tempdir().expect("a directory");
        for (name, was_there) in [("new", false), ("empty", true)] {
            let asked = parent.path().join(name);
            if was_there {
                fs::create_dir(&asked).expect("a directory");
            }
            let mut directory = Directory::create(Some(&asked)).expect("it is made");
            directory.subdirectory(&asked.join("rules.d")).expect("it is made");
            directory.file(&asked.join("rules.d/a.toml"), 0o644).expect("it is made");
            drop(directory);
            assert_eq!(asked.exists(), was_there, "{name}");
        }
        let asked = parent.path().join("shared");
        let mut directory = Directory::create(Some(&asked)).expect("it is made");
        directory.file(&asked.join("ours"), 0o644).expect("it is made");
        fs::write(asked.join("another's"), "").expect("it is written");
        drop(directory);
        assert!(asked.join("another's").exists() && !asked.join("ours").exists());
        let mut directory = Directory::create(Some(&parent.path().join("kept"))).expect("it is made");
        directory.keep();
        drop(directory);
        assert!(parent.path().join("kept").exists());
    }
}
