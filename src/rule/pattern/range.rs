//! `numeric`: one comparison of numbers, or a lower and then a higher bound.

use std::cmp::Ordering;

use super::decimal::Number;
use super::dialect::Feature;
use super::findings::Findings;
use super::item::{Item, ItemKind};
use super::leaf::{Bound, Range};

const GRAMMAR: &str = "`[\"=\", 5]`, `[\">\", 3]`, or a lower then a higher bound: `[\">\", 3, \"<=\", 8]`";

/// Reads the operand; `None` after an error, which is among the findings.
pub(super) fn parse(operand: &Item, path: &str, findings: &mut Findings) -> Option<Range> {
    let ItemKind::List(members) = &operand.kind else {
        let message = format!("expected a list such as `[\">\", 3]`, found {}", operand.describe());
        findings.error(&operand.span, path, message, "");
        return None;
    };
    let comparisons = members.chunks(2).map(comparison).collect::<Option<Vec<_>>>();
    let Some(comparisons) = comparisons.filter(|list| (1..=2).contains(&list.len())) else {
        findings.error(&operand.span, path, "not a comparison of numbers", GRAMMAR);
        return None;
    };
    let mut bounds = Vec::new();
    for (sign, text) in comparisons {
        let Some(number) = Number::parse(text) else {
            findings.error(&operand.span, path, "not a number as JSON has them", "");
            return None;
        };
        if number.is_beyond(5_000_000_000) {
            findings.uses(Feature::NumberBeyondFiveBillion, &operand.span, path);
        } else if number.is_beyond(1_000_000_000) {
            findings.uses(Feature::NumberBeyondABillion, &operand.span, path);
        }
        bounds.push((sign, number));
    }
    let range = range(bounds);
    if range.is_none() {
        findings.error(&operand.span, path, "not a range of numbers", GRAMMAR);
    }
    range
}

fn comparison(pair: &[Item]) -> Option<(&str, &str)> {
    match pair {
        [Item { kind: ItemKind::Text(sign), .. }, Item { kind: ItemKind::Number(number), .. }] => {
            ["=", "<", "<=", ">", ">="].contains(&sign.as_str()).then_some((sign.as_str(), number.as_str()))
        }
        _ => None,
    }
}

fn range(bounds: Vec<(&str, Number)>) -> Option<Range> {
    let mut bounds = bounds.into_iter();
    let bound = |sign: &str, number| Some(Bound { number, inclusive: sign.len() == 2 });
    match (bounds.next()?, bounds.next()) {
        (("=", number), None) => Some(Range {
            lower: Some(Bound { number: number.clone(), inclusive: true }),
            upper: Some(Bound { number, inclusive: true }),
        }),
        ((sign @ (">" | ">="), number), None) => Some(Range { lower: bound(sign, number), upper: None }),
        ((sign @ ("<" | "<="), number), None) => Some(Range { lower: None, upper: bound(sign, number) }),
        ((above @ (">" | ">="), low), Some((below @ ("<" | "<="), high)))
            if low.as_decimal().compare(&high.as_decimal()) == Ordering::Less =>
        {
            Some(Range { lower: bound(above, low), upper: bound(below, high) })
        }
        _ => None,
    }
}
