//! The configuration as the audit keeps it, and its hash.
//!
//! It is written from the merged mirror of the file, which never held a secret: it names where each is
//! kept. The order of keys is fixed, so that the same settings have the same hash.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::raw::Raw;
use super::report::Report;
use super::resolved::Redacted;

/// The canonical text of `raw` and its SHA-256.
pub(super) fn of_raw(raw: &Raw, report: &mut Report<'_>) -> Redacted {
    let text = serde_json::to_string_pretty(raw).unwrap_or_else(|error| {
        report.error("", format!("cannot be written as JSON for the audit: {error}"), "");
        String::new()
    });
    let hash = Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Redacted { text, hash }
}
