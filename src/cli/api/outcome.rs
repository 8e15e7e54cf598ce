//! What came of a call: as text for people, as one JSON object for programs, and as an exit code for scripts.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::repeat;
use crate::cli::terminal::{fitted, stdout};
use crate::cli::{Exit, Failure};
use crate::escape::Escaped;
use crate::openapi::Call;
use crate::openapi::error::{CallError, Class};
use crate::openapi::response::Response;
use crate::operation::Access;

/// Lines of a body that people are shown.
const LINES_MAX: usize = 2_000;
/// Columns of such a line.
const LINE_WIDTH_MAX: usize = 4_096;
/// Items that a batch operation failed for that people are shown.
const ITEMS_MAX: usize = 20;

/// A call that was made.
#[derive(Debug)]
pub(super) struct Called {
    /// Where it went.
    pub(super) endpoint: String,
    /// From the beginning to the end, connecting included.
    pub(super) latency: Duration,
    pub(super) result: Result<Response, CallError>,
    /// Why it counts in no quota, if that is so.
    pub(super) uncounted: Option<&'static str>,
}

/// Tells what came of `call`, and gives the exit code.
pub(super) fn tell(called: &Called, call: &Call<'_>, as_json: bool) -> Result<Exit, Failure> {
    if as_json {
        writeln!(stdout(), "{}", object(called, call))?;
    }
    if let (Some(why), false) = (called.uncounted, as_json) {
        writeln!(io::stderr().lock(), "openeventd: this call is not counted in any quota: {why}")?;
    }
    match &called.result {
        Ok(response) => {
            if !as_json {
                write_head(&mut io::stderr().lock(), response, call)?;
                write_body(&mut stdout(), response)?;
            }
            Ok(Exit::Success)
        }
        Err(error) => {
            let mut stderr = io::stderr().lock();
            write_failure(&mut stderr, error, call)?;
            if let (Some(response), false) = (error.response(), as_json) {
                write_body(&mut stderr, response)?;
            }
            Ok(exit(error.class()))
        }
    }
}

/// The exit code of a call that did not succeed.
fn exit(class: Class) -> Exit {
    match class {
        Class::Unsendable => Exit::Usage,
        Class::Rejected | Class::Clock { .. } | Class::FailedInBody | Class::PartialFailure => Exit::Data,
        Class::Unreachable | Class::Unavailable | Class::Faulty => Exit::Unavailable,
        Class::Lost => Exit::Io,
        Class::Throttled { .. } | Class::QuotaExhausted { .. } => Exit::Temporary,
        Class::Forbidden | Class::Credentials => Exit::Permission,
    }
}

fn object(called: &Called, call: &Call<'_>) -> Value {
    let (response, error) = match &called.result {
        Ok(response) => (Some(response), None),
        Err(error) => (error.response(), Some(error)),
    };
    let refusal = error.and_then(CallError::refusal);
    let said = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let message = said(refusal.map(|refusal| refusal.message.as_str()));
    let took = u64::try_from(called.latency.as_millis()).unwrap_or(u64::MAX);
    let mut object = json!({
        "operation": call.operation.name,
        "version": call.operation.version.as_str(),
        "endpoint": called.endpoint,
        "http_status": response.map(|response| response.http_status),
        "request_id": response.and_then(|response| response.request_id.clone()),
        "counted": called.uncounted.is_none(),
        "class": error.map_or("success", |error| error.class().as_str()),
        "code": said(refusal.map(|refusal| refusal.code.as_str())),
        "message": message.or_else(|| error.map(ToString::to_string)),
        "recommend": refusal.and_then(|refusal| refusal.recommend.clone()),
        "latency_ms": response.map_or(took, |response| response.latency_ms),
        "body": response.map(body),
    });
    if let Value::Object(members) = &mut object {
        if let (Some(token), Some(name)) = (call.client_token, call.operation.client_token) {
            members.insert("client_token".to_owned(), json!({ name: token }));
        }
        if response.is_some_and(|response| response.truncated) {
            members.insert("body_truncated".to_owned(), Value::from(true));
        }
    }
    object
}

/// The body as the JSON that it is, else as text.
fn body(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or_else(|_| Value::from(response.body.as_str()))
}

fn write_head(out: &mut impl Write, response: &Response, call: &Call<'_>) -> io::Result<()> {
    let Response { http_status, latency_ms, truncated, .. } = response;
    let id = response.request_id.as_deref().map(|id| format!(", request id {}", Escaped(id)));
    let id = id.unwrap_or_default();
    let (name, version) = (call.operation.name, call.operation.version.as_str());
    writeln!(out, "{name} {version}: HTTP {http_status} in {latency_ms} ms{id}")?;
    if *truncated {
        writeln!(out, "(the response is longer: its end is missing)")?;
    }
    write_token(out, call)
}

/// The token that was filled in: with it, the same call can be made again.
fn write_token(out: &mut impl Write, call: &Call<'_>) -> io::Result<()> {
    match (call.operation.client_token, call.client_token) {
        (Some(name), Some(token)) => writeln!(out, "{name}={token} was filled in"),
        _ => Ok(()),
    }
}

fn write_failure(out: &mut impl Write, error: &CallError, call: &Call<'_>) -> io::Result<()> {
    writeln!(out, "openeventd: {}", Escaped(&error.to_string()))?;
    if let CallError::PartialFailure { failed, failed_count, .. } = error {
        for item in failed.iter().take(ITEMS_MAX) {
            writeln!(out, "  {}: {}", fitted(&item.id, 80), fitted(&item.message, LINE_WIDTH_MAX))?;
        }
        if *failed_count > ITEMS_MAX {
            writeln!(out, "  and {} more", failed_count - ITEMS_MAX)?;
        }
    }
    if let Some(link) = error.refusal().and_then(|refusal| refusal.recommend.as_deref()) {
        writeln!(out, "  see {}", Escaped(link))?;
    }
    let may_have_run = matches!(error.class(), Class::Lost | Class::Unavailable);
    if may_have_run && call.operation.access == Access::Write {
        let repeated = repeat::in_words(call.operation.repeat_effect, "a while");
        let first = repeated.split(':').next().unwrap_or_default();
        writeln!(out, "  it may have been executed, and made again it comes to: {first}")?;
        write_token(out, call)?;
    }
    Ok(())
}

/// The body for people: JSON is indented, lines and their number are bounded, nothing in it drives a terminal.
fn write_body(out: &mut impl Write, response: &Response) -> io::Result<()> {
    let indented = serde_json::from_str::<Value>(&response.body)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| response.body.clone());
    let mut lines = indented.lines();
    for line in lines.by_ref().take(LINES_MAX) {
        writeln!(out, "{}", fitted(line, LINE_WIDTH_MAX))?;
    }
    match lines.count() {
        0 => Ok(()),
        more => writeln!(out, "({more} more lines: --json gives all of it)"),
    }
}
