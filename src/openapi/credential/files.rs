//! Files that credentials were read from, and whether they have changed since.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::CredentialError;

/// Files and what tells one version of each from the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(Vec<(PathBuf, Option<Version>)>);

/// What changes when a file is written, replaced, or given to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    device: u64,
    inode: u64,
    bytes: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Files {
    /// These files as they are now. Look before reading: what changes in between is then read again.
    #[must_use]
    pub fn look(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Files(
            paths
                .into_iter()
                .map(|path| {
                    let version = version(&path);
                    (path, version)
                })
                .collect(),
        )
    }

    /// The same files as they are now.
    #[must_use]
    pub(super) fn look_again(&self) -> Self {
        Files::look(self.paths().cloned())
    }

    /// Whether any has changed since.
    pub(super) fn have_changed(&self) -> bool {
        self.0.iter().any(|(path, seen)| version(path) != *seen)
    }

    /// Their paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.iter().map(|(path, _)| path)
    }
}

fn version(path: &Path) -> Option<Version> {
    let metadata = fs::metadata(path).ok()?;
    Some(Version {
        device: metadata.dev(),
        inode: metadata.ino(),
        bytes: metadata.size(),
        written: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

/// What `read` makes of the files, unless somebody was just writing them.
pub(super) fn steadily<T>(
    paths: impl IntoIterator<Item = PathBuf>,
    read: impl FnOnce() -> Result<T, CredentialError>,
) -> Result<(T, Files), CredentialError> {
    let files = Files::look(paths);
    let value = read()?;
    if files.have_changed() {
        let shown: Vec<String> = files.paths().map(|path| path.display().to_string()).collect();
        let reason = "changed while it was being read".to_owned();
        return Err(CredentialError::Settings { origin: shown.join(", "), reason });
    }
    Ok((value, files))
}

/// The text of a file, up to a limit.
pub(super) fn read_text(path: &Path, bytes_max: u64) -> Result<String, CredentialError> {
    let unusable = |reason: String| CredentialError::Settings { origin: path.display().to_string(), reason };
    let metadata = fs::metadata(path).map_err(|error| unusable(format!("cannot be read: {error}")))?;
    if !metadata.is_file() {
        // Opening a pipe would wait for its writer.
        return Err(unusable("is not a regular file".into()));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|error| unusable(format!("cannot be read: {error}")))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > bytes_max) {
        return Err(unusable(format!("is over {bytes_max} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| unusable("is not UTF-8 text".into()))
}
