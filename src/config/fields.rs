//! Gives the texts of the file their types; what does not fit goes to the report.
//!
//! After a problem a stand-in is returned and the checks go on, so that one run finds everything; a
//! report with an error gives no configuration, so a stand-in is never used.

use std::time::Duration;

use secrecy::SecretString;

use super::environment::Environment;
use super::forms::SecretSource;
use super::report::Report;
use super::{secret, size};
use crate::diagnostic::nearest;
use crate::duration;

/// A duration within the two bounds.
pub(super) fn duration_within(
    report: &mut Report<'_>,
    path: &str,
    text: &str,
    (min, max): (&str, &str),
) -> Duration {
    let parsed = match duration::parse(text) {
        Ok(parsed) => parsed,
        Err(error) => {
            report.error(path, error.to_string(), "");
            return Duration::ZERO;
        }
    };
    let below = duration::parse(min).is_ok_and(|min| parsed < min);
    let above = duration::parse(max).is_ok_and(|max| parsed > max);
    if below || above {
        report.error(path, format!("`{text}` is out of range, expected {min} to {max}"), "");
    }
    parsed
}

/// A size within the two bounds, in bytes.
pub(super) fn size_within(
    report: &mut Report<'_>,
    path: &str,
    text: &str,
    (min, max): (&str, &str),
) -> usize {
    let parsed = match size::parse(text) {
        Ok(parsed) => parsed,
        Err(error) => {
            report.error(path, error.to_string(), "");
            return 0;
        }
    };
    let below = size::parse(min).is_ok_and(|min| parsed < min);
    let above = size::parse(max).is_ok_and(|max| parsed > max);
    if below || above {
        report.error(path, format!("`{text}` is out of range, expected {min} to {max}"), "");
    }
    parsed
}

/// A number within the two bounds.
pub(super) fn count_within(report: &mut Report<'_>, path: &str, count: u32, (min, max): (u32, u32)) -> usize {
    if !(min..=max).contains(&count) {
        report.error(path, format!("{count} is out of range, expected {min} to {max}"), "");
    }
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// One of the named values.
pub(super) fn choice<T: Copy>(
    report: &mut Report<'_>,
    path: &str,
    text: &str,
    stand_in: T,
    choices: &[(&str, T)],
) -> T {
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
        return *value;
    }
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let expected = names.join(", ");
    let message = if text.is_empty() {
        format!("missing, expected one of {expected}")
    } else {
        format!("`{text}` is not known, expected one of {expected}")
    };
    let help = nearest(text, names).map(|name| format!("did you mean `{name}`?"));
    report.error(path, message, help.unwrap_or_default());
    stand_in
}

/// A text that must not be empty.
pub(super) fn required(report: &mut Report<'_>, path: &str, text: &str, example: &str) -> String {
    if text.trim().is_empty() {
        report.error(path, "missing, this setting is required", example_help(path, example));
    }
    text.trim().to_owned()
}

/// A list that must not be empty, nor hold an empty text.
pub(super) fn required_list(
    report: &mut Report<'_>,
    path: &str,
    list: &[String],
    example: &str,
) -> Vec<String> {
    if list.is_empty() {
        report.error(path, "missing, this setting is required", example_help(path, example));
    }
    for (at, item) in list.iter().enumerate().filter(|(_, item)| item.trim().is_empty()) {
        report.error(&format!("{path}[{at}]"), format!("`{item}` is empty"), "");
    }
    list.to_vec()
}

/// A secret that must be there.
pub(super) fn required_secret(
    report: &mut Report<'_>,
    path: &str,
    source: Option<&SecretSource>,
    environment: &Environment,
) -> SecretString {
    if let Some(source) = source {
        return secret(report, path, source, environment);
    }
    let help = format!("name where it is kept: {}", super::forms::SECRET_FORMS);
    report.error(path, "missing, this secret is required", help);
    SecretString::from("")
}

/// The secret that `source` names.
pub(super) fn secret(
    report: &mut Report<'_>,
    path: &str,
    source: &SecretSource,
    environment: &Environment,
) -> SecretString {
    secret::read(source, environment).unwrap_or_else(|error| {
        report.error(path, error.to_string(), error.help());
        SecretString::from("")
    })
}

fn example_help(path: &str, example: &str) -> String {
    let key = path.rsplit('.').next().unwrap_or(path);
    format!("for instance: {key} = {example}")
}
