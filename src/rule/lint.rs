//! Warnings about rules that are right each by itself: twins, and rules that no index can find.

use std::collections::HashMap;

use super::index::is_broad;
use super::pattern::Pattern;
use super::{Rule, RuleFile, Step};
use crate::diagnostic::{Diagnostic, Lines, Severity};

const TWINS: &str = "both match the same events and ask for the same; remove one";
const BROAD: &str =
    "add a value, `prefix`, `suffix`, `numeric`, or `contains` of three bytes or more; best of `code`";

/// The warnings about a whole set, in order of the rules.
pub(super) fn of_set(rules: &[Rule], files: &[RuleFile]) -> Vec<Diagnostic> {
    let texts: HashMap<&str, &str> =
        files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
    let mut lines: HashMap<&str, Lines<'_>> = HashMap::new();
    let mut warnings = Vec::new();
    #[expect(
        clippy::mutable_key_type,
        reason = "what a regular expression compiles to later is not compared"
    )]
    let mut seen: HashMap<(&Pattern, &Option<Step>), &Rule> = HashMap::with_capacity(rules.len());
    for rule in rules {
        let mut warn = |message: String, help: &str| {
            let text = texts.get(rule.path.as_str()).copied().unwrap_or_default();
            let lines = lines.entry(&rule.path).or_insert_with(|| Lines::new(text));
            warnings.push(Diagnostic {
                file: rule.path.clone(),
                place: Some(lines.beginning(rule.line)),
                key: "match".to_owned(),
                message,
                help: help.to_owned(),
                severity: Severity::Warning,
            });
        };
        let Rule { name, .. } = rule;
        let first = *seen.entry((&rule.pattern, &rule.step)).or_insert(rule);
        if first.name != *name {
            let place = format!("{}:{}", first.path, first.line);
            warn(format!("\"{name}\" says the same as \"{}\" at {place}", first.name), TWINS);
        }
        if is_broad(&rule.pattern) {
            warn(
                format!("\"{name}\" is looked at for nearly every event: no condition sets it apart"),
                BROAD,
            );
        }
    }
    warnings
}
