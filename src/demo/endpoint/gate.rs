//! What stands before the operations: is the call complete, in time, signed, and new?

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::{AccessKey, Refusal};
use crate::openapi::sign::{Pair, rpc};
use crate::operation;

/// A time that is further from ours is refused.
const CLOCK_DIFFERENCE_MS_MAX: i64 = 15 * 60 * 1000;

/// Nonces that are remembered: far more than a demonstration makes.
const NONCES_MAX: usize = 100_000;

/// A call that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// The operation's name.
    pub(super) operation: String,
    /// Its parameters, those of query and form together.
    pub(super) params: BTreeMap<String, String>,
}

/// Checks calls, and remembers their nonces.
pub(super) struct Gate {
    key: AccessKey,
    nonces: HashSet<String>,
}

impl Gate {
    pub(super) fn new(key: AccessKey) -> Self {
        Gate { key, nonces: HashSet::new() }
    }

    /// The call, if it may pass.
    pub(super) fn pass(
        &mut self,
        method: &str,
        query: &str,
        form: &str,
        now_ms: i64,
    ) -> Result<Call, Refusal> {
        let mut pairs: Vec<Pair> = decode(query)?;
        pairs.extend(decode(form)?);
        let sent = take(&mut pairs, "Signature")?;
        let find = |name: &'static str| {
            let found = pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
            found.ok_or_else(|| missing(name))
        };
        for (name, expected) in [("SignatureMethod", "HMAC-SHA1"), ("SignatureVersion", "1.0")] {
            if find(name)? != expected {
                return Err(Refusal::new(
                    400,
                    "InvalidSignatureMethod",
                    "Specified signature method is not valid.",
                ));
            }
        }
        if find("AccessKeyId")? != self.key.id {
            return Err(Refusal::new(
                404,
                "InvalidAccessKeyId.NotFound",
                "Specified access key is not found.",
            ));
        }
        in_time(find("Timestamp")?, now_ms)?;
        let method = method_of(method)?;
        let text = rpc::string_to_sign(method, &pairs);
        let expected = rpc::signature(&self.key.secret, &text);
        if expected.len() != sent.len() || !openssl::memcmp::eq(expected.as_bytes(), sent.as_bytes()) {
            let message = format!(
                "Specified signature is not matched with our calculation. server string to sign is:{text}"
            );
            return Err(Refusal::new(400, "SignatureDoesNotMatch", message));
        }
        let nonce = find("SignatureNonce")?.to_owned();
        if self.nonces.len() >= NONCES_MAX {
            return Err(Refusal::new(503, "ServiceUnavailable", "Too many calls for a demonstration."));
        }
        if !self.nonces.insert(nonce) {
            return Err(Refusal::new(
                400,
                "SignatureNonceUsed",
                "Specified signature nonce was used already.",
            ));
        }
        let (name, version) = (find("Action")?, find("Version")?);
        let known =
            operation::ApiVersion::from_text(version).and_then(|version| operation::find(name, version));
        match known {
            Some(known) if known.method == method => {
                Ok(Call { operation: name.to_owned(), params: pairs.into_iter().collect() })
            }
            _ => Err(Refusal::new(404, "InvalidAction.NotFound", "Specified api is not found.")),
        }
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::new(400, "MissingParameter", format!("The parameter {name} is mandatory for this action."))
}

fn take(pairs: &mut Vec<Pair>, name: &str) -> Result<String, Refusal> {
    let at = pairs.iter().position(|(known, _)| known == name).ok_or_else(|| missing(name))?;
    Ok(pairs.swap_remove(at).1)
}

fn in_time(written: &str, now_ms: i64) -> Result<(), Refusal> {
    let Ok(time) = written.parse::<Timestamp>() else {
        return Err(Refusal::new(
            400,
            "InvalidTimeStamp.Format",
            "Specified time stamp is not well formatted.",
        ));
    };
    if now_ms.abs_diff(time.as_millisecond()) > CLOCK_DIFFERENCE_MS_MAX.unsigned_abs() {
        return Err(Refusal::new(400, "InvalidTimeStamp.Expired", "Specified time stamp is expired."));
    }
    Ok(())
}

fn method_of(method: &str) -> Result<operation::Method, Refusal> {
    match method {
        "GET" => Ok(operation::Method::Get),
        "POST" => Ok(operation::Method::Post),
        "PUT" => Ok(operation::Method::Put),
        _ => Err(Refusal::new(400, "UnsupportedHTTPMethod", "This http method is not supported.")),
    }
}

/// The pairs of a query or a form.
fn decode(text: &str) -> Result<Vec<Pair>, Refusal> {
    let one = |text: &str| {
        let decoded = percent_decode_str(&text.replace('+', "%20")).decode_utf8().map(String::from);
        decoded.map_err(|_| Refusal::new(400, "InvalidParameter", "A parameter is no UTF-8."))
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((one(name)?, one(value)?))
        })
        .collect()
}
