//! Files that are all written, or none, shared with the group of the directory that they come into.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::InitError;
use crate::begun::Begun;

/// What was made so far.
#[derive(Debug, Default)]
pub(super) struct Files(Begun);

impl Files {
    /// Makes a directory, and those above it, unless it is there.
    pub(super) fn directory(&mut self, path: &Path, mode: u32) -> Result<(), InitError> {
        if path.as_os_str().is_empty() || path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.directory(parent, 0o755)?;
        }
        let failed = |source| InitError::Directory { path: path.to_owned(), source };
        self.0.directory(path, mode).map_err(failed)?;
        if mode & 0o070 != 0 {
            File::open(path).and_then(|directory| share(&directory, path)).map_err(failed)?;
        }
        Ok(())
    }

    /// Writes a new file.
    pub(super) fn file(&mut self, path: &Path, text: &str, mode: u32) -> Result<(), InitError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => InitError::Exists(vec![path.to_owned()]),
            _ => InitError::Write { path: path.to_owned(), source },
        };
        let mut file = self.0.file(path, mode).map_err(failed)?;
        if mode & 0o070 != 0 {
            share(&file, path).map_err(failed)?;
        }
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
    }

    /// Writes a secret into a new file that only its owner reads.
    pub(super) fn secret(&mut self, path: &Path, secret: &SecretString) -> Result<(), InitError> {
        self.file(path, secret.expose_secret(), 0o600)
    }

    /// Keeps everything, and gives the files in the order in which they were written.
    pub(super) fn keep(mut self) -> Vec<PathBuf> {
        let files = self.0.keep();
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

/// Gives what a group may read to the group of the directory above: below /etc/openeventd that is the daemon's,
/// and whoever runs this is root.
fn share(file: &File, path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let group = fs::metadata(directory)?.gid();
    match fchown(file, None, Some(group)) {
        // Only members may give to a group; to others it is not theirs to share.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
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
