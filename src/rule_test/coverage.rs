//! What no test shows: rules without a test that matches or one that does not, operators that none exercises.
//!
//! A rule is shown to match by a test that names it under `matches`, `calls` or `fails`, and not to by one that names
//! it under `not_matches`; `only` names no rule. An operator is exercised if some rule that uses it has both.

use std::collections::{BTreeMap, HashSet};

use super::{RuleTest, operators};
use crate::rule::RuleSet;

/// How the tests cover one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleCoverage {
    /// The rule's name.
    pub rule: String,
    /// A test shows an event that it matches.
    pub matches: bool,
    /// A test shows an event that it does not match.
    pub not_matches: bool,
}

/// What the tests cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Every rule, in the order of the rule set.
    pub rules: Vec<RuleCoverage>,
    /// Operators that no test exercises, each with the first rule that uses it, in order of name.
    pub operators: Vec<(&'static str, String)>,
}

impl RuleCoverage {
    /// Whether both sides are shown.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        self.matches && self.not_matches
    }
}

/// What `tests` cover of `rules`.
#[must_use]
pub fn coverage(tests: &[RuleTest], rules: &RuleSet) -> Coverage {
    let (mut matching, mut others) = (HashSet::new(), HashSet::new());
    for test in tests {
        matching.extend(test.expected.matching());
        others.extend(test.expected.not_matches.iter().map(String::as_str));
    }
    let mut covered = Vec::with_capacity(rules.rules.len());
    let mut operators: BTreeMap<&'static str, (bool, &str)> = BTreeMap::new();
    for rule in &rules.rules {
        let name = rule.name.as_str();
        let own = RuleCoverage {
            rule: name.to_owned(),
            matches: matching.contains(name),
            not_matches: others.contains(name),
        };
        for operator in operators::of(&rule.pattern) {
            operators.entry(operator).or_insert((false, name)).0 |= own.is_covered();
        }
        covered.push(own);
    }
    let missed = operators.into_iter().filter(|(_, (is_exercised, _))| !is_exercised);
    Coverage {
        rules: covered,
        operators: missed.map(|(operator, (_, rule))| (operator, rule.to_owned())).collect(),
    }
}
