//! Files that are all written, or none: what was made is removed again unless it is kept.
//!
//! A file that exists is never opened for writing, whatever its name leads to.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::InitError;

/// What was made so far.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

impl Files {
    /// Makes a directory, and those above it, unless it is there.
    pub(super) fn directory(&mut self, path: &Path, mode: u32) -> Result<(), InitError> {
        if path.as_os_str().is_empty() || path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.directory(parent, 0o755)?;
        }
        let created = DirBuilder::new().mode(mode).create(path);
        created.map_err(|source| InitError::Directory { path: path.to_owned(), source })?;
        self.directories.push(path.to_owned());
        Ok(())
    }

    /// Writes a new file.
    pub(super) fn file(&mut self, path: &Path, text: &str, mode: u32) -> Result<(), InitError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => InitError::Exists(vec![path.to_owned()]),
            _ => InitError::Write { path: path.to_owned(), source },
        };
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
        // From here on it is ours to remove.
        self.files.push(path.to_owned());
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
    }

    /// Writes a secret into a new file that only its owner reads.
    pub(super) fn secret(&mut self, path: &Path, secret: &SecretString) -> Result<(), InitError> {
        self.file(path, secret.expose_secret(), 0o600)
    }

    /// Keeps everything, and gives the files in the order in which they were written.
    pub(super) fn keep(mut self) -> Vec<PathBuf> {
        self.directories.clear();
        let files = std::mem::take(&mut self.files);
        // The names themselves are durable once their directories are.
        let parents = files.iter().filter_map(|path| path.parent()).filter_map(|path| File::open(path).ok());
        for directory in parents {
            if let Err(error) = directory.sync_all() {
                tracing::debug!(%error, "a directory cannot be synchronised");
            }
        }
        files
    }
}

impl Drop for Files {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_gone_and_what_was_there_stays() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (dir, there) = (directory.path().join("a/b"), directory.path().join("there"));
        fs::write(&there, "x").expect("the file is written");
        let mut files = Files::default();
        files.directory(&dir, 0o700).expect("it is made");
        files.file(&dir.join("file"), "text", 0o640).expect("it is written");
        let refused = files.file(&there, "other", 0o640).expect_err("it is there");
        assert!(matches!(refused, InitError::Exists(_)), "{refused}");
        drop(files);
        assert!(!directory.path().join("a").exists());
        assert_eq!(fs::read_to_string(&there).expect("it is read"), "x");
    }
}
