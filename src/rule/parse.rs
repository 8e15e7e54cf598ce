//! Strict parsing of rule files.
use crate::diagnostic::Diagnostic;
use crate::rule::{Policy, RuleFile, RuleSet};

/// What the rules may refer to.
#[derive(Debug, Clone)]
pub struct Surroundings<'a> {
    /// Names of the configured accounts.
    pub accounts: &'a [String],
    /// What writes rules may call.
    pub policy: &'a Policy,
}

/// A rule set and its warnings, or every problem found.
pub type Parsed = Result<(RuleSet, Vec<Diagnostic>), Vec<Diagnostic>>;

/// Parses all `files` into one rule set.
///
/// # Errors
/// Every problem of every file, in order of file and line; warnings among them.
pub fn parse(files: Vec<RuleFile>, surroundings: &Surroundings<'_>) -> Parsed {
    let _ = (files, surroundings);
    todo!()
}
