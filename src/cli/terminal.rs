//! What commands print for people: colours where a terminal shows them, and columns.
//!
//! Colours go to terminals only and honour `NO_COLOR`. Text in columns is escaped, since much of it comes
//! from events, and its width is the one that a terminal gives it.

use std::fmt::Write as _;
use std::io::{self, StdoutLock};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

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
    let text = Escaped(text).to_string();
    let spaces = width.saturating_sub(text.width()).max(width.min(1));
    format!("{}{:spaces$}", styled(style, &text), "")
}

/// A cell of [`Columns`].
#[derive(Debug, Clone)]
struct Cell {
    text: String,
    width: usize,
    style: Style,
}

/// Rows whose columns are aligned; the last column is as long as it is.
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
        let cells = cells.into_iter().map(|(style, text)| {
            let text = Escaped(text).to_string();
            Cell { width: text.width(), text, style }
        });
        self.rows.push(cells.collect());
    }

    /// The rows as lines, each indented by `indent` spaces.
    #[must_use]
    pub fn lines(&self, indent: usize) -> String {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            for (at, cell) in row.iter().enumerate() {
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
            for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
                line.push_str(&styled(cell.style, &cell.text));
                if at < last {
                    // Writing into a String cannot fail.
                    let _ = write!(line, "{:1$}", "", width - cell.width + 2);
                }
            }
            lines.push_str(line.trim_end());
            lines.push('\n');
        }
        lines
    }
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
}
