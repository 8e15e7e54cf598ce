//! Regular expressions: matched in linear time, limited in size, compiled when first needed.

use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};

/// Bytes of an expression as written.
pub(crate) const WRITTEN_BYTES_MAX: usize = 1_000;
/// Bytes that an expression may take compiled.
const COMPILED_BYTES_MAX: usize = 128 * 1024;
/// Bytes of the tables that speed up its matching.
const TABLE_BYTES_MAX: usize = 64 * 1024;
/// Groups within groups.
const NEST_MAX: u32 = 32;
/// A longer text is not looked at and does not match: bytes. Time is bounded by it and the compiled size.
pub(crate) const TEXT_BYTES_MAX: usize = 64 * 1024;

/// A regular expression that was found right.
#[derive(Debug)]
pub(crate) struct Expression {
    /// As the author wrote it.
    pub(super) written: Box<str>,
    compiled: OnceLock<Option<Regex>>,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Expression {}

impl Hash for Expression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.written.hash(state);
    }
}

impl Expression {
    /// Checks `written`; what is compiled for it is dropped again, since most rules are never asked.
    pub(crate) fn parse(written: &str) -> Result<Self, String> {
        if written.len() > WRITTEN_BYTES_MAX {
            return Err(format!("the expression has {} bytes, at most {WRITTEN_BYTES_MAX}", written.len()));
        }
        match compile(written) {
            Ok(_) => Ok(Expression { written: written.into(), compiled: OnceLock::new() }),
            Err(regex::Error::CompiledTooBig(_)) => Err(format!(
                "the expression takes more than {COMPILED_BYTES_MAX} bytes; shorten repetitions, or write \
                 `(?-u:\\w)` for `\\w` where ASCII is enough"
            )),
            Err(error) => Err(last_line(&error)),
        }
    }

    /// Whether it is found in `text`.
    pub(crate) fn is_found_in(&self, text: &str) -> bool {
        // It was compiled before, so it can be compiled now.
        let compiled = self.compiled.get_or_init(|| compile(&self.written).ok());
        text.len() <= TEXT_BYTES_MAX && compiled.as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

fn compile(written: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(written)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(TABLE_BYTES_MAX)
        .nest_limit(NEST_MAX)
        .build()
}

/// The engine draws the expression above its message.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default().trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_searched_for_and_limited() {
        let is_found = |written, text: &str| Expression::parse(written).expect(written).is_found_in(text);
        assert!(is_found("^ods_[0-9]{4}$", "ods_2026") && !is_found("^ods_[0-9]{4}$", "ods_20261"));
        assert!(is_found("b", "abc") && is_found("(?i)ABC", "xabcx") && is_found("", ""));
        assert!(is_found(r"[\w.]+@\w+\.(com|cn)", "u.x@example.com"));
        assert!(!is_found("a", &"a".repeat(TEXT_BYTES_MAX + 1)));
        for (wrong, word) in [
            ("(", "unclosed group"),
            ("(?=x)", "look-around"),
            (r"(a)\1", "backreferences"),
            (r"\pL{1000}", "more than"),
            ("((a{100}){100}){100}", "more than"),
        ] {
            let error = Expression::parse(wrong).expect_err(wrong);
            assert!(error.contains(word), "{wrong}: {error}");
        }
        assert!(Expression::parse(&"a".repeat(WRITTEN_BYTES_MAX + 1)).is_err());
        assert!(Expression::parse(&"(".repeat(900)).is_err());
    }

    #[test]
    fn what_would_explode_elsewhere_ends_at_once() {
        let text = "a".repeat(TEXT_BYTES_MAX);
        for written in ["(a+)+$b", "(a*)*b", "(x+x+)+y", "[ab]*a[ab]{60}c"] {
            assert!(!Expression::parse(written).expect(written).is_found_in(&text), "{written}");
        }
    }
}
