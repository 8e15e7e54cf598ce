//! Warnings about templates that read a fact, or a field of the payload, that no event of their rule has: with each of
//! them the rendering would fail.

use std::cell::OnceCell;
use std::ops::Range;

use crate::event::payload::Payloads;
use crate::rule::field::Field;
use crate::rule::pattern::Pattern;
use crate::rule::pattern::events::{self, Events};
use crate::rule::report::Report;
use crate::rule::template::Value;

/// What the events of a rule have; found out when the first template asks.
pub(super) struct OfRule<'p> {
    pattern: Option<&'p Pattern>,
    known: OnceCell<Option<Known>>,
}

/// The events that a rule is for, where all of them are known.
struct Known {
    events: Events,
    payloads: Payloads,
}

impl<'p> OfRule<'p> {
    /// Of the events that match `pattern`; of one with mistakes nothing is known.
    pub(super) fn new(pattern: Option<&'p Pattern>) -> Self {
        OfRule { pattern, known: OnceCell::new() }
    }

    fn known(&self) -> Option<&Known> {
        let find = || {
            let events = self.pattern?.events();
            let payloads = Payloads::of(events.rows().map(|row| row.code));
            (!events.has_others() && !events.is_empty()).then_some(Known { events, payloads })
        };
        self.known.get_or_init(find).as_ref()
    }
}

/// Warns of what the template of `value`, written at `span`, reads.
pub(super) fn lint(report: &mut Report<'_>, value: &Value, span: &Range<usize>, rule: &OfRule<'_>) {
    for read in value.paths() {
        let Some(known) = rule.known() else { return };
        let own = read.strip_prefix("event.").unwrap_or(&read);
        let name = own.split('.').next().unwrap_or(own);
        let (field, message, help) = if let Some(path) = own.strip_prefix("data.") {
            let Some(unknown) = known.payloads.unknown(path) else { continue };
            let help =
                unknown.help("if it is not sent, no call is made; `| default(...)` gives a value then");
            let end = read.len() - path.len() + unknown.path.len();
            (read.get(..end).unwrap_or(&read), unknown.message(), help)
        } else if Field::from_name(name)
            .is_some_and(|fact| known.events.and(events::may_have(fact)).is_empty())
        {
            let help = "then no call is made; `| default(...)` gives a value";
            let end = read.len() - own.len() + name.len();
            (
                read.get(..end).unwrap_or(&read),
                "no fact of the events of this rule, as far as is known",
                help.to_owned(),
            )
        } else {
            continue;
        };
        if !asks_first(value.source(), field) {
            report.warning(span, value.path(), format!("`{field}` is {message}"), help);
        }
    }
}

/// Whether a template says somewhere what holds where `field` is not there: by `default`, by a test whether it is
/// defined, or by its name in quotes, as in `'x' in data`. A name that is called is no field.
fn asks_first(source: &str, field: &str) -> bool {
    let source = &without_comments(source);
    let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
    let name = field.rsplit('.').next().unwrap_or(field);
    if ['\'', '"'].iter().any(|quote| source.contains(&format!("{quote}{name}{quote}"))) {
        return true;
    }
    source.match_indices(field).any(|(at, _)| {
        let (before, after) = (source.get(..at), source.get(at + field.len()..));
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        if before.ends_with(|c: char| is_of_name(c) || c == '.') || after.starts_with(is_of_name) {
            return false;
        }
        let after = after.trim_start();
        let behind = after.trim_start_matches(|c: char| c.is_whitespace() || c == ')');
        let mut words = behind.split(|c: char| !is_of_name(c)).filter(|word| !word.is_empty());
        let (first, second) = (words.next(), words.find(|word| *word != "not"));
        after.starts_with('(')
            || (behind.starts_with('|') && matches!(first, Some("default" | "d")))
            || (behind.starts_with("is")
                && matches!((first, second), (Some("is"), Some("defined" | "undefined" | "none"))))
    })
}

fn without_comments(source: &str) -> String {
    let mut parts = source.split("{#");
    let before = parts.next().unwrap_or_default().to_owned();
    parts.fold(before, |text, part| text + part.split_once("#}").map_or("", |(_, after)| after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_asks_first_where_it_has_a_default_or_tests_the_field() {
        for (source, asks) in [
            ("data.x", false),
            ("data.x | upper", false),
            ("data.x | default(1)", true),
            ("{{ (data.x)|d('') }}", true),
            ("{% if data.x is defined %}{{ data.x }}{% endif %}", true),
            ("data.x is not defined", true),
            ("data.x is number", false),
            ("data.x.y | default(1)", false),
            ("data.xy | default(1) ~ data.x", false),
            ("event.data.x | default(1) ~ data.x", false),
            ("data.x() ", true),
            ("data.x and isdefined", false),
            ("data.x if 'x' in data else 1", true),
            ("1 if data.x is none else 2", true),
            ("{# data.x | default(1) #}{{ data.x }}", false),
            ("{{ data.x }}{# unended", false),
        ] {
            assert_eq!(asks_first(source, "data.x"), asks, "{source}");
        }
    }
}
