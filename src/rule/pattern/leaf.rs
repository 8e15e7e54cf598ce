//! A leaf of a pattern: a list of which one member must hold for the value at its path.

use std::cmp::Ordering;

use super::decimal::{Decimal, Number};
use super::expression::Expression;
use super::fold;
use super::network::Network;
use super::wildcard::Wildcard;

/// A leaf's list: one member must hold.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Leaf {
    /// `exists: false` is a member.
    pub(crate) absent: bool,
    /// `exists: true` is a member.
    pub(crate) present: bool,
    /// Exact texts, sorted.
    pub(crate) texts: Vec<Box<str>>,
    /// Exact numbers, sorted by value.
    pub(crate) numbers: Vec<Number>,
    /// The other members that look at one value, the cheap ones first.
    pub(crate) tests: Vec<Test>,
    /// `not` members: each holds where its own list does not.
    pub(crate) nots: Vec<Leaf>,
}

/// A member of a leaf's list that looks at one value.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    Null,
    Bool(bool),
    Prefix(Box<str>),
    Suffix(Box<str>),
    Contains(Box<str>),
    /// The text is folded.
    IgnoreCase(Box<str>),
    /// The text is folded.
    PrefixIgnoreCase(Box<str>),
    /// The text is folded.
    SuffixIgnoreCase(Box<str>),
    Wildcard(Wildcard),
    Within(Box<Range>),
    Cidr(Network),
    AnythingBut(Excluded),
    Regex(Box<Expression>),
}

/// A range of numbers.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Range {
    pub(crate) lower: Option<Bound>,
    pub(crate) upper: Option<Bound>,
}

/// One end of a range of numbers.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bound {
    pub(crate) number: Number,
    pub(crate) inclusive: bool,
}

/// What `anything-but` shuts out.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Excluded {
    /// Sorted.
    Texts(Vec<Box<str>>),
    /// Sorted by value.
    Numbers(Vec<Number>),
    /// What these operators match.
    Tests(Vec<Test>),
}

/// One plain value of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scalar<'e> {
    Null,
    Bool(bool),
    Integer(i64),
    /// `None` is no number; it equals nothing.
    Decimal(Option<Decimal<'e>>),
    Text(&'e str),
}

impl Leaf {
    /// Whether one plain value satisfies a member of the list, `not` aside.
    pub(crate) fn holds(&self, value: Scalar<'_>) -> bool {
        self.present
            || match value {
                Scalar::Text(text) => has_text(&self.texts, text),
                Scalar::Integer(_) | Scalar::Decimal(_) => has_number(&self.numbers, value),
                Scalar::Null | Scalar::Bool(_) => false,
            }
            || self.tests.iter().any(|test| test.holds(value))
    }

    /// Whether it names values and nothing else.
    pub(crate) fn is_exact(&self) -> bool {
        self.has_values() && !self.present && !self.absent && self.tests.is_empty() && self.nots.is_empty()
    }

    /// Whether it is `exists: false` and nothing else.
    pub(crate) fn is_absence(&self) -> bool {
        self.absent && !self.present && !self.has_values() && self.tests.is_empty() && self.nots.is_empty()
    }

    /// Whether null, true and false are all that it holds for.
    pub(super) fn is_null_or_bool(&self) -> bool {
        let is_one = |test: &Test| matches!(test, Test::Null | Test::Bool(_));
        let has_others = self.has_values() || self.present || self.absent || !self.nots.is_empty();
        !has_others && self.tests.iter().all(is_one) && !self.tests.is_empty()
    }

    /// The texts that it names, those that it shuts out among them.
    pub(super) fn every_text(&self) -> impl Iterator<Item = &str> {
        let shut_out = self.tests.iter().filter_map(|test| match test {
            Test::AnythingBut(Excluded::Texts(texts)) => Some(texts),
            _ => None,
        });
        let not = self.nots.iter().flat_map(|not| &not.texts);
        let texts = self.texts.iter().chain(shut_out.flatten()).chain(not);
        texts.map(|text| &**text)
    }

    /// Whether it shuts out numbers, or texts.
    pub(super) fn shuts_out(&self) -> (bool, bool) {
        let any = |wanted: fn(&Test) -> bool| self.tests.iter().any(wanted);
        (
            any(|test| matches!(test, Test::AnythingBut(Excluded::Numbers(_))))
                || self.nots.iter().any(|not| !not.numbers.is_empty()),
            any(|test| matches!(test, Test::AnythingBut(Excluded::Texts(_))))
                || self.nots.iter().any(|not| !not.texts.is_empty()),
        )
    }

    /// Whether it names values.
    pub(super) fn has_values(&self) -> bool {
        !self.texts.is_empty() || !self.numbers.is_empty()
    }

    /// Brings the members into the order in which they are looked up and tried.
    pub(crate) fn settle(&mut self) {
        sort_texts(&mut self.texts);
        sort_numbers(&mut self.numbers);
        self.tests.sort_by_key(Test::cost);
    }
}

/// Sorts exact texts for [`has_text`].
pub(crate) fn sort_texts(texts: &mut Vec<Box<str>>) {
    texts.sort_unstable();
    texts.dedup();
}

/// Sorts exact numbers for [`has_number`].
pub(crate) fn sort_numbers(numbers: &mut Vec<Number>) {
    numbers.sort_by(|left, right| left.as_decimal().compare(&right.as_decimal()));
    numbers.dedup_by(|left, right| left.as_decimal().compare(&right.as_decimal()).is_eq());
}

fn has_text(sorted: &[Box<str>], text: &str) -> bool {
    sorted.binary_search_by(|own| (**own).cmp(text)).is_ok()
}

fn has_number(sorted: &[Number], value: Scalar<'_>) -> bool {
    // An incomparable number lies somewhere, but is never found.
    let order = |own: &Number| compare(value, own).map_or(Ordering::Less, Ordering::reverse);
    sorted.binary_search_by(order).is_ok()
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
            (Test::Within(range), _) => range.contains(value),
            (Test::AnythingBut(excluded), _) => !excluded.contains(value),
            (_, Scalar::Text(text)) => self.holds_for_text(text),
            _ => false,
        }
    }

    fn holds_for_text(&self, text: &str) -> bool {
        match self {
            Test::Prefix(prefix) => text.starts_with(&**prefix),
            Test::Suffix(suffix) => text.ends_with(&**suffix),
            Test::Contains(part) => memchr::memmem::find(text.as_bytes(), part.as_bytes()).is_some(),
            Test::IgnoreCase(own) => fold::equals(own, text),
            Test::PrefixIgnoreCase(own) => fold::starts_with(own, text),
            Test::SuffixIgnoreCase(own) => fold::ends_with(own, text),
            Test::Wildcard(wildcard) => wildcard.matches(text),
            Test::Cidr(network) => network.contains(text),
            Test::Regex(expression) => expression.is_found_in(text),
            Test::Null | Test::Bool(_) | Test::Within(_) | Test::AnythingBut(_) => false,
        }
    }

    /// Whether it holds for texts alone.
    pub(super) fn is_of_text(&self) -> bool {
        !matches!(self, Test::Null | Test::Bool(_) | Test::Within(_) | Test::AnythingBut(_))
    }

    /// Whether it holds for numbers alone.
    pub(super) fn is_of_numbers(&self) -> bool {
        matches!(self, Test::Within(_))
    }

    /// The order in which tests are tried.
    fn cost(&self) -> u8 {
        match self {
            Test::Null | Test::Bool(_) => 0,
            Test::Prefix(_) | Test::Suffix(_) => 1,
            Test::Within(_) | Test::Cidr(_) => 2,
            Test::IgnoreCase(_) | Test::PrefixIgnoreCase(_) | Test::SuffixIgnoreCase(_) => 3,
            Test::AnythingBut(_) => 4,
            Test::Contains(_) | Test::Wildcard(_) => 5,
            Test::Regex(_) => 6,
        }
    }
}

impl Range {
    fn contains(&self, value: Scalar<'_>) -> bool {
        let within =
            |bound: &Option<Bound>, side| bound.as_ref().is_none_or(|bound| bound.holds(value, side));
        within(&self.lower, Ordering::Greater) && within(&self.upper, Ordering::Less)
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
            (Excluded::Texts(texts), Scalar::Text(text)) => has_text(texts, text),
            (Excluded::Numbers(numbers), Scalar::Integer(_) | Scalar::Decimal(_)) => {
                has_number(numbers, value)
            }
            (Excluded::Tests(tests), _) => tests.iter().any(|test| test.holds(value)),
            _ => false,
        }
    }
}
