//! Text from events, made safe to show: no character of it can forge a line, drive a terminal, turn the
//! direction of the text around it, or stand there unseen and make two names look the same.

use std::fmt;

/// Whether `character` does something besides being shown, or is not shown at all.
#[must_use]
pub fn is_active(character: char) -> bool {
    let turns = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    let ends_a_line = matches!(character, '\u{2028}' | '\u{2029}');
    // Soft hyphen, what joins or parts words without a width, marks of byte order, tags.
    let hides = matches!(
        character,
        '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    character.is_control() || turns || ends_a_line || hides
}

/// A text whose active characters are shown escaped, as in `\u{1b}`.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0)
    }
}

/// Writes `text` with its active characters escaped.
///
/// # Errors
/// `out` refuses.
pub fn write(out: &mut impl fmt::Write, text: &str) -> fmt::Result {
    for character in text.chars() {
        if is_active(character) {
            write!(out, "{}", character.escape_default())?;
        } else {
            out.write_char(character)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_characters_are_escaped_and_all_others_stay() {
        let shown = Escaped("补 a\n\u{1b}[2J\u{202e}b").to_string();
        assert_eq!(shown, "补 a\\n\\u{1b}[2J\\u{202e}b");
    }

    #[test]
    fn what_turns_breaks_or_hides_is_active() {
        let active = "\u{61c}\u{200e}\u{2028}\u{2029}\u{200b}\u{200c}\u{200d}\u{feff}\u{ad}\u{2060}\u{2064}\u{2066}\u{e0001}\u{e007f}\u{85}";
        assert!(active.chars().all(is_active));
        assert!(!"aé补\u{300}😀 \u{a0}".chars().any(is_active));
    }
}
