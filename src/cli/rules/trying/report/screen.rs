//! A trial for people: what was run, what came of each rule, where the rules in force differ, and what it would cost.

use anstyle::Style;

use super::super::tally::{Came, Examples, Tally};
use super::{AccountCost, Day, Report};
use crate::cli::instant::spaced;
use crate::cli::terminal::{BAD, Columns, DIM, GOOD, NAME, TITLE, WARNING, abbreviated, counted, styled};

const PLAIN: Style = Style::new();

/// Rules without a match that are named: the rest is counted.
const QUIET_NAMED_MAX: usize = 10;

impl Report<'_> {
    /// The screen.
    pub(in crate::cli::rules::trying) fn as_text(&self) -> String {
        let mut text = self.heading();
        text.push_str(&self.of_rules());
        text.push_str(&self.failures());
        text.push_str(&self.differences());
        text.push_str(&self.costs());
        text
    }

    fn heading(&self) -> String {
        let mut lines = Columns::new();
        let tried = format!("{}, {}", counted(self.tried.rules, "rule"), abbreviated(self.tried.hash));
        lines.row([(DIM, "Tried"), (PLAIN, &tried)]);
        let in_force = match (&self.running, &self.not_compared) {
            (Some(set), _) if set.hash == self.tried.hash => "the same rules".to_owned(),
            (Some(set), _) => {
                let since = set.loaded_at.as_deref().map(spaced).unwrap_or_default();
                let hash = abbreviated(set.hash);
                format!("{}, {hash}, since {since} UTC", counted(set.rules, "rule"))
            }
            (None, why) => format!("not compared: {}", why.as_deref().unwrap_or("not known")),
        };
        lines.row([(DIM, "In force"), (if self.running.is_none() { WARNING } else { PLAIN }, &in_force)]);
        let time = format!("{} to {} UTC", spaced(&self.since), spaced(&self.until));
        lines.row([(DIM, "Time"), (PLAIN, &time)]);
        let events = &self.events;
        let mut told = vec![format!("{} run, {} matched", events.run, events.matched)];
        if events.retired > 0 {
            told.push(format!("{} of that time have left by retention", events.retired));
        }
        if events.left_out > 0 {
            told.push(format!("{} older ones left out by --limit", events.left_out));
        }
        if events.undecodable.events > 0 {
            told.push(format!("not decodable any more: {}", in_words(events.undecodable)));
        }
        lines.row([(DIM, "Events"), (PLAIN, &told.join("; "))]);
        lines.lines(0)
    }

    fn of_rules(&self) -> String {
        let is_quiet = |tally: &Tally| {
            [&tally.tried, &tally.running].into_iter().flatten().all(|came| came.matches == 0)
        };
        let mut lines = Columns::new();
        lines.row(["RULE", "MODE", "MATCHES", "CAME TO", "IN FORCE"].map(|title| (TITLE, title)));
        let told = self.rules.iter().filter(|(_, tally)| !is_quiet(tally));
        let mut count = 0_usize;
        for (name, Tally { tried, running, .. }) in told {
            count += 1;
            let (mode, matches) =
                tried.as_ref().map_or(("gone", "-".to_owned()), |came| (came.mode, came.matches.to_string()));
            let (style, came_to) = tried.as_ref().map_or((DIM, "-".to_owned()), came_to);
            lines.row([
                (NAME, name.as_str()),
                (PLAIN, mode),
                (PLAIN, &matches),
                (style, &came_to),
                (DIM, &in_force(running.as_ref())),
            ]);
        }
        let mut text = if count == 0 { String::new() } else { format!("\n{}", lines.lines(0)) };
        let quiet: Vec<&str> =
            self.rules.iter().filter(|(_, tally)| is_quiet(tally)).map(|(name, _)| name.as_str()).collect();
        if !quiet.is_empty() {
            let more = if quiet.len() > QUIET_NAMED_MAX { ", ..." } else { "" };
            let named = quiet.iter().take(QUIET_NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
            let told = format!("{} matched nothing: {named}{more}", counted(quiet.len(), "rule"));
            text.push_str(&["\n", &styled(DIM, &told), "\n"].concat());
        }
        text
    }

    fn failures(&self) -> String {
        let mut lines = Columns::new();
        for (name, tally) in self.rules {
            let Some(came) = &tally.tried else { continue };
            let Some(first) = &came.first_failure else { continue };
            let told = format!("event {}: {}", first.event, first.message);
            lines.row([(NAME, name.as_str()), (BAD, &times(came.failed)), (PLAIN, &told)]);
        }
        below("Failed", &lines)
    }

    fn differences(&self) -> String {
        let mut lines = Columns::new();
        let mut row = |name: &str, what: &str, examples: &Examples| {
            if examples.events > 0 {
                lines.row([(NAME, name), (PLAIN, what), (PLAIN, &in_words(examples))]);
            }
        };
        row("any rule", "matches only here", self.only_tried);
        row("any rule", "matches only in force", self.only_running);
        for (name, tally) in self.rules {
            row(name, "matches only here", &tally.only_tried);
            row(name, "matches only in force", &tally.only_running);
        }
        below("Differs from the rules in force", &lines)
    }

    fn costs(&self) -> String {
        let mut lines = Columns::new();
        let titles = ["ACCOUNT", "AT MOST", "READS", "WRITES", "ON", "IN FORCE", "MAY MAKE"];
        lines.row(titles.map(|title| (TITLE, title)));
        for cost in &self.cost {
            let number = |number: fn(&Day) -> u64| cost.largest_day.as_ref().map_or(0, number).to_string();
            let on = cost.largest_day.as_ref().map_or("-", |day| day.begins_at.as_str());
            let in_force = match (&cost.running_largest_day, &self.running) {
                (Some(day), _) => day.calls.to_string(),
                (None, Some(_)) => "0".to_owned(),
                (None, None) => "-".to_owned(),
            };
            let (style, may_make) = may_make(cost);
            lines.row([
                (NAME, if cost.account.is_empty() { "(none)" } else { cost.account }),
                (style, number(|day| day.calls).as_str()),
                (PLAIN, number(|day| day.reads).as_str()),
                (PLAIN, number(|day| day.writes).as_str()),
                (PLAIN, on),
                (DIM, in_force.as_str()),
                (style, may_make.as_str()),
            ]);
        }
        if self.cost.is_empty() {
            return ["\n", &styled(DIM, "nothing would be sent"), "\n"].concat();
        }
        below("Calls in a day, one for each that is due: repetitions and look-ups come on top", &lines)
    }
}

/// What an account may spend in a day, and whether the largest day would be more.
fn may_make(cost: &AccountCost<'_>) -> (Style, String) {
    let calls = cost.largest_day.as_ref().map_or(0, |day| day.calls);
    match cost.day_limit {
        Some(limit) if calls > limit => (BAD, format!("{limit}, {} too few", calls - limit)),
        Some(limit) => (GOOD, limit.to_string()),
        None if cost.is_known => (GOOD, "no limit".to_owned()),
        None => (WARNING, "not in the settings".to_owned()),
    }
}

/// What came of a rule's matches, and the colour of what stands out most.
fn came_to(came: &Came) -> (Style, String) {
    let mut told = Vec::new();
    let mut add = |count: u64, what: &str| {
        if count > 0 {
            told.push(format!("{count} {what}"));
        }
    };
    add(came.calls, if came.calls == 1 { "call" } else { "calls" });
    for (reason, count) in &came.held {
        add(*count, &format!("held ({reason})"));
    }
    add(came.observed, "observed");
    add(came.recorded, "recorded");
    add(came.untrusted, "untrusted");
    add(came.failed, "failed");
    let style = match came {
        Came { failed: 1.., .. } => BAD,
        Came { held, .. } if !held.is_empty() => WARNING,
        Came { calls: 1.., .. } => GOOD,
        _ => DIM,
    };
    (style, if told.is_empty() { "-".to_owned() } else { told.join(", ") })
}

fn in_force(running: Option<&Came>) -> String {
    let Some(came) = running else { return "-".to_owned() };
    let (_, came_to) = came_to(came);
    format!("{}, {}: {came_to}", came.mode, came.matches)
}

fn in_words(examples: &Examples) -> String {
    let named = examples.examples.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let more = usize::try_from(examples.events).is_ok_and(|events| events > examples.examples.len());
    let events = usize::try_from(examples.events).unwrap_or(usize::MAX);
    format!("{}: {named}{}", counted(events, "event"), if more { ", ..." } else { "" })
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// Lines below a title, if there are any.
fn below(title: &str, lines: &Columns) -> String {
    let lines = lines.lines(2);
    if lines.is_empty() { lines } else { format!("\n{}\n{lines}", styled(TITLE, title)) }
}
