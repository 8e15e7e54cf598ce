//! A request that is shown instead of sent: everything that would leave, except for what the signer adds.

use std::io::Write as _;

use serde_json::{Map, Value, json};

use crate::cli::terminal::{DIM, NAME, TITLE, stdout, styled};
use crate::cli::{Exit, Failure};
use crate::escape::Escaped;
use crate::openapi::Account;
use crate::openapi::request::Prepared;
use crate::openapi::sign::{Pair, Scheme};

/// Shows the request that would go to the endpoint of `account`.
pub(super) fn show(prepared: &Prepared, account: &Account, as_json: bool) -> Result<Exit, Failure> {
    let headers = headers(prepared, &account.endpoint);
    let mut out = stdout();
    if as_json {
        let object = json!({
            "method": prepared.method.as_str(),
            "url": prepared.url,
            "headers": object(headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
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
    let added = match account.signature {
        Scheme::V1 => "AccessKeyId and Signature are added to the query",
        Scheme::Acs3 => "the Authorization header is added",
    };
    writeln!(std::io::stderr().lock(), "(nothing was sent; {added} as it leaves)")?;
    Ok(Exit::Success)
}

/// The headers, names in lower case.
fn headers(prepared: &Prepared, endpoint: &str) -> Vec<Pair> {
    let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
    let always = [("host", host), ("user-agent", concat!("openeventd/", env!("CARGO_PKG_VERSION")))];
    let known = |name: &str| prepared.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    let further = always.into_iter().filter(|(name, _)| !known(name));
    further
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .chain(prepared.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())))
        .collect()
}

fn object<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Map<String, Value> {
    pairs.map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}
