//! Places the parameters of a call in its query and its form, by the catalogue's positions and styles.
//!
//! Pure. What does not fit the catalogue is a [`CallError`] of class `Unsendable`, before anything leaves.

use serde_json::Value;

use super::Call;
use super::error::CallError;
use super::sign::Pair;
use super::value::{fit, flatten, kind, replace_secrets};
use crate::operation::{Method, Operation, Param, Position, Style};

/// A call's parameters, by where they travel.
pub(super) struct Placed {
    pub query: Vec<Pair>,
    pub form: Vec<Pair>,
}

/// Places the parameters; `secret_text` gives what stands for a secret that they name.
pub(super) fn place(
    call: &Call<'_>,
    secret_text: &impl Fn(&str) -> Result<String, CallError>,
) -> Result<Placed, CallError> {
    let operation = call.operation;
    if let Some(unknown) = call.params.keys().find(|name| operation.param(name).is_none()) {
        return Err(CallError::UnknownParameter {
            operation: operation.name,
            parameter: unknown.clone(),
            nearest: crate::diagnostic::nearest(unknown, operation.params.iter().map(|param| param.name)),
        });
    }
    let mut placed = Placed { query: Vec::new(), form: Vec::new() };
    for param in &operation.params {
        let token = call.client_token.filter(|_| operation.client_token == Some(param.name));
        let value = match (call.params.get(param.name), token) {
            (None | Some(Value::Null), Some(token)) => Value::from(token),
            (None | Some(Value::Null), None) if param.required => {
                return Err(CallError::MissingParameter { operation: operation.name, parameter: param.name });
            }
            (None | Some(Value::Null), None) => continue,
            (Some(value), _) => fit_param(operation, param, value)?,
        };
        let pairs = flatten(param.name, &replace_secrets(value, secret_text)?, param.style);
        // A GET has no body, whatever the catalogue says.
        match (param.position, operation.method) {
            (Position::Form, Method::Post | Method::Put) => placed.form.extend(pairs),
            (Position::Query, _) | (Position::Form, Method::Get) => placed.query.extend(pairs),
        }
    }
    Ok(placed)
}

/// What does not fit: the value itself, or something in it.
fn unfit(value: &Value, param: &Param) -> &'static str {
    match (value, param.param_type) {
        (Value::Array(_), expected) if expected.starts_with("array") => "a list with something else in it",
        (Value::Object(_), expected) if expected.starts_with("object") => {
            "an object with something else in it"
        }
        _ => kind(value),
    }
}

fn fit_param(
    operation: &'static Operation,
    param: &'static Param,
    value: &Value,
) -> Result<Value, CallError> {
    let fitted = match (param.style, value) {
        // What is already written as it travels stays so: JSON text, or values with commas.
        (Style::Json, Value::String(text)) => serde_json::from_str(text)
            .ok()
            .and_then(|parsed: Value| fit(&parsed, param.param_type, &param.fields)),
        (Style::Simple, Value::String(_)) => Some(value.clone()),
        _ => fit(value, param.param_type, &param.fields),
    };
    fitted.ok_or_else(|| CallError::UnfitParameter {
        operation: operation.name,
        parameter: param.name,
        expected: param.param_type,
        found: unfit(value, param),
    })
}
