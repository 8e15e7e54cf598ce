//! What commands print for people: colours where a terminal shows them, and columns.
//!
//! Colours go to terminals only and honour `NO_COLOR`. Text in columns is escaped, since much of it comes
//! from events, and its width is the one that a terminal gives it.

use std::io::{self, StdoutLock};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::escape::Escaped;

/// What stands out: good news, warnings, bad news, what is secondary, titles.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// A warning, or something that waits for a person.
pub const WARNING: Style = AnsiColor::Yellow.on_default();
/// Bad news.
pub const BAD: Style = AnsiColor::Red.on_default();
/// What is secondary.
pub const DIM: Style = Style::new().dimmed();
/// Titles.
pub const TITLE: Style = Style::new().bold();
/// Names to look for: codes, rules, operations.
pub const NAME: Style = AnsiColor::Cyan.on_default();

/// What a cell takes at most: one long text must not push every other row off the screen.
const CELL_WIDTH_MAX: usize = 80;

/// What the last cell of a row takes at most: some screens of text.
const LAST_WIDTH_MAX: usize = 4_096;

/// Standard output that drops colours where nobody sees them.
#[must_use]
pub fn stdout() -> AutoStream<StdoutLock<'static>> {
    AutoStream::auto(io::stdout().lock())
}

/// `text` in `style`.
#[must_use]
pub fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// `text`, escaped, in `style`, filled up with spaces to `width`; a longer text keeps one space behind it, unless the
/// width is zero.
#[must_use]
pub fn padded(style: Style, text: &str, width: usize) -> String {
    let text = fitted(text, CELL_WIDTH_MAX);
    let spaces = width.saturating_sub(text.width()).max(width.min(1));
    format!("{}{}", styled(style, &text), " ".repeat(spaces))
}

/// `text`, escaped; what a terminal would show wider than `width_max` is cut, and ends with `…`.
#[must_use]
pub fn fitted(text: &str, width_max: usize) -> String {
    let mut fitted = String::new();
    // Where it is cut if it turns out to be too wide: there is room for the mark.
    let (mut width, mut cut_at) = (0, 0);
    let mut buffer = [0_u8; 4];
    for character in text.chars() {
        let shown = Escaped(character.encode_utf8(&mut buffer)).to_string();
        width += shown.chars().map(|one| one.width().unwrap_or(0)).sum::<usize>();
        if width > width_max {
            fitted.truncate(cut_at);
            fitted.push('…');
            return fitted;
        }
        fitted.push_str(&shown);
        if width < width_max {
            cut_at = fitted.len();
        }
    }
    fitted
}

/// `count` things, as in `1 action` and `2 actions`.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Digits of an id or content hash that are shown: enough to tell a million apart.
const DIGITS_SHOWN: usize = 12;

/// The beginning of an id or content hash.
#[must_use]
pub fn abbreviated(digits: &str) -> &str {
    let end = digits.char_indices().nth(DIGITS_SHOWN).map_or(digits.len(), |(at, _)| at);
    digits.get(..end).unwrap_or(digits)
}

/// A cell of [`Columns`].
#[derive(Debug, Clone)]
struct Cell {
    text: String,
    width: usize,
    style: Style,
}

/// Rows whose columns are aligned. A cell that is too wide is cut; the last of a row may be much wider than the others.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    rows: Vec<Vec<Cell>>,
}

impl Columns {
    /// No rows yet.
    #[must_use]
    pub fn new() -> Self {
        Columns::default()
    }

    /// Adds a row of cells; each text is escaped.
    pub fn row<'a>(&mut self, cells: impl IntoIterator<Item = (Style, &'a str)>) {
        let mut cells = cells.into_iter().peekable();
        let mut row = Vec::new();
        while let Some((style, text)) = cells.next() {
            let width_max = if cells.peek().is_some() { CELL_WIDTH_MAX } else { LAST_WIDTH_MAX };
            let text = fitted(text, width_max);
            row.push(Cell { width: text.width(), text, style });
        }
        self.rows.push(row);
    }

    /// The rows as lines, each indented by `indent` spaces.
    #[must_use]
    pub fn lines(&self, indent: usize) -> String {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            // The last cell has nothing behind it to align.
            for (at, cell) in row.iter().take(row.len().saturating_sub(1)).enumerate() {
                match widths.get_mut(at) {
                    Some(width) => *width = cell.width.max(*width),
                    None => widths.push(cell.width),
                }
            }
        }
        let mut lines = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            let last = row.len().saturating_sub(1);
            for (at, cell) in row.iter().enumerate() {
                // Nothing at the end of a line is to leave no trace there.
                if !cell.text.is_empty() {
                    line.push_str(&styled(cell.style, &cell.text));
                }
                if at < last {
                    let width = widths.get(at).copied().unwrap_or(cell.width);
                    line.push_str(&" ".repeat(width.saturating_sub(cell.width) + 2));
                }
            }
            lines.push_str(line.trim_end());
            lines.push('\n');
        }
        lines
    }
}

/// A list of `shown` rows out of `total` below their titles, or what there is to say if it is empty.
///
/// # Errors
/// `out` refuses.
pub fn write_list(
    out: &mut impl io::Write,
    list: &Columns,
    shown: usize,
    total: i64,
    empty: &str,
) -> io::Result<()> {
    if shown == 0 {
        return writeln!(out, "{empty}");
    }
    write!(out, "{}", list.lines(0))?;
    if total > i64::try_from(shown).unwrap_or(i64::MAX) {
        writeln!(out, "{}", styled(DIM, &format!("{shown} of {total}: -n shows more")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_what_a_terminal_shows() {
        let mut columns = Columns::new();
        columns.row([(Style::new(), "补数"), (Style::new(), "x")]);
        columns.row([(Style::new(), "a\u{1b}"), (Style::new(), "y")]);
        assert_eq!(columns.lines(1), " 补数     x\n a\\u{1b}  y\n");
        assert_eq!(
            (padded(Style::new(), "补数", 6), padded(Style::new(), "abc", 2)),
            ("补数  ".into(), "abc ".into())
        );
    }

    #[test]
    fn one_wide_cell_is_cut_and_widens_the_others_no_further() {
        let wide = "补".repeat(70_000);
        let mut columns = Columns::new();
        columns.row([(Style::new(), wide.as_str()), (Style::new(), "x")]);
        columns.row([(Style::new(), "a"), (Style::new(), wide.as_str())]);
        let lines = columns.lines(0);
        let widths: Vec<usize> = lines.lines().map(unicode_width::UnicodeWidthStr::width).collect();
        assert_eq!(widths, [CELL_WIDTH_MAX - 1 + 2 + 1, CELL_WIDTH_MAX - 1 + 2 + LAST_WIDTH_MAX - 1]);
        assert!(lines.lines().all(|line| line.contains('…')));
        assert_eq!(padded(Style::new(), &wide, 70_000).width(), 70_000);
    }

    #[test]
    fn what_fits_exactly_is_whole_and_an_escape_is_never_cut_in_two() {
        for (text, width_max, shown) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("补补", 3, "补…"),
            ("a\u{1b}b", 6, "a…"),
            ("", 0, ""),
            ("a", 1, "a"),
        ] {
            assert_eq!(fitted(text, width_max), shown, "{text}");
        }
    }
}
