//! The operators of patterns: their names, and their strict parsing.
//!
//! An operator is an object with one key, a member of a leaf's list.

use super::compile::Form;
use super::decimal::Number;
use super::dialect::Feature;
use super::expression::Expression;
use super::findings::Findings;
use super::fold::folded;
use super::item::{Item, ItemKind, Key};
use super::leaf::{Excluded, Leaf, Test, sort_numbers, sort_texts};
use super::network::Network;
use super::range;
use super::wildcard::{Wildcard, WildcardError};
use crate::diagnostic::nearest;

/// The operators; `$or` stands beside fields and is none of them.
pub(crate) const NAMES: [&str; 11] = [
    "prefix",
    "suffix",
    "contains",
    "equals-ignore-case",
    "wildcard",
    "anything-but",
    "numeric",
    "cidr",
    "regex",
    "exists",
    "not",
];

/// Whether a TOML table with this key is an operator.
pub(super) fn is_name(name: &str) -> bool {
    NAMES.contains(&name) || name == "null"
}

/// What operators are called elsewhere, without `-`, `_` and capitals.
const ELSEWHERE: [(&str, &str); 16] = [
    ("startswith", "prefix"),
    ("beginswith", "prefix"),
    ("endswith", "suffix"),
    ("like", "wildcard"),
    ("glob", "wildcard"),
    ("matches", "regex"),
    ("regexp", "regex"),
    ("gt", "numeric"),
    ("gte", "numeric"),
    ("lt", "numeric"),
    ("lte", "numeric"),
    ("between", "numeric"),
    ("ne", "anything-but"),
    ("except", "anything-but"),
    ("notin", "anything-but"),
    ("ignorecase", "equals-ignore-case"),
];

/// The operator that is meant by a name that is one or two slips away from it, or that it has elsewhere.
pub(super) fn nearly(name: &str) -> Option<&'static str> {
    let plain: String = name.chars().filter(|c| !matches!(c, '-' | '_')).collect::<String>().to_lowercase();
    let elsewhere = ELSEWHERE.into_iter().find(|(own, _)| *own == plain).map(|(_, operator)| operator);
    let is_sign = !name.is_empty() && name.chars().all(|c| matches!(c, '<' | '>' | '=' | '!'));
    elsewhere.or(is_sign.then_some("numeric")).or_else(|| {
        let long = NAMES.into_iter().filter(|operator| operator.len() > 3 && name.len() > 3);
        long.into_iter().find(|operator| {
            let distance = strsim::damerau_levenshtein(&plain, &operator.replace('-', ""));
            distance <= if operator.len() > 4 { 2 } else { 1 }
        })
    })
}

/// Parses one operator and adds it to the leaf.
pub(super) fn parse(
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
    findings.count_operator(&key.span, &key_path);
    let mut operator = Operator { operand, path: &key_path, findings };
    match key.text.as_str() {
        "prefix" => leaf.tests.extend(operator.affix("prefix", Test::Prefix, Test::PrefixIgnoreCase)),
        "suffix" => leaf.tests.extend(operator.affix("suffix", Test::Suffix, Test::SuffixIgnoreCase)),
        "contains" => {
            operator.uses(Feature::Contains);
            leaf.tests.extend(operator.part("contains").map(|part| Test::Contains(part.into())));
        }
        "equals-ignore-case" => {
            operator.uses(Feature::IgnoreCase);
            leaf.tests.extend(operator.text().map(|text| Test::IgnoreCase(folded(text))));
        }
        "wildcard" => {
            operator.uses(Feature::Wildcard);
            leaf.tests.extend(operator.wildcard().map(Test::Wildcard));
        }
        "cidr" => leaf.tests.extend(operator.cidr().map(Test::Cidr)),
        "regex" => {
            operator.uses(Feature::Regex);
            leaf.tests.extend(operator.regex().map(|expression| Test::Regex(Box::new(expression))));
        }
        "anything-but" => leaf.tests.extend(operator.anything_but().map(Test::AnythingBut)),
        "numeric" => leaf
            .tests
            .extend(range::parse(operand, &key_path, findings).map(|range| Test::Within(Box::new(range)))),
        "exists" => match operand.kind {
            ItemKind::Bool(true) => leaf.present = true,
            ItemKind::Bool(false) => leaf.absent = true,
            _ => operator.refuse("true or false"),
        },
        "null" if form == Form::Toml => match operand.kind {
            ItemKind::Bool(true) => leaf.tests.push(Test::Null),
            _ => operator.refuse("true"),
        },
        unknown => {
            let help = match nearly(unknown).or_else(|| nearest(unknown, NAMES)) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("the operators are {}", NAMES.join(", ")),
            };
            findings.error(&key.span, path, format!("unknown operator `{unknown}`"), help);
        }
    }
}

struct Operator<'i, 'f> {
    operand: &'i Item,
    path: &'f str,
    findings: &'f mut Findings,
}

impl<'i> Operator<'i, '_> {
    fn refuse(&mut self, expected: &str) {
        let message = format!("expected {expected}, found {}", self.operand.describe());
        self.findings.error(&self.operand.span, self.path, message, "");
    }

    fn uses(&mut self, feature: Feature) {
        self.findings.uses(feature, &self.operand.span, self.path);
    }

    fn text(&mut self) -> Option<&'i str> {
        if let ItemKind::Text(text) = &self.operand.kind {
            return Some(text);
        }
        self.refuse("text");
        None
    }

    /// Text that may be empty, though that is odd.
    fn part(&mut self, name: &str) -> Option<&'i str> {
        let text = self.text()?;
        if text.is_empty() {
            let message = format!("an empty `{name}` matches every text");
            self.findings.warning(&self.operand.span, self.path, message, "");
        }
        Some(text)
    }

    /// `prefix` or `suffix`: of text as it is, or of text whatever its case.
    fn affix(
        &mut self,
        name: &str,
        exact: fn(Box<str>) -> Test,
        ignoring_case: fn(Box<str>) -> Test,
    ) -> Option<Test> {
        let ItemKind::Map(entries) = &self.operand.kind else {
            return self.part(name).map(|text| exact(text.into()));
        };
        match entries.as_slice() {
            [(key, operand)] if key.text == "equals-ignore-case" => {
                self.uses(Feature::AffixIgnoreCase);
                let path = format!("{}.equals-ignore-case", self.path);
                let mut inner = Operator { operand, path: &path, findings: self.findings };
                inner.part(name).map(|text| ignoring_case(folded(text)))
            }
            _ => {
                self.refuse("text, or the operator `equals-ignore-case`");
                None
            }
        }
    }

    fn wildcard(&mut self) -> Option<Wildcard> {
        let (message, help) = match Wildcard::parse(self.text()?) {
            Ok(wildcard) => return Some(wildcard),
            Err(WildcardError::Escape) => (
                "a backslash stands before something else than `*` or a backslash",
                "write `\\\\` for a backslash, `\\*` for a star",
            ),
            Err(WildcardError::StarsInARow) => ("two stars stand in a row", "one star says the same"),
        };
        self.findings.error(&self.operand.span, self.path, message, help);
        None
    }

    fn cidr(&mut self) -> Option<Network> {
        let text = self.text()?;
        let Some((network, masked)) = Network::parse(text) else {
            let message =
                format!("expected a network such as \"10.0.0.0/8\" or \"2001:db8::/32\", found \"{text}\"");
            let help =
                if text.contains('/') { "" } else { "for one address write `/32`, or `/128` for IPv6" };
            self.findings.error(&self.operand.span, self.path, message, help);
            return None;
        };
        if matches!(network, Network::V6 { .. }) {
            self.uses(Feature::Cidr6);
        }
        if masked {
            let message = "bits behind the network's prefix are set, and not looked at";
            self.findings.warning(&self.operand.span, self.path, message, "");
        }
        Some(network)
    }

    fn regex(&mut self) -> Option<Expression> {
        let text = self.text()?;
        self.findings.expressions += 1;
        Expression::parse(text)
            .map_err(|message| {
                let message = format!("not a regular expression that can be used: {message}");
                self.findings.error(&self.operand.span, self.path, message, "");
            })
            .ok()
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
            if !self.findings.count(&member.span, self.path) {
                return None;
            }
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
        sort_texts(&mut texts);
        sort_numbers(&mut numbers);
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
        let name = key.text.as_str();
        if !["prefix", "suffix", "wildcard", "equals-ignore-case"].contains(&name) {
            let message = format!("`anything-but` does not take the operator `{name}`");
            let help = "it takes texts, numbers, `prefix`, `suffix`, `wildcard` or `equals-ignore-case`";
            self.findings.error(&key.span, self.path, message, help);
            return None;
        }
        if name != "prefix" {
            self.uses(Feature::AnythingButOperator);
        }
        let members = match &operand.kind {
            ItemKind::List(members) => members.as_slice(),
            _ => std::slice::from_ref(operand),
        };
        if members.is_empty() {
            let message = format!("expected at least one text for `{name}`, found an empty list");
            self.findings.error(&operand.span, self.path, message, "");
            return None;
        }
        for member in members {
            if !self.findings.count(&member.span, self.path) {
                return None;
            }
            self.findings.count_operator(&member.span, self.path);
        }
        let excluded = members.iter().map(|member| {
            let mut member = Operator { operand: member, path: self.path, findings: self.findings };
            member.excluded_by(name)
        });
        excluded.collect::<Option<_>>().map(Excluded::Tests)
    }

    fn excluded_by(&mut self, name: &str) -> Option<Test> {
        let text = self.text()?;
        if text.is_empty() && matches!(name, "prefix" | "suffix") {
            self.refuse(&format!("a {name} that is not empty"));
            return None;
        }
        match name {
            "prefix" => Some(Test::Prefix(text.into())),
            "suffix" => Some(Test::Suffix(text.into())),
            "equals-ignore-case" => Some(Test::IgnoreCase(folded(text))),
            _ => self.wildcard().map(Test::Wildcard),
        }
    }

    fn number(&mut self, text: &str) -> Option<Number> {
        let number = Number::parse(text);
        if number.is_none() {
            self.findings.error(&self.operand.span, self.path, "not a number as JSON has them", "");
        }
        number
    }
}
