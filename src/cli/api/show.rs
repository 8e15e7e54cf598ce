//! `openeventd api show`: one operation with its parameters, and a step to begin with.

use std::io::{self, Write};

use anstyle::Style;
use serde_json::{Map, Value, json};

use super::find::{newest, version};
use super::{example, repeat};
use crate::cli::terminal::{Columns, DIM, NAME, TITLE, WARNING, stdout, styled};
use crate::cli::{Exit, Failure};
use crate::operation::recipe;
use crate::operation::{
    self, ApiVersion, Field, Operation, Param, Position, RepeatEffect, Style as ListStyle, Upload,
};

/// What `openeventd api show` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The operation, spelled as in the catalogue
    #[arg(value_name = "OPERATION")]
    name: String,
    /// In this API version; otherwise the newest that has it
    #[arg(long, value_name = "VERSION", value_parser = version)]
    api_version: Option<ApiVersion>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// Shows one operation.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let operation =
        newest(&arguments.name, arguments.api_version).map_err(|error| Failure::new(Exit::NoInput, error))?;
    let mut out = stdout();
    if arguments.json {
        writeln!(out, "{}", object(operation))?;
    } else {
        write(&mut out, operation)?;
    }
    Ok(Exit::Success)
}

fn other(version: ApiVersion) -> ApiVersion {
    match version {
        ApiVersion::V2020 => ApiVersion::V2024,
        ApiVersion::V2024 => ApiVersion::V2020,
    }
}

/// What the other version has for the purpose of `operation`, its own name first.
fn counterparts(operation: &Operation) -> Vec<&'static str> {
    let other = other(operation.version);
    let same_name = operation::find(operation.name, other).map(|found| found.name);
    same_name.into_iter().chain(operation::same_purpose(operation.name, other)).collect()
}

/// The operations that tell what became of a lost call of `operation`; `None` if it is simply made again.
fn looked_up_by(operation: &Operation) -> Option<Vec<&'static str>> {
    match operation.repeat_effect {
        RepeatEffect::None | RepeatEffect::Converges => None,
        RepeatEffect::Duplicates | RepeatEffect::Unknown => {
            Some(recipe::of(operation).map(recipe::Recipe::operations).unwrap_or_default())
        }
    }
}

/// The same in words.
fn lost(operation: &Operation) -> Option<String> {
    let by = looked_up_by(operation)?;
    if by.is_empty() {
        return Some("cannot be looked up: a lost call is left to a person".to_owned());
    }
    let can_show_absence = recipe::of(operation).is_some_and(recipe::Recipe::can_show_absence);
    let limit = if can_show_absence { "" } else { "; that it was not executed never shows" };
    Some(format!("looked up by {}{limit}", by.join(", ")))
}

fn write(out: &mut impl Write, operation: &Operation) -> io::Result<()> {
    writeln!(out, "{} {}", styled(TITLE, operation.name), styled(DIM, operation.version.as_str()))?;
    let mut facts = Columns::new();
    let mut fact = |name: &str, text: &str| facts.row([(DIM, name), (Style::new(), text)]);
    fact("method", operation.method.as_str());
    fact("access", operation.access.as_str());
    fact("repeated", &repeat::in_words(operation.repeat_effect, "10m, or dispatch.repeat_within"));
    if let Some(lost) = lost(operation) {
        fact("lost", &lost);
    }
    fact(
        "client token",
        operation.client_token.map_or("none", |_| "ClientToken, filled in where it is not given"),
    );
    if operation.upload == Upload::Offered {
        fact("file", "one parameter may be the address of a file uploaded before");
    }
    let counterparts = counterparts(operation);
    if !counterparts.is_empty() {
        fact(&format!("in {}", other(operation.version).as_str()), &counterparts.join(", "));
    }
    write!(out, "{}", facts.lines(2))?;
    writeln!(out, "{}", styled(TITLE, "parameters"))?;
    write!(out, "{}", table(operation).lines(2))?;
    writeln!(out, "{}", styled(TITLE, "example step"))?;
    for line in example::step(operation).lines() {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

/// The parameters in columns, the fields of each indented below it.
fn table(operation: &Operation) -> Columns {
    let mut columns = Columns::new();
    if operation.params.is_empty() {
        columns.row([(DIM, "none")]);
    }
    for param in &operation.params {
        let (need, style) = need(param);
        columns.row([
            (NAME, param.name),
            (Style::new(), position(param)),
            (Style::new(), param.param_type),
            (DIM, list_style(param.style).unwrap_or("")),
            (style, need),
        ]);
        add_fields(&mut columns, &param.fields, 1);
    }
    columns
}

fn add_fields(columns: &mut Columns, fields: &[Field], depth: usize) {
    for field in fields {
        let name = format!("{}{}", "  ".repeat(depth), field.name);
        let need = if field.required { "required" } else { "" };
        columns.row([
            (Style::new(), name.as_str()),
            (Style::new(), ""),
            (Style::new(), field.field_type),
            (Style::new(), ""),
            (TITLE, need),
        ]);
        add_fields(columns, &field.fields, depth + 1);
    }
}

fn need(param: &Param) -> (&'static str, Style) {
    match (param.required, param.required_conditionally, param.deprecated) {
        (true, _, _) => ("required", TITLE),
        (_, _, true) => ("deprecated", WARNING),
        (_, true, _) => ("sometimes required", TITLE),
        _ => ("", Style::new()),
    }
}

fn position(param: &Param) -> &'static str {
    match param.position {
        Position::Query => "query",
        Position::Form => "form",
    }
}

/// How a list or object is written; a scalar has no style.
fn list_style(style: ListStyle) -> Option<&'static str> {
    match style {
        ListStyle::Plain => None,
        ListStyle::Json => Some("json"),
        ListStyle::Simple => Some("simple"),
        ListStyle::Flat => Some("flat"),
    }
}

fn object(operation: &Operation) -> Value {
    let other = other(operation.version);
    let params: Vec<Value> = operation
        .params
        .iter()
        .map(|param| {
            json!({
                "name": param.name,
                "position": position(param),
                "type": param.param_type,
                "style": list_style(param.style),
                "required": param.required,
                "sometimes_required": param.required_conditionally,
                "deprecated": param.deprecated,
                "fields": fields(&param.fields),
            })
        })
        .collect();
    json!({
        "name": operation.name,
        "version": operation.version.as_str(),
        "method": operation.method.as_str(),
        "access": operation.access.as_str(),
        "repeat_effect": operation.repeat_effect.as_str(),
        "looked_up_by": looked_up_by(operation),
        "client_token": operation.client_token,
        "takes_upload": operation.upload == Upload::Offered,
        "same_purpose": { other.as_str(): counterparts(operation) },
        "params": params,
        "example": example::step(operation),
    })
}

fn fields(declared: &[Field]) -> Vec<Map<String, Value>> {
    let one = |field: &Field| {
        Map::from_iter([
            ("name".to_owned(), Value::from(field.name)),
            ("type".to_owned(), Value::from(field.field_type)),
            ("required".to_owned(), Value::from(field.required)),
            ("fields".to_owned(), Value::from_iter(fields(&field.fields))),
        ])
    };
    declared.iter().map(one).collect()
}
