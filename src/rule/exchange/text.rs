//! Patterns as JSON text for people: short things on one line, numbers as they were written.

use crate::rule::pattern::item::{Item, ItemKind};

/// A longer value is spread over lines: characters.
const LINE_CHARS_MAX: usize = 88;

/// `item` as JSON text whose first line stands behind `indent` spaces.
pub(super) fn pretty(item: &Item, indent: usize) -> String {
    let mut text = String::new();
    write(item, indent, true, &mut text);
    text
}

/// `text` as JSON text.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn write(item: &Item, indent: usize, is_spread: bool, out: &mut String) {
    let one_line = inline(item);
    let fits = !is_spread && indent + one_line.chars().count() <= LINE_CHARS_MAX;
    let (opening, closing, parts): (char, char, Vec<(Option<&str>, &Item)>) = match &item.kind {
        ItemKind::Map(entries) if !entries.is_empty() && !fits => {
            ('{', '}', entries.iter().map(|(key, value)| (Some(key.text.as_str()), value)).collect())
        }
        ItemKind::List(members) if !members.is_empty() && !fits => {
            ('[', ']', members.iter().map(|member| (None, member)).collect())
        }
        _ => {
            out.push_str(&one_line);
            return;
        }
    };
    out.push(opening);
    for (place, (key, value)) in parts.into_iter().enumerate() {
        out.push_str(if place == 0 { "\n" } else { ",\n" });
        out.push_str(&" ".repeat(indent + 2));
        if let Some(key) = key {
            out.push_str(&quoted(key));
            out.push_str(": ");
        }
        write(value, indent + 2, false, out);
    }
    out.push('\n');
    out.push_str(&" ".repeat(indent));
    out.push(closing);
}

fn inline(item: &Item) -> String {
    match &item.kind {
        ItemKind::Null | ItemKind::Foreign(_) => "null".to_owned(),
        ItemKind::Bool(value) => value.to_string(),
        ItemKind::Number(text) => text.clone(),
        ItemKind::Text(text) => quoted(text),
        ItemKind::List(members) => {
            let members: Vec<String> = members.iter().map(inline).collect();
            format!("[{}]", members.join(", "))
        }
        ItemKind::Map(entries) => {
            let entry = |(key, value): &(crate::rule::pattern::item::Key, Item)| {
                format!("{}: {}", quoted(&key.text), inline(value))
            };
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_come_out_as_they_went_in() {
        let text =
            r#"{"a": [1.50, 9007199254740993, 3e2, null, true, "\u007f\"\\\n补"], "b": {"c": [{"x": []}]}}"#;
        let item = Item::of_json(text, 0).expect("it is JSON");
        let written = pretty(&item, 0);
        assert_eq!(
            written,
            "{\n  \"a\": [1.50, 9007199254740993, 3e2, null, true, \"\u{7f}\\\"\\\\\\n补\"],\n  \
             \"b\": {\"c\": [{\"x\": []}]}\n}"
        );
    }

    #[test]
    fn what_is_too_long_for_a_line_is_spread() {
        let members: Vec<String> = (0..9).map(|number| format!("\"{number}{}\"", "x".repeat(10))).collect();
        let item = Item::of_json(&format!("{{\"a\": [{}]}}", members.join(",")), 0).expect("it is JSON");
        assert_eq!(pretty(&item, 0).lines().count(), 13);
    }
}
