//! The RPC signature, version 1: HMAC-SHA1 over all parameters.
//!
//! Takes the name-value pairs that will be sent, in the query and in the form alike, and gives the string
//! that is signed and its signature. The signature travels as one more parameter.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha1::Sha1;

use super::{Pair, join, percent_encode, sorted, timestamp};
use crate::openapi::credential::Credentials;
use crate::operation::{ApiVersion, Method};

/// The parameters that every call carries, before who signs it: the operation, and what makes the
/// request unique. `now_ms` is cut to whole seconds.
#[must_use]
pub fn system_pairs(action: &str, version: ApiVersion, nonce: &str, now_ms: i64) -> Vec<Pair> {
    [
        ("Action", action),
        ("Version", version.as_str()),
        ("Format", "json"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", nonce),
        ("Timestamp", &timestamp(now_ms)),
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

/// The parameters in the order and the encoding in which they are signed.
#[must_use]
pub fn canonical_query(pairs: &[Pair]) -> String {
    join(sorted(pairs))
}

/// The string that is signed. `pairs` are all parameters that will be sent, in any order, without
/// `Signature`; values are encoded twice in it.
#[must_use]
pub fn string_to_sign(method: Method, pairs: &[Pair]) -> String {
    format!("{}&%2F&{}", method.as_str(), percent_encode(&canonical_query(pairs)))
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
}
