//! Which of many rules a value is not shut out of, for rules that say only what a value must not be.
//!
//! For a value that few rules shut out, nearly all rules are the result; for one that most shut out, those that do
//! not are kept as a list. So finding them costs no more than there are to be found.

use std::collections::HashMap;
use std::hash::Hash;

/// Conditions, each with the values that it shuts out and the rule that waits for it.
#[derive(Debug)]
pub(super) struct Outside<K> {
    /// The rule of each condition; one rule may have several.
    rules: Vec<u32>,
    /// The conditions that shut a value out, by their places in `rules`.
    shut_out: HashMap<K, Vec<u32>, super::Hasher>,
    /// For values that most conditions shut out: the rules of the others.
    left: HashMap<K, Vec<u32>, super::Hasher>,
}

impl<K> Default for Outside<K> {
    fn default() -> Self {
        Outside { rules: Vec::new(), shut_out: HashMap::default(), left: HashMap::default() }
    }
}

impl<K: Hash + Eq> Outside<K> {
    /// Adds a condition; its values are all different.
    pub(super) fn add(&mut self, values: impl IntoIterator<Item = K>, place: u32) {
        let condition = u32::try_from(self.rules.len()).unwrap_or(u32::MAX);
        self.rules.push(place);
        for value in values {
            self.shut_out.entry(value).or_default().push(condition);
        }
    }

    /// Finds the values that most rules shut out.
    pub(super) fn finish(&mut self) {
        let half = self.rules.len() / 2;
        let (most, few): (HashMap<_, _, _>, _) =
            std::mem::take(&mut self.shut_out).into_iter().partition(|(_, places)| places.len() > half);
        self.shut_out = few;
        self.left = most.into_iter().map(|(value, places)| (value, without(&self.rules, &places))).collect();
    }

    /// Gives all rules, for a value that cannot be shut out.
    pub(super) fn all(&self, found: &mut Vec<u32>) {
        found.extend(&self.rules);
    }

    /// Gives the rules that do not shut out `value`.
    pub(super) fn find<Q>(&self, value: &Q, found: &mut Vec<u32>)
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        match (self.left.get(value), self.shut_out.get(value)) {
            (Some(left), _) => found.extend(left),
            (None, Some(places)) => found.extend(without(&self.rules, places)),
            (None, None) => self.all(found),
        }
    }
}

/// The rules of all conditions but those `taken`, which are sorted.
fn without(rules: &[u32], taken: &[u32]) -> Vec<u32> {
    let mut taken = taken.iter().peekable();
    let mut left = Vec::with_capacity(rules.len().saturating_sub(taken.len()));
    for (condition, place) in (0_u32..).zip(rules) {
        if taken.next_if(|other| **other == condition).is_none() {
            left.push(*place);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_that_do_not_shut_a_value_out_are_found() {
        let mut outside = Outside::default();
        let sets: [&[i64]; 5] = [&[1, 2], &[1], &[1, 3], &[1, 2, 3], &[]];
        for (place, values) in (0..).zip(sets) {
            outside.add(values.iter().copied(), place);
        }
        // A second condition of the first rule lets through what its first shuts out.
        outside.add([4], 0);
        outside.finish();
        for value in 0..5 {
            let mut found = Vec::new();
            outside.find(&value, &mut found);
            let mut expected: Vec<u32> =
                (0..).zip(sets).filter(|(_, set)| !set.contains(&value)).map(|(place, _)| place).collect();
            expected.extend((value != 4).then_some(0));
            assert_eq!(found, expected, "{value}");
        }
    }
}
