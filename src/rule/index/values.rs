//! Which rules can match by the value at one path: one structure for each kind of condition.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;

use super::Hasher;
use super::affixes::Affixes;
use super::key::Key;
use super::outside::Outside;
use super::ranges::Ranges;
use crate::rule::pattern::decimal::Number;
use crate::rule::pattern::fold;
use crate::rule::pattern::leaf::Scalar;

/// The rules that wait for values at one path.
#[derive(Debug, Default)]
pub(super) struct Values {
    texts: HashMap<Box<str>, Vec<u32>, Hasher>,
    integers: HashMap<i64, Vec<u32>, Hasher>,
    nulls: Vec<u32>,
    trues: Vec<u32>,
    falses: Vec<u32>,
    prefixes: Affixes<u8>,
    /// Of the text read backwards.
    suffixes: Affixes<u8>,
    folded: HashMap<Box<str>, Vec<u32>, Hasher>,
    folded_prefixes: Affixes<char>,
    folded_suffixes: Affixes<char>,
    parts: Parts,
    ranges: Ranges,
    other_texts: Outside<Box<str>>,
    other_integers: Outside<i64>,
    /// Rules that look at any value.
    present: Vec<u32>,
}

/// Parts of texts, found all at once.
#[derive(Debug, Default)]
struct Parts {
    written: HashMap<Box<str>, Vec<u32>, Hasher>,
    machine: Option<AhoCorasick>,
    /// The rules of each part, in the machine's order.
    places: Vec<Vec<u32>>,
}

impl Values {
    /// Files a rule; nothing is found before [`finish`](Self::finish).
    pub(super) fn file(&mut self, key: Key<'_>, place: u32) {
        let post = |map: &mut HashMap<Box<str>, Vec<u32>, Hasher>, text: &str| match map.get_mut(text) {
            Some(places) => places.push(place),
            None => drop(map.insert(text.into(), vec![place])),
        };
        match key {
            Key::Text(text) => post(&mut self.texts, text),
            Key::Folded(text) => post(&mut self.folded, text),
            Key::Part(part) => post(&mut self.parts.written, part),
            Key::Integer(value) => self.integers.entry(value).or_default().push(place),
            Key::Null => self.nulls.push(place),
            Key::Bool(true) => self.trues.push(place),
            Key::Bool(false) => self.falses.push(place),
            Key::Prefix(prefix) => self.prefixes.add(prefix.as_bytes().into(), place),
            Key::Suffix(suffix) => self.suffixes.add(suffix.bytes().rev().collect(), place),
            Key::FoldedPrefix(prefix) => self.folded_prefixes.add(prefix.chars().collect(), place),
            Key::FoldedSuffix(suffix) => self.folded_suffixes.add(suffix.chars().rev().collect(), place),
            Key::Range(lower, upper) => self.ranges.add(lower, upper, place),
            Key::OtherTexts(texts) => self.other_texts.add(texts.iter().cloned(), place),
            Key::OtherIntegers(numbers) => {
                self.other_integers.add(numbers.iter().filter_map(Number::as_integer), place);
            }
            Key::Present => self.present.push(place),
        }
    }

    /// Makes ready what was filed.
    pub(super) fn finish(&mut self) {
        self.prefixes.finish();
        self.suffixes.finish();
        self.folded_prefixes.finish();
        self.folded_suffixes.finish();
        self.ranges.finish();
        self.other_texts.finish();
        self.other_integers.finish();
        self.parts.finish(&mut self.present);
    }

    /// Gives the rules that look at any value.
    pub(super) fn find_present(&self, found: &mut Vec<u32>) {
        found.extend(&self.present);
    }

    /// Gives the rules that may match by one plain value, those that look at any value aside.
    pub(super) fn find(&self, value: Scalar<'_>, found: &mut Vec<u32>) {
        match value {
            Scalar::Text(text) => return self.find_text(text, found),
            Scalar::Integer(value) => return self.find_integer(value, found),
            Scalar::Decimal(value) => match value.map(|value| value.floor()) {
                Some((whole, true)) => return self.find_integer(whole, found),
                Some((floor, false)) => self.ranges.find(floor, found),
                None => {}
            },
            Scalar::Null => found.extend(&self.nulls),
            Scalar::Bool(true) => found.extend(&self.trues),
            Scalar::Bool(false) => found.extend(&self.falses),
        }
        self.other_texts.all(found);
        self.other_integers.all(found);
    }

    fn find_text(&self, text: &str, found: &mut Vec<u32>) {
        found.extend(self.texts.get(text).into_iter().flatten());
        if !self.prefixes.is_empty() {
            self.prefixes.find(text.as_bytes(), found);
        }
        if !self.suffixes.is_empty() {
            self.suffixes.find(&text.bytes().rev().collect::<Vec<u8>>(), found);
        }
        self.parts.find(text, found);
        self.find_folded(text, found);
        self.other_texts.find(text, found);
        self.other_integers.all(found);
    }

    fn find_folded(&self, text: &str, found: &mut Vec<u32>) {
        if !self.folded.is_empty() {
            found.extend(self.folded.get(&*fold::folded(text)).into_iter().flatten());
        }
        if !self.folded_prefixes.is_empty() {
            self.folded_prefixes.find(&fold::characters(text).collect::<Vec<char>>(), found);
        }
        if !self.folded_suffixes.is_empty() {
            self.folded_suffixes.find(&fold::characters(text).rev().collect::<Vec<char>>(), found);
        }
    }

    fn find_integer(&self, value: i64, found: &mut Vec<u32>) {
        found.extend(self.integers.get(&value).into_iter().flatten());
        if !self.ranges.is_empty() {
            self.ranges.find(value, found);
        }
        self.other_integers.find(&value, found);
        self.other_texts.all(found);
    }
}

impl Parts {
    /// Builds the machine; should that fail, its rules look at any value.
    fn finish(&mut self, present: &mut Vec<u32>) {
        if self.written.is_empty() {
            return;
        }
        let (parts, places): (Vec<Box<str>>, Vec<Vec<u32>>) =
            std::mem::take(&mut self.written).into_iter().unzip();
        match AhoCorasick::new(parts.iter().map(|part| part.as_bytes())) {
            Ok(machine) => {
                self.machine = Some(machine);
                self.places = places;
            }
            Err(_) => present.extend(places.into_iter().flatten()),
        }
    }

    fn find(&self, text: &str, found: &mut Vec<u32>) {
        let Some(machine) = &self.machine else { return };
        for part in machine.find_overlapping_iter(text) {
            found.extend(self.places.get(part.pattern().as_usize()).into_iter().flatten());
        }
    }
}
