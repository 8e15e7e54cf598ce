//! A step as one would write it into a rule, with a value of the declared type for each parameter that is
//! needed. `openeventd check` takes it as far as parameters go; the values themselves are to be replaced.

use std::fmt::Write as _;

use toml::{Table, Value};

use crate::operation::{Field, Operation, Param};

/// How many parameters an example shows where none is required.
const OPTIONAL_SHOWN: usize = 3;

/// Parameters of type integer that events know by a name of their own.
const OF_EVENTS: [(&str, &str); 4] = [
    ("ProjectId", "{{ workspace }}"),
    ("InstanceId", "{{ instance }}"),
    ("NodeId", "{{ node }}"),
    ("FileId", "{{ file }}"),
];

/// The lines of the step.
pub(super) fn step(operation: &Operation) -> String {
    let mut lines = String::from("[[rule.steps]]\n");
    let mut line = |name: &str, value: &Value| {
        // Writing into a String cannot fail.
        let _ = writeln!(lines, "{name} = {value}");
    };
    line("operation", &Value::from(operation.name));
    line("version", &Value::from(operation.version.as_str()));
    let params: Table = shown(operation).map(|param| (param.name.to_owned(), of_param(param))).collect();
    if !params.is_empty() {
        line("params", &Value::Table(params));
    }
    lines
}

/// The parameters to show: those that are needed, or else the first.
fn shown(operation: &Operation) -> impl Iterator<Item = &Param> {
    let needed = |param: &&Param| param.required || param.required_conditionally;
    let offered = |param: &&Param| !param.deprecated && operation.client_token != Some(param.name);
    let is_any_needed = operation.params.iter().filter(offered).any(|param| needed(&param));
    let most = if is_any_needed { usize::MAX } else { OPTIONAL_SHOWN };
    operation.params.iter().filter(offered).filter(move |param| !is_any_needed || needed(param)).take(most)
}

fn of_param(param: &Param) -> Value {
    match OF_EVENTS.iter().find(|(name, _)| param.param_type == "integer" && *name == param.name) {
        Some((_, template)) => Value::from(*template),
        None => of_type(param.param_type, &param.fields),
    }
}

fn of_type(declared: &str, fields: &[Field]) -> Value {
    let inside = |opening| declared.strip_prefix(opening)?.strip_suffix('>');
    if let Some(element) = inside("array<") {
        return Value::Array(vec![of_type(element, fields)]);
    }
    if let Some(element) = inside("map<string,") {
        return Value::Table([("key".to_owned(), of_type(element, fields))].into_iter().collect());
    }
    match declared {
        "integer" => Value::from(1),
        "number" => Value::from(0.5),
        "boolean" => Value::from(true),
        "object" => Value::Table(of_fields(fields)),
        _ => Value::from("..."),
    }
}

/// The fields that are needed, or else the first one.
fn of_fields(fields: &[Field]) -> Table {
    let required = fields.iter().filter(|field| field.required);
    let first = fields.iter().take(usize::from(fields.iter().all(|field| !field.required)));
    required
        .chain(first)
        .map(|field| (field.name.to_owned(), of_type(field.field_type, &field.fields)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::api::find;
    use crate::diagnostic::Severity;
    use crate::rule::parse::{Surroundings, parse};
    use crate::rule::{Policy, RuleFile};

    #[test]
    fn every_example_is_a_step_that_check_takes() {
        let head = "[[rule]]\nname = \"example\"\nmatch = { code = \"x\" }\n";
        let policy = Policy::default();
        for operation in find::all() {
            let text = format!("{head}{}", step(operation));
            let file = RuleFile { path: "example.toml".into(), text: text.clone() };
            let parsed = parse(vec![file], &Surroundings { accounts: &[], policy: &policy });
            let (_, warnings) = parsed.unwrap_or_else(|problems| panic!("{text}\n{problems:?}"));
            // An operation that writes is not allowed yet, which is as it should be.
            let about_params = warnings.iter().filter(|warning| warning.key.contains("params"));
            assert_eq!(about_params.count(), 0, "{text}\n{warnings:?}");
            assert!(warnings.iter().all(|warning| warning.severity == Severity::Warning));
        }
    }
}
