//! Bodies as they come over the wire: packed, cut, in pieces, in no known form.

use openeventd::openapi::call::Client;
use openeventd::openapi::error::{CallError, Class, Until};

use super::{account, rerun, secrets, settings};
use crate::endpoint::{DataWorksDouble, Reply};

/// `{"Code":"Throttling.User"}`, compressed by gzip.
const PACKED: &[u8] = &[
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xff, 0xab, 0x56, 0x72, 0xce, 0x4f, 0x49, 0x55,
    0xb2, 0x52, 0x0a, 0xc9, 0x28, 0xca, 0x2f, 0x29, 0xc9, 0xc9, 0xcc, 0x4b, 0xd7, 0x0b, 0x2d, 0x4e, 0x2d,
    0x52, 0xaa, 0x05, 0x00, 0xe6, 0x35, 0x37, 0x3a, 0x1a, 0x00, 0x00, 0x00,
];

fn raw(head: &str, body: &[u8]) -> Reply {
    Reply::Raw([format!("HTTP/1.1 {head}\r\n\r\n").as_bytes(), body].concat())
}

#[tokio::test]
async fn every_form_of_a_body_has_its_class_and_is_kept() {
    let soon = Class::Throttled { retry_after_ms: None, until: Until::Soon };
    let json = r#"{"RequestId":"R","Code":"Throttling.User"}"#;
    let xml = "<?xml version=\"1.0\"?><e:Error xmlns:e=\"urn:e\"><e:Code a=\"b\"><![CDATA[Throttling.User]]></e:Code></e:Error>";
    let length = |body: &str| format!("400 No\r\nContent-Length: {}", body.len());
    let pieces = "c\r\n{\"Success\":t\r\n4\r\nrue}\r\n0\r\n\r\n";
    let packed = format!("Content-Encoding: gzip\r\nContent-Length: {}", PACKED.len());
    for (name, reply, class, kept) in [
        ("JSON", raw(&length(json), json.as_bytes()), Some(soon), json),
        ("XML", raw(&length(xml), xml.as_bytes()), Some(soon), xml),
        (
            "chunked",
            raw("200 OK\r\nTransfer-Encoding: chunked", pieces.as_bytes()),
            None,
            r#"{"Success":true}"#,
        ),
        (
            "no length",
            raw("200 OK\r\nConnection: close", br#"{"Success":true}"#),
            None,
            r#"{"Success":true}"#,
        ),
        (
            "too short a length",
            raw("200 OK\r\nContent-Length: 9", br#"{"Data":1,"Success":false}"#),
            Some(Class::Lost),
            r#"{"Data":1"#,
        ),
        ("too long a length", raw("200 OK\r\nContent-Length: 99", br#"{"Data":1}"#), None, r#"{"Data":1}"#),
        (
            "a chunk that is cut",
            raw("200 OK\r\nTransfer-Encoding: chunked", b"40\r\n{\"Success\":true,"),
            None,
            r#"{"Success":true,"#,
        ),
        ("empty", raw("200 OK\r\nContent-Length: 0", b""), Some(Class::Lost), ""),
        ("no content", raw("204 None", b""), Some(Class::Lost), ""),
        ("a redirect without a target", raw("302 Gone\r\nContent-Length: 0", b""), Some(Class::Rejected), ""),
        ("packed success", raw(&format!("200 OK\r\n{packed}"), PACKED), Some(Class::Lost), "\u{1f}"),
        ("packed refusal", raw(&format!("429 No\r\n{packed}"), PACKED), Some(soon), "\u{1f}"),
        ("packed failure", raw(&format!("500 No\r\n{packed}"), PACKED), Some(Class::Unavailable), "\u{1f}"),
    ] {
        let double = DataWorksDouble::replying([reply]).await;
        let client = Client::new(&settings()).expect("a client");
        let outcome = rerun(&client, &account(&double.url), &secrets()).await;
        let found = outcome.as_ref().err().map(CallError::class);
        assert_eq!(found, class, "{name}: {outcome:?}");
        let response = outcome.as_ref().map_or_else(|error| error.response(), Some).expect(name);
        assert!(response.body.starts_with(kept), "{name}: {}", response.body);
        assert_eq!(double.received().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn no_huge_or_endless_body_is_read_whole() {
    let begin = br#"{"Success":true,"Data":""#;
    let whole: Vec<u8> = begin.iter().copied().chain(std::iter::repeat_n(b'x', 5_000_000)).collect();
    let double = DataWorksDouble::replying([raw("200 OK\r\nConnection: close", &whole)]).await;
    let client = Client::new(&settings()).expect("a client");
    let response = rerun(&client, &account(&double.url), &secrets()).await.expect("success came first");
    assert_eq!((response.truncated, response.body.len()), (true, settings().body_bytes_max));
}
