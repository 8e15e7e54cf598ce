//! `$or`: alternatives are made alternatives of whole patterns wherever they must be judged together.
//!
//! Conditions below one list of objects must hold in the same element, also those that stand in an `$or` and those
//! beside it. So an `$or` is multiplied with whatever names the same field at the top; what has nothing in common is
//! left apart. Both the number of alternatives and their size are limited.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use super::{Branch, Condition};

/// Alternatives that one pattern may come to; the number that Amazon EventBridge allows.
pub(super) const ALTERNATIVES_MAX: usize = 1_000;
/// Conditions that all alternatives of a pattern may come to.
pub(super) const CONDITIONS_MAX: usize = 100_000;

/// A pattern while it is compiled.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) common: Branch,
    pub(super) choices: Vec<Choice>,
}

/// An `$or`, or several that are judged together.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Where it stands, as a path.
    pub(super) at: String,
    pub(super) alternatives: Vec<Alternative>,
}

/// One alternative, and where what it was made of stands in the text.
#[derive(Debug, Default, Clone)]
pub(super) struct Alternative {
    pub(super) branch: Branch,
    /// The objects of `$or` lists.
    pub(super) origins: Vec<Range<usize>>,
}

/// A pattern whose alternatives are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

impl Draft {
    /// All of it as alternatives, each complete in itself.
    pub(super) fn flattened(self) -> Result<Vec<Alternative>, TooMany> {
        product(self.common, self.choices)
    }

    /// How many alternatives there would be if all choices were multiplied.
    pub(super) fn combinations(&self) -> usize {
        self.choices
            .iter()
            .fold(1, |product: usize, choice| product.saturating_mul(choice.alternatives.len()))
    }

    /// Multiplies those choices, and the common conditions, that name the same field at the top.
    pub(super) fn settled(self) -> Result<Draft, TooMany> {
        let mut settled = Draft { common: self.common, choices: Vec::new() };
        let mut left = self.choices;
        while let Some(choice) = left.pop() {
            let mut names = names_of(&choice.alternatives);
            let mut together = vec![choice];
            // What joins may bring further names, and these join others.
            loop {
                let (joining, apart): (Vec<_>, Vec<_>) =
                    left.into_iter().partition(|other| !names.is_disjoint(&names_of(&other.alternatives)));
                left = apart;
                if joining.is_empty() {
                    break;
                }
                names.extend(joining.iter().flat_map(|choice| names_of(&choice.alternatives)));
                together.extend(joining);
            }
            let (shared, common) =
                settled.common.conditions.into_iter().partition(|condition| names.contains(&condition.name));
            settled.common.conditions = common;
            let mut places: Vec<&str> = together.iter().map(|choice| choice.at.as_str()).collect();
            places.sort_unstable();
            let at = places.join(" and ");
            let alternatives = product(Branch { conditions: shared }, together)?;
            settled.choices.push(Choice { at, alternatives });
        }
        settled.choices.reverse();
        let alternatives = || settled.choices.iter().flat_map(|choice| &choice.alternatives);
        if alternatives().count() > ALTERNATIVES_MAX
            || alternatives().map(Alternative::size).sum::<usize>() > CONDITIONS_MAX
        {
            return Err(TooMany);
        }
        Ok(settled)
    }
}

fn names_of(choice: &[Alternative]) -> HashSet<Box<str>> {
    let conditions = choice.iter().flat_map(|alternative| &alternative.branch.conditions);
    conditions.map(|condition| condition.name.clone()).collect()
}

fn product(common: Branch, choices: Vec<Choice>) -> Result<Vec<Alternative>, TooMany> {
    let mut alternatives = vec![Alternative { branch: common, origins: Vec::new() }];
    for Choice { alternatives: choice, .. } in choices {
        let count = alternatives.len().saturating_mul(choice.len());
        let size = |list: &[Alternative]| list.iter().map(Alternative::size).sum::<usize>();
        let conditions = size(&alternatives)
            .saturating_mul(choice.len())
            .saturating_add(size(&choice).saturating_mul(alternatives.len()));
        if count > ALTERNATIVES_MAX || conditions > CONDITIONS_MAX {
            return Err(TooMany);
        }
        let with_each = |one: &Alternative| choice.iter().map(|other| one.with(other)).collect::<Vec<_>>();
        alternatives = alternatives.iter().flat_map(with_each).collect();
    }
    Ok(alternatives)
}

impl Alternative {
    fn with(&self, other: &Alternative) -> Self {
        let origins = self.origins.iter().chain(&other.origins).cloned().collect();
        Alternative { branch: merged(&self.branch, &other.branch), origins }
    }

    fn size(&self) -> usize {
        self.branch.size()
    }
}

/// The conditions of both.
fn merged(one: &Branch, other: &Branch) -> Branch {
    let mut merged = one.clone();
    for condition in &other.conditions {
        match merged.conditions.iter_mut().find(|own| own.name == condition.name) {
            Some(own) => add(own, condition),
            None => merged.conditions.push(condition.clone()),
        }
    }
    merged
}

fn add(own: &mut Condition, other: &Condition) {
    own.leaves.extend(other.leaves.iter().map(Arc::clone));
    if let Some(below) = &other.below {
        own.below = Some(match &own.below {
            Some(own) => merged(own, below),
            None => below.clone(),
        });
    }
}

impl Branch {
    /// How many conditions it holds, those below included.
    pub(super) fn size(&self) -> usize {
        let below = |condition: &Condition| condition.below.as_ref().map_or(0, Branch::size);
        self.conditions.iter().map(|condition| 1 + below(condition)).sum()
    }
}
