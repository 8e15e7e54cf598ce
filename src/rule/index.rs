//! The index over patterns: which rules can match an event at all.
//!
//! Each rule is filed under one condition that needs a value: the one that it shares with the fewest other rules,
//! and rather one on an attribute or fact than one for which the payload must be parsed. A rule that holds only
//! alternatives is filed under one condition of each. An event then looks up its own values, and only the rules found
//! so are evaluated. A rule without any such condition is tried always.

use std::collections::HashMap;
use std::hash::BuildHasher as _;

use self::key::{Key, Reach};
use self::paths::Paths;
use self::values::Values;
use super::field::{Field, FieldValue};
use super::pattern::evaluate::{Subject, Unreadable};
use super::pattern::leaf::Scalar;
use super::pattern::{Branch, Condition, Or, Pattern};

mod key;

mod affixes;

mod ranges;

mod outside;

mod values;

mod paths;

// The keys come from rule authors, so a fixed seed invites no attack, and every run is the same.
type Hasher = foldhash::fast::FixedState;

/// Finds the rules that can match.
#[derive(Debug, Default)]
pub struct Index {
    fields: Vec<(Field, Values)>,
    extensions: Vec<(Box<str>, Paths)>,
    data: Paths,
    /// Rules without a condition that needs a value.
    unfiled: Vec<u32>,
    /// How many rules there are.
    count: u32,
}

/// One condition by which a rule can be found.
struct Way<'p> {
    path: Vec<&'p str>,
    keys: Vec<Key<'p>>,
}

/// What a key that nearly all values have costs more than one that few have, in rules that share a key. A code that some
/// dozens of rules name is still the better way.
const WIDE: u64 = 100;

/// How many rules have a key at a path, by hash.
type Company = HashMap<u64, u32, Hasher>;

impl Index {
    /// Files all patterns; their order is the rules' order.
    #[must_use]
    pub fn build<'p>(patterns: impl Iterator<Item = &'p Pattern> + Clone) -> Self {
        let mut company = Company::default();
        for way in patterns.clone().flat_map(every_way) {
            way.hashes().for_each(|hash| *company.entry(hash).or_default() += 1);
        }
        let mut index = Index::default();
        for (place, pattern) in (0_u32..).zip(patterns) {
            index.count = place + 1;
            match best(pattern, &company) {
                Some(ways) => ways.into_iter().for_each(|way| index.file(&way, place)),
                None => index.unfiled.push(place),
            }
        }
        index.fields.iter_mut().for_each(|(_, values)| values.finish());
        index.extensions.iter_mut().for_each(|(_, paths)| paths.finish());
        index.data.finish();
        index
    }

    fn file(&mut self, way: &Way<'_>, place: u32) {
        let Some((name, below)) = way.path.split_first() else { return };
        for key in &way.keys {
            match Field::from_name(name) {
                Some(Field::Data) => self.data.file(below, *key, place),
                // Nothing stands below a plain value.
                Some(_) if !below.is_empty() => {}
                Some(field) => entry(&mut self.fields, &field).file(*key, place),
                None => entry(&mut self.extensions, &Box::<str>::from(*name)).file(below, *key, place),
            }
        }
    }

    /// Gives every rule that can match the event, in order, each once.
    pub(crate) fn candidates(&self, subject: &Subject<'_>) -> Vec<u32> {
        let mut found = self.unfiled.clone();
        for (field, values) in &self.fields {
            match field.value(subject.event) {
                FieldValue::Missing => continue,
                FieldValue::Text(text) => values.find(Scalar::Text(text), &mut found),
                FieldValue::Integer(value) => values.find(Scalar::Integer(value), &mut found),
                FieldValue::Integers(list) => {
                    for value in list {
                        values.find(Scalar::Integer(*value), &mut found);
                    }
                }
            }
            values.find_present(&mut found);
        }
        if self.in_payload(subject, &mut found) == Err(Unreadable) {
            // What cannot be read matches nothing, and the rules that look at it must say so.
            return (0..self.count).collect();
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn in_payload(&self, subject: &Subject<'_>, found: &mut Vec<u32>) -> Result<(), Unreadable> {
        if !self.data.is_empty() {
            self.data.find(subject.data()?, found);
        }
        for (name, paths) in &self.extensions {
            if let Some(value) = subject.extension(name)? {
                paths.find(&value, found);
            }
        }
        Ok(())
    }
}

fn entry<'l, K: PartialEq + Clone, V: Default>(list: &'l mut Vec<(K, V)>, key: &K) -> &'l mut V {
    let place = list.iter().position(|(own, _)| own == key).unwrap_or_else(|| {
        list.push((key.clone(), V::default()));
        list.len() - 1
    });
    #[expect(clippy::indexing_slicing, reason = "the place was just found or pushed")]
    &mut list[place].1
}

impl Way<'_> {
    /// One for each key, the same for the same key at the same path.
    fn hashes(&self) -> impl Iterator<Item = u64> {
        let hasher = Hasher::default();
        self.keys.iter().map(move |key| hasher.hash_one((&self.path, key)))
    }

    /// How many rules are looked at because of this one, roughly; then whether the payload must be parsed.
    fn cost(&self, company: &Company) -> (u64, bool) {
        let shared = self.hashes().zip(&self.keys).map(|(hash, key)| {
            let rules = u64::from(company.get(&hash).copied().unwrap_or(0));
            match key.reach() {
                Reach::Narrow => rules * 2,
                Reach::Range => rules + 4,
                Reach::Wide => rules * 2 + WIDE,
            }
        });
        (
            shared.sum(),
            self.path.first().is_none_or(|name| Field::from_name(name).is_none_or(|it| it == Field::Data)),
        )
    }
}

/// Every condition by which a pattern could be found, alternatives included.
fn every_way(pattern: &Pattern) -> impl Iterator<Item = Way<'_>> {
    std::iter::once(&pattern.common).chain(pattern.alternatives()).flat_map(ways)
}

/// Those conditions of a branch that need a value.
fn ways(branch: &Branch) -> Vec<Way<'_>> {
    let mut list = Vec::new();
    collect(branch, &mut Vec::new(), &mut list);
    list
}

fn collect<'p>(branch: &'p Branch, path: &mut Vec<&'p str>, list: &mut Vec<Way<'p>>) {
    for Condition { name, leaves, below, .. } in &branch.conditions {
        path.push(name);
        let keys = leaves.iter().filter_map(|leaf| key::of_leaf(leaf));
        list.extend(keys.map(|keys| Way { path: path.clone(), keys }));
        if let Some(below) = below {
            collect(below, path, list);
        }
        path.pop();
    }
}

/// The cheapest way to find a pattern: one condition, or one of each alternative.
fn best<'p>(pattern: &'p Pattern, company: &Company) -> Option<Vec<Way<'p>>> {
    let cheapest = |branch: &'p Branch| {
        let priced = ways(branch).into_iter().map(|way| (way.cost(company), way));
        priced.min_by_key(|(cost, _)| *cost)
    };
    let of_choice = |choice: &'p Or| {
        let ways = choice.alternatives.iter().map(cheapest).collect::<Option<Vec<_>>>()?;
        let total = ways.iter().map(|(cost, _)| cost.0).sum::<u64>();
        let parses = ways.iter().any(|(cost, _)| cost.1);
        Some(((total, parses), ways.into_iter().map(|(_, way)| way).collect::<Vec<_>>()))
    };
    let common = cheapest(&pattern.common).map(|(cost, way)| (cost, vec![way]));
    let all = common.into_iter().chain(pattern.choices.iter().filter_map(of_choice));
    all.min_by_key(|(cost, _)| *cost).map(|(_, ways)| ways)
}

/// Whether a pattern is looked at for nearly every event even if it is alone: whatever sets it apart lets nearly all
/// values through.
pub(super) fn is_broad(pattern: &Pattern) -> bool {
    let is_wide = |way: &Way<'_>| way.keys.iter().any(|key| key.reach() == Reach::Wide);
    best(pattern, &Company::default()).is_none_or(|ways| ways.iter().any(is_wide))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse_json(text, None).expect("a pattern")
    }

    #[test]
    fn rules_are_filed_under_what_they_share_with_the_fewest() {
        let mut patterns: Vec<Pattern> = (0..1000)
            .map(|n| pattern(&format!(r#"{{"code": ["c"], "workspace": [1], "node": [{n}, {n}.0]}}"#)))
            .collect();
        patterns.push(pattern(r#"{"code": ["c"], "node": [{"exists": true}]}"#));
        patterns.push(pattern(r#"{"code": [{"exists": false}], "node": [{"not": 1}]}"#));
        patterns.push(pattern(r#"{"data": {"a": [1]}, "table": [{"prefix": "t"}]}"#));
        let index = Index::build(patterns.iter());
        let filed: Vec<Field> = index.fields.iter().map(|(field, _)| *field).collect();
        assert_eq!(filed, [Field::Node, Field::Table], "the first thousand and the next, then the last");
        assert!(index.data.is_empty(), "no payload is parsed for what a fact tells");
        assert_eq!(index.unfiled, [1001]);
    }

    #[test]
    fn a_code_sets_a_rule_apart_also_if_others_name_it() {
        let mut patterns: Vec<Pattern> =
            (0..30).map(|n| pattern(&format!(r#"{{"code": ["c"], "data": {{"a": [{n}]}}}}"#))).collect();
        patterns.push(pattern(r#"{"code": ["c"], "data": {"b": [{"anything-but": 7}]}}"#));
        patterns.push(pattern(r#"{"data": {"b": [{"anything-but": 7}]}}"#));
        let index = Index::build(patterns.iter());
        let broad: Vec<usize> = (0..patterns.len()).filter(|place| is_broad(&patterns[*place])).collect();
        assert_eq!(broad, [31]);
        assert_eq!(index.fields.len(), 1, "the code is the better way for one of them");
    }

    #[test]
    fn alternatives_are_filed_each_by_its_own() {
        let patterns = [pattern(r#"{"$or": [{"node": [1]}, {"table": ["t"]}]}"#)];
        let index = Index::build(patterns.iter());
        assert_eq!(index.fields.len(), 2);
        let patterns = [pattern(r#"{"$or": [{"node": [1]}, {"table": [{"exists": false}]}]}"#)];
        assert_eq!(Index::build(patterns.iter()).unfiled, [0]);
    }
}
