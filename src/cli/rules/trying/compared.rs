//! Which events only one of two rule sets matched, rule by rule.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::rule::{RuleIndex, RuleSet};

/// Events that are named for each rule.
const EXAMPLES_MAX: usize = 3;

/// What two sets do differently. Rules are the same if they have the same name.
#[derive(Debug, Default)]
pub(super) struct Apart {
    /// Of each rule in force, its place among those that are tried.
    tried_place: Vec<Option<RuleIndex>>,
    /// Events that some tried rule matched, and no rule in force.
    pub(super) only_tried: u64,
    /// Events that some rule in force matched, and no tried one.
    pub(super) only_running: u64,
    /// The rules that matched different events.
    pub(super) rules: BTreeMap<String, Only>,
}

/// Of one rule, the events that only one of the two sets matched by it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Only {
    pub(super) tried: Matched,
    pub(super) in_force: Matched,
}

/// Events, and the numbers of the first ones.
#[derive(Debug, Default, Serialize)]
pub(super) struct Matched {
    pub(super) events: u64,
    pub(super) examples: Vec<i64>,
}

impl Matched {
    fn add(&mut self, number: i64) {
        self.events += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(number);
        }
    }
}

impl Apart {
    pub(super) fn between(tried: &RuleSet, running: &RuleSet) -> Self {
        let places: HashMap<&str, RuleIndex> =
            (0..).map(RuleIndex).zip(&tried.rules).map(|(index, rule)| (rule.name.as_str(), index)).collect();
        let place = |name: &str| places.get(name).copied();
        let tried_place = running.rules.iter().map(|rule| place(&rule.name)).collect();
        Apart { tried_place, ..Apart::default() }
    }

    /// Compares what both made of the event `number`.
    pub(super) fn event(
        &mut self,
        number: i64,
        (matched, tried): (&[RuleIndex], &RuleSet),
        (theirs, running): (&[RuleIndex], &RuleSet),
    ) {
        if matched.is_empty() && theirs.is_empty() {
            return;
        }
        self.only_tried += u64::from(theirs.is_empty() && !matched.is_empty());
        self.only_running += u64::from(matched.is_empty() && !theirs.is_empty());
        let place = |index: &RuleIndex| {
            usize::try_from(index.0).ok().and_then(|at| self.tried_place.get(at)).copied().flatten()
        };
        let mut places: Vec<RuleIndex> = theirs.iter().filter_map(place).collect();
        places.sort_unstable();
        let is_theirs = |index: &&RuleIndex| places.binary_search(index).is_ok();
        let is_ours =
            |index: &&RuleIndex| place(index).is_some_and(|own| matched.binary_search(&own).is_ok());
        let gained: Vec<RuleIndex> = matched.iter().filter(|index| !is_theirs(index)).copied().collect();
        let lost: Vec<RuleIndex> = theirs.iter().filter(|index| !is_ours(index)).copied().collect();
        for rule in gained.iter().filter_map(|index| tried.rule(*index)) {
            self.of(&rule.name).tried.add(number);
        }
        for rule in lost.iter().filter_map(|index| running.rule(*index)) {
            self.of(&rule.name).in_force.add(number);
        }
    }

    fn of(&mut self, name: &str) -> &mut Only {
        self.rules.entry(name.to_owned()).or_default()
    }
}
