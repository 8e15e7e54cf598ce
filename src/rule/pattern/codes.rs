//! Which events of the catalogue a pattern can be for.

use super::{Branch, Pattern};
use crate::event::catalogue::{self, EventType};
use crate::rule::field::Field;

impl Pattern {
    /// The codes of the events that can match, by the conditions on code and type; all where there are none, or where
    /// they name what the catalogue does not know: such events may come.
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        let mut left = narrowed(&self.common, catalogue::all().collect());
        for choice in &self.choices {
            let among: Vec<_> =
                choice.alternatives.iter().map(|branch| narrowed(branch, left.clone())).collect();
            left.retain(|row| among.iter().any(|rows| rows.contains(row)));
        }
        left.into_iter().map(|row| row.code).collect()
    }
}

fn narrowed(branch: &Branch, mut rows: Vec<&'static EventType>) -> Vec<&'static EventType> {
    for condition in &branch.conditions {
        let value: fn(&EventType) -> &'static str = match condition.field {
            Some(Field::Code) => |row| row.code,
            Some(Field::Type) => |row| row.event_type,
            _ => continue,
        };
        for leaf in &condition.leaves {
            let is_exact = leaf.tests.is_empty() && leaf.nots.is_empty() && !leaf.absent && !leaf.present;
            let is_known = |text: &str| catalogue::all().any(|row| value(row) == text);
            if is_exact && leaf.texts.iter().all(|text| is_known(text)) {
                rows.retain(|row| leaf.texts.iter().any(|text| **text == *value(row)));
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_that_a_pattern_names_are_those_that_it_is_for() {
        let all = catalogue::all().count();
        for (pattern, codes) in [
            (r#"{"code":["commit-file","delete-file"]}"#, &["commit-file", "delete-file"][..]),
            (r#"{"type":["dataworks:FileChange:CommitFile"],"rows":[1]}"#, &["commit-file"]),
            (
                r#"{"$or":[{"code":["commit-file"]},{"code":["delete-file"]}]}"#,
                &["commit-file", "delete-file"],
            ),
        ] {
            assert_eq!(Pattern::parse_json(pattern, None).expect(pattern).codes(), codes, "{pattern}");
        }
        for pattern in [
            r#"{"code":["commit-file","a-new-one"]}"#,
            r#"{"code":[{"prefix":"commit"}]}"#,
            r#"{"$or":[{"code":["commit-file"]},{"rows":[1]}]}"#,
        ] {
            assert_eq!(Pattern::parse_json(pattern, None).expect(pattern).codes().len(), all, "{pattern}");
        }
    }
}
