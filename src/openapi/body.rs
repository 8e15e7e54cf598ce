//! Reads what a response's body says about its call, from any body: whole or cut, JSON, XML or neither.
//!
//! Streams over the text and keeps only what decides, so that a cut body still tells what stood before
//! the cut. Names are taken with a capital or a small first letter; `Success` may be a boolean or text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::error::{FAILED_ITEMS_MAX, FailedItem};
use super::xml::element;

/// A longer detail of a denied access stays in the body.
const DETAIL_BYTES_MAX: usize = 512;

/// How much of the body was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Form {
    /// One whole JSON object.
    Whole,
    /// A JSON object that ends early or badly.
    Cut,
    /// Something else.
    #[default]
    Other,
}

/// What a body says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub form: Form,
    pub success: Option<bool>,
    /// Whether success is stated in a word that is neither yes nor no.
    pub is_unclear: bool,
    pub code: String,
    pub message: String,
    pub request_id: Option<String>,
    pub recommend: Option<String>,
    /// Why access was denied, as compact JSON.
    pub access_denied: Option<String>,
    pub failed: Vec<FailedItem>,
    pub failed_count: usize,
    pub item_count: usize,
}

/// Reads a body.
pub(super) fn read(body: &str) -> Said {
    let body = body.trim_start_matches('\u{feff}').trim();
    let mut said = Said::default();
    if body.starts_with('{') {
        let mut json = serde_json::Deserializer::from_str(body);
        let outcome = Top(&mut said).deserialize(&mut json).and_then(|()| json.end());
        said.form = if outcome.is_ok() { Form::Whole } else { Form::Cut };
    } else if body.starts_with('<') {
        read_xml(body, &mut said);
    }
    said
}

/// The top level of a body: fills in what it meets, up to where the text ends.
struct Top<'a>(&'a mut Said);

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let said = self.0;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "Success" | "success" => {
                    let stated: Value = map.next_value()?;
                    said.success = truth(&stated);
                    said.is_unclear = said.success.is_none() && !stated.is_null();
                }
                // The envelope's own code wins over another field that is called `Code`.
                "ErrorCode" | "errorCode" => said.code = text(&map.next_value()?).unwrap_or_default(),
                "Code" | "code" => {
                    let code = text(&map.next_value()?).unwrap_or_default();
                    if said.code.is_empty() {
                        said.code = code;
                    }
                }
                "ErrorMessage" | "errorMessage" => {
                    said.message = text(&map.next_value()?).unwrap_or_default();
                }
                "Message" | "message" => {
                    let message = text(&map.next_value()?).unwrap_or_default();
                    if said.message.is_empty() {
                        said.message = message;
                    }
                }
                "RequestId" | "requestId" => said.request_id = text(&map.next_value()?),
                "Recommend" | "recommend" => said.recommend = text(&map.next_value()?),
                "AccessDeniedDetail" | "accessDeniedDetail" => {
                    said.access_denied = short_detail(&map.next_value()?);
                }
                "SuccessInfo" | "successInfo" => read_items(&map.next_value()?, said),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Which permission is missing, if that is short enough to stand beside a message.
fn short_detail(detail: &Value) -> Option<String> {
    let written = match detail {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(written).filter(|written| !written.is_empty() && written.len() <= DETAIL_BYTES_MAX)
}

/// The map from item to its own success, of batch operations.
fn read_items(items: &Value, said: &mut Said) {
    for (id, item) in items.as_object().into_iter().flatten() {
        said.item_count += 1;
        let success = truth(item).or_else(|| truth(member(item, "Success", "success")?));
        if success == Some(true) {
            continue;
        }
        said.failed_count += 1;
        if said.failed.len() < FAILED_ITEMS_MAX {
            let message = member(item, "Message", "message").and_then(text).unwrap_or_default();
            said.failed.push(FailedItem { id: id.clone(), message });
        }
    }
}

fn member<'a>(item: &'a Value, name: &str, other: &str) -> Option<&'a Value> {
    item.get(name).or_else(|| item.get(other))
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => text.to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The fields of an `Error` element, as the gateway writes it when it fails early.
fn read_xml(body: &str, said: &mut Said) {
    said.code = element(body, "Code").unwrap_or_default();
    said.message = element(body, "Message").unwrap_or_default();
    said.request_id = element(body, "RequestId");
    said.recommend = element(body, "Recommend");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_a_boolean_or_text_and_nothing_else() {
        for (body, success) in [
            (r#"{"Success":true}"#, Some(true)),
            (r#"{"Success":"true"}"#, Some(true)),
            (r#"{"Success":"False"}"#, Some(false)),
            (r#"{"success":false}"#, Some(false)),
            (r#"{"Success":null}"#, None),
            (r#"{"Success":1}"#, None),
            (r#"{"Data":{"Success":false}}"#, None),
        ] {
            assert_eq!((read(body).success, read(body).form), (success, Form::Whole), "{body}");
        }
    }

    #[test]
    fn a_cut_body_tells_what_stood_before_the_cut() {
        let said = read(r#"{"RequestId":"R","Success":true,"Data":"long lo"#);
        assert_eq!((said.form, said.success, said.request_id.as_deref()), (Form::Cut, Some(true), Some("R")));
        assert_eq!(read(r#"{"Success":tr"#).success, None);
        assert_eq!(read(r#"{"Success":true} trailing"#).form, Form::Cut);
    }

    #[test]
    fn failed_items_are_counted_and_the_first_are_listed() {
        let said = read(
            r#"{"SuccessInfo":{"1":{"Success":true},"2":{"Success":false,"Message":"frozen"},"3":{},"4":true}}"#,
        );
        assert_eq!((said.item_count, said.failed_count), (4, 2));
        assert_eq!(said.failed[0], FailedItem { id: "2".into(), message: "frozen".into() });

        let many: Vec<String> = (0..150).map(|id| format!(r#""{id}":{{"Success":false}}"#)).collect();
        let said = read(&format!(r#"{{"SuccessInfo":{{{}}}}}"#, many.join(",")));
        assert_eq!((said.failed_count, said.failed.len()), (150, FAILED_ITEMS_MAX));
    }

    #[test]
    fn odd_bodies_say_nothing_and_break_nothing() {
        let deep = "{\"a\":".repeat(10_000);
        for body in ["", "null", "[]", "plain", "<html><body>502</body></html>", "\u{feff}", "{", &deep] {
            let said = read(body);
            assert_eq!(
                (said.success, said.code.as_str(), said.form == Form::Whole),
                (None, "", false),
                "{body:.20}"
            );
        }
        let said = read(
            "<?xml version='1.0'?><Error><RequestId>R</RequestId><Code>C.D</Code><Message>m</Message></Error>",
        );
        assert_eq!(
            (said.code.as_str(), said.message.as_str(), said.request_id.as_deref()),
            ("C.D", "m", Some("R"))
        );
    }
}
