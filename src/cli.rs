//! cli

/// `openeventd decode`.
pub mod decode;
