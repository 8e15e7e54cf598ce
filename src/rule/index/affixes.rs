//! Which of many prefixes a text begins with.
//!
//! The prefixes are sorted, and each knows the longest other one that it begins with itself. The last one that is not
//! greater than the text begins with all that the text begins with, so one binary search finds them.

/// Prefixes, each with the rules that wait for it.
#[derive(Debug)]
pub(super) struct Affixes<T> {
    entries: Vec<Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    affix: Box<[T]>,
    /// The place of the longest other entry that this one begins with.
    within: Option<u32>,
    places: Vec<u32>,
}

impl<T> Default for Affixes<T> {
    fn default() -> Self {
        Affixes { entries: Vec::new() }
    }
}

impl<T: Ord + Copy> Affixes<T> {
    /// Adds a prefix; nothing is found before [`finish`](Self::finish).
    pub(super) fn add(&mut self, affix: Box<[T]>, place: u32) {
        self.entries.push(Entry { affix, within: None, places: vec![place] });
    }

    /// Sorts what was added.
    pub(super) fn finish(&mut self) {
        self.entries.sort_by(|one, other| one.affix.cmp(&other.affix));
        self.entries.dedup_by(|later, kept| {
            let is_same = later.affix == kept.affix;
            if is_same {
                kept.places.append(&mut later.places);
            }
            is_same
        });
        // Those that the present one may begin with, the longest last.
        let mut open: Vec<(u32, usize)> = Vec::new();
        for at in 0..self.entries.len() {
            let (before, rest) = self.entries.split_at_mut(at);
            let Some(entry) = rest.first_mut() else { break };
            let begins_with = |own: &(u32, usize)| {
                before.get(own.1).is_some_and(|other| entry.affix.starts_with(&other.affix))
            };
            while open.last().is_some_and(|last| !begins_with(last)) {
                open.pop();
            }
            entry.within = open.last().map(|(place, _)| *place);
            open.push((u32::try_from(at).unwrap_or(u32::MAX), at));
        }
        self.entries.shrink_to_fit();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Gives the rules of every prefix of `text`.
    pub(super) fn find(&self, text: &[T], found: &mut Vec<u32>) {
        let mut next = self.entries.partition_point(|entry| *entry.affix <= *text).checked_sub(1);
        while let Some(entry) = next.and_then(|at| self.entries.get(at)) {
            if text.starts_with(&entry.affix) {
                found.extend(&entry.places);
            }
            next = entry.within.and_then(|at| usize::try_from(at).ok());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_is_found_and_no_other() {
        let texts = ["", "a", "ab", "abc", "abd", "b", "ba", "abc"];
        let mut affixes = Affixes::default();
        for (place, text) in (0..).zip(texts) {
            affixes.add(text.as_bytes().into(), place);
        }
        affixes.finish();
        for text in ["", "a", "ab", "abc", "abcd", "abd", "abe", "aa", "b", "bb", "ba", "bac", "c"] {
            let mut found = Vec::new();
            affixes.find(text.as_bytes(), &mut found);
            found.sort_unstable();
            let expected: Vec<u32> =
                (0..).zip(texts).filter(|(_, own)| text.starts_with(own)).map(|(place, _)| place).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
