//! From a pattern as written to the compiled [`Pattern`].
//!
//! All problems of a pattern are collected, none is repaired silently. In JSON a leaf is always a list;
//! in TOML a scalar means a list of one, a table whose keys are operators is that operator, and
//! `{ null = true }` is null.

use std::ops::Range;

use crate::diagnostic::{Severity, nearest};
use crate::rule::decimal::Number;
use crate::rule::field::{Field, KNOWN_EXTENSIONS, Shape};
use crate::rule::item::{DEPTH_MAX, Item, ItemKind, Key};
use crate::rule::operator;
use crate::rule::pattern::{Branch, Condition, Leaf, Pattern, PatternError, PatternProblem, Test};

/// Values and operators that one pattern may hold.
pub(crate) const MEMBERS_MAX: usize = 10_000;

/// How the pattern is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Toml,
    Json,
}

/// One finding with its place.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) span: Range<usize>,
    pub(crate) problem: PatternProblem,
}

/// Collects what is wrong with one pattern.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) list: Vec<Finding>,
    members: usize,
}

impl Findings {
    pub(crate) fn error(
        &mut self,
        at: &Range<usize>,
        key: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Severity::Error, at, key, message.into(), help.into());
    }

    pub(crate) fn warning(
        &mut self,
        at: &Range<usize>,
        key: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Severity::Warning, at, key, message.into(), help.into());
    }

    fn add(&mut self, severity: Severity, at: &Range<usize>, key: &str, message: String, help: String) {
        let problem = PatternProblem { key: key.to_owned(), message, help };
        self.list.push(Finding { severity, span: at.clone(), problem });
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.list.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Compiles a pattern written as JSON text.
pub(crate) fn of_json(text: &str) -> Result<Pattern, PatternError> {
    let whole = 0..text.len();
    let item = Item::of_json(text, &whole).map_err(|message| PatternError {
        problems: vec![PatternProblem {
            key: String::new(),
            message: format!("the pattern is no JSON: {message}"),
            help: String::new(),
        }],
    })?;
    let mut findings = Findings::default();
    let pattern = of_item(&item, Form::Json, &mut findings);
    let errors = findings.list.into_iter().filter(|finding| finding.severity == Severity::Error);
    pattern.ok_or_else(|| PatternError { problems: errors.map(|finding| finding.problem).collect() })
}

/// Compiles a pattern; `None` after an error, which is among the findings.
pub(crate) fn of_item(item: &Item, form: Form, findings: &mut Findings) -> Option<Pattern> {
    let ItemKind::Map(entries) = &item.kind else {
        let found = item.describe();
        findings.error(&item.span, "", format!("expected an object of conditions, found {found}"), "");
        return None;
    };
    let mut root = Branch::default();
    if entries.is_empty() {
        let help = "to match every event write `specversion = [{ exists = true }, { exists = false }]`";
        findings.error(&item.span, "", "an empty pattern would match every event", help);
    }
    Compiler { form, findings }.branch(entries, &mut root, "", 0);
    if findings.has_errors() {
        return None;
    }
    order_by_cost(&mut root);
    Some(Pattern { root })
}

struct Compiler<'f> {
    form: Form,
    findings: &'f mut Findings,
}

impl Compiler<'_> {
    fn branch(&mut self, entries: &[(Key, Item)], branch: &mut Branch, path: &str, depth: usize) {
        for (place, (key, value)) in entries.iter().enumerate() {
            let key_path = joined(path, &key.text);
            if key.text == "$or" {
                let help = "write one rule for each alternative";
                self.findings.error(&key.span, &key_path, "`$or` comes in a later version", help);
            } else if entries.iter().take(place).any(|(other, _)| other.text == key.text) {
                let help = "one path stands once; its alternatives are one list";
                self.findings.error(&key.span, &key_path, "duplicate key", help);
            } else {
                self.entry(key, value, branch, &key_path, depth);
            }
        }
    }

    fn entry(&mut self, key: &Key, value: &Item, branch: &mut Branch, path: &str, depth: usize) {
        let below = depth + key.text.split('.').count();
        if below > DEPTH_MAX {
            self.findings.error(&key.span, "", format!("nested deeper than {DEPTH_MAX} levels"), "");
            return;
        }
        let condition = descend(branch, &key.text);
        match &value.kind {
            ItemKind::Map(entries) if !self.is_operator(entries, value, path) => {
                if entries.is_empty() {
                    let help = "for an object that exists write `{ exists = true }`";
                    self.findings.error(&value.span, path, "an empty object says nothing", help);
                }
                let inner = condition.below.get_or_insert_default();
                self.branch(entries, inner, path, below);
            }
            _ => {
                let leaf = self.leaf(value, path);
                if condition.leaf.is_some() {
                    let help = "nested and dotted keys are the same path";
                    self.findings.error(&key.span, path, "duplicate path", help);
                } else {
                    condition.leaf = Some(leaf);
                }
            }
        }
    }

    /// In TOML a table outside a list is an operator if its keys are operators, else nested fields.
    fn is_operator(&mut self, entries: &[(Key, Item)], value: &Item, path: &str) -> bool {
        if self.form == Form::Json || entries.is_empty() {
            return false;
        }
        let operators = entries.iter().filter(|(key, _)| operator::is_name(&key.text)).count();
        if operators > 0 && operators < entries.len() {
            let help = format!(
                "a field with the name of an operator is written with its path in quotes: `\"{path}.{}\" = ...`",
                entries.iter().find(|(key, _)| operator::is_name(&key.text)).map_or("", |(key, _)| &key.text)
            );
            self.findings.error(&value.span, path, "operators and fields stand in one table", help);
        }
        if let ([(key, _)], 0) = (entries, operators)
            && let Some(meant) = operator::nearly(&key.text)
        {
            let help = format!("if you mean the operator, write `{meant}`");
            self.findings.warning(&key.span, path, format!("taken as a field called `{}`", key.text), help);
        }
        operators == entries.len()
    }

    fn leaf(&mut self, value: &Item, path: &str) -> Leaf {
        let mut leaf = Leaf::default();
        match &value.kind {
            ItemKind::List(members) => {
                if members.is_empty() {
                    let help = "name at least one value or operator";
                    self.findings.error(&value.span, path, "an empty list matches nothing", help);
                }
                for member in members {
                    self.member(member, &mut leaf, path);
                }
            }
            _ if self.form == Form::Toml => self.member(value, &mut leaf, path),
            _ => {
                let found = value.describe();
                let message = format!("expected a list of values and operators, found {found}");
                self.findings.error(&value.span, path, message, "put it into `[` and `]`");
            }
        }
        leaf.texts.sort_unstable();
        leaf.texts.dedup();
        leaf.numbers.sort_by(|left, right| left.as_decimal().compare(&right.as_decimal()));
        leaf.numbers.dedup_by(|left, right| left.as_decimal().compare(&right.as_decimal()).is_eq());
        leaf.tests.sort_by_key(Test::cost);
        leaf
    }

    fn member(&mut self, member: &Item, leaf: &mut Leaf, path: &str) {
        self.findings.members += 1;
        if self.findings.members == MEMBERS_MAX + 1 {
            let message = format!("more than {MEMBERS_MAX} values and operators in one pattern");
            self.findings.error(&member.span, path, message, "split the rule");
        }
        match &member.kind {
            ItemKind::Null => leaf.tests.push(Test::Null),
            ItemKind::Bool(value) => leaf.tests.push(Test::Bool(*value)),
            ItemKind::Text(text) => leaf.texts.push(text.as_str().into()),
            ItemKind::Number(text) => match Number::parse(text) {
                Some(number) => leaf.numbers.push(number),
                None => self.findings.error(&member.span, path, "the number's exponent is too long", ""),
            },
            ItemKind::Map(entries) => {
                operator::parse(entries, member, leaf, path, self.form, self.findings);
            }
            ItemKind::List(_) => {
                let help = "one list for all alternatives; lists in events are looked through in any case";
                self.findings.error(&member.span, path, "a list stands in a list", help);
            }
            ItemKind::Foreign(what) => {
                let message = format!("{what} is not a value of events");
                self.findings.error(
                    &member.span,
                    path,
                    message,
                    "write it as events write it, as text or number",
                );
            }
        }
    }
}

/// The condition at a dotted path, made if it is not there.
fn descend<'b>(branch: &'b mut Branch, path: &str) -> &'b mut Condition {
    let (name, rest) = match path.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    };
    let place = branch.conditions.iter().position(|condition| &*condition.name == name);
    let place = place.unwrap_or_else(|| {
        branch.conditions.push(Condition {
            name: name.into(),
            field: Field::from_name(name),
            leaf: None,
            below: None,
        });
        branch.conditions.len() - 1
    });
    #[expect(clippy::indexing_slicing, reason = "the place was just found or pushed")]
    let condition = &mut branch.conditions[place];
    match rest {
        None => condition,
        Some(rest) => descend(condition.below.get_or_insert_default(), rest),
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Conditions that need no parsing come first, and those on attributes before those on the payload.
fn order_by_cost(root: &mut Branch) {
    root.conditions.sort_by_key(|condition| match condition.field {
        Some(Field::Data) => 2,
        Some(_) => 0,
        None => 1,
    });
}

/// Warns of conditions at the top of a rule's pattern that no event can meet.
pub(crate) fn lint_event_pattern(entries: &[(Key, Item)], pattern: &Pattern, findings: &mut Findings) {
    for condition in &pattern.root.conditions {
        let is_here = |key: &&(Key, Item)| key.0.text.split('.').next() == Some(&*condition.name);
        let Some((key, _)) = entries.iter().find(is_here) else { continue };
        match condition.field {
            Some(field) => lint_field(field, condition, key, findings),
            None if KNOWN_EXTENSIONS.contains(&&*condition.name) => {}
            None => {
                let names = Field::ALL.into_iter().map(Field::name).chain(KNOWN_EXTENSIONS);
                let help = match nearest(&condition.name, names) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => "fields of the payload stand under `data`".to_owned(),
                };
                let message = "not an attribute of events; only an extension attribute can have this name";
                findings.warning(&key.span, &condition.name, message, help);
            }
        }
    }
}

fn lint_field(field: Field, condition: &Condition, key: &Key, findings: &mut Findings) {
    let Some(leaf) = &condition.leaf else {
        if field != Field::Data {
            let message = "a plain value: nothing stands below it";
            findings.warning(&key.span, field.name(), message, "fields of the payload stand under `data`");
        }
        return;
    };
    match field.shape() {
        Shape::Integer if !leaf.texts.is_empty() => {
            let help = "write it without quotes";
            findings.warning(&key.span, field.name(), "a number in every event: text never matches", help);
        }
        Shape::Text if !leaf.numbers.is_empty() => {
            let help = "write it in quotes";
            findings.warning(&key.span, field.name(), "text in every event: a number never matches", help);
        }
        _ => {}
    }
    if field.is_list() && leaf.tests.iter().any(|test| matches!(test, Test::AnythingBut(_))) {
        let message = "a list: one element outside the set is enough for `anything-but`";
        findings.warning(&key.span, field.name(), message, "");
    }
    let Some(known) = field.all_texts() else { return };
    for text in leaf.texts.iter().filter(|text| !known.contains(&&***text)) {
        let help = match nearest(text, known.iter().copied()) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => format!("one of {}", known.join(", ")),
        };
        findings.warning(&key.span, field.name(), format!("no event has the value \"{text}\""), help);
    }
}
