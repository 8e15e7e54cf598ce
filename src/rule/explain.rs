//! Why a rule fires for an event, or does not: each condition of its pattern, what it expects and what it sees.
//!
//! This is a walk over the compiled pattern that asks the evaluator of `pattern/evaluate.rs` about each condition and
//! each element of a list; nothing is matched a second time. Of a list the element is told that decides: the one that
//! holds, else the one that is nearest to holding. Of an `$or` it is the alternative that holds, else the nearest.

use std::cmp::Reverse;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};

use crate::event::Event;
use crate::event::json::Node;
use crate::rule::field::Field;
use crate::rule::pattern::evaluate::{self, Fit, Subject};
use crate::rule::pattern::leaf::Leaf;
use crate::rule::pattern::{Branch, Condition, Or, Pattern};
use crate::rule::{Firing, Rule, RuleIndex, RuleSet};

// What a condition sees, as text.
mod seen;

use seen::Path;
pub use seen::Seen;

/// Elements of one list among which the nearest is looked for.
const ELEMENTS_MAX: usize = 1_000;

/// How near a rule is to firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nearness {
    /// The rule.
    pub rule: RuleIndex,
    /// What the daemon makes of it.
    pub firing: Firing,
    /// Conditions that hold.
    pub holding: usize,
    /// Conditions that do not.
    pub failing: usize,
}

/// One condition of a rule, judged.
#[derive(Debug, Clone)]
pub struct Judged<'r> {
    /// Where it looks, with the element of a list: `data.tasks[2].state`.
    pub path: String,
    /// What it sees there.
    pub seen: Seen,
    /// Whether it holds.
    pub holds: bool,
    /// The alternative of an `$or` that it belongs to, if any.
    pub choice: Option<Choice<'r>>,
    leaf: &'r Leaf,
}

/// An alternative of an `$or`: the one that holds, or the nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice<'r> {
    /// Where the `$or` stands, such as `data.$or`; `$or and data.$or` if several must be judged together.
    pub at: &'r str,
    /// Which `$or` of the pattern, from 1.
    pub number: usize,
    /// Which of its alternatives, from 1; those of an `$or` within an `$or` are multiplied out.
    pub alternative: usize,
    /// How many there are.
    pub of: usize,
}

/// A rule set looking at one event.
pub struct Explaining<'r, 'e> {
    rules: &'r RuleSet,
    subject: Subject<'e>,
}

impl Judged<'_> {
    /// What was expected: a list of values and operators as JSON, of which one must hold.
    #[must_use]
    pub fn expected(&self) -> String {
        self.leaf.describe()
    }

    /// The same in words, with the alternative that wants it.
    #[must_use]
    pub fn wanted(&self) -> String {
        let choice = self.choice.map(|choice| format!(", in {choice}")).unwrap_or_default();
        format!("expected {}{choice}", self.expected())
    }
}

impl fmt::Display for Choice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "alternative {} of {} of {}", self.alternative, self.of, self.at)
    }
}

impl fmt::Display for Judged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, {}", self.path, self.seen, self.wanted())
    }
}

impl RuleSet {
    /// These rules while they look at `event`.
    #[must_use]
    pub fn explaining<'r, 'e>(&'r self, event: &'e Event<'e>) -> Explaining<'r, 'e> {
        Explaining { rules: self, subject: Subject::new(event) }
    }
}

impl<'r> Explaining<'r, '_> {
    /// All rules: those that fire, then those that fail, then the others, those with the fewest failing conditions
    /// first.
    #[must_use]
    pub fn by_nearness(&self) -> Vec<Nearness> {
        let places = (0..).zip(&self.rules.rules).map(|(place, rule)| self.nearness(RuleIndex(place), rule));
        let mut all: Vec<Nearness> = places.collect();
        all.sort_by_key(|near| {
            let class = match near.firing {
                Firing::Yes => 0,
                Firing::Failed => 1,
                Firing::No => 2,
            };
            (class, near.failing, Reverse(near.holding), near.rule)
        });
        all
    }

    /// How near the rule at `index` is.
    fn nearness(&self, index: RuleIndex, rule: &Rule) -> Nearness {
        // As where events are matched, a rule that panics has failed and stops no other.
        let judged = panic::catch_unwind(AssertUnwindSafe(|| {
            let walk = Walk::of(&rule.pattern, &self.subject, Keep::Counts);
            (self.rules.fires(index.0, &self.subject), walk.holding, walk.failing)
        }));
        let (firing, holding, failing) = judged.unwrap_or((Firing::Failed, 0, 0));
        Nearness { rule: index, firing, holding, failing }
    }

    /// Every condition of the rule at `index`, in the order in which they are tried.
    #[must_use]
    pub fn conditions(&self, index: RuleIndex) -> Vec<Judged<'r>> {
        let Some(rule) = self.rules.rule(index) else { return Vec::new() };
        let walk = || Walk::of(&rule.pattern, &self.subject, Keep::Conditions).judged;
        panic::catch_unwind(AssertUnwindSafe(walk)).unwrap_or_default()
    }
}

/// Whether a walk keeps what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Counts,
    Conditions,
}

/// What was found so far on the way through a pattern.
struct Walk<'r> {
    keep: Keep,
    choice: Option<Choice<'r>>,
    holding: usize,
    failing: usize,
    judged: Vec<Judged<'r>>,
}

impl<'r> Walk<'r> {
    fn new(keep: Keep, choice: Option<Choice<'r>>) -> Self {
        Walk { keep, choice, holding: 0, failing: 0, judged: Vec::new() }
    }

    fn of(pattern: &'r Pattern, subject: &Subject<'_>, keep: Keep) -> Self {
        let mut walk = Walk::new(keep, None);
        walk.top(&pattern.common, subject);
        for (number, Or { at, alternatives }) in (1..).zip(&pattern.choices) {
            let of = alternatives.len();
            let walked = |(alternative, branch): (usize, &'r Branch)| {
                let mut one = Walk::new(keep, Some(Choice { at, number, alternative, of }));
                one.top(branch, subject);
                one
            };
            let holds = |branch: &Branch| evaluate::holds_for(branch, subject) == Ok(true);
            let holding = (1..).zip(alternatives).find(|(_, branch)| holds(branch)).map(walked);
            let nearest = || (1..).zip(alternatives).map(walked).min_by_key(Walk::distance);
            walk.add(holding.or_else(nearest));
        }
        walk
    }

    /// The fewer conditions fail, the nearer; of two as near, the one of which more holds.
    fn distance(&self) -> (usize, Reverse<usize>) {
        (self.failing, Reverse(self.holding))
    }

    fn add(&mut self, other: Option<Walk<'r>>) {
        let Some(other) = other else { return };
        self.holding += other.holding;
        self.failing += other.failing;
        self.judged.extend(other.judged);
    }

    /// The conditions at the top of an event.
    fn top(&mut self, branch: &'r Branch, subject: &Subject<'_>) {
        for condition in &branch.conditions {
            let path = Path::Top(&condition.name);
            match condition.field {
                Some(Field::Data) => match subject.data() {
                    Ok(data) => self.condition(condition, Some(data), &path),
                    Err(_) => self.unreadable(condition, &path),
                },
                Some(field) => self.field(condition, field, subject.event, &path),
                None => match subject.extension(&condition.name) {
                    Ok(value) => self.condition(condition, value.as_ref(), &path),
                    Err(_) => self.unreadable(condition, &path),
                },
            }
        }
    }

    fn condition(&mut self, condition: &'r Condition, value: Option<&Node<'_>>, path: &Path<'_>) {
        for leaf in &condition.leaves {
            self.note(leaf, evaluate::leaf_fit(leaf, value), path, || Seen::of_node(value));
        }
        if let Some(below) = &condition.below {
            self.branch(below, value, path);
        }
    }

    fn field(&mut self, condition: &'r Condition, field: Field, event: &Event<'_>, path: &Path<'_>) {
        let value = field.value(event);
        for leaf in &condition.leaves {
            let seen = || match event.unknown_status().filter(|_| field == Field::Status) {
                Some(written) => Seen::unknown(written),
                None => Seen::of_field(value),
            };
            self.note(leaf, evaluate::plain_fit(leaf, value), path, seen);
        }
        if let Some(below) = &condition.below {
            self.branch(below, None, path);
        }
    }

    fn unreadable(&mut self, condition: &'r Condition, path: &Path<'_>) {
        for leaf in &condition.leaves {
            self.note(leaf, Fit::No, path, || Seen::Unreadable);
        }
        for below in condition.below.iter().flat_map(|below| &below.conditions) {
            self.unreadable(below, &Path::Name(path, &below.name));
        }
    }

    fn branch(&mut self, branch: &'r Branch, value: Option<&Node<'_>>, path: &Path<'_>) {
        match value {
            Some(Node::List(elements)) if !elements.is_empty() => {
                let told = self.told_element(branch, elements, path);
                self.add(told);
            }
            _ => {
                for condition in &branch.conditions {
                    let name = &condition.name;
                    self.condition(condition, evaluate::child(value, name), &Path::Name(path, name));
                }
            }
        }
    }

    /// The element that decides: it picks the list, or it is the nearest of those that fail.
    fn told_element(&self, branch: &'r Branch, elements: &[Node<'_>], path: &Path<'_>) -> Option<Walk<'r>> {
        let walked = |(place, element): (usize, &Node<'_>)| {
            let mut one = Walk::new(self.keep, self.choice);
            one.branch(branch, Some(element), &Path::Element(path, place));
            one
        };
        let fits: Vec<Fit> =
            elements.iter().map(|element| evaluate::branch_fit(branch, Some(element))).collect();
        let of_fit = |wanted: Fit| {
            let both = elements.iter().zip(&fits).enumerate();
            both.filter(move |(_, (_, fit))| **fit == wanted).map(|(place, (element, _))| (place, element))
        };
        if let Some(picked) = of_fit(Fit::ByValue).next() {
            return Some(walked(picked));
        }
        // A walk of each, kept, so that lists within lists cost no more than their elements.
        let nearest = of_fit(Fit::No).take(ELEMENTS_MAX).map(walked).min_by_key(Walk::distance);
        nearest.or_else(|| of_fit(Fit::ByAbsence).next().map(walked))
    }

    fn note(&mut self, leaf: &'r Leaf, fit: Fit, path: &Path<'_>, seen: impl FnOnce() -> Seen) {
        let holds = fit != Fit::No;
        if holds {
            self.holding += 1;
        } else {
            self.failing += 1;
        }
        if self.keep == Keep::Conditions {
            let (path, seen, choice) = (path.to_string(), seen(), self.choice);
            self.judged.push(Judged { path, seen, holds, choice, leaf });
        }
    }
}
