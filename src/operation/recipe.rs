//! How to find out whether a call whose response was lost was executed.
//!
//! A [`Recipe`] is data: which reads to make before the call is sent and again later ([`Recipe::reads`]),
//! what of a response matters ([`Recipe::finding`]), and what the two readings say together
//! ([`Recipe::judge`]). Whoever sends makes the reads; nothing here does.
//!
//! [`Verdict::DidNotHappen`] means that the call is sent again, so it rests on what both readings show and
//! never on what one of them lacks. What cannot be told is [`Verdict::Ambiguous`], and a person decides.
//!
//! # Why no counter of our own
//! No operation takes a mark that could be found again afterwards. What somebody else did at the same time
//! therefore looks like our call. That is [`Verdict::Happened`] too: the wanted effect is there.

use serde_json::{Map, Value};

use super::{ApiVersion, Operation};

mod ask;

mod book;

mod finding;

mod log;

mod verdict;

#[cfg(test)]
mod tests;

pub use finding::{Finding, Findings};
pub use verdict::{Judgement, Looked, Verdict};

/// A call that names more subjects is not looked up: every read costs quota.
pub const READS_MAX: usize = 5;

/// An unchanged reading sooner than this after the call was sent proves nothing: the endpoint may still be
/// at work on it.
pub const SETTLES_AFTER_MS: i64 = 60_000;

/// Texts in calls and responses that are longer than this are not looked at: bytes.
const TEXT_BYTES_MAX: usize = 256;

/// One read to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// What to call.
    pub operation: &'static Operation,
    /// Its parameters.
    pub params: Map<String, Value>,
    /// What it is about: the id of the instance, file, run, ...
    pub subject: String,
    /// What a row or object of the response has to show to be the one that was asked for.
    wanted: Vec<Wanted>,
}

/// How calls of one operation can be looked up.
#[derive(Debug)]
pub struct Recipe {
    operation: &'static str,
    version: ApiVersion,
    read: &'static str,
    subject: Subject,
    params: &'static [(&'static str, Source)],
    same: &'static [Same],
    says: Says,
    unchanged: Unchanged,
    /// Whether the operation log of task instances may answer what the readings cannot.
    has_log: bool,
}

/// What the reads of a call are about.
#[derive(Debug)]
enum Subject {
    /// Each id in this list, a read for each.
    Each(&'static str),
    /// The first id in this list: the operation takes no notice of the others.
    First(&'static str),
    /// The first of these parameters that the call has.
    One(&'static [&'static str]),
}

/// Where a parameter of the read comes from.
#[derive(Debug)]
enum Source {
    /// The subject.
    Subject,
    /// The call's parameter; without it there is no read.
    Param(&'static str),
    /// The call's parameter; left out where the call has none.
    IfGiven(&'static str),
    /// Always this.
    Number(i64),
    /// Always this.
    Text(&'static str),
    /// The day of the call's time in milliseconds, as 2020-05-18 writes days.
    DayOf(&'static str),
    /// The first day of the call's `Periods`, in milliseconds.
    FirstBizDate,
}

/// What the response must share with the call, in the first of these fields that it has: a response about
/// something else is none.
#[derive(Debug)]
enum Same {
    /// The field is the subject.
    Subject(&'static [&'static str]),
    /// The field is the call's parameter.
    Equals(&'static [&'static str], &'static str),
    /// The field begins with the call's parameter.
    Begins(&'static [&'static str], &'static str),
    /// The field holds all names and values of the call's parameter, where the call has it.
    Holds(&'static [&'static str], &'static str),
}

/// [`Same`] with the call's own value.
#[derive(Debug, Clone, PartialEq)]
struct Wanted {
    fields: &'static [&'static str],
    how: How,
    value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Equals,
    Begins,
    Holds,
}

/// What of a response matters.
#[derive(Debug)]
enum Says {
    State(State),
    Rows(Rows),
}

/// One object, and what its fields say: each a name, or a pointer from the object on.
#[derive(Debug)]
struct State {
    /// The object, or the list in which exactly one row is the wanted one.
    at: &'static str,
    /// Where the subject stands, if it stands elsewhere in the body.
    about: Option<&'static str>,
    /// The count of such a list's rows on all its pages.
    total: Option<&'static str>,
    /// Without these there is no finding.
    needs: &'static [&'static str],
    /// Numbers that only an execution raises.
    grows: &'static [&'static str],
    /// Have to be there and to be as before to prove that nothing happened.
    proves: &'static [&'static str],
    /// Must not have changed either, if they are there at all.
    keeps: &'static [&'static str],
    status: Option<Status>,
}

/// What the word in a status field says. The two API versions differ in case: words compare without it.
#[derive(Debug)]
struct Status {
    field: &'static str,
    /// From these a change is an execution.
    rest: &'static [&'static str],
    /// In these no change is no execution.
    proof: &'static [&'static str],
    /// Nothing but an execution leads here from a state of rest.
    begun: &'static [&'static str],
}

/// A list in which an execution adds a row.
#[derive(Debug)]
struct Rows {
    at: &'static str,
    total: &'static str,
    id: &'static str,
    order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Ids are numbers that only grow, and the read asks for the greatest first: one page is enough.
    NewestFirst,
    /// Ids say nothing: all rows have to be on the page.
    Any,
}

/// What it means that nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unchanged {
    /// The call was not executed.
    Proves,
    /// Nothing: the operation is asynchronous, and its effect may still come.
    ProvesNothing,
}

/// How a call of `operation` can be looked up, if it can.
#[must_use]
pub fn of(operation: &Operation) -> Option<&'static Recipe> {
    all().iter().find(|it| it.operation == operation.name && it.version == operation.version)
}

/// All recipes.
fn all() -> &'static [Recipe] {
    &book::RECIPES
}

impl Recipe {
    /// The reads that show what a call with `params` does, the same before and after it. Empty if these
    /// parameters cannot be looked up: an id that is none, a secret in its place, more than [`READS_MAX`].
    #[must_use]
    pub fn reads(&self, params: &Map<String, Value>) -> Vec<Read> {
        ask::reads(self, params).unwrap_or_default()
    }

    /// The reads of the operation log, for `reads` that left the verdict open; empty where there is none.
    #[must_use]
    pub fn log_reads(&self, reads: &[Read], sent_at_ms: i64) -> Vec<Read> {
        if self.has_log { log::reads(reads, sent_at_ms) } else { Vec::new() }
    }

    /// The operations that it reads by, the one of [`Recipe::reads`] first.
    #[must_use]
    pub fn operations(&self) -> Vec<&'static str> {
        let log = self.has_log.then_some(log::OPERATION);
        [Some(self.read), log].into_iter().flatten().collect()
    }

    /// Whether it can show that a call was not executed, too.
    #[must_use]
    pub fn can_show_absence(&self) -> bool {
        self.unchanged == Unchanged::Proves
    }

    /// Whether it can show anything of a call before which nothing was read.
    #[must_use]
    pub fn can_do_without_before(&self) -> bool {
        self.has_log
    }

    /// What matters of the body of a read's successful response; `None` if it does not say.
    #[must_use]
    pub fn finding(&self, read: &Read, body: &Value) -> Option<Finding> {
        if log::is_of(read) { log::finding(read, body) } else { finding::of(&self.says, read, body) }
    }

    /// What the readings say together.
    #[must_use]
    pub fn judge(&self, looked: &Looked<'_>) -> Judgement {
        verdict::judge(self, looked)
    }
}
