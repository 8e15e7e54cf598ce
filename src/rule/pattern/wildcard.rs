//! Text with stars: each star stands for any characters, or none. Matched in one pass, without backtracking.

use memchr::memmem;

/// A text with stars, taken apart at them.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wildcard {
    /// As the author wrote it.
    pub(crate) written: Box<str>,
    /// What stands before the first star.
    pub(crate) start: Box<str>,
    /// What stands between stars, in order; never empty.
    pub(crate) middle: Box<[Box<str>]>,
    /// What stands after the last star; `None` if there is no star.
    pub(crate) end: Option<Box<str>>,
}

/// Why a text with stars is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WildcardError {
    /// A backslash stands before something else than `*` or `\`, or at the end.
    Escape,
    /// Two stars stand in a row.
    StarsInARow,
}

impl Wildcard {
    /// Takes `text` apart; `\*` is a star and `\\` a backslash.
    pub(crate) fn parse(text: &str) -> Result<Self, WildcardError> {
        let (mut parts, mut part) = (Vec::new(), String::new());
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '*' if part.is_empty() && !parts.is_empty() => return Err(WildcardError::StarsInARow),
                '*' => parts.push(std::mem::take(&mut part)),
                '\\' => match characters.next() {
                    Some(escaped @ ('*' | '\\')) => part.push(escaped),
                    _ => return Err(WildcardError::Escape),
                },
                other => part.push(other),
            }
        }
        let mut parts = parts.into_iter();
        let Some(start) = parts.next() else {
            let start = part.into();
            return Ok(Wildcard { written: text.into(), start, middle: Box::default(), end: None });
        };
        let middle = parts.map(String::into_boxed_str).collect();
        Ok(Wildcard { written: text.into(), start: start.into(), middle, end: Some(part.into()) })
    }

    /// Whether all of `text` is like it.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let Some(end) = &self.end else { return *text == *self.start };
        let Some(rest) = text.strip_prefix(&*self.start) else { return false };
        let Some(rest) = rest.strip_suffix(&**end) else { return false };
        // The first place of each part leaves the most room for the others.
        let mut rest = rest.as_bytes();
        for part in &self.middle {
            let Some(at) = memmem::find(rest, part.as_bytes()) else { return false };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_characters() {
        for (written, text, expected) in [
            ("a*b", "ab", true),
            ("a*b", "axxb", true),
            ("a*b", "a", false),
            ("a*a", "a", false),
            ("ab*ba", "aba", false),
            ("*", "", true),
            (r"*\**", "x*", true),
            ("", "", true),
            ("", "x", false),
            ("*aa*aa*", "aaa", false),
            ("*aa*aa*", "aabaa", true),
            ("dw/*/x", "dw/a/b/x", true),
            ("dw/*/x", "dw/x", false),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            (r"\\*", r"\x", true),
            ("ä*ü", "äöü", true),
            ("*b*", "abc", true),
        ] {
            let wildcard = Wildcard::parse(written).expect("it is right");
            assert_eq!(wildcard.matches(text), expected, "{written} {text}");
        }
        for written in [r"\", r"a\b", r"\\\"] {
            assert_eq!(Wildcard::parse(written).err(), Some(WildcardError::Escape), "{written}");
        }
        for written in ["**", "a**b", r"\***"] {
            assert_eq!(Wildcard::parse(written).err(), Some(WildcardError::StarsInARow), "{written}");
        }
    }

    #[test]
    fn what_would_backtrack_elsewhere_ends_at_once() {
        let wildcard = Wildcard::parse(&format!("{}b", "*a".repeat(5_000))).expect("it is right");
        assert!(!wildcard.matches(&"a".repeat(1_000_000)));
    }
}
