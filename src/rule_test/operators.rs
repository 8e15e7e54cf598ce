//! The operators that a compiled pattern uses, by the names that people write.

use std::collections::BTreeSet;

use crate::rule::pattern::leaf::{Leaf, Test};
use crate::rule::pattern::{Branch, Pattern};

/// The operators of `pattern`; plain values are none.
pub(super) fn of(pattern: &Pattern) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    branch(&pattern.common, &mut found);
    for alternative in pattern.alternatives() {
        found.insert("$or");
        branch(alternative, &mut found);
    }
    found
}

fn branch(of: &Branch, found: &mut BTreeSet<&'static str>) {
    for condition in &of.conditions {
        condition.leaves.iter().for_each(|own| leaf(own, found));
        if let Some(below) = &condition.below {
            branch(below, found);
        }
    }
}

fn leaf(of: &Leaf, found: &mut BTreeSet<&'static str>) {
    if of.absent || of.present {
        found.insert("exists");
    }
    found.extend(of.tests.iter().filter_map(name));
    for list in &of.nots {
        found.insert("not");
        leaf(list, found);
    }
}

fn name(test: &Test) -> Option<&'static str> {
    Some(match test {
        Test::Null | Test::Bool(_) => return None,
        Test::Prefix(_) | Test::PrefixIgnoreCase(_) => "prefix",
        Test::Suffix(_) | Test::SuffixIgnoreCase(_) => "suffix",
        Test::Contains(_) => "contains",
        Test::IgnoreCase(_) => "equals-ignore-case",
        Test::Wildcard(_) => "wildcard",
        Test::Within(_) => "numeric",
        Test::Cidr(_) => "cidr",
        Test::AnythingBut(_) => "anything-but",
        Test::Regex(_) => "regex",
    })
}
