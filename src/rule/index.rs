//! The index over patterns.

/// Finds the rules that can match.
#[derive(Debug)]
pub struct Index {}
