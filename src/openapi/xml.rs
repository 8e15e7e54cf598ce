//! Finds the text of an element in XML, as far as error bodies of a gateway need it.
//!
//! No parser of documents: it takes any text, looks for the first element of a name whatever its namespace
//! prefix and attributes are, and gives its text with CDATA and entities resolved. An element that the text
//! cuts, or that has elements of its own, gives nothing. Each look reads the text once.

/// No name of an entity is longer; so a look for its end is short.
const ENTITY_BYTES_MAX: usize = 12;

/// The text of the first element called `name`; empty elements give an empty text.
pub(super) fn element(text: &str, name: &str) -> Option<String> {
    let mut rest = text;
    loop {
        let (_, tag) = rest.split_once('<')?;
        if let Some(comment) = tag.strip_prefix("!--") {
            (_, rest) = comment.split_once("-->")?;
            continue;
        }
        if let Some(data) = tag.strip_prefix("![CDATA[") {
            (_, rest) = data.split_once("]]>")?;
            continue;
        }
        let (head, content) = split_tag(tag)?;
        if local_name(head) == name {
            return if head.ends_with('/') { Some(String::new()) } else { content_of(content, name) };
        }
        rest = content;
    }
}

/// Up to the end of the tag, which is no `>` inside of quotes, and what follows it.
fn split_tag(tag: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    let end = tag.find(|c: char| match (quote, c) {
        (None, '>') => true,
        (None, '"' | '\'') => {
            quote = Some(c);
            false
        }
        (Some(open), c) => {
            quote = Some(open).filter(|open| *open != c);
            false
        }
        (None, _) => false,
    })?;
    let (head, rest) = tag.split_at_checked(end)?;
    Some((head, rest.strip_prefix('>')?))
}

/// The name without attributes and prefix; of an end tag it begins with `/`.
fn local_name(head: &str) -> &str {
    let name = head.split(|c: char| c.is_whitespace() || (c == '/' && !head.starts_with('/'))).next();
    let name = name.unwrap_or_default();
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// The text up to the end tag of `name`.
fn content_of(content: &str, name: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = content;
    loop {
        let (before, tag) = rest.split_once('<')?;
        text.push_str(&unescape(before));
        if let Some(data) = tag.strip_prefix("![CDATA[") {
            let (data, after) = data.split_once("]]>")?;
            text.push_str(data);
            rest = after;
        } else if let Some(comment) = tag.strip_prefix("!--") {
            (_, rest) = comment.split_once("-->")?;
        } else {
            let ends = tag.strip_prefix('/').is_some_and(|end| {
                let end = end.split('>').next().unwrap_or_default();
                tag.contains('>') && local_name(end) == name
            });
            return ends.then(|| text.trim().to_owned());
        }
    }
}

/// Text with its entities resolved; what is none stays.
fn unescape(text: &str) -> String {
    let mut resolved = String::new();
    let mut rest = text;
    while let Some((before, entity)) = rest.split_once('&') {
        resolved.push_str(before);
        let end = entity.bytes().take(ENTITY_BYTES_MAX).position(|byte| byte == b';');
        let named = end.and_then(|end| entity.split_at_checked(end));
        let known = named.and_then(|(name, after)| Some((character(name)?, after.strip_prefix(';')?)));
        let (character, after) = known.unwrap_or(('&', entity));
        resolved.push(character);
        rest = after;
    }
    resolved.push_str(rest);
    resolved
}

/// The character of an entity's name.
fn character(name: &str) -> Option<char> {
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match name.strip_prefix("#x") {
            Some(hex) => number(hex, 16),
            None => number(name.strip_prefix('#')?, 10),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_found_whatever_it_looks_like() {
        for (text, expected) in [
            ("<Error><Code>A.B</Code></Error>", Some("A.B")),
            ("<?xml version=\"1.0\"?>\n<Error>\n <Code>\n A.B \n</Code>", Some("A.B")),
            ("<Error xmlns=\"urn:x\" note='a > b'><Code lang=\"en\">A</Code></Error>", Some("A")),
            ("<e:Error xmlns:e='urn:x'><e:Code>A</e:Code></e:Error>", Some("A")),
            ("<Code><![CDATA[a < b & c]]></Code>", Some("a < b & c")),
            ("<Code>a<![CDATA[<]]>b</Code >", Some("a<b")),
            ("<Code>a &lt; &#65;&#x42; &amp;amp; &odd; &</Code>", Some("a < AB &amp; &odd; &")),
            ("<!-- <Code>no</Code> --><Code>yes<!-- no --></Code>", Some("yes")),
            ("<![CDATA[<Code>no</Code>]]><Code>yes</Code>", Some("yes")),
            ("<Code/>", Some("")),
            ("<Code />", Some("")),
            ("<Code></Code>", Some("")),
            ("<ErrorCode>no</ErrorCode>", None),
            ("<code>no</code>", None),
            ("<html><body><h1>502</h1></body></html>", None),
            ("<Code>Throttling.Api", None),
            ("<Code>Throttling.Api</Co", None),
            ("<Code>Throttling.Api</Code", None),
            ("<Code><Inner>no</Inner></Code>", None),
            ("<Code", None),
            ("<", None),
            ("<!--", None),
            ("<Code><![CDATA[", None),
            ("", None),
        ] {
            assert_eq!(element(text, "Code").as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn no_cut_breaks_it() {
        let text = "<Error a='>'><!-- x --><e:Code><![CDATA[值]]>&#x41;&lt;</e:Code></Error>";
        let whole = element(text, "Code");
        assert_eq!(whole.as_deref(), Some("值A<"));
        for (end, _) in text.char_indices() {
            let found = element(text.get(..end).unwrap_or_default(), "Code");
            assert!(found.is_none() || found == whole, "{end}: {found:?}");
        }
    }
}
