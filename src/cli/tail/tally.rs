//! Which events are shown, and what was seen of all.

use std::collections::BTreeMap;
use std::fmt;

use crate::batch::{Content, Entry};
use crate::escape::Escaped;
use crate::rule::RuleSet;

/// Which events are shown.
#[derive(Debug)]
pub(super) struct Filter {
    /// Of these codes; empty is all.
    pub(super) codes: Vec<String>,
    /// For which these rules would fire; empty is all.
    pub(super) rules: Vec<String>,
    /// Only those for which some rule would fire.
    pub(super) matched_only: bool,
}

impl Filter {
    /// Whether `entry` is shown. What could not be decoded always is, since nobody can tell what it was.
    pub(super) fn shows(&self, entry: &Entry<'_>, rules: &RuleSet) -> bool {
        let Content::Event { event, matched, .. } = &entry.content else { return true };
        let of_code = |code: &str| self.codes.iter().any(|wanted| wanted == code);
        let of_rule = || {
            let mut names = matched.iter().filter_map(|index| rules.rule(*index)).map(|rule| &rule.name);
            names.any(|name| self.rules.contains(name))
        };
        (self.codes.is_empty() || event.code.as_deref().is_some_and(of_code))
            && (!self.matched_only || !matched.is_empty())
            && (self.rules.is_empty() || of_rule())
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Records, whatever became of them.
    pub(super) seen: u64,
    /// Lines.
    pub(super) shown: u64,
    /// Records that could not be decoded.
    pub(super) undecodable: u64,
    /// How often each rule would have fired.
    fired: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts one more.
    pub(super) fn count(&mut self, entry: &Entry<'_>, rules: &RuleSet) {
        self.seen += 1;
        match &entry.content {
            Content::Quarantined(_) => self.undecodable += 1,
            Content::Event { matched, .. } => {
                for rule in matched.iter().filter_map(|index| rules.rule(*index)) {
                    match self.fired.get_mut(&rule.name) {
                        Some(count) => *count += 1,
                        None => {
                            self.fired.insert(rule.name.clone(), 1);
                        }
                    }
                }
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = if self.seen == 1 { "record" } else { "records" };
        write!(f, "{} {records} seen, {} shown, {} undecodable", self.seen, self.shown, self.undecodable)?;
        for (at, (rule, count)) in self.fired.iter().enumerate() {
            let before = if at == 0 { "; would have fired:" } else { "," };
            write!(f, "{before} {} {count}", Escaped(rule))?;
        }
        Ok(())
    }
}
