//! A request that is shown instead of sent: everything that would leave, except for what the signer adds.

use std::io::Write as _;

use serde_json::{Map, Value, json};

use crate::cli::terminal::{DIM, NAME, TITLE, stdout, styled};
use crate::cli::{Exit, Failure};
use crate::escape::Escaped;
use crate::openapi::request::Prepared;

/// Shows the request that would go to the base URL `endpoint`.
pub(super) fn show(prepared: &Prepared, endpoint: &str, as_json: bool) -> Result<Exit, Failure> {
    let headers = headers(prepared, endpoint);
    let mut out = stdout();
    if as_json {
        let object = json!({
            "method": prepared.method.as_str(),
            "url": prepared.url,
            "headers": object(headers.iter().map(|(name, value)| (*name, value.as_str()))),
            "form": object(prepared.form.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
        });
        writeln!(out, "{object}")?;
        return Ok(Exit::Success);
    }
    writeln!(out, "{} {}", styled(TITLE, prepared.method.as_str()), prepared.url)?;
    for (name, value) in &headers {
        writeln!(out, "{}", styled(DIM, &format!("{name}: {value}")))?;
    }
    if !prepared.form.is_empty() {
        writeln!(out)?;
    }
    for (name, value) in &prepared.form {
        writeln!(out, "{}={}", styled(NAME, &Escaped(name).to_string()), Escaped(value))?;
    }
    out.flush()?;
    writeln!(
        std::io::stderr().lock(),
        "(nothing was sent; AccessKeyId and Signature are added to the query as it leaves)"
    )?;
    Ok(Exit::Success)
}

/// The headers, names in lower case.
fn headers(prepared: &Prepared, endpoint: &str) -> Vec<(&'static str, String)> {
    let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
    let mut headers = vec![
        ("host", host.to_owned()),
        ("user-agent", concat!("openeventd/", env!("CARGO_PKG_VERSION")).to_owned()),
    ];
    if !prepared.form.is_empty() {
        headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
    }
    headers
}

fn object<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Map<String, Value> {
    pairs.map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}
