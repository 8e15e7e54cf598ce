//! Reads JSON text a piece at a time, borrowing, without building anything.
//!
//! [`deeper_than`] guards the parser and takes any bytes. Everything else takes text that `serde_json` has
//! accepted: it finds members, elements and strings again by their delimiters alone. Given other text it
//! ends early or returns a wrong piece of that text; it never panics and never reads past the end.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Whether brackets outside of strings nest deeper than `depth_max`. Never recurses.
pub(super) fn deeper_than(depth_max: usize, bytes: &[u8]) -> bool {
    // Most records hold fewer brackets than levels allowed, and counting them is several times
    // faster than following the strings.
    if memchr::memchr2_iter(b'{', b'[', bytes).nth(depth_max).is_none() {
        return false;
    }
    let mut depth = 0_usize;
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'"' => after_string(after),
            b'{' | b'[' => {
                depth += 1;
                if depth > depth_max {
                    return true;
                }
                after
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                after
            }
            _ => after,
        };
    }
    false
}

/// What follows the closing quote of the string whose opening quote was just passed.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        let passed = if rest.get(at) == Some(&b'"') { 1 } else { 2 };
        let closed = passed == 1;
        rest = rest.get(at + passed..).unwrap_or_default();
        if closed {
            return rest;
        }
    }
    &[]
}

/// A place in accepted JSON text.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Reader { text, at: 0 }
    }

    /// The next byte that is not white space, which stays unread.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other,
            }
        }
    }

    /// Passes `byte` if it comes next.
    pub(super) fn pass(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// The string that comes next, without its quotes, escapes unread.
    pub(super) fn string(&mut self) -> Option<&'a str> {
        self.pass(b'"')?;
        let start = self.at;
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            let stop = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            self.at += stop + 1;
            if rest.get(stop) == Some(&b'"') {
                return self.text.get(start..self.at - 1);
            }
            self.at += 1;
        }
    }

    /// The value that comes next, as written.
    pub(super) fn value(&mut self) -> Option<&'a str> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => drop(self.string()?),
            b'{' | b'[' => self.skip_nested()?,
            _ => self.skip_scalar(),
        }
        self.text.get(start..self.at)
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.byte()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.checked_sub(1)?,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn skip_scalar(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }
}

/// The members of an object: the name without its quotes, escapes unread, and the value as written.
pub(super) fn members(object: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut reader = Reader::new(object);
    let mut before = b'{';
    std::iter::from_fn(move || {
        reader.pass(std::mem::replace(&mut before, b','))?;
        let name = reader.string()?;
        reader.pass(b':')?;
        Some((name, reader.value()?))
    })
}

/// The elements of a list, as written.
pub(super) fn elements(list: &str) -> impl Iterator<Item = &str> {
    let mut reader = Reader::new(list);
    let mut before = b'[';
    std::iter::from_fn(move || {
        reader.pass(std::mem::replace(&mut before, b','))?;
        if reader.peek()? == b']' {
            return None;
        }
        reader.value()
    })
}

/// Whether any object in `value`, at any depth, repeats a name.
pub(super) fn repeats_a_name(value: &str) -> bool {
    let mut reader = Reader::new(value);
    let mut open: Vec<Names<'_>> = Vec::new();
    while let Some(byte) = reader.peek() {
        match byte {
            b'"' => {
                let Some(string) = reader.string() else { return false };
                let is_name = reader.peek() == Some(b':');
                if let Some(names) = open.last_mut().filter(|_| is_name)
                    && names.add(unescape(string)) == Seen::Before
                {
                    return true;
                }
                continue;
            }
            b'{' => open.push(Names::default()),
            b'}' => drop(open.pop()),
            _ => {}
        }
        reader.at += 1;
    }
    false
}

/// The names of one object.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    /// One bit for every name so far, by its length and three of its bytes: most names are new, and then
    /// nothing needs to be compared.
    marks: [u64; 4],
    few: Vec<Cow<'a, str>>,
    many: BTreeSet<Cow<'a, str>>,
}

/// Whether a name was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    First,
    Before,
}

/// Up to here names are compared one by one; an object made to be slow has more.
const FEW: usize = 24;

impl<'a> Names<'a> {
    pub(super) fn add(&mut self, name: Cow<'a, str>) -> Seen {
        let (word, bit) = mark(name.as_bytes());
        if let Some(marks) = self.marks.get_mut(word) {
            let is_marked = *marks & bit != 0;
            *marks |= bit;
            if is_marked && (self.few.contains(&name) || self.many.contains(&name)) {
                return Seen::Before;
            }
        }
        if self.few.len() < FEW {
            // One allocation, not one for every doubling.
            self.few.reserve_exact(FEW - self.few.len());
            self.few.push(name);
        } else {
            self.many.insert(name);
        }
        Seen::First
    }
}

/// The place of a name's bit: which of four words, and which bit of it.
fn mark(name: &[u8]) -> (usize, u64) {
    let byte = |at: usize| usize::from(name.get(at).copied().unwrap_or_default());
    let sum =
        name.len() * 7 + byte(0) * 31 + byte(name.len() / 2) * 13 + byte(name.len().wrapping_sub(1)) * 3;
    (sum / 64 % 4, 1 << (sum % 64))
}

/// The text of a string between its quotes. Half of a surrogate pair becomes U+FFFD.
pub(super) fn unescape(string: &str) -> Cow<'_, str> {
    if !string.as_bytes().contains(&b'\\') {
        return Cow::Borrowed(string);
    }
    let Some((plain, mut rest)) = string.split_once('\\') else { return Cow::Borrowed(string) };
    let mut text = String::with_capacity(string.len());
    text.push_str(plain);
    loop {
        let mut chars = rest.chars();
        match chars.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('u') => {
                let (character, after) = unescape_unicode(chars.as_str());
                text.push(character);
                chars = after.chars();
            }
            Some(itself) => text.push(itself),
            None => {}
        }
        let Some((plain, after)) = chars.as_str().split_once('\\') else {
            text.push_str(chars.as_str());
            return Cow::Owned(text);
        };
        text.push_str(plain);
        rest = after;
    }
}

/// The character of `XXXX` or `XXXX\uXXXX`, and what follows it.
fn unescape_unicode(escaped: &str) -> (char, &str) {
    let (Some(first), rest) = hex_unit(escaped) else { return (char::REPLACEMENT_CHARACTER, escaped) };
    if let Some(character) = char::from_u32(u32::from(first)) {
        return (character, rest);
    }
    if let Some((Some(second), after)) = rest.strip_prefix("\\u").map(hex_unit)
        && let Some(Ok(character)) = char::decode_utf16([first, second]).next()
    {
        return (character, after);
    }
    (char::REPLACEMENT_CHARACTER, rest)
}

fn hex_unit(text: &str) -> (Option<u16>, &str) {
    match text.split_at_checked(4) {
        Some((digits, rest)) => (u16::from_str_radix(digits, 16).ok(), rest),
        None => (None, text),
    }
}

/// Appends `json` without the white space between its parts, so that it stands on one line.
pub(super) fn append_compact(json: &str, line: &mut String) {
    let mut reader = Reader::new(json);
    while let Some(byte) = reader.peek() {
        let start = reader.at;
        match byte {
            b'"' => {
                if reader.string().is_none() {
                    reader.at = json.len();
                }
            }
            b'{' | b'}' | b'[' | b']' | b',' | b':' => reader.at += 1,
            _ => {
                reader.skip_scalar();
            }
        }
        line.push_str(json.get(start..reader.at).unwrap_or_default());
    }
}

/// Appends `text` as a JSON string.
pub(super) fn append_quoted(text: &str, line: &mut String) {
    line.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            '\n' => line.push_str("\\n"),
            control @ '\0'..'\x20' => {
                // Writing to a `String` cannot fail.
                let _ = write!(line, "\\u{:04x}", u32::from(control));
            }
            other => line.push(other),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings_only() {
        assert!(!deeper_than(2, br#"{"a":["[[[[{{{{\"[[[", "\\"]}"#));
        assert!(deeper_than(2, br#"{"a":[{}]}"#));
        assert!(!deeper_than(3, br#"{"a":[{},{},{}]}"#));
        assert!(!deeper_than(1, b"[][][][]]]]][]"));
        assert!(!deeper_than(1, br#"["unclosed [[[["#));
    }

    #[test]
    fn members_and_elements_are_found_as_written() {
        let found: Vec<_> = members(" { \"a\" : [1, {\"b\":\"]}\"}] ,\"c\\n\":-1.50e3\n} ").collect();
        assert_eq!(found, [("a", "[1, {\"b\":\"]}\"}]"), ("c\\n", "-1.50e3")]);
        assert_eq!(elements("[ 1 ,\"2,3\", []]").collect::<Vec<_>>(), ["1", "\"2,3\"", "[]"]);
        assert_eq!(elements("[ ]").count() + members("{}").count() + members("17").count(), 0);
    }

    #[test]
    fn repeated_names_are_found_at_any_depth_and_through_escapes() {
        assert!(repeats_a_name(r#"{"a":1,"b":2,"\u0061":3}"#));
        assert!(repeats_a_name(r#"[{"a":[{"x":1,"x":1}]}]"#));
        assert!(!repeats_a_name(r#"{"a":{"a":{"a":"a"}},"b":[{"a":1},{"a":2}]}"#));
        let many = (0..500).map(|n| format!("\"k{n}\":0,")).collect::<Vec<_>>().concat();
        assert!(repeats_a_name(&format!("{{{many}\"k499\":1}}")));
        assert!(!repeats_a_name(&format!("{{{many}\"k500\":1}}")));
    }

    #[test]
    fn escapes_are_read_and_half_pairs_are_replaced() {
        assert_eq!(unescape("plain"), "plain");
        assert_eq!(unescape(r#"\"\\\/\n\t\r\b\fä\u00e4\ud83d\ude00!"#), "\"\\/\n\t\r\u{8}\u{c}ää😀!");
        assert_eq!(unescape(r"\ud800x\udc00\ud800\u0041"), "\u{fffd}x\u{fffd}\u{fffd}A");
    }

    #[test]
    fn compact_text_keeps_every_byte_but_outer_white_space() {
        let mut line = String::new();
        append_compact("{ \"a b\" :\n [ 1.50 , true,\t\"\\\" \" ] }\n", &mut line);
        assert_eq!(line, r#"{"a b":[1.50,true,"\" "]}"#);
    }

    #[test]
    fn quoted_text_reads_back_as_itself() {
        let text = "a\"b\\c\n\u{0}\u{1f}\u{7f}ä😀";
        let mut line = String::new();
        append_quoted(text, &mut line);
        assert_eq!(serde_json::from_str::<String>(&line).expect("the string is valid JSON"), text);
    }
}
