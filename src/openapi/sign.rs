//! Signatures: what both schemes share, and which of them an account uses.
//!
//! Pure: nonce and time are arguments, and nothing here fails. Each scheme stands in a module of its own,
//! where every intermediate value is a function, so that a refused signature can be compared step by step.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub mod acs3;

pub mod rpc;

/// Everything but letters, digits and `-_.~` is encoded.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The type of a form body; without a body no type is sent.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// A name and its value, both as text before any encoding.
pub type Pair = (String, String);

/// How the calls of an account are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// HMAC-SHA1 over all parameters, which hold the signature too.
    #[default]
    V1,
    /// `ACS3-HMAC-SHA256`, in headers.
    Acs3,
}

impl Scheme {
    /// The word in settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::V1 => "v1",
            Scheme::Acs3 => "acs3",
        }
    }

    /// The scheme of a word in settings.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        [Scheme::V1, Scheme::Acs3].into_iter().find(|scheme| scheme.as_str() == text)
    }
}

/// `name=value&...`, each percent-encoded, in the order given: a query, and a form body as well, since
/// a space may be `%20` in both.
#[must_use]
pub fn join<'a>(pairs: impl IntoIterator<Item = &'a Pair>) -> String {
    let joined: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{}={}", percent_encode(name), percent_encode(value)))
        .collect();
    joined.join("&")
}

/// The pairs in the order in which both schemes sign them: by the raw name. Sorting the joined text would
/// put `Tag-1` before `Tag`.
fn sorted(pairs: &[Pair]) -> Vec<&Pair> {
    let mut sorted: Vec<&Pair> = pairs.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    sorted
}

/// Percent-encodes as the signature wants it (RFC 3986, capital hex digits).
#[must_use]
pub fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// The time as both schemes write it: UTC, cut to whole seconds.
#[must_use]
pub fn timestamp(now_ms: i64) -> String {
    // A time outside of what a calendar can write is refused by the endpoint like any wrong clock.
    Timestamp::from_second(now_ms.div_euclid(1000)).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_is_read_as_it_is_written() {
        for (text, scheme) in
            [("v1", Some(Scheme::V1)), ("acs3", Some(Scheme::Acs3)), ("V1", None), ("", None)]
        {
            assert_eq!(Scheme::from_text(text), scheme);
            assert!(scheme.is_none_or(|scheme| scheme.as_str() == text));
        }
    }

    #[test]
    fn the_time_is_utc_in_whole_seconds() {
        assert_eq!(timestamp(1_774_425_600_999), "2026-03-25T08:00:00Z");
        assert_eq!(timestamp(-1), "1969-12-31T23:59:59Z");
    }
}
