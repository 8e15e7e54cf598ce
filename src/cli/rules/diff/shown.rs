//! The differences of two rule sets for people, with the lines that differ.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::Style;
use similar::{ChangeTag, TextDiff};

use super::{Change, Comparison, Part};
use crate::cli::instant::age;
use crate::cli::terminal::{BAD, DIM, GOOD, NAME, TITLE, WARNING, abbreviated, counted, fitted, styled};
use crate::clock::now_ms;
use crate::rule::outline::Outline;
use crate::store::look::rules::Standing;

/// Lines shown around those that differ.
const CONTEXT_LINES: usize = 2;

/// Lines shown of one rule.
const LINES_MAX: usize = 200;

/// What a line takes at most, columns.
const WIDTH_MAX: usize = 400;

/// Texts that are nothing alike are compared coarsely after so long.
const COMPARING_MAX: Duration = Duration::from_secs(2);

/// The differences as text.
pub(super) fn as_text(compared: &Comparison) -> String {
    let Comparison { running, directory, added, removed, changed, unchanged, .. } = compared;
    let standing = match running.standing {
        Standing::InForce => "rules in force",
        Standing::Newest => "newest rules (no daemon says what it works by)",
    };
    let mut text = format!(
        "{standing} {}, loaded {} ago, and {}\n",
        abbreviated(&running.hash),
        age(now_ms() - running.loaded_at_ms),
        crate::escape::Escaped(&directory.display().to_string())
    );
    for rule in removed {
        heading(&mut text, BAD, "removed", &rule.name, &place(rule));
    }
    for rule in added {
        heading(&mut text, GOOD, "added", &rule.name, &place(rule));
    }
    for change in changed {
        let moved = format!("{} -> {}", change.was.path, place(&change.is));
        let place = if change.is_moved() { moved } else { place(&change.is) };
        if change.parts.is_empty() {
            heading(&mut text, WARNING, "moved", &change.is.name, &place);
        } else {
            let parts: Vec<&str> = change.parts.iter().map(|part| in_words(*part)).collect();
            let told = format!("{place}: {}", parts.join(", "));
            heading(&mut text, WARNING, "changed", &change.is.name, &told);
            text.push_str(&lines(change));
        }
    }
    if compared.differs_outside() {
        text.push_str("the files differ, though in nothing that belongs to a rule\n");
    }
    let moved = changed.iter().filter(|change| change.parts.is_empty()).count();
    let _ = writeln!(
        text,
        "{} added, {} removed, {} changed, {moved} moved; {} unchanged",
        added.len(),
        removed.len(),
        changed.len() - moved,
        counted(*unchanged, "rule"),
    );
    text
}

fn in_words(part: Part) -> &'static str {
    match part {
        Part::Text => "only comments and layout",
        Part::Other => "other keys",
        part => part.as_str(),
    }
}

fn place(rule: &Outline) -> String {
    format!("{}:{}", rule.path, rule.line)
}

fn heading(text: &mut String, style: Style, what: &str, name: &str, told: &str) {
    let told = crate::escape::Escaped(told).to_string();
    let _ = writeln!(
        text,
        "{} {}  {}",
        styled(style, what),
        styled(NAME, &crate::escape::Escaped(name).to_string()),
        styled(DIM, &told)
    );
}

/// The lines that differ, with some around them.
fn lines(change: &Change) -> String {
    let (was, is) = (&change.was.text, &change.is.text);
    let diff = TextDiff::configure().timeout(COMPARING_MAX).diff_lines(was.as_str(), is.as_str());
    let mut shown = Vec::new();
    for (at, group) in diff.grouped_ops(CONTEXT_LINES).iter().enumerate() {
        if at > 0 {
            shown.push(format!("    {}", styled(DIM, "...")));
        }
        for line in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (sign, style) = match line.tag() {
                ChangeTag::Delete => ("-", BAD),
                ChangeTag::Insert => ("+", GOOD),
                ChangeTag::Equal => (" ", DIM),
            };
            let told = fitted(line.value().trim_end_matches(['\r', '\n']), WIDTH_MAX);
            let told = format!("{sign} {told}");
            shown.push(format!("    {}", styled(style, told.trim_end())));
        }
    }
    if shown.len() > LINES_MAX {
        let more = format!("{} more lines", shown.len() - LINES_MAX);
        shown.truncate(LINES_MAX);
        shown.push(format!("    {}", styled(TITLE, &more)));
    }
    let mut text = shown.join("\n");
    text.push('\n');
    text
}
