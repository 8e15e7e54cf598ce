//! The report as people read it: the event, the rules that looked at it, and what each condition saw.

use std::fmt::Write as _;

use anstyle::Style;

use super::outcome::{Outcome, Tense};
use super::report::{Report, Shown};
use crate::cli::tail::line::facts;
use crate::cli::terminal::{BAD, Columns, DIM, GOOD, NAME, TITLE, WARNING, counted, fitted, styled};
use crate::rule::explain::Judged;
use crate::rule::{Firing, Mode};

/// Columns of what stands outside of a table.
const LINE_MAX: usize = 400;

/// Which conditions are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// Those that do not hold.
    Failing,
    /// All.
    Whole,
}

/// The report as text.
pub(super) fn of(report: &Report<'_>, detail: Detail) -> String {
    let mut text = format!("{}  ", styled(TITLE, &fitted(&report.input.to_string(), LINE_MAX)));
    facts(report.event, &mut text);
    // Writing into a String cannot fail.
    let _ = writeln!(text, "\n{}", styled(DIM, &fitted(&format!("by {}", report.rules.told()), LINE_MAX)));
    for shown in &report.shown {
        rule(shown, detail, &mut text);
    }
    if report.shown.is_empty() && report.left_out == 0 {
        let _ = writeln!(text, "\nthere is no rule");
    }
    if report.left_out > 0 {
        let told = format!("{}, less near: --all or -n shows them", counted(report.left_out, "more rule"));
        let _ = writeln!(text, "\n{}", styled(DIM, &told));
    }
    text
}

fn rule(shown: &Shown<'_>, detail: Detail, text: &mut String) {
    let (style, told) = told(shown);
    let place = format!("({}:{}, {})", shown.rule.path, shown.rule.line, mode(shown.rule.mode));
    let _ = writeln!(
        text,
        "\n{}  {}  {}",
        styled(TITLE, &fitted(&shown.rule.name, LINE_MAX)),
        styled(style, &fitted(&told, LINE_MAX)),
        styled(DIM, &fitted(&place, LINE_MAX))
    );
    if let Some(outcome) = &shown.outcome {
        outcome_lines(outcome, text);
    }
    let mut columns = Columns::new();
    for judged in shown.conditions.iter().filter(|judged| detail == Detail::Whole || !judged.holds) {
        condition(judged, &mut columns);
    }
    text.push_str(&columns.lines(2));
}

fn told(shown: &Shown<'_>) -> (Style, String) {
    let near = &shown.near;
    match near.firing {
        Firing::Yes => (GOOD, "fires".to_owned()),
        Firing::Failed => (BAD, "cannot be evaluated".to_owned()),
        Firing::No => {
            let all = near.holding + near.failing;
            let word = if near.failing == 1 { "fails" } else { "fail" };
            (WARNING, format!("{} of {} {word}", near.failing, counted(all, "condition")))
        }
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observes",
        Mode::Approve => "asks a person",
        Mode::Live => "live",
    }
}

fn outcome_lines(outcome: &Outcome, text: &mut String) {
    let lead = match outcome.tense {
        Tense::Did => "came to",
        Tense::Would => "would come to",
    };
    let told = styled(outcome.style, &fitted(&outcome.told, LINE_MAX));
    let why = outcome.why.as_ref().map(|why| format!(": {}", fitted(why, LINE_MAX))).unwrap_or_default();
    let _ = writeln!(text, "  {} {told}{why}", styled(DIM, lead));
}

fn condition(judged: &Judged<'_>, columns: &mut Columns) {
    let (style, mark) = if judged.holds { (GOOD, "holds") } else { (BAD, "fails") };
    let (seen, wanted) = (judged.seen.to_string(), judged.wanted());
    columns.row([
        (style, mark),
        (NAME, judged.path.as_str()),
        (Style::new(), seen.as_str()),
        (Style::new(), wanted.as_str()),
    ]);
}
