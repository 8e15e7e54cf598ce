//! Event patterns.

/// A compiled event pattern.
#[derive(Debug)]
pub struct Pattern {}
