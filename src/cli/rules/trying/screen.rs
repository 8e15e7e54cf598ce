//! A trial as a person reads it.

use std::fmt::Write as _;

use anstyle::Style;

use super::compared::Only;
use super::cost::Calls;
use super::figures::{Beside, Day, Did, Difference, Figures, OfAccount, OfTried};
use crate::cli::instant::spaced;
use crate::cli::status::screen::grouped;
use crate::cli::terminal::{BAD, Columns, DIM, NAME, TITLE, WARNING, abbreviated, fitted, styled};
use crate::escape::Escaped;

/// Rules of a table.
const RULES_MAX: usize = 100;

/// Rules that are named because they matched nothing.
const UNMATCHED_MAX: usize = 20;

/// What a message takes at most, columns.
const MESSAGE_WIDTH_MAX: usize = 300;

const PLAIN: Style = Style::new();

/// All of it, one part after the other.
pub(super) fn as_text(figures: &Figures<'_>) -> String {
    let Figures { events, .. } = figures;
    let mut text = format!(
        "{} accepted since {} through the rules of {}; nothing is sent or written\n",
        counted(events.read, "event"),
        spaced(&figures.since.to_string()),
        Escaped(&figures.directory)
    );
    if events.retired > 0 {
        let verb = if events.retired == 1 { "has" } else { "have" };
        let more = counted(events.retired, "more event");
        let told = format!("{more} of that time {verb} left by retention, those that no rule matched first");
        let _ = writeln!(text, "{}", styled(WARNING, &told));
    }
    if let Some(example) = &events.undecodable_example {
        let told = format!("{} cannot be decoded as records are now", counted(events.undecodable, "event"));
        let _ = writeln!(text, "{}: {}", styled(WARNING, &told), failure(example.event, example.message));
    }
    text.push('\n');
    rules(&mut text, figures);
    costs(&mut text, &figures.accounts);
    match (&figures.in_force, figures.not_compared) {
        (Some(in_force), _) => differences(&mut text, in_force),
        (None, reason) => {
            let reason = Escaped(reason.unwrap_or_default()).to_string();
            let _ = writeln!(text, "\n{}: {reason}", styled(WARNING, "not compared with the rules in force"));
        }
    }
    text
}

fn rules(text: &mut String, figures: &Figures<'_>) {
    let titles = ["RULE", "MODE", "MATCHES", "CALLS", "IF LIVE", "HELD IF LIVE", "FAILED"];
    let mut table = Columns::new();
    table.row(titles.map(|title| (TITLE, title)));
    for rule in figures.rules.iter().take(RULES_MAX) {
        let (matches, failed) = (number(rule.matches), number(rule.failed));
        let (calls, if_live) = (number(rule.calls), number(rule.calls_if_live));
        table.row([
            (NAME, rule.name),
            (PLAIN, rule.mode),
            (PLAIN, matches.as_str()),
            (PLAIN, calls.as_str()),
            (PLAIN, if_live.as_str()),
            (WARNING, held(rule).as_str()),
            (BAD, if rule.failed > 0 { failed.as_str() } else { "" }),
        ]);
    }
    if figures.rules.is_empty() {
        text.push_str("no rule matched any of them\n");
    } else {
        text.push_str(&table.lines(0));
    }
    more(text, figures.rules.len(), RULES_MAX);
    for (rule, found) in
        figures.rules.iter().filter_map(|rule| Some((rule, rule.failure.as_ref()?))).take(RULES_MAX)
    {
        let _ = writeln!(
            text,
            "{} {} {}",
            styled(BAD, "failed"),
            styled(NAME, rule.name),
            failure(found.event, found.message)
        );
    }
    if !figures.unmatched.is_empty() && !figures.rules.is_empty() {
        let mut names = figures.unmatched.get(..UNMATCHED_MAX).unwrap_or(&figures.unmatched).join(", ");
        if figures.unmatched.len() > UNMATCHED_MAX {
            let _ = write!(names, " and {} more", figures.unmatched.len() - UNMATCHED_MAX);
        }
        let _ = writeln!(text, "{}", styled(DIM, &format!("matched nothing: {names}")));
    }
}

/// What makes up the rest of the matches, in words.
fn held(rule: &OfTried<'_>) -> String {
    let held = rule.held_if_live.iter().map(|(reason, count)| format!("{} {reason}", number(*count)));
    let others = [(rule.untrusted, "untrusted"), (rule.recorded, "only recorded")];
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    let others = others.map(|(count, what)| format!("{} {what}", number(count)));
    held.chain(others).collect::<Vec<_>>().join(", ")
}

fn costs(text: &mut String, accounts: &[OfAccount<'_>]) {
    for account in accounts {
        let name = if account.account.is_empty() { "(none is configured)" } else { account.account };
        let limit = match (account.edition, account.limit_per_day) {
            (None, _) => "its limits are not known".to_owned(),
            (Some(edition), None) => format!("{edition}, no limit a day"),
            (Some(edition), Some(limit)) => format!("{edition}, {} calls a day", number(limit)),
        };
        let name = format!("account {} {}", Escaped(name), account.region.unwrap_or_default());
        let _ = writeln!(text, "\n{}: {limit}", styled(TITLE, name.trim_end()));
        let mut lines = Columns::new();
        let days = [
            ("worst day", account.worst_day, Which::Own),
            ("if all were live", account.worst_day_if_live, Which::IfLive),
            ("rules in force", account.worst_day_in_force, Which::Own),
        ];
        for (title, day, which) in days {
            let (style, told) = day_in_words(account, day, which);
            lines.row([(PLAIN, title), (style, told.as_str())]);
        }
        text.push_str(&lines.lines(2));
    }
}

/// Which of the calls of a day count.
#[derive(Clone, Copy)]
enum Which {
    Own,
    IfLive,
}

fn day_in_words(account: &OfAccount<'_>, day: Option<Day>, which: Which) -> (Style, String) {
    let Some(Day { begins_at, calls }) = day else { return (DIM, "no calls".to_owned()) };
    let Calls { reads, writes, reads_if_live, writes_if_live } = calls;
    let (all, reads, writes) = match which {
        Which::Own => (calls.all(), reads, writes),
        Which::IfLive => (calls.all_if_live(), reads_if_live, writes_if_live),
    };
    let is_beyond = account.limit_per_day.is_some_and(|limit| all > limit);
    let at = account.calendar.written(begins_at.0);
    let (reads, writes) = (counted(reads, "read"), counted(writes, "write"));
    let counts = format!("{}, {reads} and {writes}", counted(all, "call"));
    let told = format!("{counts}, from {at}{}", if is_beyond { ": more than allowed" } else { "" });
    (if is_beyond { BAD } else { PLAIN }, told)
}

fn differences(text: &mut String, in_force: &Beside<'_>) {
    let title = format!("beside the rules in force {}", abbreviated(in_force.rule_set));
    let _ = writeln!(text, "\n{}", styled(TITLE, &title));
    if in_force.differences.is_empty() {
        text.push_str("  every rule did the same\n");
        return;
    }
    let _ = writeln!(
        text,
        "  {} {} matched only now, {} only by the rules in force",
        counted(in_force.events_only_tried, "event"),
        if in_force.events_only_tried == 1 { "is" } else { "are" },
        counted(in_force.events_only_in_force, "event")
    );
    let mut table = Columns::new();
    table
        .row(["RULE", "ONLY NOW", "ONLY IN FORCE", "CALLS", "IF LIVE", "EVENTS"].map(|title| (TITLE, title)));
    for Difference { name, only, tried, in_force } in in_force.differences.iter().take(RULES_MAX) {
        let matched = |count: fn(&Only) -> u64| number(only.map_or(0, count));
        let (now, before) = (matched(|only| only.tried.events), matched(|only| only.in_force.events));
        let change = |count: fn(&Did) -> u64| {
            let count = |did: &Option<Did>| number(did.as_ref().map_or(0, count));
            format!("{} -> {}", count(in_force), count(tried))
        };
        table.row([
            (NAME, *name),
            (PLAIN, now.as_str()),
            (PLAIN, before.as_str()),
            (PLAIN, change(|did| did.calls).as_str()),
            (PLAIN, change(|did| did.calls_if_live).as_str()),
            (DIM, only.map(examples).unwrap_or_default().as_str()),
        ]);
    }
    text.push_str(&table.lines(2));
    more(text, in_force.differences.len(), RULES_MAX);
}

/// The first events that only one of the two matched; `openeventd audit NUMBER` shows each.
fn examples(only: &Only) -> String {
    let listed =
        |sign: char, events: &[i64]| events.iter().map(|event| format!("{sign}{event}")).collect::<Vec<_>>();
    let both = [listed('+', &only.tried.examples), listed('-', &only.in_force.examples)];
    both.concat().join(" ")
}

fn failure(event: i64, message: &str) -> String {
    format!("at event {event}: {}", fitted(message, MESSAGE_WIDTH_MAX))
}

fn more(text: &mut String, all: usize, shown: usize) {
    if all > shown {
        let told = format!("{} more rules: --json has all, --rule one of them", all - shown);
        let _ = writeln!(text, "{}", styled(DIM, &told));
    }
}

fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", number(count), if count == 1 { "" } else { "s" })
}

fn number(count: u64) -> String {
    grouped(i64::try_from(count).unwrap_or(i64::MAX))
}
