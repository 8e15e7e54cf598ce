//! What the rules call, a row for each rule with a step.

use anstyle::Style;

use super::Checked;
use crate::cli::api::repeat;
use crate::cli::instant::age;
use crate::cli::terminal::{Columns, DIM, NAME};
use crate::duration::whole_ms;

/// One rule's call.
pub(super) struct Call<'c> {
    pub(super) rule: &'c str,
    pub(super) mode: &'static str,
    pub(super) operation: &'static str,
    pub(super) version: &'static str,
    pub(super) access: &'static str,
    /// What happens if its response is lost, in words.
    pub(super) when_lost: String,
}

/// The calls of all rules, in rule order.
pub(super) fn of(checked: &Checked) -> Vec<Call<'_>> {
    let Some((config, rules)) = &checked.loaded else { return Vec::new() };
    let within = age(whole_ms(config.dispatch.retry.repeat_within));
    let calls = rules.rules.iter().filter_map(|rule| {
        let operation = rule.step.as_ref()?.operation;
        Some(Call {
            rule: &rule.name,
            mode: rule.mode.as_str(),
            operation: operation.name,
            version: operation.version.as_str(),
            access: operation.access.as_str(),
            when_lost: repeat::in_words(operation.repeat_effect, &within).as_str().to_owned(),
        })
    });
    calls.collect()
}

/// The same for people.
pub(super) fn columns(checked: &Checked) -> Columns {
    let mut columns = Columns::new();
    for call in of(checked) {
        columns.row([
            (NAME, call.rule),
            (Style::new(), call.mode),
            (Style::new(), call.operation),
            (DIM, call.version),
            (Style::new(), call.access),
            (Style::new(), call.when_lost.as_str()),
        ]);
    }
    columns
}
