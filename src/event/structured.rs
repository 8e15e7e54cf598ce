//! The envelopes that are one JSON object: CloudEvents, the older topics, Function Compute, only `data`.
//!
//! Takes the record's text and tells the envelope by the names it has. An event without identity, or an
//! older message without `messageId`, is refused with the name of what is missing.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::decode::{DecodeError, Naming, blank, complete, is_our_name, not_json, set_published};
use super::envelope::Members;
use super::{Envelope, Event};

/// What every event of the older envelopes has for CloudEvents `source`.
const SOURCE: &str = "acs.dataworks";

/// Decodes text whose size and depth are acceptable.
pub(super) fn decode(text: &str) -> Result<Event<'_>, DecodeError> {
    if !text.trim_start().starts_with('{') {
        return Err(match serde_json::from_str::<&RawValue>(text) {
            Ok(_) => DecodeError::new(
                "not_an_object",
                "the payload is JSON, but no object; send one event a record",
            ),
            Err(source) => not_json(&source),
        });
    }
    let members: Members<'_> = serde_json::from_str(text).map_err(|source| not_json(&source))?;
    let is_data_only =
        members.specversion.is_none() && members.message_body.is_none() && members.event_code.is_some();
    if is_data_only {
        let mut event = blank(Envelope::DataOnly);
        event.flags.no_identity = true;
        return Ok(complete(event, Naming::Data, text.trim()));
    }
    if let Some(name) = &members.repeated {
        return Err(DecodeError::new("duplicate_key", format!("the envelope has `{name}` twice")));
    }
    if members.specversion.is_some() {
        return cloud_event(members);
    }
    match (members.message_body, members.event_type_code, members.message_type) {
        (Some(body), Some(code), _) => kafka(members, body, code),
        (Some(body), None, Some(message_type)) => kafka_gen1(members, body, message_type),
        (Some(_), None, None) => Err(missing("eventType", "message")),
        (None, ..) if members.source.is_some() && members.event_type.is_some() => {
            Err(missing("specversion", "CloudEvent"))
        }
        (None, ..) => Err(DecodeError::new(
            "unknown_envelope",
            "the payload has none of `specversion`, `messageBody` and `eventCode`; send the whole event",
        )),
    }
}

fn cloud_event(members: Members<'_>) -> Result<Event<'_>, DecodeError> {
    let mut event = blank(Envelope::CloudEvents);
    event.id = Some(required("id", "CloudEvent", members.id)?);
    event.source = Some(required("source", "CloudEvent", members.source)?);
    event.event_type = Some(required("type", "CloudEvent", members.event_type)?);
    event.specversion = optional(members.specversion, &mut event);
    event.time = optional(members.time, &mut event);
    event.subject = optional(members.subject, &mut event);
    event.account = optional(members.account, &mut event);
    event.region = optional(members.region, &mut event);
    let publish_time = optional(members.publish_time, &mut event);
    set_published(&mut event, publish_time.as_deref());
    set_extensions(&mut event, members.others);
    Ok(complete(event, Naming::Type, members.data.unwrap_or("null")))
}

fn kafka<'a>(members: Members<'a>, body: &'a str, code: &'a str) -> Result<Event<'a>, DecodeError> {
    let envelope = match members.extension_biz_id {
        Some(_) => Envelope::FunctionCompute,
        None => Envelope::Kafka,
    };
    let code = required("eventType", "message", Some(code))?;
    let blocks = members.block_business.and_then(|value| value.parse().ok());
    let event = older(envelope, members, &["messageId", "messageBody", "eventType"])?;
    Ok(complete(event, Naming::Code { code, blocks }, body))
}

fn kafka_gen1<'a>(
    members: Members<'a>,
    body: &'a str,
    message_type: &'a str,
) -> Result<Event<'a>, DecodeError> {
    let message_type = required("messageType", "message", Some(message_type))?;
    let event = older(Envelope::KafkaGen1, members, &["messageId", "messageBody", "messageType"])?;
    let naming = match message_type.as_ref() {
        "SCHEDULE_TASK" => Naming::Code { code: Cow::Borrowed("instance-status-changes"), blocks: None },
        _ => Naming::MessageType(message_type),
    };
    Ok(complete(event, naming, body))
}

/// What the older envelopes share; `own` are the names that became attributes.
fn older<'a>(envelope: Envelope, mut members: Members<'a>, own: &[&str]) -> Result<Event<'a>, DecodeError> {
    let mut event = blank(envelope);
    event.id = Some(required("messageId", "message", members.message_id)?);
    event.source = Some(Cow::Borrowed(SOURCE));
    let hidden =
        [members.id, members.source, members.event_type, members.time, members.subject, members.data];
    event.flags.attribute_collision = hidden.iter().any(Option::is_some);
    members.others.retain(|(name, _)| !own.contains(&name.as_ref()));
    set_extensions(&mut event, members.others);
    Ok(event)
}

fn set_extensions<'a>(event: &mut Event<'a>, mut others: Vec<(Cow<'a, str>, Cow<'a, str>)>) {
    let all = others.len();
    others.retain(|(name, _)| !is_our_name(name));
    event.flags.attribute_collision |= others.len() != all;
    event.extensions = others;
}

fn required<'a>(name: &str, what: &str, value: Option<&'a str>) -> Result<Cow<'a, str>, DecodeError> {
    match value.map(scalar) {
        None | Some(Scalar::Null) => Err(missing(name, what)),
        Some(Scalar::Text(text)) if text.is_empty() => Err(missing(name, what)),
        Some(Scalar::Text(text)) => Ok(text),
        Some(Scalar::Unreadable) => {
            Err(DecodeError::new("bad_envelope", format!("`{name}` of the {what} is not readable text")))
        }
    }
}

fn optional<'a>(value: Option<&'a str>, event: &mut Event<'a>) -> Option<Cow<'a, str>> {
    match scalar(value?) {
        Scalar::Text(text) => Some(text),
        Scalar::Null => None,
        Scalar::Unreadable => {
            event.flags.unreadable_value = true;
            None
        }
    }
}

fn missing(name: &str, what: &str) -> DecodeError {
    DecodeError::new("bad_envelope", format!("the {what} has no `{name}`; send the whole event"))
}

enum Scalar<'a> {
    /// A string, or the text of a number or boolean.
    Text(Cow<'a, str>),
    Null,
    /// An object, a list, or a string with half of a surrogate pair.
    Unreadable,
}

fn scalar(value: &str) -> Scalar<'_> {
    match value.as_bytes().first() {
        Some(b'"') if memchr::memchr(b'\\', value.as_bytes()).is_none() => {
            Scalar::Text(Cow::Borrowed(value.trim_matches('"')))
        }
        Some(b'"') => serde_json::from_str::<String>(value)
            .map_or(Scalar::Unreadable, |text| Scalar::Text(Cow::Owned(text))),
        Some(b'n') => Scalar::Null,
        Some(b'{' | b'[') | None => Scalar::Unreadable,
        Some(_) => Scalar::Text(Cow::Borrowed(value)),
    }
}
