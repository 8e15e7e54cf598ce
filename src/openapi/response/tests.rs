//! What responses say about their calls.

use secrecy::SecretString;

use super::*;
use crate::openapi::Secrets;
use crate::openapi::error::{Class, NextAllowance, Until};

/// Sun, 06 Nov 1994 08:49:37 GMT
const ARRIVED_MS: i64 = 784_111_777_000;

fn respond(http_status: u16, headers: Headers, body: &str) -> Result<Response, CallError> {
    let secrets = Secrets { by_name: [("x".to_owned(), SecretString::from("hunter2000"))].into() };
    let body = body.as_bytes().to_vec();
    let received =
        Received { http_status, headers, body, truncated: false, latency_ms: 7, arrived_ms: ARRIVED_MS };
    classify(received, &Scrubber::new(&secrets, None))
}

fn class(http_status: u16, body: &str) -> Option<Class> {
    respond(http_status, Headers::default(), body).err().map(|error| error.class())
}

const fn throttled(until: Until) -> Class {
    Class::Throttled { retry_after_ms: None, until }
}

const fn spent(until: NextAllowance) -> Class {
    Class::QuotaExhausted { until, retry_after_ms: None }
}

/// Whether it was corrected is not known here.
const CLOCK: Class = Class::Clock { corrected: true };

const CODES: [(u16, &str, Class); 52] = [
    (429, "Throttling.User", throttled(Until::Soon)),
    (429, "Throttling.Api", throttled(Until::Later)),
    (429, "Throttling.System", throttled(Until::Soon)),
    (429, "Throttling.Api.Risk", spent(NextAllowance::NextDay)),
    (429, "Throttling.Resource", spent(NextAllowance::NextMonth)),
    (400, "Throttling", throttled(Until::Soon)),
    (400, "Throttling.User", throttled(Until::Soon)),
    (503, "Throttling.Api", throttled(Until::Later)),
    (500, "InternalError.System", Class::Unavailable),
    (500, "InternalError.UserId.Missing", Class::Faulty),
    (400, "InternalError.UserId.Missing", Class::Faulty),
    (500, "InternalError", Class::Unavailable),
    (500, "UnknownError", Class::Unavailable),
    (503, "ServiceUnavailable", Class::Unavailable),
    (500, "Forbidden.Not.Server", Class::Forbidden),
    (403, "Forbidden.Access", Class::Forbidden),
    (403, "ResourceNotAuthorized.Api", Class::Forbidden),
    (403, "Forbidden.RAM", Class::Forbidden),
    (403, "NoPermission", Class::Forbidden),
    (400, "NoPermission", Class::Forbidden),
    (400, "MissingProjectEnv", Class::Rejected),
    (400, "MissingParameter", Class::Rejected),
    (400, "InvalidTimeStamp.Format", Class::Rejected),
    (400, "IllegalTimestamp", Class::Rejected),
    (400, "InvalidTimeStamp.Expired", CLOCK),
    (403, "InvalidTimeStamp.Expired", CLOCK),
    (400, "SignatureNonceUsed", Class::Lost),
    (400, "SignatureDoesNotMatch", Class::Credentials),
    (403, "SignatureDoesNotMatch", Class::Credentials),
    (400, "IncompleteSignature", Class::Credentials),
    (400, "InvalidSignatureMethod", Class::Credentials),
    (404, "InvalidAccessKeyId.NotFound", Class::Credentials),
    (400, "InvalidAccessKeyId.NotFound", Class::Credentials),
    (400, "InvalidAccessKeyId.Inactive", Class::Credentials),
    (400, "MissingSecurityToken", Class::Credentials),
    (400, "InvalidSecurityToken.Malformed", Class::Credentials),
    (400, "InvalidSecurityToken.Expired", Class::Credentials),
    (400, "InvalidSecurityToken.MismatchWithAccessKey", Class::Credentials),
    (404, "InvalidAction.NotFound", Class::Rejected),
    (404, "InvalidApi.NotFound", Class::Rejected),
    (404, "InvalidProduct.NotFound", Class::Rejected),
    (400, "InvalidVersion", Class::Rejected),
    (404, "InvalidVersion", Class::Rejected),
    (400, "UnsupportedHTTPMethod", Class::Rejected),
    (400, "UnsupportedParameter", Class::Rejected),
    (400, "InvalidParameter.Range", Class::Rejected),
    (404, "InvalidProtocol.NeedSsl", Class::Rejected),
    (400, "IdempotentParameterMismatch", Class::Rejected),
    (400, "Invalid.Tenant.ConnectionNotExists", Class::Rejected),
    (400, "1031203110005", Class::Rejected),
    (403, "Some.New.Code", Class::Forbidden),
    (502, "Some.New.Code", Class::Unavailable),
];

#[test]
fn every_documented_code_has_its_class_in_both_spellings_and_in_every_xml() {
    for (status, code, expected) in CODES {
        for body in [
            format!(r#"{{"RequestId":"R","HostId":"h","Code":"{code}","Message":"m"}}"#),
            format!(r#"{{"requestId":"R","code":"{code}","message":"m"}}"#),
            format!("<Error><RequestId>R</RequestId><Code>{code}</Code><Message>m</Message></Error>"),
            format!(
                "<?xml version='1.0'?><e:Error xmlns:e='urn:e'><e:RequestId>R</e:RequestId>\
                 <e:Code a='>'><![CDATA[{code}]]></e:Code><e:Message>&#109;</e:Message></e:Error>"
            ),
        ] {
            let error = respond(status, Headers::default(), &body).expect_err(code);
            assert_eq!(error.class(), expected, "{status} {body}");
            let refusal = error.refusal().expect("the endpoint gave a reason");
            assert_eq!((refusal.code.as_str(), refusal.message.as_str()), (code, "m"));
            assert_eq!(refusal.response.request_id.as_deref(), Some("R"));
        }
    }
}

#[test]
fn without_a_code_the_status_decides() {
    for (status, expected) in [
        (302, Class::Rejected),
        (400, Class::Rejected),
        (401, Class::Forbidden),
        (403, Class::Forbidden),
        (404, Class::Rejected),
        (429, throttled(Until::Soon)),
        (500, Class::Unavailable),
        (502, Class::Unavailable),
        (504, Class::Unavailable),
    ] {
        for body in ["", "<html>gateway</html>", "{\"Code\":", "{}", "\u{0}\u{1}"] {
            assert_eq!(class(status, body), Some(expected), "{status} {body}");
        }
    }
}

#[test]
fn http_success_is_success_only_if_the_body_says_so() {
    for (body, expected) in [
        (r#"{"RequestId":"R"}"#, None),
        (r#"{"Success":true,"ErrorCode":"Odd","ErrorMessage":"old"}"#, None),
        (r#"{"Success":"true"}"#, None),
        (r#"{"SuccessInfo":{"1":{"Success":true}}}"#, None),
        (r#"{"Success":true,"Data":"cut he"#, None),
        (r#"{"Success":false,"ErrorCode":1031203110005,"ErrorMessage":"m"}"#, Some(Class::FailedInBody)),
        (r#"{"Success":"false"}"#, Some(Class::FailedInBody)),
        (r#"{"Success":false,"Code":"InternalError.System"}"#, Some(Class::FailedInBody)),
        (r#"{"Success":false,"ErrorCode":"Throttling.User"}"#, Some(throttled(Until::Soon))),
        (r#"{"Success":true,"SuccessInfo":{"1":{"Success":false}}}"#, Some(Class::PartialFailure)),
        (r#"{"Success":tr"#, Some(Class::Lost)),
        (r#"{"RequestId":"R","Da"#, Some(Class::Lost)),
        ("<html>welcome to the hotel</html>", Some(Class::Lost)),
        ("", Some(Class::Lost)),
        ("[]", Some(Class::Lost)),
        (r#"{"Success":"maybe"}"#, Some(Class::Lost)),
        (r#"{"Success":0}"#, Some(Class::Lost)),
    ] {
        assert_eq!(class(200, body), expected, "{body}");
    }
}

#[test]
fn no_beginning_of_a_failure_passes_for_success() {
    let body =
        r#"{"RequestId":"R","Data":{"a":[1,"}"]},"Success":false,"SuccessInfo":{"1":{"Success":true}}}"#;
    for end in 0..=body.len() {
        let beginning = &body[..end];
        let found = class(200, beginning);
        assert!(matches!(found, Some(Class::Lost | Class::FailedInBody)), "{beginning}: {found:?}");
    }
}

#[test]
fn a_partial_failure_names_the_items() {
    let body =
        r#"{"SuccessInfo":{"11":{"Success":true},"12":{"Success":false,"Message":"hunter2000 frozen"}}}"#;
    let error = respond(200, Headers::default(), body).expect_err("one item failed");
    assert_eq!(error.to_string(), "operation failed for 1 of 2 items (HTTP 200)");
    let CallError::PartialFailure { failed, .. } = error else { panic!("{error:?}") };
    assert_eq!((failed[0].id.as_str(), failed[0].message.as_str()), ("12", "[secret] frozen"));
}

#[test]
fn the_pause_comes_in_milliseconds_in_seconds_or_as_a_date() {
    let wait = |code: &str, ours: Option<&str>, standard: Option<&str>, date: Option<&str>| {
        let headers = Headers {
            retry_after_ms: ours.map(str::to_owned),
            retry_after: standard.map(str::to_owned),
            date: date.map(str::to_owned),
            ..Headers::default()
        };
        match respond(429, headers, &format!(r#"{{"Code":"{code}"}}"#)).map_err(|error| error.class()) {
            Err(Class::Throttled { retry_after_ms, .. } | Class::QuotaExhausted { retry_after_ms, .. }) => {
                retry_after_ms
            }
            other => panic!("{other:?}"),
        }
    };
    let (minute_later, hour_later) = ("Sun, 06 Nov 1994 08:50:37 GMT", "Sun, 06 Nov 1994 09:49:37 GMT");
    for (ours, standard, date, expected) in [
        (Some("1500"), Some("9"), None, Some(1500)),
        (Some(" 0 "), Some("9"), None, Some(0)),
        (None, Some("9"), None, Some(9000)),
        (Some("soon"), None, None, None),
        (Some("soon"), Some("9"), None, Some(9000)),
        (Some("-1"), Some("-1"), None, None),
        (None, Some("18446744073709551615"), None, None),
        (None, Some(minute_later), None, Some(60_000)),
        (None, Some(hour_later), Some(minute_later), Some(3_540_000)),
        (None, Some(minute_later), Some(hour_later), Some(0)),
        (None, Some("never"), None, None),
        (None, None, None, None),
    ] {
        for code in ["Throttling.User", "Throttling.Api.Risk"] {
            assert_eq!(wait(code, ours, standard, date), expected, "{ours:?} {standard:?} {date:?}");
        }
    }
}

#[test]
fn a_denied_access_says_which_permission_is_missing_if_that_is_short() {
    let denied = |detail: &str| {
        let body = format!(r#"{{"Code":"Forbidden.RAM","Message":"no","AccessDeniedDetail":{detail}}}"#);
        respond(403, Headers::default(), &body).expect_err("forbidden").to_string()
    };
    let detail = r#"{"AuthAction":"dataworks:X","Secret":"hunter2000"}"#;
    assert_eq!(
        denied(detail),
        r#"forbidden: Forbidden.RAM: no (access denied: {"AuthAction":"dataworks:X","Secret":"[secret]"}) (HTTP 403)"#
    );
    let long = format!(r#"{{"Policy":"{}"}}"#, "x".repeat(600));
    for without in ["null", "\"\"", &long] {
        assert_eq!(denied(without), "forbidden: Forbidden.RAM: no (HTTP 403)");
    }
}

#[test]
fn the_beginning_of_a_secret_at_the_end_of_a_cut_body_is_removed() {
    let response = respond(200, Headers::default(), r#"{"Success":true,"Data":"hunter2"#).expect("success");
    assert_eq!(response.body, r#"{"Success":true,"Data":"[secret]"#);
}

#[test]
fn a_response_keeps_its_date_and_the_header_s_request_id() {
    let headers = Headers {
        date: Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
        request_id: Some("H".to_owned()),
        ..Headers::default()
    };
    let response = respond(200, headers, r#"{"Data":"hunter2000"}"#).expect("success");
    assert_eq!(response.server_date_ms, Some(784_111_777_000));
    assert_eq!(response.request_id.as_deref(), Some("H"));
    assert_eq!(response.body, r#"{"Data":"[secret]"}"#);
    assert_eq!(http_date_ms("yesterday"), None);
}

#[test]
fn an_error_shows_code_message_status_and_request_id_and_no_secret() {
    let long = "x".repeat(5_000);
    let body = format!(r#"{{"RequestId":"R","Code":"Missing.P","Message":"p of hunter2000 {long}"}}"#);
    let error = respond(400, Headers::default(), &body).expect_err("rejected");
    let shown = error.to_string();
    assert!(shown.starts_with("rejected: Missing.P: p of [secret] xxx"), "{shown}");
    assert!(shown.ends_with("x (HTTP 400, request id R)") && shown.len() < 1_200, "{shown}");
    assert!(!format!("{error:?}").contains("hunter2000"));
}
