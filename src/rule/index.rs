//! The index over patterns: which rules can match an event at all.
//!
//! Each rule is filed under the exact values of one attribute or fact, the one that it shares with the
//! fewest other rules. An event then looks up its own values, one look-up for each field that is in
//! use, and only the rules found there are evaluated. Rules without such a condition are tried always.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use crate::event::Event;
use crate::rule::field::{Field, FieldValue, Shape};
use crate::rule::pattern::{Condition, Pattern};

// The keys come from rule authors, so a fixed seed invites no attack, and every run is the same.
type Buckets<K> = HashMap<K, Vec<u32>, BuildHasherDefault<DefaultHasher>>;

/// Finds the rules that can match.
#[derive(Debug, Default)]
pub struct Index {
    texts: Vec<(Field, Buckets<Box<str>>)>,
    integers: Vec<(Field, Buckets<i64>)>,
    /// Rules without an exact condition on a field.
    unfiled: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum FileKey {
    Text(Box<str>),
    Integer(i64),
}

impl Index {
    /// Files all patterns; their order is the rules' order.
    pub(crate) fn build<'p>(patterns: impl Iterator<Item = &'p Pattern> + Clone) -> Self {
        let mut shared: HashMap<(Field, FileKey), usize> = HashMap::new();
        for (field, keys) in patterns.clone().flat_map(candidates) {
            for key in keys {
                *shared.entry((field, key)).or_default() += 1;
            }
        }
        let mut index = Index::default();
        for (place, pattern) in (0_u32..).zip(patterns) {
            let company = |(field, keys): &(Field, Vec<FileKey>)| -> (usize, Field) {
                let total =
                    keys.iter().map(|key| shared.get(&(*field, key.clone())).copied().unwrap_or(0)).sum();
                (total, *field)
            };
            match candidates(pattern).min_by_key(company) {
                Some((field, keys)) => keys.into_iter().for_each(|key| index.file(field, key, place)),
                None => index.unfiled.push(place),
            }
        }
        index
    }

    fn file(&mut self, field: Field, key: FileKey, place: u32) {
        match key {
            FileKey::Text(text) => buckets(&mut self.texts, field).entry(text).or_default().push(place),
            FileKey::Integer(value) => {
                buckets(&mut self.integers, field).entry(value).or_default().push(place);
            }
        }
    }

    /// Gives every rule that can match `event`, some of them twice.
    pub(crate) fn candidates(&self, event: &Event<'_>, mut found: impl FnMut(u32)) {
        for (field, buckets) in &self.texts {
            if let FieldValue::Text(text) = field.value(event) {
                buckets.get(text).into_iter().flatten().for_each(|place| found(*place));
            }
        }
        for (field, buckets) in &self.integers {
            let single;
            let values = match field.value(event) {
                FieldValue::Integer(value) => {
                    single = [value];
                    single.as_slice()
                }
                FieldValue::Integers(values) => values,
                FieldValue::Missing | FieldValue::Text(_) => continue,
            };
            for value in values {
                buckets.get(value).into_iter().flatten().for_each(|place| found(*place));
            }
        }
        self.unfiled.iter().for_each(|place| found(*place));
    }
}

fn buckets<K>(list: &mut Vec<(Field, Buckets<K>)>, field: Field) -> &mut Buckets<K> {
    let place = list.iter().position(|(own, _)| *own == field).unwrap_or_else(|| {
        list.push((field, HashMap::default()));
        list.len() - 1
    });
    #[expect(clippy::indexing_slicing, reason = "the place was just found or pushed")]
    &mut list[place].1
}

/// The fields that a pattern can be filed under, with all values that it asks for.
fn candidates(pattern: &Pattern) -> impl Iterator<Item = (Field, Vec<FileKey>)> {
    pattern.common.conditions.iter().filter_map(|condition| Some((condition.field?, file_keys(condition)?)))
}

/// Values of another type than the field's never match, so they are no keys.
fn file_keys(condition: &Condition) -> Option<Vec<FileKey>> {
    let leaf = condition.leaves.iter().find(|leaf| leaf.is_exact())?;
    match condition.field?.shape() {
        Shape::Text => Some(leaf.texts.iter().map(|text| FileKey::Text(text.clone())).collect()),
        Shape::Integer => Some(
            leaf.numbers.iter().filter_map(|number| Some(FileKey::Integer(number.as_integer()?))).collect(),
        ),
        Shape::Data => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::pattern::Pattern;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse_json(text, None).expect("a pattern")
    }

    #[test]
    fn rules_are_filed_under_what_they_share_with_the_fewest() {
        let mut patterns: Vec<Pattern> = (0..1000)
            .map(|n| pattern(&format!(r#"{{"code": ["c"], "workspace": [1], "node": [{n}, {n}.0]}}"#)))
            .collect();
        patterns.push(pattern(r#"{"code": ["c"], "node": [{"exists": true}]}"#));
        patterns.push(pattern(r#"{"code": [{"prefix": "c"}]}"#));
        patterns.push(pattern(r#"{"workspace": ["1"]}"#));
        let index = Index::build(patterns.iter());
        let nodes = index.integers.iter().find(|(field, _)| *field == Field::Node).expect("filed by node");
        assert_eq!(nodes.1.len(), 1000);
        assert!(nodes.1.values().all(|places| places.len() == 1));
        assert_eq!(index.texts.iter().map(|(_, buckets)| buckets.len()).sum::<usize>(), 1);
        assert_eq!(index.unfiled, [1001], "text never is a workspace, so the last rule is nowhere");
    }
}
