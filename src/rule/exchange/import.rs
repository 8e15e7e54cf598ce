//! Rules of event buses become rules of ours.
//!
//! Takes the texts of files, gives one rule file, in mode observe. Every pattern is compiled as it will be when the
//! file is read; one that is refused is left out and told. What a rule of a bus has besides its pattern is told too.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::ops::Range;

use super::source::{self, BusRule};
use super::text::pretty;
use crate::diagnostic::{Diagnostic, Lines, Place, Severity};
use crate::escape::Escaped;
use crate::rule::parse::NAME_CHARS_MAX;
use crate::rule::pattern::compile::{self, Form};
use crate::rule::pattern::findings::Findings;
use crate::rule::pattern::item::{Item, ItemKind, Key};
use crate::rule::pattern::{Dialect, PatternProblem};

/// Characters of a description that are kept.
const DESCRIPTION_CHARS_MAX: usize = 1_000;
/// The name of a rule whose own has no character that ours may have.
const NAMELESS: &str = "imported";
/// What matches every event, since an empty pattern is refused.
const MATCH_ALL: &str = r#"{"specversion": [{"exists": true}, {"exists": false}]}"#;

/// Reads rules of buses, file by file.
#[derive(Debug, Default)]
pub struct Importer {
    dialect: Option<Dialect>,
    names: HashSet<String>,
    made: Imported,
}

/// What was made of all files.
#[derive(Debug, Default)]
pub struct Imported {
    /// The rule file.
    pub text: String,
    /// Rules in it.
    pub rules: usize,
    /// What was left out: errors.
    pub left_out: usize,
    /// Everything that a person should know.
    pub problems: Vec<Diagnostic>,
}

/// The file that is being read.
struct File<'f> {
    name: &'f str,
    text: &'f str,
    lines: Lines<'f>,
}

impl Importer {
    /// Reads patterns of the bus `dialect`; without it, what is read tells which bus it is from.
    #[must_use]
    pub fn new(dialect: Option<Dialect>) -> Self {
        Importer { dialect, ..Importer::default() }
    }

    /// Reads one file, called `file`; a bare pattern in it becomes a rule called `stem`.
    pub fn add(&mut self, file: &str, stem: &str, text: &str) {
        let told_before = self.made.problems.len();
        self.read(&File { name: file, text, lines: Lines::new(text) }, stem);
        if let Some(told) = self.made.problems.get_mut(told_before..) {
            told.sort_by_key(|problem| problem.place.as_ref().map(|place| (place.line, place.column)));
        }
    }

    fn read(&mut self, file: &File<'_>, stem: &str) {
        let document = match Item::of_json(file.text, 0) {
            Ok(document) => document,
            Err(error) => {
                self.leave_out(file, &(error.at..error.at), "", format!("not JSON: {}", error.message), "");
                return;
            }
        };
        let found = source::find(&document);
        for rule in &found.rules {
            self.rule(file, stem, rule);
        }
        for refused in found.refused {
            self.leave_out(file, &refused.span, refused.name.unwrap_or(""), refused.message, refused.help);
        }
        for span in found.unfinished {
            let message = "the list goes on: it has a NextToken".to_owned();
            let help = "export the following pages too, each into a file".to_owned();
            self.tell(Severity::Error, file, &span, "", message, help);
        }
    }

    /// All of it.
    #[must_use]
    pub fn finish(self) -> Imported {
        self.made
    }

    fn rule(&mut self, file: &File<'_>, stem: &str, rule: &BusRule<'_>) {
        let title = rule.name.unwrap_or(stem);
        // The places within a text in a string are not those of the file.
        let (pattern, within) = match &rule.pattern.kind {
            ItemKind::Text(text) => match Item::of_json(text, 0) {
                Ok(item) => (item, Some(&rule.span)),
                Err(error) => {
                    let Place { line, column, .. } = Place::of_byte(text, error.at);
                    let what = error.message;
                    let message =
                        format!("the pattern is no JSON: {what} at line {line} column {column} of it");
                    self.leave_out(file, &rule.span, title, message, "");
                    return;
                }
            },
            _ => (rule.pattern.clone(), None),
        };
        let place_of = |span: &Range<usize>| within.unwrap_or(span).clone();
        let functions = template_functions(&pattern);
        if !functions.is_empty() {
            for function in functions {
                let message = format!("`{}` is a function of the template", function.text);
                let help = "put its value in".to_owned();
                self.tell(Severity::Error, file, &place_of(&function.span), title, message, help);
            }
            self.made.left_out += 1;
            return;
        }
        let bus = self.dialect.or(rule.bus).or_else(|| names_of_aws(&pattern).then_some(Dialect::Aws));
        let mut told: Vec<(Range<usize>, String)> =
            rule.besides.iter().map(|what| (rule.span.clone(), what.clone())).collect();
        let pattern = match &pattern.kind {
            ItemKind::Map(entries) if entries.is_empty() => {
                told.push((
                    place_of(&pattern.span),
                    "it matches every event; that is written out".to_owned(),
                ));
                Item::of_json(MATCH_ALL, 0).unwrap_or(pattern)
            }
            ItemKind::Map(entries) if bus == Some(Dialect::Aws) => {
                told.extend(amazons(entries).map(|(span, what)| (place_of(&span), what)));
                Item { span: pattern.span.clone(), kind: ItemKind::Map(renamed(entries)) }
            }
            _ => pattern,
        };
        let mut findings = Findings::new(None);
        if compile::of_item(&pattern, Form::Json, &mut findings).is_none() {
            for finding in findings.list.into_iter().filter(|finding| finding.severity == Severity::Error) {
                let problem = finding.problem;
                let parts = [title, problem.key.as_str()].into_iter().filter(|part| !part.is_empty());
                let key = parts.collect::<Vec<_>>().join(": ");
                self.tell(
                    Severity::Error,
                    file,
                    &place_of(&problem.span),
                    &key,
                    problem.message,
                    problem.help,
                );
            }
            self.made.left_out += 1;
            return;
        }
        // The form of Alibaba Cloud's is that of our own exports too: it alone does not tell the bus.
        let source = self.dialect.or(bus.filter(|bus| *bus == Dialect::Aws));
        for problem in source.iter().flat_map(|bus| refused_by(*bus, &pattern)) {
            let key = format!("{title}: {}", problem.key);
            let help = "it may be written for another bus, and works here all the same".to_owned();
            let message = format!("the bus itself would have refused it: {}", problem.message);
            self.tell(Severity::Warning, file, &place_of(&problem.span), &key, message, help);
        }
        for (span, what) in told {
            self.tell(Severity::Warning, file, &span, title, what, String::new());
        }
        let name = self.name_for(title);
        self.write(file, title, &name, rule.description, &pattern);
    }

    fn write(&mut self, file: &File<'_>, title: &str, name: &str, description: Option<&str>, pattern: &Item) {
        let text = &mut self.made.text;
        if !text.is_empty() {
            text.push('\n');
        }
        // Writing into a String cannot fail.
        let _ = writeln!(text, "# Imported from {}: {}", Escaped(file.name), Escaped(title));
        let description =
            description.map(|text| text.chars().take(DESCRIPTION_CHARS_MAX).collect::<String>());
        for line in description.iter().flat_map(|text| text.lines()) {
            let _ = writeln!(text, "# {}", Escaped(line));
        }
        let _ = writeln!(text, "[[rule]]\nname = \"{name}\"\nmode = \"observe\"\nmatch = '''");
        let _ = writeln!(text, "{}'''", for_toml(pretty(pattern, 0)));
        self.made.rules += 1;
    }

    /// A name of ours for what is called `title`, that no other rule has.
    fn name_for(&mut self, title: &str) -> String {
        let mut name = String::new();
        for character in title.chars().map(|character| character.to_ascii_lowercase()) {
            match character {
                'a'..='z' | '0'..='9' | '.' | '_' => name.push(character),
                _ if name.is_empty() || name.ends_with('-') => {}
                _ => name.push('-'),
            }
        }
        let name = name.trim_end_matches('-');
        let name = if name.is_empty() { NAMELESS } else { name };
        let shortened = |room: usize| name.get(..room.min(name.len())).unwrap_or(name);
        let mut unique = shortened(NAME_CHARS_MAX).to_owned();
        let mut number = 1_u32;
        while !self.names.insert(unique.clone()) {
            number = number.saturating_add(1);
            let suffix = format!("-{number}");
            unique = format!("{}{suffix}", shortened(NAME_CHARS_MAX - suffix.len()));
        }
        unique
    }

    fn leave_out(&mut self, file: &File<'_>, span: &Range<usize>, key: &str, message: String, help: &str) {
        self.made.left_out += 1;
        self.tell(Severity::Error, file, span, key, message, help.to_owned());
    }

    fn tell(
        &mut self,
        severity: Severity,
        file: &File<'_>,
        span: &Range<usize>,
        key: &str,
        message: String,
        help: String,
    ) {
        let place = Some(file.lines.place(span.start));
        let key = Escaped(key).to_string();
        self.made.problems.push(Diagnostic {
            file: file.name.to_owned(),
            place,
            key,
            message,
            help,
            severity,
        });
    }
}

/// What cannot stand in TOML's `'''` text is written as JSON can write it too.
fn for_toml(json: String) -> String {
    if json.contains("'''") || json.contains('\u{7f}') {
        json.replace('\'', "\\u0027").replace('\u{7f}', "\\u007f")
    } else {
        json
    }
}

/// What `CloudFormation` would put values in for: `{"Ref": "Name"}`, `{"Fn::Sub": ...}`.
fn template_functions(item: &Item) -> Vec<&Key> {
    match &item.kind {
        ItemKind::Map(entries) => match entries.as_slice() {
            [(key, Item { kind: ItemKind::Text(_), .. })] if key.text == "Ref" => vec![key],
            [(key, _)] if key.text.starts_with("Fn::") => vec![key],
            _ => entries.iter().flat_map(|(_, value)| template_functions(value)).collect(),
        },
        ItemKind::List(members) => members.iter().flat_map(template_functions).collect(),
        _ => Vec::new(),
    }
}

/// What a bus would not have taken of a pattern that is valid here.
fn refused_by(bus: Dialect, pattern: &Item) -> Vec<PatternProblem> {
    let mut findings = Findings::new(Some(bus));
    compile::of_item(pattern, Form::Json, &mut findings);
    let errors = findings.list.into_iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| finding.problem).collect()
}

/// Whether a pattern has names that only events of Amazon EventBridge have.
fn names_of_aws(pattern: &Item) -> bool {
    let ItemKind::Map(entries) = &pattern.kind else { return false };
    entries.iter().any(|(key, value)| match &value.kind {
        ItemKind::List(alternatives) if key.text == "$or" => alternatives.iter().any(names_of_aws),
        _ => matches!(key.text.split('.').next(), Some("detail" | "detail-type")),
    })
}

/// The entries with our names for what Amazon EventBridge calls otherwise.
fn renamed(entries: &[(Key, Item)]) -> Vec<(Key, Item)> {
    let entry = |(key, value): &(Key, Item)| {
        let (first, rest) = key.text.split_at(key.text.find('.').unwrap_or(key.text.len()));
        let text = match first {
            "detail" => format!("data{rest}"),
            "detail-type" => format!("type{rest}"),
            _ => key.text.clone(),
        };
        let value = match &value.kind {
            ItemKind::List(alternatives) if key.text == "$or" => {
                let alternatives = alternatives.iter().map(|one| match &one.kind {
                    ItemKind::Map(inner) => {
                        Item { span: one.span.clone(), kind: ItemKind::Map(renamed(inner)) }
                    }
                    _ => one.clone(),
                });
                Item { span: value.span.clone(), kind: ItemKind::List(alternatives.collect()) }
            }
            _ => value.clone(),
        };
        (Key { span: key.span.clone(), text }, value)
    };
    entries.iter().map(entry).collect()
}

/// Names at the top that mean something else here.
fn amazons(entries: &[(Key, Item)]) -> impl Iterator<Item = (Range<usize>, String)> {
    entries.iter().filter_map(|(key, _)| {
        let what = match key.text.as_str() {
            "account" => "the account is Amazon's there, Alibaba Cloud's here",
            "region" => "the region is Amazon's there, Alibaba Cloud's here",
            "resources" | "version" => "no event has it here, so the rule will not match",
            _ => return None,
        };
        Some((key.span.clone(), format!("{}: {what}", key.text)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ours_and_unique() {
        let mut importer = Importer::default();
        for (title, expected) in [
            ("Rerun Failed ETL", "rerun-failed-etl"),
            ("rerun_failed.etl", "rerun_failed.etl"),
            ("rerun--failed!!etl!", "rerun-failed-etl-2"),
            ("补数据", "imported"),
            ("", "imported-2"),
        ] {
            assert_eq!(importer.name_for(title), expected, "{title}");
        }
        let long = "x".repeat(200);
        assert_eq!(importer.name_for(&long).len(), NAME_CHARS_MAX);
        let second = importer.name_for(&long);
        assert!(second.len() == NAME_CHARS_MAX && second.ends_with("x-2"), "{second}");
    }
}
