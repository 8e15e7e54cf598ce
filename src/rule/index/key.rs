//! By what a leaf can be found: keys that every value which satisfies it has at least one of.

use std::hash::{Hash, Hasher};

use crate::rule::pattern::decimal::Number;
use crate::rule::pattern::leaf::{Excluded, Leaf, Range, Test};
use crate::rule::pattern::wildcard::Wildcard;

/// What a rule waits for in the value at one path.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key<'p> {
    Text(&'p str),
    Folded(&'p str),
    Integer(i64),
    Null,
    Bool(bool),
    Prefix(&'p str),
    Suffix(&'p str),
    FoldedPrefix(&'p str),
    FoldedSuffix(&'p str),
    Part(&'p str),
    /// Both ends belong to it; numbers between integers are rounded outwards.
    Range(i64, i64),
    OtherTexts(&'p [Box<str>]),
    /// They are all integers.
    OtherIntegers(&'p [Number]),
    Present,
}

/// How many of the values that occur a key lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// One, or few.
    Narrow,
    /// Those of a range.
    Range,
    /// Nearly all.
    Wide,
}

/// A part of text that is shorter is found in nearly every text: bytes.
const PART_BYTES_MIN: usize = 3;

/// The keys of a leaf; `None` if something satisfies it where there is no value.
pub(super) fn of_leaf(leaf: &Leaf) -> Option<Vec<Key<'_>>> {
    if leaf.absent || !leaf.nots.is_empty() {
        return None;
    }
    if leaf.present {
        return Some(vec![Key::Present]);
    }
    let exact = leaf.texts.iter().map(|text| Key::Text(text));
    let numbers = leaf.numbers.iter().map(of_number);
    let tests = leaf.tests.iter().map(of_test);
    Some(exact.chain(numbers).chain(tests).collect())
}

fn of_number(number: &Number) -> Key<'_> {
    number.as_integer().map_or_else(|| Key::Range(number.floor(), number.ceiling()), Key::Integer)
}

fn of_test(test: &Test) -> Key<'_> {
    match test {
        Test::Null => Key::Null,
        Test::Bool(value) => Key::Bool(*value),
        Test::Prefix(prefix) => Key::Prefix(prefix),
        Test::Suffix(suffix) => Key::Suffix(suffix),
        Test::Contains(part) => of_part(part),
        Test::IgnoreCase(folded) => Key::Folded(folded),
        Test::PrefixIgnoreCase(prefix) => Key::FoldedPrefix(prefix),
        Test::SuffixIgnoreCase(suffix) => Key::FoldedSuffix(suffix),
        Test::Wildcard(wildcard) => of_wildcard(wildcard),
        Test::Within(range) => of_range(range),
        Test::AnythingBut(Excluded::Texts(texts)) => Key::OtherTexts(texts),
        Test::AnythingBut(Excluded::Numbers(numbers))
            if numbers.iter().all(|number| number.as_integer().is_some()) =>
        {
            Key::OtherIntegers(numbers)
        }
        Test::AnythingBut(_) | Test::Cidr(_) | Test::Regex(_) => Key::Present,
    }
}

fn of_part(part: &str) -> Key<'_> {
    if part.is_empty() { Key::Present } else { Key::Part(part) }
}

/// The longest piece that must be there.
fn of_wildcard(wildcard: &Wildcard) -> Key<'_> {
    let Some(end) = &wildcard.end else { return Key::Text(&wildcard.start) };
    let middle = wildcard.middle.iter().max_by_key(|part| part.len()).map_or("", |part| part);
    if wildcard.start.len() >= middle.len().max(end.len()) {
        Key::Prefix(&wildcard.start)
    } else if end.len() >= middle.len() {
        Key::Suffix(end)
    } else {
        of_part(middle)
    }
}

fn of_range(range: &Range) -> Key<'_> {
    let lower = range.lower.as_ref().map_or(i64::MIN, |bound| bound.number.floor());
    let upper = range.upper.as_ref().map_or(i64::MAX, |bound| bound.number.ceiling());
    Key::Range(lower, upper)
}

impl Key<'_> {
    pub(super) fn reach(&self) -> Reach {
        match self {
            Key::Text(_) | Key::Folded(_) | Key::Integer(_) => Reach::Narrow,
            Key::Prefix(part) | Key::Suffix(part) | Key::FoldedPrefix(part) | Key::FoldedSuffix(part) => {
                if part.is_empty() {
                    Reach::Wide
                } else {
                    Reach::Narrow
                }
            }
            Key::Part(part) if part.len() >= PART_BYTES_MIN => Reach::Narrow,
            Key::Range(lower, upper) if lower == upper => Reach::Narrow,
            Key::Null | Key::Bool(_) | Key::Range(..) => Reach::Range,
            Key::Part(_) | Key::OtherTexts(_) | Key::OtherIntegers(_) | Key::Present => Reach::Wide,
        }
    }
}

/// Keys that let the same values through, as far as that is looked at, are the same.
impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Key::Text(text)
            | Key::Folded(text)
            | Key::Prefix(text)
            | Key::Suffix(text)
            | Key::FoldedPrefix(text)
            | Key::FoldedSuffix(text)
            | Key::Part(text) => text.hash(state),
            Key::Integer(value) => value.hash(state),
            Key::Bool(value) => value.hash(state),
            Key::Range(lower, upper) if lower == upper => lower.hash(state),
            Key::Null | Key::Range(..) | Key::OtherTexts(_) | Key::OtherIntegers(_) | Key::Present => {}
        }
    }
}
