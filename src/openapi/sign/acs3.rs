//! The signature of version 3, `ACS3-HMAC-SHA256`: over the request, in its headers.
//!
//! The operation's own parameters stay in the query and in the form; what the system must know is in
//! headers. Takes the method, the query's pairs, the headers and the body as they will be sent, and gives
//! the canonical request, the string that is signed, the signature and the `authorization` header.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::{FORM, Pair, join, sorted, timestamp};
use crate::openapi::credential::Credentials;
use crate::operation::{ApiVersion, Method};

/// The name of the algorithm, as it stands in what is signed and in the `authorization` header.
pub const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// The header that holds the signature.
pub const AUTHORIZATION: &str = "authorization";

/// The header that holds the hash of the body.
pub const CONTENT_SHA256: &str = "x-acs-content-sha256";

/// A form body as the official clients write it: a space is `+`.
#[must_use]
pub fn form_body(pairs: &[Pair]) -> String {
    join(pairs).replace("%20", "+")
}

/// The hash of the exact bytes of the body, which may be none.
#[must_use]
pub fn content_sha256(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

/// The headers that every call carries, before who signs it and the hash of its body. `host` is as it
/// travels, with a port that is not the scheme's own; `now_ms` is cut to whole seconds.
#[must_use]
pub fn system_headers(
    host: &str,
    action: &str,
    version: ApiVersion,
    nonce: &str,
    now_ms: i64,
    has_body: bool,
) -> Vec<Pair> {
    let mut headers = vec![
        ("host", host),
        ("accept", "application/json"),
        ("x-acs-action", action),
        ("x-acs-version", version.as_str()),
    ];
    let date = timestamp(now_ms);
    headers.extend([("x-acs-date", date.as_str()), ("x-acs-signature-nonce", nonce)]);
    if has_body {
        headers.push(("content-type", FORM));
    }
    headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The headers of temporary credentials; a lasting key has none. The endpoint needs the token alone; the
/// key's id stands beside it in what the official clients send.
#[must_use]
pub fn credential_headers(credentials: &Credentials) -> Vec<Pair> {
    let Some(token) = &credentials.security_token else { return Vec::new() };
    [
        ("x-acs-accesskey-id", credentials.access_key_id.as_str()),
        ("x-acs-security-token", token.expose_secret()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// The query in the order and the encoding in which it is signed. Names are encoded like values.
#[must_use]
pub fn canonical_query(query: &[Pair]) -> String {
    join(sorted(query))
}

/// The headers that are signed, each on a line.
#[must_use]
pub fn canonical_headers(headers: &[Pair]) -> String {
    let lines: Vec<String> =
        signed(headers).into_iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    lines.concat()
}

/// The names of the headers that are signed.
#[must_use]
pub fn signed_names(headers: &[Pair]) -> String {
    let names: Vec<String> = signed(headers).into_iter().map(|(name, _)| name).collect();
    names.join(";")
}

/// Of all headers `host`, `content-type` and the system's own are signed, by name: a proxy may change others.
fn signed(headers: &[Pair]) -> Vec<(String, &str)> {
    let mut signed: Vec<(String, &str)> = headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .filter(|(name, _)| name == "host" || name == "content-type" || name.starts_with("x-acs-"))
        .collect();
    signed.sort();
    signed
}

/// The request as it is signed: method, path, query, headers, their names, and the hash of the body.
#[must_use]
pub fn canonical_request(method: Method, query: &[Pair], headers: &[Pair], content_sha256: &str) -> String {
    let (query, names) = (canonical_query(query), signed_names(headers));
    let headers = canonical_headers(headers);
    format!("{}\n/\n{query}\n{headers}\n{names}\n{content_sha256}", method.as_str())
}

/// The string that is signed.
#[must_use]
pub fn string_to_sign(canonical_request: &str) -> String {
    format!("{ALGORITHM}\n{}", hex(&Sha256::digest(canonical_request.as_bytes())))
}

/// The signature of `string_to_sign`. The key is the bare secret, unlike in version 1.
#[must_use]
pub fn signature(access_key_secret: &SecretString, string_to_sign: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(access_key_secret.expose_secret().as_bytes()) else {
        unreachable!("HMAC takes keys of any length")
    };
    mac.update(string_to_sign.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// The value of the `authorization` header.
#[must_use]
pub fn authorization(access_key_id: &str, signed_names: &str, signature: &str) -> String {
    format!("{ALGORITHM} Credential={access_key_id},SignedHeaders={signed_names},Signature={signature}")
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<Pair> {
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn names_of_the_query_are_encoded_and_sorted_raw() {
        let query = pairs([("Tag-1", "c"), ("Tag.1", "b d"), ("Tag", ""), ("a b", "~*")]);
        assert_eq!(canonical_query(&query), "Tag=&Tag-1=c&Tag.1=b%20d&a%20b=~%2A");
    }

    #[test]
    fn only_what_no_proxy_may_change_is_signed() {
        let headers = pairs([
            ("X-Acs-Date", " d "),
            ("accept", "a"),
            ("user-agent", "u"),
            ("host", "h:1"),
            ("via", "v"),
        ]);
        assert_eq!(canonical_headers(&headers), "host:h:1\nx-acs-date:d\n");
        assert_eq!(signed_names(&headers), "host;x-acs-date");
    }
}
