//! Files and directories that all stay, or all go again: what was made is removed unless it is kept.
//!
//! Nothing that exists is opened for writing, whatever its name leads to, and nothing that somebody else made
//! is removed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What was made so far.
#[derive(Debug, Default)]
pub struct Begun {
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

impl Begun {
    /// Makes a directory, of `mode` as far as the process's mask allows.
    ///
    /// # Errors
    /// The system's: it is there already, or its parent is not.
    pub fn directory(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        DirBuilder::new().mode(mode).create(path)?;
        self.directories.push(path.to_owned());
        Ok(())
    }

    /// Opens a new file for writing, of `mode` as far as the process's mask allows.
    ///
    /// # Errors
    /// The system's: it is there already, or cannot be made.
    pub fn file(&mut self, path: &Path, mode: u32) -> io::Result<File> {
        let file = OpenOptions::new().create_new(true).write(true).mode(mode).open(path)?;
        self.files.push(path.to_owned());
        Ok(file)
    }

    /// Keeps everything, and gives the files in the order in which they were made.
    pub fn keep(&mut self) -> Vec<PathBuf> {
        self.directories.clear();
        std::mem::take(&mut self.files)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        for path in self.files.drain(..) {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove what was begun");
            }
        }
        // Innermost first; one that somebody else has put something into stays.
        for path in self.directories.drain(..).rev() {
            if let Err(error) = fs::remove_dir(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove a directory that was made");
            }
        }
    }
}
