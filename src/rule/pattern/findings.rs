//! Everything that is wrong with one pattern, or odd about it, as it is found.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ops::Range;

use super::PatternProblem;
use super::dialect::{Dialect, Feature};
use crate::diagnostic::Severity;

/// Values, operators and conditions that one pattern may hold.
const MEMBERS_MAX: usize = 10_000;
/// Operators among them. Each may be tried on each element of a list, and whoever sends events chooses the list.
const OPERATORS_MAX: usize = 1_000;
/// Errors of one pattern that are told, and warnings.
const TOLD_MAX: usize = 100;

/// One finding.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) problem: PatternProblem,
}

/// Where the objects of `$or` lists stand that an alternative was made of.
pub(super) type Origins = Vec<Range<usize>>;

/// Collects what is wrong with one pattern.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) list: Vec<Finding>,
    told: HashSet<PatternProblem>,
    errors: usize,
    warnings: usize,
    dialect: Option<Dialect>,
    /// What can be done where the bus has nothing instead.
    resort: &'static str,
    members: usize,
    operators: usize,
    pub(super) expressions: usize,
    /// Of each alternative of a compiled pattern, in the order of its choices.
    pub(super) origins: Vec<Vec<Origins>>,
}

impl Findings {
    /// Of a pattern that must be valid for the bus of `dialect` too, if there is one.
    pub(crate) fn new(dialect: Option<Dialect>) -> Self {
        let resort = "leave out `dialect` if the pattern need not be valid there";
        Findings { dialect, resort, ..Findings::default() }
    }

    /// Of a pattern that is asked to be valid for the bus of `dialect`, and need not be.
    pub(crate) fn of_export(dialect: Option<Dialect>) -> Self {
        Findings { dialect, resort: "the rule stays here only", ..Findings::default() }
    }

    pub(crate) fn error(
        &mut self,
        at: &Range<usize>,
        key: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Severity::Error, at, key, message.into(), help.into());
    }

    pub(crate) fn warning(
        &mut self,
        at: &Range<usize>,
        key: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Severity::Warning, at, key, message.into(), help.into());
    }

    /// Alternatives share what stands beside them: what is found in each of them is told once.
    fn add(&mut self, severity: Severity, at: &Range<usize>, key: &str, message: String, help: String) {
        let told = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        let (message, help) = match (*told).cmp(&TOLD_MAX) {
            Ordering::Less => (message, help),
            Ordering::Equal => {
                (format!("more than {TOLD_MAX} problems; no further one is told"), String::new())
            }
            Ordering::Greater => return,
        };
        let problem = PatternProblem { span: at.clone(), key: key.to_owned(), message, help };
        if self.told.insert(problem.clone()) {
            *told += 1;
            self.list.push(Finding { severity, problem });
        }
    }

    /// Refuses what the bus that was asked for does not have.
    pub(super) fn uses(&mut self, feature: Feature, at: &Range<usize>, key: &str) {
        if let Some(dialect) = self.dialect.filter(|dialect| !dialect.has(feature)) {
            let message = format!("{} does not have {}", dialect.name(), feature.describe());
            self.error(at, key, message, feature.instead().unwrap_or(self.resort));
        }
    }

    /// Counts one more value, operator or condition; tells whether that is still within the limit.
    pub(super) fn count(&mut self, at: &Range<usize>, key: &str) -> bool {
        self.members += 1;
        if self.members == MEMBERS_MAX + 1 {
            let message = format!("more than {MEMBERS_MAX} values, operators and fields in one pattern");
            self.error(at, key, message, "split the rule");
        }
        self.members <= MEMBERS_MAX
    }

    /// Counts one more operator.
    pub(super) fn count_operator(&mut self, at: &Range<usize>, key: &str) {
        self.operators += 1;
        if self.operators == OPERATORS_MAX + 1 {
            let message = format!("more than {OPERATORS_MAX} operators in one pattern");
            self.error(at, key, message, "plain values are not limited so; split the rule");
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.errors > 0
    }
}
