//! The patterns of our rules in the form that a bus takes.
//!
//! Takes a rule set, whose files keep what was written; gives JSON by rule name. What the bus lacks, and what has no
//! meaning there, is told, and its rule left out: a pattern that says something else would be worse than none.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::text::pretty;
use crate::diagnostic::{Diagnostic, Lines, Severity};
use crate::event::{catalogue, payload};
use crate::rule::field::Field;
use crate::rule::parse::json_start;
use crate::rule::pattern::compile::{self, Form};
use crate::rule::pattern::findings::Findings;
use crate::rule::pattern::item::{Item, ItemKind, Key};
use crate::rule::pattern::{Dialect, Pattern, written};
use crate::rule::report::dotted;
use crate::rule::{RuleFile, RuleSet};

/// What was made of a rule set.
#[derive(Debug, Default)]
pub struct Exported {
    /// Name of the rule, and its pattern as JSON text, in rule order.
    pub patterns: Vec<(String, String)>,
    /// Rules that were left out.
    pub left_out: usize,
    /// Why, each with its place.
    pub problems: Vec<Diagnostic>,
}

/// The patterns of all rules of `set`, or of the one called `only`. Without a `dialect` they keep our names and
/// operators.
#[must_use]
pub fn export(set: &RuleSet, only: Option<&str>, dialect: Option<Dialect>) -> Exported {
    let mut exported = Exported::default();
    for file in &set.files {
        let (document, _) = DeTable::parse_recoverable(&file.text);
        let Some(DeValue::Array(rules)) = document.get_ref().get("rule").map(Spanned::get_ref) else {
            continue;
        };
        let lines = Lines::new(&file.text);
        for rule in rules.iter().filter_map(|rule| rule.get_ref().as_table()) {
            let Some(name) = rule.get("name").and_then(|name| name.get_ref().as_str()) else { continue };
            if only.is_some_and(|only| only != name) {
                continue;
            }
            let mut problems = Problems { file, lines: &lines, name, list: Vec::new() };
            match rule.get("match").and_then(|written| one(file, written, dialect, &mut problems)) {
                Some(text) if problems.list.is_empty() => exported.patterns.push((name.to_owned(), text)),
                _ => exported.left_out += 1,
            }
            exported.problems.append(&mut problems.list);
        }
    }
    exported
}

/// The pattern that is `value` as JSON text.
fn one(
    file: &RuleFile,
    value: &Spanned<DeValue<'_>>,
    dialect: Option<Dialect>,
    problems: &mut Problems<'_>,
) -> Option<String> {
    let (item, form) = match value.get_ref() {
        DeValue::String(text) => {
            let start = json_start(&file.text, &value.span(), text);
            (Item::of_json(text, start).ok()?, Form::Json)
        }
        _ => (Item::of_toml(value), Form::Toml),
    };
    let mut item = written::strict(&item, form);
    let mut findings = Findings::of_export(dialect);
    compile::of_item(&item, Form::Json, &mut findings);
    for finding in findings.list.into_iter().filter(|finding| finding.severity == Severity::Error) {
        let problem = finding.problem;
        problems.add(&problem.span, &dotted("match", &problem.key), problem.message, problem.help);
    }
    if let (Some(dialect), ItemKind::Map(entries)) = (dialect, &item.kind) {
        item.kind = ItemKind::Map(Translation { dialect, problems }.entries(entries));
    }
    let text = pretty(&item, 0);
    // Written out, nested objects may come to more levels than a text may have.
    if problems.list.is_empty()
        && let Err(error) = Pattern::parse_json(&text, dialect)
    {
        problems.add(&value.span(), "match", format!("it cannot be written as JSON: {error}"), String::new());
    }
    Some(text)
}

struct Problems<'f> {
    file: &'f RuleFile,
    lines: &'f Lines<'f>,
    name: &'f str,
    list: Vec<Diagnostic>,
}

impl Problems<'_> {
    fn add(&mut self, span: &Range<usize>, key: &str, message: String, help: String) {
        self.list.push(Diagnostic {
            file: self.file.path.clone(),
            place: Some(self.lines.place(span.start)),
            key: format!("{}: {key}", self.name),
            message,
            help,
            severity: Severity::Error,
        });
    }
}

/// From the names of our events to those of a bus.
struct Translation<'p, 'f> {
    dialect: Dialect,
    problems: &'p mut Problems<'f>,
}

impl Translation<'_, '_> {
    /// The conditions on the whole event.
    fn entries(&mut self, entries: &[(Key, Item)]) -> Vec<(Key, Item)> {
        let has = |name: &str| entries.iter().any(|(key, _)| key.text == name);
        if let (true, Some((key, _))) = (has("type"), entries.iter().find(|(key, _)| key.text == "code")) {
            let message = "`code` becomes `type` there, which has conditions of its own".to_owned();
            self.problems.add(&key.span, "match.code", message, "leave one of the two out".to_owned());
            return Vec::new();
        }
        entries.iter().filter_map(|(key, value)| self.entry(key, value)).collect()
    }

    fn entry(&mut self, key: &Key, value: &Item) -> Option<(Key, Item)> {
        if key.text == "$or" {
            let ItemKind::List(alternatives) = &value.kind else { return None };
            let translated = alternatives.iter().map(|one| {
                let ItemKind::Map(inner) = &one.kind else { return one.clone() };
                Item { span: one.span.clone(), kind: ItemKind::Map(self.entries(inner)) }
            });
            let kind = ItemKind::List(translated.collect());
            return Some((key.clone(), Item { span: value.span.clone(), kind }));
        }
        let (first, rest) = key.text.split_at(key.text.find('.').unwrap_or(key.text.len()));
        if is_always_true(value) {
            return Some((key.clone(), value.clone()));
        }
        let named = |name: &str| Key { span: key.span.clone(), text: format!("{name}{rest}") };
        match (Field::from_name(first), self.dialect) {
            (Some(Field::Code), _) if rest.is_empty() => {
                let types = self.types(key, value)?;
                Some((named(self.name_of(Field::Type)), types))
            }
            (Some(Field::Data), Dialect::Aws) => {
                self.refuse_objects(key, &key.text, value);
                Some((named(self.name_of(Field::Data)), value.clone()))
            }
            (Some(field @ (Field::Id | Field::Source | Field::Time | Field::Type | Field::Data)), _) => {
                Some((named(self.name_of(field)), value.clone()))
            }
            (Some(Field::Account), Dialect::Alibaba) => Some((named("aliyunaccountid"), value.clone())),
            (Some(Field::Region), Dialect::Alibaba) => Some((named("aliyunregionid"), value.clone())),
            (Some(Field::Subject | Field::Specversion) | None, Dialect::Alibaba) => {
                Some((key.clone(), value.clone()))
            }
            (None, Dialect::Aws) if matches!(first, "detail" | "detail-type") => {
                let ours = if first == "detail" { "data" } else { "type" };
                let message = format!("no event has `{first}` here: it is written `{ours}`");
                self.refuse(key, message, "the export puts the name of the bus in its place");
                None
            }
            (Some(Field::Subject | Field::Specversion) | None, Dialect::Aws) => {
                let message = if matches!(first, "resources" | "version") {
                    format!("`{first}` is another attribute in events of {}", self.dialect.name())
                } else {
                    format!("events of {} have no attribute `{first}`", self.dialect.name())
                };
                self.refuse(key, message, "it is an attribute of CloudEvents");
                None
            }
            (Some(_), _) => {
                let message =
                    format!("`{first}` is known here only: {} does not have it", self.dialect.name());
                self.refuse(key, message, "say it with a field of the payload, under `data`");
                None
            }
        }
    }

    /// Amazon's `exists` looks at fields that have a value of their own, and at no object.
    fn refuse_objects(&mut self, key: &Key, path: &str, value: &Item) {
        match &value.kind {
            ItemKind::Map(below) => {
                for (inner, value) in below {
                    self.refuse_objects(inner, &dotted(path, &inner.text), value);
                }
            }
            ItemKind::List(alternatives) if key.text == "$or" => {
                let path = path.strip_suffix(".$or").unwrap_or(path);
                for below in alternatives {
                    self.refuse_objects(&Key { span: below.span.clone(), text: String::new() }, path, below);
                }
            }
            ItemKind::List(_) if asks_whether_it_exists(value) && !is_always_true(value) => {
                let is_object = match path.split_once('.') {
                    Some((_, field)) => payload::is_object(field),
                    None => true,
                };
                if is_object {
                    let message = format!(
                        "`exists` of {} looks at no object, and `{path}` is one",
                        self.dialect.name()
                    );
                    self.problems.add(
                        &key.span,
                        &dotted("match", path),
                        message,
                        "ask for a field below it".to_owned(),
                    );
                }
            }
            _ => {}
        }
    }

    fn name_of(&self, field: Field) -> &'static str {
        match (field, self.dialect) {
            (Field::Data, Dialect::Aws) => "detail",
            (Field::Type, Dialect::Aws) => "detail-type",
            _ => field.name(),
        }
    }

    /// The types of events that have the codes.
    fn types(&mut self, key: &Key, codes: &Item) -> Option<Item> {
        let ItemKind::List(members) = &codes.kind else {
            self.refuse(key, "nothing stands below `code`".to_owned(), "");
            return None;
        };
        let mut types = Vec::new();
        for member in members {
            let known = match &member.kind {
                ItemKind::Text(code) => catalogue::by_code(code),
                _ => None,
            };
            let Some(known) = known else {
                let message = format!("only known codes can become a `type`, found {}", member.describe());
                self.refuse(key, message, "name each code, or the `type` itself");
                return None;
            };
            let kind = ItemKind::Text(known.event_type.to_owned());
            types.push(Item { span: member.span.clone(), kind });
        }
        Some(Item { span: codes.span.clone(), kind: ItemKind::List(types) })
    }

    fn refuse(&mut self, key: &Key, message: String, help: &str) {
        self.problems.add(&key.span, &dotted("match", &key.text), message, help.to_owned());
    }
}

/// Whether `exists` is among the members of a list.
fn asks_whether_it_exists(value: &Item) -> bool {
    let ItemKind::List(members) = &value.kind else { return false };
    members.iter().any(|member| match &member.kind {
        ItemKind::Map(entries) => entries.iter().any(|(key, _)| key.text == "exists"),
        _ => false,
    })
}

/// Whether a condition holds whatever the event has, under any name.
fn is_always_true(value: &Item) -> bool {
    let ItemKind::List(members) = &value.kind else { return false };
    let says = |wanted: bool| {
        members.iter().any(|member| match &member.kind {
            ItemKind::Map(entries) => {
                matches!(entries.as_slice(), [(key, Item { kind: ItemKind::Bool(found), .. })]
                if key.text == "exists" && *found == wanted)
            }
            _ => false,
        })
    };
    says(true) && says(false)
}
