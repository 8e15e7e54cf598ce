//! Event patterns: the compiled form, and what one value must be.
//!
//! A pattern is a tree of conditions shaped like the event: keys are AND, the members of a leaf's list
//! are OR, what the pattern does not name is ignored. Nested and dotted keys are the same path. The
//! compiler (`compile.rs`) makes it from TOML or JSON; the evaluator (`evaluate.rs`)
//! judges events and plain JSON documents by it.

use std::cmp::Ordering;

use crate::event::json::Node;
use crate::rule::decimal::{Decimal, Number};
use crate::rule::field::Field;
use crate::rule::{compile, evaluate};

/// A compiled event pattern.
#[derive(Debug)]
pub struct Pattern {
    pub(crate) root: Branch,
}

/// Conditions on one object; all must hold.
#[derive(Debug, Default)]
pub(crate) struct Branch {
    pub(crate) conditions: Vec<Condition>,
}

/// The condition on one key of an object.
#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) name: Box<str>,
    /// The attribute or fact of this name; it counts at the top of an event only.
    pub(crate) field: Option<Field>,
    /// What the value itself must be.
    pub(crate) leaf: Option<Leaf>,
    /// What must hold below the value.
    pub(crate) below: Option<Branch>,
}

/// A leaf's list: one member must hold.
#[derive(Debug, Default)]
pub(crate) struct Leaf {
    /// `exists: false` is a member.
    pub(crate) absent: bool,
    /// `exists: true` is a member.
    pub(crate) present: bool,
    /// Exact texts, sorted.
    pub(crate) texts: Vec<Box<str>>,
    /// Exact numbers, sorted by value.
    pub(crate) numbers: Vec<Number>,
    /// The other members, the cheap ones first.
    pub(crate) tests: Vec<Test>,
}

/// A member of a leaf's list that looks at one value.
#[derive(Debug)]
pub(crate) enum Test {
    Null,
    Bool(bool),
    Prefix(Box<str>),
    Suffix(Box<str>),
    Contains(Box<str>),
    Within { lower: Option<Bound>, upper: Option<Bound> },
    AnythingBut(Excluded),
}

/// One end of a range of numbers.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) number: Number,
    pub(crate) inclusive: bool,
}

/// What `anything-but` shuts out.
#[derive(Debug)]
pub(crate) enum Excluded {
    Texts(Vec<Box<str>>),
    Numbers(Vec<Number>),
    Prefixes(Vec<Box<str>>),
}

/// One plain value of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scalar<'e> {
    Null,
    Bool(bool),
    Integer(i64),
    /// `None` is a number that is too absurd to compare; it equals nothing.
    Decimal(Option<Decimal<'e>>),
    Text(&'e str),
}

/// One thing wrong in a pattern, or odd about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternProblem {
    /// The path in the pattern, dotted; empty for the whole.
    pub key: String,
    /// What is wrong and what was expected.
    pub message: String,
    /// How to mend it; empty if the message says all.
    pub help: String,
}

/// Why a text is no pattern: every problem of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", shown(.problems))]
pub struct PatternError {
    /// In the order of the text; never empty.
    pub problems: Vec<PatternProblem>,
}

fn shown(problems: &[PatternProblem]) -> String {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| {
            let key = if problem.key.is_empty() { String::new() } else { format!("{}: ", problem.key) };
            let help = if problem.help.is_empty() { String::new() } else { format!(" ({})", problem.help) };
            format!("{key}{}{help}", problem.message)
        })
        .collect();
    lines.join("\n")
}

impl Pattern {
    /// Compiles a pattern written as JSON text.
    ///
    /// # Errors
    /// Every problem of the text.
    pub fn parse_json(text: &str) -> Result<Self, PatternError> {
        compile::of_json(text)
    }

    /// Whether a JSON document that need not be an event fits.
    #[must_use]
    pub fn matches_document(&self, document: Node<'_>) -> bool {
        evaluate::document(&self.root, document)
    }
}

impl Leaf {
    /// Whether one plain value satisfies a member of the list.
    pub(crate) fn holds(&self, value: Scalar<'_>) -> bool {
        self.present
            || match value {
                Scalar::Text(text) => self.texts.binary_search_by(|own| (**own).cmp(text)).is_ok(),
                Scalar::Integer(_) | Scalar::Decimal(_) => {
                    self.numbers.binary_search_by(|own| reversed(compare(value, own))).is_ok()
                }
                Scalar::Null | Scalar::Bool(_) => false,
            }
            || self.tests.iter().any(|test| test.holds(value))
    }

    /// Whether only exact texts and numbers satisfy it, so that an index can find it by them.
    pub(crate) fn is_exact(&self) -> bool {
        !self.absent && !self.present && self.tests.is_empty()
    }
}

/// An incomparable number is sorted somewhere, but never found.
fn reversed(ordering: Option<Ordering>) -> Ordering {
    ordering.map_or(Ordering::Less, Ordering::reverse)
}

/// How a value compares to a number; `None` if it is no number.
fn compare(value: Scalar<'_>, number: &Number) -> Option<Ordering> {
    match value {
        Scalar::Integer(value) => Some(number.compare_integer(value)),
        Scalar::Decimal(value) => Some(value?.compare(&number.as_decimal())),
        Scalar::Null | Scalar::Bool(_) | Scalar::Text(_) => None,
    }
}

impl Test {
    fn holds(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (Test::Null, Scalar::Null) => true,
            (Test::Bool(own), Scalar::Bool(value)) => *own == value,
            (Test::Prefix(prefix), Scalar::Text(text)) => text.starts_with(&**prefix),
            (Test::Suffix(suffix), Scalar::Text(text)) => text.ends_with(&**suffix),
            (Test::Contains(part), Scalar::Text(text)) => text.contains(&**part),
            (Test::Within { lower, upper }, _) => {
                lower.as_ref().is_none_or(|bound| bound.holds(value, Ordering::Greater))
                    && upper.as_ref().is_none_or(|bound| bound.holds(value, Ordering::Less))
            }
            (Test::AnythingBut(excluded), _) => !excluded.contains(value),
            _ => false,
        }
    }

    /// The order in which tests are tried.
    pub(crate) fn cost(&self) -> u8 {
        match self {
            Test::Null | Test::Bool(_) => 0,
            Test::Prefix(_) | Test::Suffix(_) => 1,
            Test::Within { .. } => 2,
            Test::AnythingBut(_) => 3,
            Test::Contains(_) => 4,
        }
    }
}

impl Bound {
    fn holds(&self, value: Scalar<'_>, side: Ordering) -> bool {
        compare(value, &self.number)
            .is_some_and(|ordering| ordering == side || (self.inclusive && ordering == Ordering::Equal))
    }
}

impl Excluded {
    fn contains(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (Excluded::Texts(texts), Scalar::Text(text)) => texts.iter().any(|own| &**own == text),
            (Excluded::Prefixes(prefixes), Scalar::Text(text)) => {
                prefixes.iter().any(|prefix| text.starts_with(&**prefix))
            }
            (Excluded::Numbers(numbers), _) => {
                numbers.iter().any(|own| compare(value, own) == Some(Ordering::Equal))
            }
            _ => false,
        }
    }
}
