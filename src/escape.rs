//! Text from events, made safe to show: no character of it can forge a line, drive a terminal or turn the
//! direction of the text around it.

use std::fmt;

/// Whether `character` does something besides being shown.
#[must_use]
pub fn is_active(character: char) -> bool {
    let turns =
        matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || turns
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
}
