//! The results in the XML of `JUnit`, which CI systems read: a suite for each file, and one for
//! what no test shows, if that fails the run.

use std::fmt::Write as _;
use std::io;

use quick_xml::Writer;
use quick_xml::events::BytesText;

use super::{Ran, Results};
use crate::escape::Escaped;
use crate::rule_test::difference::Line;

/// The whole report.
pub(super) fn report(results: &Results) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let uncovered = if results.refuses_uncovered { results.uncovered() } else { Vec::new() };
    let total = (results.ran.len() + uncovered.len()).to_string();
    let failed = (results.failed() + uncovered.len()).to_string();
    let root = writer.create_element("testsuites").with_attributes([
        ("name", "openeventd rules"),
        ("tests", total.as_str()),
        ("failures", failed.as_str()),
        ("errors", "0"),
    ]);
    root.write_inner_content(|writer| {
        results
            .ran
            .chunk_by(|one, next| one.test.path == next.test.path)
            .try_for_each(|file| suite(writer, file))?;
        coverage(writer, &uncovered)
    })?;
    let mut report = writer.into_inner();
    report.splice(0..0, b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".iter().copied());
    report.push(b'\n');
    Ok(report)
}

/// The tests of one file.
fn suite(writer: &mut Writer<Vec<u8>>, file: &[Ran]) -> io::Result<()> {
    let Some(first) = file.first() else { return Ok(()) };
    let failed = file.iter().filter(|ran| !ran.failures.is_empty()).count().to_string();
    let (path, total) = (shown(&first.test.path), file.len().to_string());
    let suite = writer.create_element("testsuite").with_attributes([
        ("name", path.as_str()),
        ("tests", total.as_str()),
        ("failures", failed.as_str()),
        ("errors", "0"),
        ("skipped", "0"),
    ]);
    suite.write_inner_content(|writer| file.iter().try_for_each(|ran| case(writer, ran)))?;
    Ok(())
}

/// What no test shows, a failure each.
fn coverage(writer: &mut Writer<Vec<u8>>, uncovered: &[(String, &'static str)]) -> io::Result<()> {
    if uncovered.is_empty() {
        return Ok(());
    }
    let count = uncovered.len().to_string();
    let suite = writer.create_element("testsuite").with_attributes([
        ("name", "coverage"),
        ("tests", count.as_str()),
        ("failures", count.as_str()),
        ("errors", "0"),
        ("skipped", "0"),
    ]);
    suite.write_inner_content(|writer| {
        uncovered.iter().try_for_each(|(what, why)| {
            let name = shown(what);
            let attributes = [("name", name.as_str()), ("classname", "coverage")];
            let case = writer.create_element("testcase").with_attributes(attributes);
            case.write_inner_content(|writer| {
                let message = format!("not covered: {why}");
                let failure = writer.create_element("failure").with_attribute(("message", message.as_str()));
                failure.write_empty().map(|_| ())
            })?;
            Ok(())
        })
    })?;
    Ok(())
}

fn case(writer: &mut Writer<Vec<u8>>, ran: &Ran) -> io::Result<()> {
    let (name, path, line) = (shown(&ran.test.name), shown(&ran.test.path), ran.test.line.to_string());
    let case = writer.create_element("testcase").with_attributes([
        ("name", name.as_str()),
        ("classname", path.as_str()),
        ("file", path.as_str()),
        ("line", line.as_str()),
    ]);
    if ran.failures.is_empty() {
        case.write_empty()?;
        return Ok(());
    }
    case.write_inner_content(|writer| {
        for failure in &ran.failures {
            let message = shown(&failure.message);
            let mut text = message.clone();
            // Writing to a `String` cannot fail.
            for condition in &failure.conditions {
                let _ = write!(text, "\n  {}", shown(condition));
            }
            for line in &failure.lines {
                let (mark, line) = match line {
                    Line::Same(line) => (' ', line),
                    Line::Expected(line) => ('-', line),
                    Line::Got(line) => ('+', line),
                };
                let _ = write!(text, "\n{mark} {}", shown(line));
            }
            let element = writer.create_element("failure").with_attribute(("message", message.as_str()));
            element.write_text_content(BytesText::new(&text))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Text that XML can hold: it has no form for most control characters.
fn shown(text: &str) -> String {
    // Two characters that no version of XML has either.
    Escaped(text).to_string().replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
