//! Warnings about rules that are right each by itself: twins, and rules that no index can find.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::ptr;

use super::index::Index;
use super::{Rule, RuleFile};
use crate::diagnostic::{Diagnostic, Lines, Severity};

/// The warnings about a whole set, in order of the rules.
pub(super) fn of_set(rules: &[Rule], index: &Index, files: &[RuleFile]) -> Vec<Diagnostic> {
    let mut found: Vec<(u32, String, &str)> = Vec::new();
    #[expect(
        clippy::mutable_key_type,
        reason = "what a regular expression compiles to later is not compared"
    )]
    let mut seen: HashMap<Content<'_>, &Rule> = HashMap::with_capacity(rules.len());
    for (place, rule) in (0_u32..).zip(rules) {
        let first = seen.entry(Content(rule)).or_insert(rule);
        if first.name != rule.name {
            let message = format!(
                "\"{}\" says the same as \"{}\" at {}:{}",
                rule.name, first.name, first.path, first.line
            );
            found.push((place, message, "both match the same events and ask for the same; remove one"));
        }
    }
    for place in index.broad() {
        let Some(rule) = rules.get(*place as usize) else { continue };
        let message =
            format!("\"{}\" is looked at for nearly every event: no condition sets it apart", rule.name);
        found.push((
            *place,
            message,
            "add a value, `prefix`, `suffix`, `numeric`, or `contains` of three bytes or more; best of `code`",
        ));
    }
    found.sort_by_key(|(place, ..)| *place);
    let mut lines: HashMap<&str, Lines<'_>> = HashMap::new();
    let texts: HashMap<&str, &str> =
        files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
    let warning = |(place, message, help): (u32, String, &str)| {
        let rule = rules.get(place as usize)?;
        let text = texts.get(rule.path.as_str()).copied().unwrap_or_default();
        let lines = lines.entry(&rule.path).or_insert_with(|| Lines::new(text));
        Some(Diagnostic {
            file: rule.path.clone(),
            place: Some(lines.beginning(rule.line)),
            key: "match".to_owned(),
            message,
            help: help.to_owned(),
            severity: Severity::Warning,
        })
    };
    found.into_iter().filter_map(warning).collect()
}

/// What a rule looks for and asks for.
struct Content<'r>(&'r Rule);

impl PartialEq for Content<'_> {
    fn eq(&self, other: &Self) -> bool {
        let is_same_step = match (&self.0.step, &other.0.step) {
            (None, None) => true,
            (Some(one), Some(other)) => {
                ptr::eq(one.operation, other.operation)
                    && one.account == other.account
                    && one.params == other.params
                    && one.in_order_by == other.in_order_by
            }
            _ => false,
        };
        is_same_step && self.0.pattern == other.0.pattern
    }
}

impl Eq for Content<'_> {}

impl Hash for Content<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.pattern.hash(state);
        if let Some(step) = &self.0.step {
            (step.operation.name, &step.account, &step.params, &step.in_order_by).hash(state);
        }
    }
}
