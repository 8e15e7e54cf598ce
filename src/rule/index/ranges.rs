//! Which of many ranges of integers hold a value: a balanced tree of intervals, laid out in one sorted list.

/// Ranges, each with the rule that waits for it; both ends belong to a range.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    /// Sorted by the lower end; the middle of any part is the root of its tree.
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    lower: i64,
    upper: i64,
    /// The greatest upper end in the tree of which this is the root.
    upper_max: i64,
    place: u32,
}

impl Ranges {
    /// Adds a range; nothing is found before [`finish`](Self::finish).
    pub(super) fn add(&mut self, lower: i64, upper: i64, place: u32) {
        self.entries.push(Entry { lower, upper, upper_max: upper, place });
    }

    /// Makes the tree of what was added.
    pub(super) fn finish(&mut self) {
        self.entries.sort_by_key(|entry| (entry.lower, entry.upper));
        self.entries.shrink_to_fit();
        grow(&mut self.entries);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Gives the rules of every range that holds `value`.
    pub(super) fn find(&self, value: i64, found: &mut Vec<u32>) {
        visit(&self.entries, value, found);
    }
}

/// Notes the greatest upper end of every tree, and gives that of the whole.
fn grow(entries: &mut [Entry]) -> i64 {
    let (left, rest) = entries.split_at_mut(entries.len() / 2);
    let Some((root, right)) = rest.split_first_mut() else { return i64::MIN };
    root.upper_max = root.upper.max(grow(left)).max(grow(right));
    root.upper_max
}

fn visit(entries: &[Entry], value: i64, found: &mut Vec<u32>) {
    let (left, rest) = entries.split_at(entries.len() / 2);
    let Some((root, right)) = rest.split_first() else { return };
    if root.upper_max < value {
        return;
    }
    visit(left, value, found);
    if root.lower <= value {
        if root.upper >= value {
            found.push(root.place);
        }
        visit(right, value, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_that_holds_a_value_is_found() {
        let ranges: Vec<(i64, i64)> = (0..40)
            .flat_map(|n| [(n * 7 % 31, n * 7 % 31 + n % 5), (i64::MIN, n), (n, i64::MAX), (n, n)])
            .collect();
        let mut tree = Ranges::default();
        for (place, (lower, upper)) in (0..).zip(&ranges) {
            tree.add(*lower, *upper, place);
        }
        tree.finish();
        for value in [i64::MIN, -1, 0, 1, 5, 13, 30, 31, 39, 40, i64::MAX] {
            let mut found = Vec::new();
            tree.find(value, &mut found);
            found.sort_unstable();
            let holds = |(_, (lower, upper)): &(u32, &(i64, i64))| (*lower..=*upper).contains(&value);
            let expected: Vec<u32> = (0..).zip(&ranges).filter(holds).map(|(place, _)| place).collect();
            assert_eq!(found, expected, "{value}");
        }
    }
}
