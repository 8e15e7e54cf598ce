//! Words as a shell takes them, for commands that people copy.

/// `word` as a shell takes it for one word: quoted only where that is needed.
#[must_use]
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_take_it_apart() {
        for (word, expected) in [
            ("target/release/openeventd", "target/release/openeventd"),
            ("补/a=b", "补/a=b"),
            ("a b", "'a b'"),
            ("~", "'~'"),
            ("*", "'*'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
