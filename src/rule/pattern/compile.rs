//! From a pattern as written to the compiled [`Pattern`].
//!
//! All problems of a pattern are collected, none is repaired silently. In JSON a leaf is always a list;
//! in TOML a scalar means a list of one, a table whose keys are operators is that operator, and
//! `{ null = true }` is null.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use super::alternatives::{ALTERNATIVES_MAX, Alternative, Choice, Draft, TooMany};
use super::decimal::Number;
use super::dialect::{Dialect, Feature};
use super::findings::{Findings, Origins};
use super::item::{DEPTH_MAX, Item, ItemKind, Key};
use super::leaf::{Leaf, Test};
use super::operator;
use super::{Branch, Condition, Or, Pattern, PatternError, PatternProblem};
use crate::diagnostic::Severity;
use crate::rule::field::Field;

/// Bytes of a pattern that is JSON text; no rule file can hold a longer one.
const JSON_BYTES_MAX: usize = 1024 * 1024;
/// Values and operators that Alibaba Cloud EventBridge takes for one field.
const ALIBABA_MEMBERS_MAX: usize = 5;

/// How the pattern is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Toml,
    Json,
}

/// Compiles a pattern written as JSON text; gives the warnings too.
pub(crate) fn of_json(
    text: &str,
    dialect: Option<Dialect>,
) -> Result<(Pattern, Vec<PatternProblem>), PatternError> {
    let refused = |at: usize, message: String| PatternError {
        problems: vec![PatternProblem { span: at..at, key: String::new(), message, help: String::new() }],
    };
    if text.len() > JSON_BYTES_MAX {
        let message = format!("the pattern has {} bytes, at most {JSON_BYTES_MAX} are allowed", text.len());
        return Err(refused(0, message));
    }
    let item = Item::of_json(text, 0)
        .map_err(|error| refused(error.at, format!("the pattern is no JSON: {}", error.message)))?;
    let mut findings = Findings::new(dialect);
    let pattern = of_item(&item, Form::Json, &mut findings);
    let wanted = if pattern.is_some() { Severity::Warning } else { Severity::Error };
    let told = findings.list.into_iter().filter(|finding| finding.severity == wanted);
    let problems = told.map(|finding| finding.problem).collect();
    match pattern {
        Some(pattern) => Ok((pattern, problems)),
        None => Err(PatternError { problems }),
    }
}

/// Compiles a pattern; `None` after an error, which is among the findings.
pub(crate) fn of_item(item: &Item, form: Form, findings: &mut Findings) -> Option<Pattern> {
    let ItemKind::Map(entries) = &item.kind else {
        let found = item.describe();
        findings.error(&item.span, "", format!("expected an object of conditions, found {found}"), "");
        return None;
    };
    if entries.is_empty() {
        let help = "to match every event write `specversion = [{ exists = true }, { exists = false }]`";
        findings.error(&item.span, "", "an empty pattern would match every event", help);
    }
    let mut draft = Draft::default();
    let mut compiler = Compiler { form, findings };
    compiler.branch(entries, &mut draft, "", 0);
    let settled = compiler.few_enough(draft.settled(), &item.span);
    if settled.as_ref().is_some_and(|draft| draft.combinations() > ALTERNATIVES_MAX) {
        findings.uses(Feature::ManyCombinations, &item.span, "$or");
    }
    if findings.has_errors() {
        return None;
    }
    let Draft { mut common, choices: drafted } = settled?;
    order_by_cost(&mut common);
    let apart = |Choice { at, alternatives }: Choice| -> (Or, Vec<Origins>) {
        let each = alternatives.into_iter().map(|Alternative { mut branch, origins }| {
            order_by_cost(&mut branch);
            (branch, origins)
        });
        let (alternatives, origins) = each.unzip();
        (Or { at, alternatives }, origins)
    };
    let choices;
    (choices, findings.origins) = drafted.into_iter().map(apart).unzip();
    Some(Pattern { common, choices, expressions: findings.expressions })
}

struct Compiler<'f> {
    form: Form,
    findings: &'f mut Findings,
}

impl Compiler<'_> {
    /// The conditions of an object at `path`, which has `depth` names.
    fn branch(&mut self, entries: &[(Key, Item)], draft: &mut Draft, path: &str, depth: usize) {
        let mut seen = HashSet::new();
        for (key, value) in entries {
            let key_path = joined(path, &key.text);
            if !self.findings.count(&key.span, &key_path) {
                return;
            }
            if !seen.insert(key.text.as_str()) {
                let help = "one path stands once; its alternatives are one list";
                self.findings.error(&key.span, &key_path, "duplicate key", help);
            } else if key.text == "$or" {
                self.or(key, value, draft, path, depth);
            } else if key.text.split('.').any(|name| name == "$or") {
                let help = "write `\"$or\" = [...]` inside of the field's own table";
                self.findings.error(&key.span, &key_path, "`$or` stands in a path", help);
            } else {
                self.entry(key, value, draft, &key_path, depth);
            }
        }
    }

    fn or(&mut self, key: &Key, value: &Item, draft: &mut Draft, path: &str, depth: usize) {
        let key_path = joined(path, "$or");
        self.findings.uses(Feature::Or, &key.span, &key_path);
        let alternatives = match &value.kind {
            ItemKind::List(alternatives) if alternatives.len() >= 2 => alternatives.as_slice(),
            ItemKind::List(alternatives) => {
                let message = format!("expected two alternatives or more, found {}", alternatives.len());
                self.findings.error(&value.span, &key_path, message, "");
                return;
            }
            _ => {
                let message = format!("expected a list of alternatives, found {}", value.describe());
                self.findings.error(&value.span, &key_path, message, "");
                return;
            }
        };
        if draft.choices.iter().any(|other| other.at == key_path) {
            let help = "nested and dotted keys are the same path; one of the two can stand in the other's alternatives";
            self.findings.error(&key.span, &key_path, "duplicate path", help);
        }
        if depth >= DEPTH_MAX {
            self.too_deep(key);
            return;
        }
        let mut choice = Choice { at: key_path.clone(), alternatives: Vec::new() };
        for alternative in alternatives {
            if !self.findings.count(&alternative.span, &key_path) {
                return;
            }
            match &alternative.kind {
                ItemKind::Map(entries) if !entries.is_empty() => {
                    let mut inner = Draft::default();
                    // An alternative counts as a level, so that nothing nests without end.
                    self.branch(entries, &mut inner, path, depth + 1);
                    let flattened = self.few_enough(inner.flattened(), &alternative.span);
                    choice.alternatives.extend(flattened.into_iter().flatten().map(|mut made| {
                        made.origins.push(alternative.span.clone());
                        made
                    }));
                }
                _ => {
                    let message =
                        format!("expected an object of conditions, found {}", alternative.describe());
                    self.findings.error(&alternative.span, &key_path, message, "");
                }
            }
        }
        draft.choices.push(choice);
    }

    fn few_enough<T>(&mut self, made: Result<T, TooMany>, at: &Range<usize>) -> Option<T> {
        made.inspect_err(|_| {
            let message =
                format!("`$or` leads to more than {ALTERNATIVES_MAX} alternatives, or to very large ones");
            self.findings.error(at, "$or", message, "write several rules");
        })
        .ok()
    }

    fn too_deep(&mut self, key: &Key) {
        self.findings.error(&key.span, "", format!("nested deeper than {DEPTH_MAX} levels"), "");
    }

    fn entry(&mut self, key: &Key, value: &Item, draft: &mut Draft, path: &str, depth: usize) {
        let below = depth + key.text.split('.').count();
        if below > DEPTH_MAX {
            self.too_deep(key);
            return;
        }
        match &value.kind {
            ItemKind::Map(entries) if !self.is_operator(entries, value, path) => {
                if entries.is_empty() {
                    let help = "for an object that exists write `{ exists = true }`";
                    self.findings.error(&value.span, path, "an empty object says nothing", help);
                }
                self.branch(entries, draft, path, below);
            }
            _ => {
                let leaf = self.leaf(value, path);
                let condition = descend(&mut draft.common, path);
                if condition.leaves.is_empty() {
                    condition.leaves.push(Arc::new(leaf));
                } else {
                    let help = "nested and dotted keys are the same path";
                    self.findings.error(&key.span, path, "duplicate path", help);
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
                if members.len() > ALIBABA_MEMBERS_MAX {
                    self.findings.uses(Feature::SixMembers, &value.span, path);
                }
                self.members(members, value, &mut leaf, path);
            }
            _ if self.form == Form::Toml => self.member(value, &mut leaf, path),
            _ => {
                let found = value.describe();
                let message = format!("expected a list of values and operators, found {found}");
                self.findings.error(&value.span, path, message, "put it into `[` and `]`");
            }
        }
        leaf.settle();
        leaf
    }

    fn members(&mut self, members: &[Item], list: &Item, leaf: &mut Leaf, path: &str) {
        if members.is_empty() {
            let help = "name at least one value or operator";
            self.findings.error(&list.span, path, "an empty list says nothing", help);
        }
        for member in members {
            self.member(member, leaf, path);
        }
    }

    fn member(&mut self, member: &Item, leaf: &mut Leaf, path: &str) {
        if !self.findings.count(&member.span, path) {
            return;
        }
        match &member.kind {
            ItemKind::Null => leaf.tests.push(Test::Null),
            ItemKind::Bool(value) => leaf.tests.push(Test::Bool(*value)),
            ItemKind::Text(text) => leaf.texts.push(text.as_str().into()),
            ItemKind::Number(text) => match Number::parse(text) {
                Some(number) => leaf.numbers.push(number),
                None => self.findings.error(&member.span, path, "not a number as JSON has them", ""),
            },
            ItemKind::Map(entries) => match entries.as_slice() {
                [(key, operand)] if key.text == "not" => self.not(key, operand, leaf, path),
                _ => operator::parse(entries, member, leaf, path, self.form, self.findings),
            },
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

    /// `not` takes what a field takes, a member or a list of them.
    fn not(&mut self, key: &Key, operand: &Item, leaf: &mut Leaf, path: &str) {
        let path = format!("{path}.not");
        self.findings.uses(Feature::Not, &key.span, &path);
        let mut inner = Leaf::default();
        match &operand.kind {
            ItemKind::List(members) => self.members(members, operand, &mut inner, &path),
            _ => self.member(operand, &mut inner, &path),
        }
        inner.settle();
        if !inner.nots.is_empty() {
            let help = "what is not not so is so: leave both out";
            self.findings.error(&key.span, &path, "a `not` stands in a `not`", help);
        }
        leaf.nots.push(inner);
    }
}

/// The condition at a dotted path from the top, made if it is not there.
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
            leaves: Vec::new(),
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

/// Conditions that need no parsing come first, and those on attributes before those on the payload; then by name, so
/// that equal patterns are equal.
fn order_by_cost(branch: &mut Branch) {
    branch.conditions.sort_by(|one, other| {
        let cost = |condition: &Condition| match condition.field {
            Some(Field::Data) => 2,
            Some(_) => 0,
            None => 1,
        };
        cost(one).cmp(&cost(other)).then_with(|| one.name.cmp(&other.name))
    });
    branch.conditions.iter_mut().filter_map(|condition| condition.below.as_mut()).for_each(order_by_cost);
}
