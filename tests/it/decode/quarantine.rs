//! What is refused, and the word for it.

use openeventd::event::decode::{Limits, decode};
use openeventd::event::json::DEPTH_CEILING;
use openeventd::record::{Header, Record};

use super::{INSTANCE_STATUS, cloud_event, decode_text, event};

fn assert_refused(payload: &str, reason: &str, message: &str) {
    let refused = decode_text(payload).expect_err(payload);
    assert_eq!(refused.reason, reason, "{payload}: {refused}");
    assert!(refused.message.contains(message), "{message} is not in: {refused}");
}

#[test]
fn refusals_have_stable_words_and_name_what_is_wrong() {
    for (payload, reason, message) in [
        ("", "empty", "tombstone"),
        (" ", "not_json", "line 1"),
        ("hello", "not_json", "line 1 column 1"),
        ("{\n\"specversion\":", "not_json", "line 2"),
        ("{} {}", "not_json", "trailing characters"),
        ("[1,", "not_json", ""),
        ("[{}]", "not_an_object", "one event a record"),
        ("\"{}\"", "not_an_object", ""),
        ("1e999", "not_an_object", ""),
        ("{}", "unknown_envelope", "send the whole event"),
        (r#"{"data":{"eventCode":"commit-file"}}"#, "unknown_envelope", "`specversion`"),
        (r#"{"specversion":"1.0","source":"s","type":"t"}"#, "bad_envelope", "`id`"),
        (r#"{"specversion":"1.0","id":"","source":"s","type":"t"}"#, "bad_envelope", "`id`"),
        (r#"{"specversion":"1.0","id":"i","source":null,"type":"t"}"#, "bad_envelope", "`source`"),
        (r#"{"specversion":"1.0","id":"i","source":"s","data":{}}"#, "bad_envelope", "`type`"),
        (r#"{"specversion":"1.0","id":{},"source":"s","type":"t"}"#, "bad_envelope", "`id`"),
        (r#"{"specversion":"1.0","id":"\ud800","source":"s","type":"t"}"#, "bad_envelope", "`id`"),
        (r#"{"id":"i","source":"s","type":"t","data":{}}"#, "bad_envelope", "`specversion`"),
        (r#"{"messageBody":{},"eventType":"commit-file"}"#, "bad_envelope", "`messageId`"),
        (r#"{"messageBody":{},"messageId":"m"}"#, "bad_envelope", "`eventType`"),
        (r#"{"messageBody":{},"messageId":"m","messageType":""}"#, "bad_envelope", "`messageType`"),
        (r#"{"specversion":"1.0","id":"i","id":"j","source":"s","type":"t"}"#, "duplicate_key", "`id`"),
        (
            r#"{"specversion":"1.0","id":"i","source":"s","type":"t","x":1,"\u0078":2}"#,
            "duplicate_key",
            "`x`",
        ),
    ] {
        assert_refused(payload, reason, message);
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused_with_their_place() {
    let refused = decode(&Record::of_payload(b"{\"a\":\"\xff\"}"), &Limits::default());
    let refused = refused.expect_err("the payload is not UTF-8");
    assert_eq!((refused.reason, refused.message.contains("byte 6")), ("not_utf8", true), "{refused}");
}

#[test]
fn size_is_limited_before_anything_is_read() {
    let limits = Limits { payload_bytes_max: 10, ..Limits::default() };
    let refused = decode(&Record::of_payload(&[0xff; 11]), &limits).expect_err("the payload is too large");
    assert_eq!(refused.reason, "too_large");
    assert!(refused.message.contains("11 bytes, at most 10"), "{refused}");
}

#[test]
fn depth_is_limited_exactly_and_never_by_the_parser() {
    let nested = |levels: usize| {
        // The event itself is one level.
        let inner = format!("{}{}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        cloud_event(INSTANCE_STATUS, &inner)
    };
    for (setting, allowed) in [(5, 5), (64, 64), (usize::MAX, DEPTH_CEILING)] {
        let limits = Limits { depth_max: setting, ..Limits::default() };
        let decoded = |payload: &str| {
            decode(&Record::of_payload(payload.as_bytes()), &limits)
                .map(|_| ())
                .map_err(|refused| refused.reason)
        };
        assert_eq!(decoded(&nested(allowed)), Ok(()));
        assert_eq!(decoded(&nested(allowed + 1)), Err("too_deep"));
        assert_eq!(decoded(&nested(100_000)), Err("too_deep"));
        assert_eq!(decoded(&"[".repeat(100_000)), Err("too_deep"));
        assert_eq!(decoded(&"{\"a\":".repeat(100_000)), Err("too_deep"));
    }
}

#[test]
fn brackets_in_text_are_not_depth() {
    let payload = cloud_event(INSTANCE_STATUS, &format!(r#"{{"sqlText":"\"{}"}}"#, "[{".repeat(500)));
    assert_eq!(event(&payload).code.as_deref(), Some("instance-status-changes"));
}

#[test]
fn half_a_surrogate_pair_in_data_refuses_nothing() {
    let payload = cloud_event(INSTANCE_STATUS, r#"{"tableName":"a\ud800b","nodeId":7}"#);
    let event = event(&payload);
    assert_eq!((event.facts.table.as_deref(), event.facts.node), (Some("a\u{fffd}b"), Some(7)));
    assert!(event.data.contains(r"\ud800"));
}

#[test]
fn binary_mode_refuses_like_the_others() {
    let header = |name, value: &'static [u8]| Header { name, value: Some(value) };
    let complete = [
        header("ce_specversion", b"1.0"),
        header("ce_id", b"i"),
        header("ce_source", b"s"),
        header("ce_type", b"t"),
    ];
    let reason = |headers: &[Header<'_>], payload: &[u8]| {
        decode(&Record { headers: headers.into(), ..Record::of_payload(payload) }, &Limits::default())
            .map(|event| event.data.into_owned())
            .map_err(|refused| refused.reason)
    };
    assert_eq!(reason(&complete, b""), Ok("null".to_owned()));
    assert_eq!(reason(&complete, b" [1] "), Ok("[1]".to_owned()));
    assert_eq!(reason(&complete, b"plain"), Err("not_json"));
    assert_eq!(reason(&complete, b"\xff"), Err("not_utf8"));
    assert_eq!(reason(&complete[..3], b"{}"), Err("bad_envelope"));
    assert_eq!(reason(&[&complete[..], &[header("ce_id", b"j")]].concat(), b"{}"), Err("duplicate_key"));
    assert_eq!(reason(&[&complete[..], &[header("ce_x", b"\xff")]].concat(), b"{}"), Err("not_utf8"));
}
