//! Reads a file that holds a test's event: below the rule directory, wherever links lead.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

/// Bytes of an event.
const BYTES_MAX: u64 = 8 << 20;

/// The text of the file at `path` below `directory`.
pub(super) fn read(directory: &Path, path: &str) -> Result<String, String> {
    let root = fs::canonicalize(directory).map_err(|error| error.to_string())?;
    let file = fs::canonicalize(directory.join(path)).map_err(|error| error.to_string())?;
    if !file.starts_with(&root) {
        return Err("a link leads out of the rule directory".to_owned());
    }
    // Opening a pipe would wait for its writer.
    if !file.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let opened = File::open(&file).map_err(|error| error.to_string())?;
    opened.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > BYTES_MAX) {
        return Err(format!("it has more than {BYTES_MAX} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}
