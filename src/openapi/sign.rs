//! The RPC signature, version 1: HMAC-SHA1 over all parameters.
//!
//! Pure: nonce and time are arguments. Takes the name-value pairs that will be sent, in the query and
//! in the form alike, and gives the string that is signed and its signature. Nothing here fails.
//! The header-based scheme (`ACS3-HMAC-SHA256`) signs another text; it will stand beside this one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use sha1::Sha1;

use super::credential::Credentials;
use crate::operation::{ApiVersion, Method};

/// Everything but letters, digits and `-_.~` is encoded.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A name and its value, both as text before any encoding.
pub type Pair = (String, String);

/// The parameters that every call carries, before who signs it: the operation, and what makes the
/// request unique. `now_ms` is cut to whole seconds.
#[must_use]
pub fn system_pairs(action: &str, version: ApiVersion, nonce: &str, now_ms: i64) -> Vec<Pair> {
    // A time outside of what a calendar can write is refused by the endpoint like any wrong clock.
    let timestamp = Timestamp::from_second(now_ms.div_euclid(1000)).unwrap_or_default();
    [
        ("Action", action),
        ("Version", version.as_str()),
        ("Format", "json"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", nonce),
        ("Timestamp", &timestamp.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// The parameters that say who signs. The token of temporary credentials is signed like any parameter.
#[must_use]
pub fn credential_pairs(credentials: &Credentials) -> Vec<Pair> {
    let mut pairs = vec![("AccessKeyId".to_owned(), credentials.access_key_id.clone())];
    if let Some(token) = &credentials.security_token {
        pairs.push(("SecurityToken".to_owned(), token.expose_secret().to_owned()));
    }
    pairs
}

/// The text that is signed. `pairs` are all parameters that will be sent, in any order, without
/// `Signature`; values are encoded twice in it.
#[must_use]
pub fn string_to_sign(method: Method, pairs: &[Pair]) -> String {
    let mut sorted: Vec<&Pair> = pairs.iter().collect();
    // By the raw name: sorting the joined text would put `Tag-1` before `Tag`.
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    format!("{}&%2F&{}", method.as_str(), percent_encode(&join(sorted)))
}

/// The signature of `string_to_sign`.
#[must_use]
pub fn signature(access_key_secret: &SecretString, string_to_sign: &str) -> String {
    let key = SecretString::from(format!("{}&", access_key_secret.expose_secret()));
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key.expose_secret().as_bytes()) else {
        unreachable!("HMAC takes keys of any length")
    };
    mac.update(string_to_sign.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// `name=value&...`, each percent-encoded, in the order given: a query, and a form body as well, since
/// a space is `%20` in both.
#[must_use]
pub fn join<'a>(pairs: impl IntoIterator<Item = &'a Pair>) -> String {
    let joined: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{}={}", percent_encode(name), percent_encode(value)))
        .collect();
    joined.join("&")
}

/// Percent-encodes as the signature wants it (RFC 3986, capital hex digits).
#[must_use]
pub fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_raw_and_values_encoded_twice() {
        let pairs = [("Tag-1", "c"), ("Tag.1", "b d"), ("Tag", "a+~"), ("T", "中")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            string_to_sign(Method::Post, &pairs),
            "POST&%2F&T%3D%25E4%25B8%25AD%26Tag%3Da%252B~%26Tag-1%3Dc%26Tag.1%3Db%2520d"
        );
    }

    #[test]
    fn the_time_is_utc_in_whole_seconds() {
        let time = |now_ms| system_pairs("A", ApiVersion::V2024, "n", now_ms).pop().expect("the last pair").1;
        assert_eq!(time(1_774_425_600_999), "2026-03-25T08:00:00Z");
        assert_eq!(time(-1), "1969-12-31T23:59:59Z");
    }
}
