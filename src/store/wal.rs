//! The write-ahead log's size: it grows without bound only while somebody reads an old state.
//!
//! The writer moves frames into the database by size (`wal_autocheckpoint`) and empties the file when
//! it is idle; both stop at the oldest open reader. So a large file has one likely cause, which the
//! alarm names.

use std::path::{Path, PathBuf};

/// The size of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalSize {
    /// Within bounds.
    Normal {
        /// Its bytes.
        bytes: u64,
    },
    /// Over `bytes_max`.
    Alarming {
        /// Its bytes.
        bytes: u64,
    },
}

/// Measures the write-ahead log of the database at `path`; a missing file is empty.
#[must_use]
pub fn measure(path: &Path, bytes_max: u64) -> WalSize {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    let bytes = std::fs::metadata(PathBuf::from(name)).map_or(0, |metadata| metadata.len());
    if bytes > bytes_max { WalSize::Alarming { bytes } } else { WalSize::Normal { bytes } }
}
