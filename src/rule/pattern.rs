//! Event patterns: the compiled form, and what makes and judges it.
//!
//! A pattern is a tree of conditions shaped like the event: keys are AND, the members of a leaf's list
//! are OR, what the pattern does not name is ignored. Nested and dotted keys are the same path. The
//! compiler (`compile.rs`) makes it from TOML or JSON; the evaluator (`evaluate.rs`)
//! judges events and plain JSON documents by it. `docs/rules.md` says what every pattern means.

use std::ops::Range;
use std::sync::Arc;

use crate::event::json::Node;
use crate::rule::field::Field;
use leaf::Leaf;

// What a pattern is written in, with places.
pub(crate) mod item;

// Which bus a pattern must also be valid for.
mod dialect;

// What is wrong with a pattern.
pub(crate) mod findings;

// From what is written to what is compiled.
pub(crate) mod compile;

// The members of a leaf's list that are not plain values.
pub(crate) mod operator;

// From the short forms to strict JSON.
pub(crate) mod written;

// The ranges of `numeric`.
mod range;

// `$or`: from alternatives anywhere to alternatives of whole patterns.
mod alternatives;

// Which events of the catalogue it can be for.
pub(crate) mod events;

// What no event can meet.
pub(crate) mod lint;

// One list of values and operators, and whether one value satisfies it.
pub(crate) mod leaf;

// Numbers as they are written.
pub(crate) mod decimal;

// Text without regard to case.
pub(crate) mod fold;

// Text with stars.
pub(crate) mod wildcard;

// Networks of IP addresses.
mod network;

// Regular expressions.
mod expression;

// A list of values and operators as text again.
mod describe;

// Judging events and documents.
pub(crate) mod evaluate;

pub use dialect::Dialect;

/// A compiled event pattern.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// What must hold in any case.
    pub(crate) common: Branch,
    /// Of each of these one alternative must hold too; no two name the same field at the top, nor does `common` name it.
    pub(crate) choices: Vec<Or>,
    /// How many regular expressions it holds.
    pub(crate) expressions: usize,
}

/// An `$or`, or several that must be judged together.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Or {
    /// Where it stands, for people: `data.$or`, or `$or and data.$or`.
    pub(crate) at: String,
    /// One of them must hold.
    pub(crate) alternatives: Vec<Branch>,
}

/// Conditions on one object; all must hold.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Branch {
    pub(crate) conditions: Vec<Condition>,
}

/// The condition on one key of an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Condition {
    pub(crate) name: Box<str>,
    /// The attribute or fact of this name; it counts at the top of an event only.
    pub(crate) field: Option<Field>,
    /// What the value itself must be: each of these lists; more than one only where alternatives add some.
    pub(crate) leaves: Vec<Arc<Leaf>>,
    /// What must hold below the value.
    pub(crate) below: Option<Branch>,
}

/// One thing wrong in a pattern, or odd about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PatternProblem {
    /// Where it stands in the text, in bytes.
    pub span: Range<usize>,
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
    /// Every alternative of every `$or`.
    pub(crate) fn alternatives(&self) -> impl Iterator<Item = &Branch> {
        self.choices.iter().flat_map(|choice| &choice.alternatives)
    }

    /// Compiles a pattern written as JSON text, which must be valid for the bus of `dialect` too, if one is given.
    ///
    /// # Errors
    /// Every problem of the text.
    pub fn parse_json(text: &str, dialect: Option<Dialect>) -> Result<Self, PatternError> {
        compile::of_json(text, dialect).map(|(pattern, _)| pattern)
    }

    /// As [`parse_json`](Self::parse_json), with what is valid and odd.
    ///
    /// # Errors
    /// Every problem of the text.
    pub fn parse_json_with_warnings(
        text: &str,
        dialect: Option<Dialect>,
    ) -> Result<(Self, Vec<PatternProblem>), PatternError> {
        compile::of_json(text, dialect)
    }

    /// Whether a JSON document that need not be an event fits.
    #[must_use]
    pub fn matches_document(&self, document: Node<'_>) -> bool {
        evaluate::document(self, document)
    }
}
