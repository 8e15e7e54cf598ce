//! Exact decimal numbers of any length.
//!
//! Patterns compare numbers by value, never through floating point: 300, 300.0 and 3.0e2 are equal,
//! and 9007199254740993 is not 9007199254740992. A number read from an event is compared where it
//! lies, without a copy.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// Exponents of this size and beyond count as equal: they have more than 37 digits.
const EXPONENT_MAX: i128 = 10_i128.pow(37);

/// A number as written, taken apart: 0.HEADTAIL times ten to the power of `exponent`.
///
/// Neither the first nor the last digit is 0; zero has no digits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decimal<'a> {
    negative: bool,
    head: &'a str,
    tail: &'a str,
    exponent: i128,
}

/// A number kept by a pattern.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    /// As the author wrote it.
    pub(super) written: Box<str>,
    negative: bool,
    digits: Box<str>,
    exponent: i128,
    place: IntegerPlace,
}

/// Numbers are equal by value, however they are written.
impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

/// Where a number lies among the 64-bit integers, which most numbers of events are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IntegerPlace {
    BelowAll,
    At(i64),
    JustAbove(i64),
    AboveAll,
}

impl IntegerPlace {
    fn floor(self) -> i64 {
        match self {
            IntegerPlace::BelowAll => i64::MIN,
            IntegerPlace::At(value) | IntegerPlace::JustAbove(value) => value,
            IntegerPlace::AboveAll => i64::MAX,
        }
    }
}

impl<'a> Decimal<'a> {
    /// Takes a JSON number apart; `None` if it is none.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) if all_digits(fraction) => (whole, fraction),
            Some(_) => return None,
            None => (mantissa, ""),
        };
        if !all_digits(whole) {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        let mut leading = i128::try_from(whole.len()).ok()?;
        let mut tail = fraction.trim_end_matches('0');
        let head = if tail.is_empty() { whole.trim_end_matches('0') } else { whole };
        if head.is_empty() {
            let significant = tail.trim_start_matches('0');
            leading -= i128::try_from(tail.len() - significant.len()).ok()?;
            tail = significant;
        }
        let exponent = exponent.map_or(Some(0), parse_exponent)?;
        if head.is_empty() && tail.is_empty() {
            return Some(Decimal { negative: false, head, tail, exponent: 0 });
        }
        Some(Decimal { negative, head, tail, exponent: exponent.checked_add(leading)? })
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.head.bytes().chain(self.tail.bytes())
    }

    fn is_zero(&self) -> bool {
        self.head.is_empty() && self.tail.is_empty()
    }

    fn sign(&self) -> i8 {
        match (self.is_zero(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    /// The greatest 64-bit integer that is not above it, the least one if all are, and whether it is that integer.
    pub(crate) fn floor(&self) -> (i64, bool) {
        let place = integer_place(&format!("{}{}", self.head, self.tail), self.exponent, self.negative);
        (place.floor(), matches!(place, IntegerPlace::At(_)))
    }

    /// Compares two numbers by value.
    pub(crate) fn compare(&self, other: &Decimal<'_>) -> Ordering {
        let by_size = || self.exponent.cmp(&other.exponent).then_with(|| self.digits().cmp(other.digits()));
        match self.sign().cmp(&other.sign()) {
            Ordering::Equal if self.negative => by_size().reverse(),
            Ordering::Equal => by_size(),
            unequal => unequal,
        }
    }
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_exponent(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !all_digits(digits) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    let size = if significant.is_empty() {
        0
    } else {
        significant.parse().map_or(EXPONENT_MAX, |size: i128| size.min(EXPONENT_MAX))
    };
    Some(if negative { -size } else { size })
}

impl Number {
    /// Keeps a JSON number; `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let decimal = Decimal::parse(text)?;
        let digits = format!("{}{}", decimal.head, decimal.tail);
        let place = integer_place(&digits, decimal.exponent, decimal.negative);
        Some(Number {
            written: text.into(),
            negative: decimal.negative,
            digits: digits.into(),
            exponent: decimal.exponent,
            place,
        })
    }

    /// What is the same for the same value: neither the first nor the last digit is 0.
    fn parts(&self) -> (bool, &str, i128) {
        (self.negative, &self.digits, self.exponent)
    }

    /// As a 64-bit integer, if it is one.
    pub(crate) fn as_integer(&self) -> Option<i64> {
        match self.place {
            IntegerPlace::At(value) => Some(value),
            _ => None,
        }
    }

    /// The greatest 64-bit integer that is not above it; the least one if all are.
    pub(crate) fn floor(&self) -> i64 {
        self.place.floor()
    }

    /// The least 64-bit integer that is not below it; the greatest one if all are.
    pub(crate) fn ceiling(&self) -> i64 {
        match self.place {
            IntegerPlace::JustAbove(floor) => floor.saturating_add(1),
            other => other.floor(),
        }
    }

    /// Whether it is greater than `size`, or less than minus `size`.
    pub(crate) fn is_beyond(&self, size: i64) -> bool {
        self.compare_integer(size) == Ordering::Less || self.compare_integer(-size) == Ordering::Greater
    }

    /// The kept number as a number that can be compared.
    pub(crate) fn as_decimal(&self) -> Decimal<'_> {
        Decimal { negative: self.negative, head: &self.digits, tail: "", exponent: self.exponent }
    }

    /// How `value` compares to this number.
    pub(crate) fn compare_integer(&self, value: i64) -> Ordering {
        match self.place {
            IntegerPlace::At(own) => value.cmp(&own),
            IntegerPlace::JustAbove(floor) if value <= floor => Ordering::Less,
            IntegerPlace::BelowAll | IntegerPlace::JustAbove(_) => Ordering::Greater,
            IntegerPlace::AboveAll => Ordering::Less,
        }
    }
}

fn integer_place(digits: &str, exponent: i128, negative: bool) -> IntegerPlace {
    // An integer of 64 bits has at most nineteen digits; one more is out of reach for certain.
    let Ok(whole_digits) = usize::try_from(exponent.clamp(0, 20)) else { return IntegerPlace::At(0) };
    let taken = digits.len().min(whole_digits);
    let (whole, fraction) = digits.split_at(taken);
    let padded = format!("{whole}{}", "0".repeat(whole_digits - taken));
    let size: i128 = if padded.is_empty() { 0 } else { padded.parse().unwrap_or(i128::MAX) };
    let floor = match (negative, fraction.is_empty()) {
        (false, _) => size,
        (true, true) => -size,
        (true, false) => -size - 1,
    };
    match (i64::try_from(floor), fraction.is_empty()) {
        (Ok(floor), true) => IntegerPlace::At(floor),
        (Ok(floor), false) => IntegerPlace::JustAbove(floor),
        (Err(_), _) if negative => IntegerPlace::BelowAll,
        (Err(_), _) => IntegerPlace::AboveAll,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compare(left: &str, right: &str) -> Ordering {
        let (left, right) =
            (Decimal::parse(left).expect("a number"), Decimal::parse(right).expect("a number"));
        assert_eq!(left.compare(&right), right.compare(&left).reverse());
        left.compare(&right)
    }

    #[test]
    fn equal_values_are_equal_however_they_are_written() {
        for (left, right) in [
            ("300", "300.0"),
            ("300", "3.0e2"),
            ("-0", "0"),
            ("0.0e5", "0"),
            ("0e99999999999999999999999", "0"),
            ("0.00120", "12e-4"),
            ("1E+2", "100"),
            ("123456789012345678901234567890", "1.2345678901234567890123456789e29"),
        ] {
            assert_eq!(compare(left, right), Ordering::Equal, "{left} {right}");
        }
    }

    #[test]
    fn unequal_values_are_ordered_exactly() {
        for (less, more) in [
            ("9007199254740992", "9007199254740993"),
            ("-1", "0"),
            ("-2", "-1"),
            ("0.1", "0.10000000000000000000000000001"),
            ("99", "1e2"),
            ("-1e400", "1e-400"),
            ("1e-400", "2e-400"),
            ("1e100000000000000000", "1e9999999999999999999"),
            ("12e9999999999999999999", "1e10000000000000000001"),
            ("-1e9999999999999999999", "1e-9999999999999999999"),
            ("0", "1e-99999999999999999999999999999999999999999"),
            ("1e99", "1e99999999999999999999999999999999999999999"),
        ] {
            assert_eq!(compare(less, more), Ordering::Less, "{less} {more}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".5", "5.", "1e", "0x10", "1_000", "NaN", "0e", "0ex"] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn integers_are_placed_beside_numbers_that_are_none() {
        for (number, value, expected) in [
            ("3.5", 3, Ordering::Less),
            ("3.5", 4, Ordering::Greater),
            ("-3.5", -3, Ordering::Greater),
            ("-3.5", -4, Ordering::Less),
            ("0.5", 0, Ordering::Less),
            ("-0.5", 0, Ordering::Greater),
            ("1e30", i64::MAX, Ordering::Less),
            ("1e9999999999999999999", i64::MAX, Ordering::Less),
            ("1e-9999999999999999999", 0, Ordering::Less),
            ("-1e-9999999999999999999", 0, Ordering::Greater),
            ("-1e30", i64::MIN, Ordering::Greater),
            ("9223372036854775808", i64::MAX, Ordering::Less),
            ("-9223372036854775808", i64::MIN, Ordering::Equal),
            ("3.0e2", 300, Ordering::Equal),
        ] {
            let number = Number::parse(number).expect("a number");
            assert_eq!(number.compare_integer(value), expected, "{number:?} {value}");
        }
    }

    proptest! {
        #[test]
        fn integers_compare_as_integers(left: i64, right: i64) {
            let (text, other) = (left.to_string(), right.to_string());
            prop_assert_eq!(compare(&text, &other), left.cmp(&right));
            let number = Number::parse(&other).expect("a number");
            prop_assert_eq!(number.compare_integer(left), left.cmp(&right));
            prop_assert_eq!(number.as_integer(), Some(right));
        }

        #[test]
        fn shifting_the_point_changes_nothing(value in -1_000_000_000_i64..1_000_000_000, shift in 0_usize..40) {
            let shifted = format!("{value}{}e-{shift}", "0".repeat(shift));
            prop_assert_eq!(compare(&shifted, &value.to_string()), Ordering::Equal);
        }

        #[test]
        fn any_text_is_answered(text in "[-+0-9.eE]{0,12}") {
            if let Some(number) = Number::parse(&text) {
                prop_assert_eq!(number.as_decimal().compare(&Decimal::parse(&text).expect("the same")), Ordering::Equal);
            }
        }
    }
}
