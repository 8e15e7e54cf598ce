//! What a command would do, before it does it: counts by what happens, state, rule and operation, then the
//! first actions.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::Style;

use super::effect::{Effect, IfDone};
use super::{list, pace};
use crate::action::HeldReason;
use crate::cli::acting::{write_beyond, write_cut};
use crate::cli::instant::age;
use crate::cli::terminal::{BAD, Columns, DIM, NAME, TITLE, WARNING, counted, styled};
use crate::store::operator::act::{Pace, Verb};
use crate::store::operator::select::{Chosen, Listing};
use crate::store::stop::Stop;

/// Actions that are shown one by one.
const SHOWN_MAX: usize = 10;

/// The groups that are shown; there are as many as a person writes rules.
const GROUPS_MAX: usize = 30;

/// How a command changes actions.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    pub(super) verb: Verb,
    pub(super) if_done: IfDone,
    /// How fast they are let out; at once without one.
    pub(super) pace: Option<Pace>,
}

/// What a command would do to the chosen actions.
#[derive(Debug)]
pub(super) struct Preview {
    pub(super) how: How,
    /// Those that it changes.
    pub(super) changes: Vec<Chosen>,
    perhaps_twice: usize,
    /// Held by the policy: without another policy they are held again.
    forbidden: usize,
    /// What a stop is for: it is held again as it falls due.
    stopped: usize,
    groups: BTreeMap<Group, usize>,
    left_alone: BTreeMap<(&'static str, Group), usize>,
    /// What it costs, where it costs something.
    cost: Option<String>,
    chosen: usize,
    total: i64,
}

/// State with its reason, rule, operation.
type Group = (String, String, String);

impl Preview {
    /// Of the chosen actions, to each of which `effect` happens.
    pub(super) fn of(
        how: How,
        listing: Listing<Chosen>,
        stops: &[Stop],
        effect: impl Fn(&Chosen) -> Effect,
    ) -> Self {
        let chosen = listing.rows.len();
        let mut preview = Preview {
            how,
            changes: Vec::new(),
            perhaps_twice: 0,
            forbidden: 0,
            stopped: 0,
            groups: BTreeMap::new(),
            left_alone: BTreeMap::new(),
            cost: None,
            chosen,
            total: listing.total,
        };
        let sends = matches!(how.verb, Verb::Release | Verb::Requeue);
        for row in listing.rows {
            let group = (list::state(&row), row.rule.clone(), row.operation.clone());
            match effect(&row) {
                Effect::LeftAlone(why) => *preview.left_alone.entry((why, group)).or_default() += 1,
                done => {
                    let forbidden = how.verb == Verb::Release && row.held_reason == Some(HeldReason::Policy);
                    preview.forbidden += usize::from(forbidden);
                    let is_stopped =
                        stops.iter().any(|stop| stop.stops(&row.rule, row.workspace, &row.operation));
                    preview.stopped += usize::from(sends && is_stopped);
                    preview.perhaps_twice += usize::from(done == Effect::PerhapsTwice);
                    *preview.groups.entry(group).or_default() += 1;
                    preview.changes.push(row);
                }
            }
        }
        preview
    }

    /// The same, and what it costs.
    pub(super) fn costing(self, cost: String) -> Self {
        Preview { cost: Some(cost), ..self }
    }

    /// What is changed, by group, as the audit keeps it.
    pub(super) fn in_words(&self) -> String {
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        for ((state, _, _), count) in &self.groups {
            *states.entry(state).or_default() += count;
        }
        let states: Vec<_> = states.into_iter().map(|(state, count)| format!("{count} {state}")).collect();
        let pace = self.how.pace.map(|pace| format!("; at {}", pace::in_words(pace)));
        format!("{}{}", states.join(", "), pace.unwrap_or_default())
    }

    /// The question to answer.
    pub(super) fn question(&self) -> String {
        format!("{} {}?", self.how.verb.as_str(), counted(self.changes.len(), "action"))
    }

    /// Shows it.
    pub(super) fn write(&self, out: &mut impl Write, now_ms: i64) -> io::Result<()> {
        let title = format!("{}: {}", self.how.verb.as_str(), counted(self.changes.len(), "action"));
        writeln!(out, "{}", styled(TITLE, &title))?;
        let mut groups = Columns::new();
        for ((state, rule, operation), count) in self.groups.iter().take(GROUPS_MAX) {
            groups.row([
                (TITLE, count.to_string().as_str()),
                (WARNING, state),
                (NAME, rule),
                (Style::new(), operation),
            ]);
        }
        write!(out, "{}", groups.lines(2))?;
        write_cut(out, self.groups.len(), GROUPS_MAX, "group")?;
        for (count, told) in [
            (
                self.perhaps_twice,
                "of them may have been executed by DataWorks, and may be executed a second time",
            ),
            (
                self.forbidden,
                "of them the [policy] did not allow: unless it does by now, they are held again",
            ),
            (
                self.stopped,
                "of them are stopped: until that ends (`openeventd resume-calls`), they are held again",
            ),
        ] {
            if count > 0 {
                writeln!(out, "{}", styled(BAD, &format!("{count} {told}")))?;
            }
        }
        if let (Some(pace), Some(last)) = (self.how.pace, self.changes.len().checked_sub(1)) {
            let rate = pace::in_words(pace);
            writeln!(out, "let out at {rate}, the last of them in {}", age(pace.due_after_ms(last)))?;
        }
        if let Some(cost) = self.cost.as_ref().filter(|_| !self.changes.is_empty()) {
            writeln!(out, "{cost}")?;
        }
        self.write_left_alone(out)?;
        if !self.changes.is_empty() {
            writeln!(out)?;
            let first = self.changes.get(..SHOWN_MAX).unwrap_or(&self.changes);
            write!(out, "{}", list::table(first, now_ms).lines(2))?;
            write_cut(out, self.changes.len(), SHOWN_MAX, "action")?;
        }
        write_beyond(out, self.total, self.chosen, "action")
    }

    fn write_left_alone(&self, out: &mut impl Write) -> io::Result<()> {
        if self.left_alone.is_empty() {
            return Ok(());
        }
        writeln!(out, "{}", styled(TITLE, "left alone:"))?;
        let mut groups = Columns::new();
        for ((why, (state, rule, operation)), count) in self.left_alone.iter().take(GROUPS_MAX) {
            groups.row([
                (TITLE, count.to_string().as_str()),
                (DIM, state),
                (DIM, rule),
                (DIM, operation),
                (Style::new(), why),
            ]);
        }
        write!(out, "{}", groups.lines(2))?;
        write_cut(out, self.left_alone.len(), GROUPS_MAX, "group")
    }
}
