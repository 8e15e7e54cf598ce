//! The operators of patterns: their names, and their strict parsing.
//!
//! An operator is an object with one key, a member of a leaf's list. What comes in a later version is
//! known by name, so that its use is refused with a clear word.

use std::cmp::Ordering;

use crate::diagnostic::nearest;
use crate::rule::compile::{Findings, Form};
use crate::rule::decimal::Number;
use crate::rule::item::{Item, ItemKind, Key};
use crate::rule::pattern::{Bound, Excluded, Leaf, Test};

/// The operators that exist.
pub(crate) const NAMES: [&str; 6] = ["prefix", "suffix", "contains", "anything-but", "numeric", "exists"];

/// The operators that will exist.
const LATER: [&str; 5] = ["wildcard", "equals-ignore-case", "cidr", "regex", "not"];

/// Whether a TOML table with this key is an operator.
pub(crate) fn is_name(name: &str) -> bool {
    NAMES.contains(&name) || LATER.contains(&name) || name == "null"
}

/// The operator that a TOML key is one or two slips away from.
pub(crate) fn nearly(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|operator| strsim::damerau_levenshtein(name, operator) <= 2)
}

/// Parses one operator and adds it to the leaf.
pub(crate) fn parse(
    entries: &[(Key, Item)],
    whole: &Item,
    leaf: &mut Leaf,
    path: &str,
    form: Form,
    findings: &mut Findings,
) {
    let [(key, operand)] = entries else {
        let message = format!("an operator has one key, found {}", entries.len());
        findings.error(&whole.span, path, message, "several operators are several members of the list");
        return;
    };
    let key_path = format!("{path}.{}", key.text);
    let mut operator = Operator { operand, path: &key_path, findings };
    match key.text.as_str() {
        "prefix" => leaf.tests.extend(operator.part("prefix").map(Test::Prefix)),
        "suffix" => leaf.tests.extend(operator.part("suffix").map(Test::Suffix)),
        "contains" => leaf.tests.extend(operator.part("contains").map(Test::Contains)),
        "anything-but" => leaf.tests.extend(operator.anything_but().map(Test::AnythingBut)),
        "numeric" => leaf.tests.extend(operator.numeric()),
        "exists" => match operand.kind {
            ItemKind::Bool(true) => leaf.present = true,
            ItemKind::Bool(false) => leaf.absent = true,
            _ => operator.refuse("true or false"),
        },
        "null" if form == Form::Toml => match operand.kind {
            ItemKind::Bool(true) => leaf.tests.push(Test::Null),
            _ => operator.refuse("true"),
        },
        later if LATER.contains(&later) => {
            let message = format!("the operator `{later}` comes in a later version");
            findings.error(&key.span, path, message, "");
        }
        unknown => {
            let help = match nearest(unknown, NAMES) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("the operators are {}", NAMES.join(", ")),
            };
            findings.error(&key.span, path, format!("unknown operator `{unknown}`"), help);
        }
    }
}

struct Operator<'a> {
    operand: &'a Item,
    path: &'a str,
    findings: &'a mut Findings,
}

impl Operator<'_> {
    fn refuse(&mut self, expected: &str) {
        let message = format!("expected {expected}, found {}", self.operand.describe());
        self.findings.error(&self.operand.span, self.path, message, "");
    }

    fn part(&mut self, name: &str) -> Option<Box<str>> {
        match &self.operand.kind {
            ItemKind::Text(text) => {
                if text.is_empty() {
                    let message = format!("an empty `{name}` matches every text");
                    self.findings.warning(&self.operand.span, self.path, message, "");
                }
                Some(text.as_str().into())
            }
            ItemKind::Map(entries) if entries.iter().any(|(key, _)| key.text == "equals-ignore-case") => {
                let message = "the operator `equals-ignore-case` comes in a later version";
                self.findings.error(&self.operand.span, self.path, message, "");
                None
            }
            _ => {
                self.refuse("text");
                None
            }
        }
    }

    fn anything_but(&mut self) -> Option<Excluded> {
        let operand = self.operand;
        match &operand.kind {
            ItemKind::Map(entries) => self.anything_but_operator(entries),
            ItemKind::List(members) => self.excluded(members),
            _ => self.excluded(std::slice::from_ref(operand)),
        }
    }

    fn excluded(&mut self, members: &[Item]) -> Option<Excluded> {
        let expected = "texts or numbers, not both";
        let (mut texts, mut numbers) = (Vec::new(), Vec::new());
        for member in members {
            match &member.kind {
                ItemKind::Text(text) => texts.push(text.as_str().into()),
                ItemKind::Number(text) => numbers.push(self.number(text)?),
                _ => {
                    let message = format!("expected {expected}, found {}", member.describe());
                    self.findings.error(&member.span, self.path, message, "");
                    return None;
                }
            }
        }
        match (texts.is_empty(), numbers.is_empty()) {
            (false, true) => Some(Excluded::Texts(texts)),
            (true, false) => Some(Excluded::Numbers(numbers)),
            (empty, _) => {
                let found = if empty { "an empty list" } else { "a mixture" };
                let message = format!("expected {expected}, found {found}");
                self.findings.error(&self.operand.span, self.path, message, "");
                None
            }
        }
    }

    fn anything_but_operator(&mut self, entries: &[(Key, Item)]) -> Option<Excluded> {
        let [(key, operand)] = entries else {
            self.refuse("texts, numbers or one operator");
            return None;
        };
        match key.text.as_str() {
            "prefix" => self.excluded_prefixes(operand),
            later @ ("suffix" | "wildcard" | "equals-ignore-case" | "cidr") => {
                let message = format!("`anything-but` with `{later}` comes in a later version");
                self.findings.error(&key.span, self.path, message, "");
                None
            }
            unknown => {
                let message = format!("`anything-but` does not take the operator `{unknown}`");
                self.findings.error(&key.span, self.path, message, "it takes texts, numbers, or `prefix`");
                None
            }
        }
    }

    fn excluded_prefixes(&mut self, operand: &Item) -> Option<Excluded> {
        let members = match &operand.kind {
            ItemKind::List(members) => members.as_slice(),
            _ => std::slice::from_ref(operand),
        };
        let mut prefixes = Vec::new();
        for member in members {
            match &member.kind {
                ItemKind::Text(text) if !text.is_empty() => prefixes.push(text.as_str().into()),
                _ => {
                    let message = format!("expected a prefix that is not empty, found {}", member.describe());
                    self.findings.error(&member.span, self.path, message, "");
                    return None;
                }
            }
        }
        if prefixes.is_empty() {
            let message = "expected at least one prefix, found an empty list";
            self.findings.error(&operand.span, self.path, message, "");
            return None;
        }
        Some(Excluded::Prefixes(prefixes))
    }

    fn number(&mut self, text: &str) -> Option<Number> {
        let number = Number::parse(text);
        if number.is_none() {
            self.findings.error(&self.operand.span, self.path, "the number's exponent is too long", "");
        }
        number
    }

    fn numeric(&mut self) -> Option<Test> {
        const GRAMMAR: &str =
            "`[\"=\", 5]`, `[\">\", 3]`, or a lower then a higher bound: `[\">\", 3, \"<=\", 8]`";
        let operand = self.operand;
        let ItemKind::List(members) = &operand.kind else {
            self.refuse("a list such as `[\">\", 3]`");
            return None;
        };
        let comparisons = members.chunks(2).map(comparison).collect::<Option<Vec<_>>>();
        let Some(comparisons) = comparisons.filter(|list| (1..=2).contains(&list.len())) else {
            self.findings.error(&operand.span, self.path, "not a comparison of numbers", GRAMMAR);
            return None;
        };
        let mut bounds = Vec::new();
        for (sign, text) in comparisons {
            bounds.push((sign, self.number(text)?));
        }
        let range = range(bounds);
        if range.is_none() {
            self.findings.error(&operand.span, self.path, "not a range of numbers", GRAMMAR);
        }
        range
    }
}

fn comparison(pair: &[Item]) -> Option<(&str, &str)> {
    match pair {
        [Item { kind: ItemKind::Text(sign), .. }, Item { kind: ItemKind::Number(number), .. }] => {
            ["=", "<", "<=", ">", ">="].contains(&sign.as_str()).then_some((sign.as_str(), number.as_str()))
        }
        _ => None,
    }
}

fn range(bounds: Vec<(&str, Number)>) -> Option<Test> {
    let mut bounds = bounds.into_iter();
    let bound = |sign: &str, number| Bound { number, inclusive: sign.len() == 2 };
    match (bounds.next()?, bounds.next()) {
        (("=", number), None) => Some(Test::Within {
            lower: Some(Bound { number: number.clone(), inclusive: true }),
            upper: Some(Bound { number, inclusive: true }),
        }),
        ((sign @ (">" | ">="), number), None) => {
            Some(Test::Within { lower: Some(bound(sign, number)), upper: None })
        }
        ((sign @ ("<" | "<="), number), None) => {
            Some(Test::Within { lower: None, upper: Some(bound(sign, number)) })
        }
        ((above @ (">" | ">="), low), Some((below @ ("<" | "<="), high)))
            if low.as_decimal().compare(&high.as_decimal()) == Ordering::Less =>
        {
            Some(Test::Within { lower: Some(bound(above, low)), upper: Some(bound(below, high)) })
        }
        _ => None,
    }
}
