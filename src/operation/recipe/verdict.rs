//! What two readings say together.
//!
//! Each subject is judged alone; the call happened if it shows for all of them, and did not if it shows for
//! none and each proves it. A call that was executed for some of its subjects is left to a person.

use jiff::Timestamp;

use super::{
    Finding, Findings, Order, Read, Recipe, Rows, SETTLES_AFTER_MS, Says, State, Status, Unchanged, log,
};

/// What is known about a call whose response was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was executed, by us or by somebody else: its effect is there.
    Happened,
    /// It was not executed, and may be sent again.
    DidNotHappen,
    /// It cannot be told.
    Ambiguous,
}

/// A verdict, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// For the audit: `RunNumber of 73910042265 went from 2 to 3`.
    pub reason: String,
}

/// All that was read about a call.
#[derive(Debug, Clone, Copy)]
pub struct Looked<'a> {
    /// The reads of the call, as [`Recipe::reads`] gives them.
    pub reads: &'a [Read],
    /// What they said before the call was sent, if they were made.
    pub before: Option<&'a Findings>,
    /// What they say now.
    pub after: &'a Findings,
    /// What the operation log says, if it was read.
    pub log: Option<&'a Findings>,
    /// When the call was sent, milliseconds since 1970.
    pub sent_at_ms: i64,
    /// When the later reads were sent, milliseconds since 1970.
    pub looked_at_ms: i64,
}

impl Verdict {
    /// The verdict that [`Verdict::as_str`] wrote.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        [Verdict::Happened, Verdict::DidNotHappen, Verdict::Ambiguous]
            .into_iter()
            .find(|it| it.as_str() == text)
    }

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Happened => "happened",
            Verdict::DidNotHappen => "did_not_happen",
            Verdict::Ambiguous => "ambiguous",
        }
    }
}

/// What the readings of one subject say.
enum Seen {
    Moved(String),
    Still(String),
    Unclear(String),
}

pub(super) fn judge(recipe: &Recipe, looked: &Looked<'_>) -> Judgement {
    let (mut moved, mut still, mut unclear) = (Vec::new(), Vec::new(), Vec::new());
    for read in looked.reads {
        match seen(recipe, read, looked) {
            Seen::Moved(reason) => moved.push(reason),
            Seen::Still(reason) => still.push(reason),
            Seen::Unclear(reason) => unclear.push(reason),
        }
    }
    let verdict = match (moved.is_empty(), still.is_empty(), unclear.is_empty()) {
        (false, true, true) => Verdict::Happened,
        (true, false, true) => Verdict::DidNotHappen,
        _ => Verdict::Ambiguous,
    };
    let mut reasons = moved;
    reasons.extend(still);
    reasons.extend(unclear);
    if reasons.is_empty() {
        reasons.push("nothing was read".to_owned());
    }
    Judgement { verdict, reason: reasons.join("; ") }
}

fn seen(recipe: &Recipe, read: &Read, looked: &Looked<'_>) -> Seen {
    let subject = &read.subject;
    let log = looked.log.and_then(|log| log.get(subject));
    let by_readings = match (looked.before.and_then(|it| it.get(subject)), looked.after.get(subject)) {
        (None, _) => Seen::Unclear(format!("nothing is known of {subject} from before the call")),
        (_, None) => Seen::Unclear(format!("nothing is known of {subject} from after the call")),
        (Some(before), Some(after)) => match &recipe.says {
            Says::State(state) => compare_states(state, subject, before, after, looked.sent_at_ms),
            Says::Rows(rows) => compare_rows(rows, subject, before, after),
        },
    };
    let settled = looked.looked_at_ms.saturating_sub(looked.sent_at_ms) >= SETTLES_AFTER_MS;
    let by_readings = match by_readings {
        Seen::Still(reason) if recipe.unchanged == Unchanged::ProvesNothing => {
            Seen::Unclear(format!("{reason}, which proves nothing of an operation that is asynchronous"))
        }
        Seen::Still(reason) if !settled => Seen::Unclear(format!("{reason}, but it is too early to tell")),
        other => other,
    };
    match log.and_then(|log| log::rerun_since(log, looked.sent_at_ms)) {
        // The log outweighs a reading that saw nothing: it may have been made too early.
        Some(at_ms) if !matches!(by_readings, Seen::Moved(_)) => {
            let at =
                Timestamp::from_millisecond(at_ms).map_or_else(|_| at_ms.to_string(), |at| at.to_string());
            Seen::Moved(format!("the operation log of {subject} has a rerun at {at}"))
        }
        _ => by_readings,
    }
}

fn compare_states(state: &State, subject: &str, before: &Finding, after: &Finding, sent_at_ms: i64) -> Seen {
    if let Some(lacking) =
        state.needs.iter().find(|name| before.field(name).is_none() || after.field(name).is_none())
    {
        return Seen::Unclear(format!("{lacking} of {subject} is not known"));
    }
    if let Some(other) = identity(state).find(|name| before.field(name) != after.field(name)) {
        return Seen::Unclear(format!(
            "the readings of {subject} differ in {other}: they are about different things"
        ));
    }
    let was = state.status.as_ref().and_then(|status| before.word(status.field));
    let is = state.status.as_ref().and_then(|status| after.word(status.field));
    let rested = state.status.as_ref().is_none_or(|status| is_one(was, status.rest));
    let change = changes(state, before, after).into_iter().next().map(|name| {
        format!("{name} of {subject} went from {} to {}", shown(before, name), shown(after, name))
    });
    let grown = state.grows.iter().find(|name| has_grown(before, after, name, sent_at_ms));
    let begun = state.status.as_ref().filter(|status| is_one(is, status.begun));
    match (grown, begun, change) {
        (Some(name), _, _) if rested => Seen::Moved(format!(
            "{name} of {subject} went from {} to {}",
            shown(before, name),
            shown(after, name)
        )),
        (None, Some(Status { field, .. }), _) if rested && !has_shrunk(state, before, after) => Seen::Moved(
            format!("{field} of {subject} went from {} to {}", shown(before, field), shown(after, field)),
        ),
        (_, _, Some(change)) => Seen::Unclear(format!("{change}, which may have other causes")),
        (_, _, None) => unchanged(state, subject, before, was),
    }
}

/// What tells which row it is: neither a counter nor the status.
fn identity(state: &State) -> impl Iterator<Item = &'static str> {
    let status = state.status.as_ref().map(|status| status.field);
    state.needs.iter().filter(move |name| !state.grows.contains(name) && status != Some(**name)).copied()
}

fn unchanged(state: &State, subject: &str, before: &Finding, was: Option<&str>) -> Seen {
    if let Some(lacking) = state.proves.iter().find(|name| before.field(name).is_none()) {
        return Seen::Unclear(format!("{subject} shows no change, but {lacking} is not known"));
    }
    match (&state.status, was) {
        (Some(status), Some(word)) if !is_one(was, status.proof) => {
            Seen::Unclear(format!("{subject} is {word} as before, in which a call may leave no trace"))
        }
        _ => {
            let fields = state.proves.iter().map(|name| format!("{name} {}", shown(before, name)));
            Seen::Still(format!("{subject} is as before ({})", fields.collect::<Vec<_>>().join(", ")))
        }
    }
}

/// The fields that differ, those that say most first.
fn changes(state: &State, before: &Finding, after: &Finding) -> Vec<&'static str> {
    let all = state.grows.iter().chain(state.needs).chain(state.proves).chain(state.keeps);
    all.filter(|name| before.field(name) != after.field(name)).copied().collect()
}

/// A number that rose; or a time after the call where there was none: only runs leave times behind.
fn has_grown(before: &Finding, after: &Finding, name: &str, sent_at_ms: i64) -> bool {
    match (before.number(name), after.number(name)) {
        (Some(was), Some(is)) => is > was,
        (None, Some(is)) => before.field(name).is_none() && is >= sent_at_ms,
        _ => false,
    }
}

/// A number that fell is nothing that we understand.
fn has_shrunk(state: &State, before: &Finding, after: &Finding) -> bool {
    let fell =
        |name: &&str| matches!((before.number(name), after.number(name)), (Some(was), Some(is)) if is < was);
    state.grows.iter().any(fell)
}

fn compare_rows(rows: &Rows, subject: &str, before: &Finding, after: &Finding) -> Seen {
    let (Some(had), Some(has)) = (before.ids(), after.ids()) else {
        return Seen::Unclear(format!("the list for {subject} is not known"));
    };
    match rows.order {
        Order::Any => match has.iter().find(|id| !had.contains(id)) {
            Some(id) => Seen::Moved(format!("{id} is new in the list for {subject}")),
            None if had.iter().all(|id| has.contains(id)) => {
                Seen::Still(format!("the list for {subject} has the same {} rows", has.len()))
            }
            None => Seen::Unclear(format!("rows have gone from the list for {subject}")),
        },
        Order::NewestFirst => {
            let (Some(was_newest), Some(newest)) = (before.newest(), after.newest()) else {
                return Seen::Unclear(format!("the list for {subject} is not known"));
            };
            let is_new = |id: &&&str| id.parse::<i64>().is_ok_and(|id| id > was_newest);
            match has.iter().find(is_new) {
                Some(id) => Seen::Moved(format!("{id} is new in the list for {subject}")),
                None if newest == was_newest => {
                    Seen::Still(format!("the newest row of the list for {subject} is still {newest}"))
                }
                None => Seen::Unclear(format!("the list for {subject} has changed, but not by such a call")),
            }
        }
    }
}

fn is_one(word: Option<&str>, words: &[&str]) -> bool {
    word.is_some_and(|word| words.iter().any(|it| it.eq_ignore_ascii_case(word)))
}

fn shown(finding: &Finding, name: &str) -> String {
    match (finding.number(name), finding.word(name)) {
        (Some(number), _) => number.to_string(),
        (None, Some(word)) => word.to_owned(),
        (None, None) => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests;
