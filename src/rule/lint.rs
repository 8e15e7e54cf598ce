//! Warnings about rules that are right each by itself: twins, and rules that no index can find.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher as _};

use super::index::Index;
use super::{Rule, RuleFile, RuleIndex};
use crate::diagnostic::{Diagnostic, Place, Severity};

/// The warnings about a whole set, in order of the rules.
pub(super) fn of_set(rules: &[Rule], index: &Index, files: &[RuleFile]) -> Vec<Diagnostic> {
    let warning = |rule: &Rule, key: &str, message: String, help: &str| {
        let text = files.iter().find(|file| file.path == rule.path).map_or("", |file| &file.text);
        let start = text.split_inclusive('\n').take(rule.line.saturating_sub(1)).map(str::len).sum();
        Diagnostic {
            file: rule.path.clone(),
            place: Some(Place::of_byte(text, start)),
            key: key.to_owned(),
            message,
            help: help.to_owned(),
            severity: Severity::Warning,
        }
    };
    let mut warnings = Vec::new();
    let mut seen: HashMap<u64, &Rule> = HashMap::new();
    for rule in rules {
        let first = seen.entry(content(rule)).or_insert(rule);
        if first.name != rule.name {
            let message = format!(
                "\"{}\" says the same as \"{}\" at {}:{}",
                rule.name, first.name, first.path, first.line
            );
            let help = "both match the same events and ask for the same; remove one";
            warnings.push(warning(rule, "match", message, help));
        }
    }
    for rule in index.broad().iter().filter_map(|place| rules.get(RuleIndex(*place).0 as usize)) {
        let message =
            format!("\"{}\" is looked at for nearly every event: no condition sets it apart", rule.name);
        let help = "add a value, `prefix`, `suffix`, `contains` or `numeric`, best of `code`";
        warnings.push(warning(rule, "match", message, help));
    }
    warnings.sort_by(|one, other| {
        let place = |it: &Diagnostic| (it.file.clone(), it.place.as_ref().map(|place| place.line));
        place(one).cmp(&place(other))
    });
    warnings
}

/// A hash of what a rule looks for and asks for.
fn content(rule: &Rule) -> u64 {
    struct Text(DefaultHasher);
    impl fmt::Write for Text {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut text = Text(DefaultHasher::new());
    // Writing to a hasher cannot fail.
    let _ = write!(text, "{:?} {:?}", rule.pattern, rule.step);
    text.0.finish()
}
