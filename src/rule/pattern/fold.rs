//! Text that is compared without regard to case: by Unicode's simple case folding, one character for one.

use icu_casemap::{CaseMapper, CaseMapperBorrowed};

const CASES: CaseMapperBorrowed<'static> = CaseMapper::new();

/// `text` with every character folded.
pub(crate) fn folded(text: &str) -> Box<str> {
    characters(text).collect::<String>().into()
}

/// The characters of `text`, folded.
pub(crate) fn characters(text: &str) -> impl DoubleEndedIterator<Item = char> {
    text.chars().map(|character| {
        if character.is_ascii() { character.to_ascii_lowercase() } else { CASES.simple_fold(character) }
    })
}

/// Whether `text`, folded, is `own`, which is folded.
pub(crate) fn equals(own: &str, text: &str) -> bool {
    characters(text).eq(own.chars())
}

/// Whether `text`, folded, begins with `own`, which is folded.
pub(crate) fn starts_with(own: &str, text: &str) -> bool {
    leads(own.chars(), characters(text))
}

/// Whether `text`, folded, ends with `own`, which is folded.
pub(crate) fn ends_with(own: &str, text: &str) -> bool {
    leads(own.chars().rev(), characters(text).rev())
}

fn leads(own: impl Iterator<Item = char>, mut whole: impl Iterator<Item = char>) -> bool {
    own.into_iter().all(|character| whole.next() == Some(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_is_simple_and_knows_more_than_ascii() {
        for (own, text, expected) in [
            ("Prod", "pROD", true),
            ("straße", "STRASSE", false),
            ("straße", "STRAẞE", true),
            ("k", "\u{212a}", true),
            ("ſ", "S", true),
            ("Σ", "ς", true),
            ("i", "İ", false),
            ("ТЕСТ", "тест", true),
            ("數據", "數據", true),
        ] {
            assert_eq!(equals(&folded(own), text), expected, "{own} {text}");
        }
        assert!(starts_with(&folded("TMP_"), "tmp_x") && !starts_with(&folded("TMP_"), "tm"));
        assert!(ends_with(&folded("Ä_di"), "x_ä_DI") && !ends_with(&folded("_di"), "di"));
    }
}
