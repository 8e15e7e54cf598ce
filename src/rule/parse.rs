//! Strict parsing of rule files.
//!
//! Takes the texts of all files and what the rules may refer to; gives the indexed [`RuleSet`] with its
//! warnings, or every problem of every file. A file that is no TOML is reported with all its syntax
//! errors and not looked into further; the other files are checked all the same.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;
use std::ops::Range;

use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Severity, nearest};
use crate::rule::index::Index;
use crate::rule::pattern::compile::{self, Form};
use crate::rule::pattern::findings::Findings;
use crate::rule::pattern::item::{Item, ItemKind};
use crate::rule::pattern::{self, Dialect, Pattern};
use crate::rule::report::{LaterKey, Report, dotted};
pub use crate::rule::surroundings::{KnownAccount, PartlyKnown, Surroundings};
use crate::rule::{Mode, Rule, RuleFile, RuleSet, lint, reads, step};

/// Bytes that one rule file may have.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Rules that all files together may hold.
pub const RULES_MAX: usize = 100_000;
/// Regular expressions that all rules together may hold: it bounds the memory that they can take once compiled.
pub const EXPRESSIONS_MAX: usize = 1_000;
/// Characters that a rule's name may have.
pub const NAME_CHARS_MAX: usize = 100;
/// Calls in an hour that a rule may be allowed.
pub const CALLS_MAX: u32 = 1_000_000;
const DURATION_DAYS_MAX: i64 = 366;

pub(super) const DEFAULT_MAX_EVENT_AGE_MS: i64 = 60 * 60 * 1000;
pub(super) const DEFAULT_MAX_CALLS: u32 = 100;
pub(super) const DEFAULT_EXPIRES_MS: i64 = 30 * 60 * 1000;

/// The keys of a rule.
pub(super) const KEYS: [&str; 8] =
    ["name", "mode", "max_event_age", "max_calls", "expires", "dialect", "match", "steps"];
const LATER_KEYS: [LaterKey; 6] = [
    LaterKey { name: "when", until_then: "say it with `match`" },
    LaterKey { name: "correlate", until_then: "" },
    LaterKey { name: "verdict", until_then: "" },
    LaterKey { name: "at_most", until_then: "`max_calls` limits the rule as a whole" },
    LaterKey { name: "cooldown", until_then: "`max_calls` limits the rule as a whole" },
    LaterKey { name: "notice", until_then: "" },
];

/// A rule set and its warnings, or every problem found.
pub type Parsed = Result<(RuleSet, Vec<Diagnostic>), Vec<Diagnostic>>;

/// Parses all `files` into one rule set.
///
/// # Errors
/// Every problem of every file, in order of file and line; warnings among them.
pub fn parse(files: Vec<RuleFile>, surroundings: &Surroundings<'_>) -> Parsed {
    parse_within(files, surroundings.into())
}

/// Parses all `files` into one rule set, as far as their surroundings are known.
///
/// # Errors
/// Every problem that does not depend on what is unknown.
pub fn parse_within(mut files: Vec<RuleFile>, known: PartlyKnown<'_>) -> Parsed {
    files.sort_by(|left, right| left.path.cmp(&right.path));
    let mut rules = Vec::new();
    let mut names = HashMap::new();
    let mut diagnostics = Vec::new();
    for file in &files {
        let mut report = Report::new(file);
        parse_file(&mut report, known, &mut rules, &mut names);
        diagnostics.extend(report.into_diagnostics());
    }
    let expressions = rules.iter().map(|rule: &Rule| rule.pattern.expressions).sum::<usize>();
    if expressions > EXPRESSIONS_MAX {
        diagnostics.push(too_many_expressions(expressions));
    }
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(diagnostics);
    }
    let index = Index::build(rules.iter().map(|rule: &Rule| &rule.pattern));
    diagnostics.extend(lint::of_set(&rules, &files));
    let hash = hash_of(&files);
    Ok((RuleSet { rules, files, hash, index }, diagnostics))
}

fn too_many_expressions(found: usize) -> Diagnostic {
    Diagnostic {
        file: String::new(),
        place: None,
        key: "regex".to_owned(),
        message: format!(
            "all rules together hold {found} regular expressions, at most {EXPRESSIONS_MAX} are allowed"
        ),
        help: "`wildcard`, `prefix`, `suffix` and `contains` cost less and are not limited so".to_owned(),
        severity: Severity::Error,
    }
}

/// The names that the rules of one file give themselves, be they right or wrong otherwise; `None` if the text is no
/// TOML, so that some may be hidden.
#[must_use]
pub fn names(text: &str) -> Option<Vec<String>> {
    let document = DeTable::parse(text).ok()?;
    let rules = match document.get_ref().get("rule").map(Spanned::get_ref) {
        Some(DeValue::Array(rules)) => rules.iter(),
        _ => return Some(Vec::new()),
    };
    let name = |rule: &Spanned<DeValue<'_>>| {
        Some(rule.get_ref().as_table()?.get("name")?.get_ref().as_str()?.to_owned())
    };
    Some(rules.filter_map(name).collect())
}

/// SHA-256 over each file's path and text, each preceded by its length.
pub(super) fn hash_of(files: &[RuleFile]) -> String {
    let mut hasher = Sha256::new();
    for part in files.iter().flat_map(|file| [&file.path, &file.text]) {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Where each rule name was first seen.
type Names = HashMap<String, (String, usize)>;

fn parse_file(report: &mut Report<'_>, known: PartlyKnown<'_>, rules: &mut Vec<Rule>, names: &mut Names) {
    let Some(document) = report.document() else { return };
    report.refuse_unknown(document.get_ref(), "", &["rule"], &[]);
    let Some(list) = document.get_ref().get("rule") else { return };
    let DeValue::Array(list) = list.get_ref() else {
        report.wrong_type(list, "rule", "a list of rules, each under a line `[[rule]]`");
        return;
    };
    for entry in list {
        let DeValue::Table(table) = entry.get_ref() else {
            report.wrong_type(entry, "rule", "a table");
            continue;
        };
        if rules.len() == RULES_MAX {
            report.error(&entry.span(), "", format!("more than {RULES_MAX} rules"), "");
            return;
        }
        rules.extend(parse_rule(report, known, table, &entry.span(), names));
    }
}

fn parse_rule(
    report: &mut Report<'_>,
    known: PartlyKnown<'_>,
    table: &DeTable<'_>,
    at: &Range<usize>,
    names: &mut Names,
) -> Option<Rule> {
    let errors_before = report.errors();
    report.refuse_unknown(table, "", &KEYS, &LATER_KEYS);
    let name = parse_name(report, table, at, names);
    let mode = parse_mode(report, table);
    let max_event_age_ms = parse_duration(report, table, "max_event_age", DEFAULT_MAX_EVENT_AGE_MS);
    let max_calls = parse_max_calls(report, table);
    let expires_ms = parse_duration(report, table, "expires", DEFAULT_EXPIRES_MS);
    let dialect = parse_dialect(report, table);
    let pattern = parse_match(report, table, at, dialect);
    let step = step::parse(report, known, table, mode, &reads::OfRule::new(pattern.as_ref()));
    if report.errors() > errors_before {
        return None;
    }
    Some(Rule {
        name: name?,
        path: report.file.path.clone(),
        line: report.line(at),
        mode,
        pattern: pattern?,
        step,
        max_event_age_ms,
        max_calls,
        expires_ms,
    })
}

fn parse_name(
    report: &mut Report<'_>,
    table: &DeTable<'_>,
    at: &Range<usize>,
    names: &mut Names,
) -> Option<String> {
    if !table.contains_key("name") {
        report.error(at, "name", "a rule needs a name", "add for example `name = \"rerun-failed-etl\"`");
    }
    let (name, span) = report.text(table, "", "name")?;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(allowed) {
        let message =
            format!("expected 1 to {NAME_CHARS_MAX} characters of a-z, 0-9, `.`, `_`, `-`, found \"{name}\"");
        report.error(&span, "name", message, "");
    }
    let line = report.line(&span);
    match names.entry(name.to_owned()) {
        Entry::Vacant(entry) => {
            entry.insert((report.file.path.clone(), line));
        }
        Entry::Occupied(first) => {
            let (path, line) = first.get();
            let message = format!("the rule \"{name}\" is defined twice");
            report.error(&span, "name", message, format!("the other one is at {path}:{line}; rename one"));
        }
    }
    Some(name.to_owned())
}

fn parse_mode(report: &mut Report<'_>, table: &DeTable<'_>) -> Mode {
    let Some((text, span)) = report.text(table, "", "mode") else { return Mode::default() };
    Mode::ALL.into_iter().find(|mode| mode.as_str() == text).unwrap_or_else(|| {
        let help = nearest(text, Mode::ALL.map(Mode::as_str)).map(|mode| format!("did you mean \"{mode}\"?"));
        let message = format!("expected \"observe\", \"approve\" or \"live\", found \"{text}\"");
        report.error(&span, "mode", message, help.unwrap_or_default());
        Mode::default()
    })
}

fn parse_max_calls(report: &mut Report<'_>, table: &DeTable<'_>) -> u32 {
    let Some(value) = table.get("max_calls") else { return DEFAULT_MAX_CALLS };
    let DeValue::Integer(integer) = value.get_ref() else {
        report.wrong_type(value, "max_calls", "an integer");
        return DEFAULT_MAX_CALLS;
    };
    let calls = u32::from_str_radix(integer.as_str(), integer.radix()).ok();
    calls.filter(|calls| (1..=CALLS_MAX).contains(calls)).unwrap_or_else(|| {
        report.error(&value.span(), "max_calls", format!("expected an integer from 1 to {CALLS_MAX}"), "");
        DEFAULT_MAX_CALLS
    })
}

fn parse_duration(report: &mut Report<'_>, table: &DeTable<'_>, name: &str, default_ms: i64) -> i64 {
    let Some((text, span)) = report.text(table, "", name) else { return default_ms };
    duration_ms(text).unwrap_or_else(|| {
        let message = format!(
            "expected a whole number with a unit, from \"1s\" to \"{DURATION_DAYS_MAX}d\", found \"{text}\""
        );
        report.error(&span, name, message, "for example \"90s\", \"30m\", \"1h\" or \"7d\"");
        default_ms
    })
}

pub(super) fn duration_ms(text: &str) -> Option<i64> {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let unit = text.chars().next_back()?;
    let unit_ms = match unit {
        's' => 1000,
        'm' => 60 * 1000,
        'h' => 60 * 60 * 1000,
        'd' => DAY_MS,
        _ => return None,
    };
    let count = text.strip_suffix(unit)?;
    if !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let duration = count.parse::<i64>().ok()?.checked_mul(unit_ms)?;
    (1..=DURATION_DAYS_MAX * DAY_MS).contains(&duration).then_some(duration)
}

fn parse_dialect(report: &mut Report<'_>, table: &DeTable<'_>) -> Option<Dialect> {
    let (text, span) = report.text(table, "", "dialect")?;
    let dialect = Dialect::from_text(text);
    if dialect.is_none() {
        let message = format!("expected \"aws\" or \"alibaba\", found \"{text}\"");
        report.error(
            &span,
            "dialect",
            message,
            "leave it out if the pattern need not be valid for another bus",
        );
    }
    dialect
}

/// Where the JSON text that was written at `span` begins; an escape within it would move what follows.
pub(crate) fn json_start(file: &str, span: &Range<usize>, text: &str) -> usize {
    let written = file.get(span.clone()).and_then(|written| written.find(text));
    span.start + written.unwrap_or(0)
}

fn parse_match(
    report: &mut Report<'_>,
    table: &DeTable<'_>,
    at: &Range<usize>,
    dialect: Option<Dialect>,
) -> Option<Pattern> {
    let Some(value) = table.get("match") else {
        let help = "add for example `match = { code = \"instance-status-changes\", status = \"Failure\" }`";
        report.error(at, "match", "a rule needs a pattern", help);
        return None;
    };
    let (item, form) = match value.get_ref() {
        DeValue::String(text) => {
            match Item::of_json(text, json_start(&report.file.text, &value.span(), text)) {
                Ok(item) => (item, Form::Json),
                Err(error) => {
                    let message = format!("the text is no JSON: {}", error.message);
                    report.error(&(error.at..error.at), "match", message, "");
                    return None;
                }
            }
        }
        DeValue::Table(_) => (Item::of_toml(value), Form::Toml),
        _ => {
            report.wrong_type(value, "match", "a table, or a pattern as JSON text");
            return None;
        }
    };
    let mut findings = Findings::new(dialect);
    let pattern = compile::of_item(&item, form, &mut findings);
    if let (Some(pattern), ItemKind::Map(entries)) = (&pattern, &item.kind) {
        pattern::lint::event_pattern(entries, pattern, &mut findings);
    }
    for finding in findings.list {
        let problem = finding.problem;
        let key = if problem.key.is_empty() { "match".to_owned() } else { dotted("match", &problem.key) };
        report.add(finding.severity, &problem.span, &key, problem.message, problem.help);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_a_unit() {
        for (text, expected) in [
            ("90s", Some(90_000)),
            ("30m", Some(1_800_000)),
            ("1h", Some(3_600_000)),
            ("7d", Some(604_800_000)),
            ("366d", Some(31_622_400_000)),
            ("367d", None),
            ("0s", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("+1s", None),
            ("1.5h", None),
            ("1 h", None),
            ("1w", None),
            ("1µ", None),
            ("99999999999999999999d", None),
        ] {
            assert_eq!(duration_ms(text), expected, "{text}");
        }
    }
}
