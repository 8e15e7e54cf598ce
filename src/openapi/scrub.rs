//! Removes known secret values from text, in every spelling in which a server may echo them.
//!
//! `SignatureDoesNotMatch` answers with the string that was signed, in which values are percent-encoded
//! twice; error pages and JSON escape in their own ways. What is shorter than [`LENGTH_MIN`] is left
//! alone: it would blot out ordinary text and hides nothing.

use secrecy::{ExposeSecret, SecretString};

use super::Secrets;
use super::credential::Credentials;
use super::sign::percent_encode;

/// Shorter values are not scrubbed, in bytes.
pub const LENGTH_MIN: usize = 4;

/// What stands in place of a secret.
pub const REMOVED: &str = "[secret]";

/// Every spelling of the secrets that one call may meet, longest first.
pub(super) struct Scrubber {
    spellings: Vec<SecretString>,
}

impl Secrets {
    /// `text` without the values of these secrets, raw, percent-encoded once or twice, or escaped.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        Scrubber::new(self, None).scrub(text)
    }
}

impl Scrubber {
    pub(super) fn new(secrets: &Secrets, credentials: Option<&Credentials>) -> Self {
        let mut spellings: Vec<SecretString> =
            secrets.by_name.values().flat_map(|value| spell(value.expose_secret())).collect();
        if let Some(credentials) = credentials {
            let token = credentials.security_token.as_ref().map(ExposeSecret::expose_secret);
            let values = [&credentials.access_key_id, credentials.access_key_secret.expose_secret()];
            spellings.extend(values.into_iter().chain(token).flat_map(spell));
        }
        // The longest first: a secret that contains another one goes whole.
        spellings.sort_by_key(|spelling| std::cmp::Reverse(spelling.expose_secret().len()));
        Scrubber { spellings }
    }

    pub(super) fn scrub(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for spelling in &self.spellings {
            if text.contains(spelling.expose_secret()) {
                text = text.replace(spelling.expose_secret(), REMOVED);
            }
        }
        text
    }

    /// Scrubs text that was cut: the beginning of a secret at its very end goes too.
    pub(super) fn scrub_cut(&self, text: &str) -> String {
        // A character cut in two was replaced by this one, and would hide the beginning before it.
        let mut text = self.scrub(text.trim_end_matches(char::REPLACEMENT_CHARACTER));
        let longest_tail = self
            .spellings
            .iter()
            .filter_map(|spelling| begun_at_end(&text, spelling.expose_secret()))
            .max()
            .unwrap_or(0);
        if longest_tail > 0 {
            text.truncate(text.len() - longest_tail);
            text.push_str(REMOVED);
        }
        text
    }
}

/// How many bytes at the end of `text` are the beginning of `spelling`, if enough to matter.
fn begun_at_end(text: &str, spelling: &str) -> Option<usize> {
    (LENGTH_MIN..spelling.len())
        .rev()
        .filter_map(|length| spelling.get(..length))
        .find(|start| text.ends_with(start))
        .map(str::len)
}

/// The ways in which one value may be written.
fn spell(value: &str) -> Vec<SecretString> {
    let in_json = escaped_for_json(value);
    let mut found = vec![
        value.to_owned(),
        value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
        in_json.replace('/', "\\/"),
        escaped_for_html_in_json(&in_json),
        in_json.clone(),
    ];
    for source in [value, &in_json] {
        let once = percent_encode(source);
        // Forms leave the star and encode the tilde.
        let form = once.replace("%20", "+").replace("%2A", "*").replace('~', "%7E");
        for once in [once.replace("%20", "+"), lower_hex(&once), lower_hex(&form), form, once] {
            found.push(percent_encode(&once));
            found.push(once);
        }
    }
    found.sort_unstable();
    found.dedup();
    found.retain(|spelling| spelling.len() >= LENGTH_MIN);
    found.into_iter().map(SecretString::from).collect()
}

fn escaped_for_json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&quoted).to_owned()
}

/// As writers of JSON do that expect their text inside a web page.
fn escaped_for_html_in_json(in_json: &str) -> String {
    let mut escaped = in_json.to_owned();
    for (from, to) in
        [("&", "\\u0026"), ("=", "\\u003d"), ("<", "\\u003c"), (">", "\\u003e"), ("'", "\\u0027")]
    {
        escaped = escaped.replace(from, to);
    }
    escaped
}

/// `%2F` as `%2f`; other letters stay.
fn lower_hex(encoded: &str) -> String {
    let mut hex_digits_left = 0_u8;
    encoded
        .chars()
        .map(|character| {
            if character == '%' {
                hex_digits_left = 2;
                return character;
            }
            if hex_digits_left == 0 {
                return character;
            }
            hex_digits_left -= 1;
            character.to_ascii_lowercase()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(value: &str) -> Secrets {
        Secrets { by_name: [("x".to_owned(), SecretString::from(value))].into() }
    }

    #[test]
    fn every_spelling_of_a_secret_is_removed() {
        let value = "p/ä s=\"&q";
        for spelling in [
            "p/ä s=\"&q",
            "p/ä s=\\\"&q",
            "p\\/ä s=\\\"&q",
            "p/ä s\\u003d\\\"\\u0026q",
            "p/ä s=&quot;&amp;q",
            "p%2F%C3%A4%20s%3D%22%26q",
            "p%2f%c3%a4%20s%3d%22%26q",
            "p%2F%C3%A4+s%3D%22%26q",
            "p%252F%25C3%25A4%2520s%253D%2522%2526q",
            "p%252f%25c3%25a4%2520s%253d%2522%2526q",
            "p%2F%C3%A4%20s%3D%5C%22%26q",
            "p%252F%25C3%25A4%2520s%253D%255C%2522%2526q",
        ] {
            let scrubbed = secrets(value).scrub(&format!("before {spelling} after {spelling}"));
            assert_eq!(scrubbed, "before [secret] after [secret]", "{spelling}");
        }
    }

    #[test]
    fn a_short_value_is_left_alone() {
        assert_eq!(secrets("abc").scrub("abc abcd"), "abc abcd");
        assert_eq!(secrets("").scrub("text"), "text");
    }

    #[test]
    fn a_secret_inside_a_longer_secret_leaves_no_rest() {
        let both = Secrets {
            by_name: [("a", "hunter"), ("b", "hunter2000")]
                .map(|(name, value)| (name.to_owned(), SecretString::from(value)))
                .into(),
        };
        assert_eq!(both.scrub("hunter2000 hunter"), "[secret] [secret]");
    }

    #[test]
    fn the_beginning_of_a_secret_at_a_cut_is_removed() {
        let scrubber = Scrubber::new(&secrets("correct horse"), None);
        assert_eq!(scrubber.scrub_cut("log: correct ho"), "log: [secret]");
        assert_eq!(scrubber.scrub_cut("log: correct%20h"), "log: [secret]");
        assert_eq!(scrubber.scrub_cut("log: corre\u{fffd}"), "log: [secret]");
        assert_eq!(scrubber.scrub_cut("log: cor"), "log: cor");
    }

    #[test]
    fn secrets_do_not_show_in_debug() {
        let shown = format!("{:?}", secrets("correct horse"));
        assert!(!shown.contains("horse"), "{shown}");
    }
}
