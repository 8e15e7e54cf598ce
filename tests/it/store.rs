//! The store: accepting, duplicates, retention, the file and its log.

#![expect(clippy::expect_used, reason = "clippy knows test functions, but not the helpers beside them")]

mod accepted;
mod duplicates;
mod file;
mod followed;
mod full_disk;
mod kept;
mod retired;
mod views;
