//! CloudEvents in Kafka's binary mode: attributes in `ce_` headers, `data` as the payload.
//!
//! Takes a record whose headers name a `specversion`. Header values are text, so extension attributes
//! become JSON strings; the header `content-type` is the attribute `datacontenttype`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::decode::{
    DecodeError, Limits, Naming, blank, checked_text, complete, is_our_name, not_json, set_published,
};
use super::scan::{Names, Seen, append_quoted};
use super::{Envelope, Event};
use crate::record::{Header, Headers, Record};

const PREFIX: &str = "ce_";
const CONTENT_TYPE: &str = "content-type";
/// The content type of a whole event as payload, whatever the other headers say.
const WHOLE_EVENT: &[u8] = b"application/cloudevents";

/// Whether the headers hold the attributes of an event.
pub(super) fn is_binary(headers: Headers<'_>) -> bool {
    let is_whole = |header: Header<'_>| {
        header.name.eq_ignore_ascii_case(CONTENT_TYPE)
            && header.value.is_some_and(|value| value.starts_with(WHOLE_EVENT))
    };
    headers.iter().any(|header| header.name == "ce_specversion") && !headers.iter().any(is_whole)
}

/// Decodes a record for which [`is_binary`] holds.
pub(super) fn decode<'a>(record: &Record<'a>, limits: &Limits) -> Result<Event<'a>, DecodeError> {
    let data = match record.payload {
        // An event may have no data, and Kafka then has no payload.
        [] => "null",
        payload => checked_text(payload, limits)?.trim(),
    };
    serde_json::from_str::<&RawValue>(data).map_err(|source| not_json(&source))?;
    let mut event = blank(Envelope::CloudEventsBinary);
    let mut names = Names::default();
    for header in record.headers.iter() {
        let Some((name, value)) = attribute(&header)? else { continue };
        if names.add(Cow::Borrowed(name)) == Seen::Before {
            return Err(DecodeError::new(
                "duplicate_key",
                format!("the header `{}` is there twice", header.name),
            ));
        }
        set(&mut event, name, value);
    }
    for (name, value) in [("id", &event.id), ("source", &event.source), ("type", &event.event_type)] {
        if value.as_deref().unwrap_or_default().is_empty() {
            let message = format!("the CloudEvent has no header `{PREFIX}{name}`; send the whole event");
            return Err(DecodeError::new("bad_envelope", message));
        }
    }
    Ok(complete(event, Naming::Type, data))
}

/// The attribute that a header holds, if it does.
fn attribute<'a>(header: &Header<'a>) -> Result<Option<(&'a str, &'a str)>, DecodeError> {
    let name = match header.name.strip_prefix(PREFIX) {
        Some(name) => name,
        None if header.name.eq_ignore_ascii_case(CONTENT_TYPE) => "datacontenttype",
        None => return Ok(None),
    };
    let Some(value) = header.value else { return Ok(None) };
    let text = std::str::from_utf8(value)
        .map_err(|_| DecodeError::new("not_utf8", format!("the header `{}` is not UTF-8", header.name)))?;
    Ok(Some((name, text)))
}

fn set<'a>(event: &mut Event<'a>, name: &'a str, value: &'a str) {
    let text = Some(Cow::Borrowed(value));
    match name {
        "id" => event.id = text,
        "source" => event.source = text,
        "type" => event.event_type = text,
        "time" => event.time = text,
        "specversion" => event.specversion = text,
        "subject" => event.subject = text,
        // The payload is `data`; a header of that name has no place in CloudEvents.
        "data" => event.flags.attribute_collision = true,
        _ if is_our_name(name) => event.flags.attribute_collision = true,
        _ => {
            match name {
                "aliyunaccountid" => event.account = text,
                "aliyunregionid" => event.region = text,
                "aliyunpublishtime" => set_published(event, Some(value)),
                _ => {}
            }
            event.extensions.push((Cow::Borrowed(name), Cow::Owned(quoted(value))));
        }
    }
}

/// `text` as a JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    append_quoted(text, &mut quoted);
    quoted
}
