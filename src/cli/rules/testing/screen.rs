//! The results for people: what failed and how, what no test shows, and one line of summary.

use std::io::{self, Write};

use anstyle::Style;

use super::{Ran, Results};
use crate::cli::terminal::{self, BAD, DIM, GOOD, TITLE, WARNING, counted, fitted, styled};
use crate::escape::Escaped;
use crate::rule_test::difference::Line;

/// Columns of a condition, which may see a value of any length.
const LINE_MAX: usize = 400;

/// Prints `results` to standard output.
pub(super) fn write(results: &Results) -> io::Result<()> {
    let mut out = terminal::stdout();
    for ran in results.ran.iter().filter(|ran| !ran.failures.is_empty()) {
        failed(&mut out, ran)?;
    }
    let style = if results.refuses_uncovered { BAD } else { WARNING };
    for (what, why) in results.uncovered() {
        writeln!(out, "{} {}: {why}", styled(style, "not covered:"), Escaped(&what))?;
    }
    summary(&mut out, results)
}

fn failed(out: &mut impl Write, ran: &Ran) -> io::Result<()> {
    let (test, title) = (&ran.test, styled(BAD, "failed:"));
    let name = Escaped(&test.name).to_string();
    writeln!(out, "{title} {}:{}: {}", Escaped(&test.path), test.line, styled(TITLE, &name))?;
    for failure in &ran.failures {
        writeln!(out, "  {}", Escaped(&failure.message))?;
        for condition in &failure.conditions {
            writeln!(out, "    {}", fitted(condition, LINE_MAX))?;
        }
        if !failure.lines.is_empty() {
            writeln!(out, "    {}", styled(DIM, "- expected, + got"))?;
        }
        for line in &failure.lines {
            let (style, mark, written) = match line {
                Line::Same(written) => (Style::new(), ' ', written),
                Line::Expected(written) => (BAD, '-', written),
                Line::Got(written) => (GOOD, '+', written),
            };
            writeln!(out, "    {}", styled(style, &format!("{mark} {}", Escaped(written))))?;
        }
    }
    Ok(())
}

fn summary(out: &mut impl Write, results: &Results) -> io::Result<()> {
    let (failed, rules) = (results.failed(), &results.coverage.rules);
    let covered = rules.iter().filter(|rule| rule.is_covered()).count();
    let verdict = if results.are_right() { styled(GOOD, "ok") } else { styled(BAD, "not ok") };
    let passed = counted(results.ran.len() - failed, "test");
    let of_rules = counted(rules.len(), "rule");
    writeln!(out, "{verdict}: {passed} passed, {failed} failed; {covered} of {of_rules} covered")
}
