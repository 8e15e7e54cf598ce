//! Responses, and what they say about their calls.
//!
//! `classify` takes what came over the wire and gives a [`Response`] (success) or a [`CallError`].
//! The code decides before the HTTP status: sources differ on the status of some codes. HTTP success is
//! not success: `Success: false` is a failure, and so is a failed item of a batch; an `ErrorCode` beside
//! `Success: true` is not. A success whose body is no whole JSON object and does not state `Success` is
//! [`CallError::Unreadable`]: its class is `Lost`, since the call may have been executed, or not.

use super::body::{self, Form, Said};
use super::code::{Kind, kind_of};
use super::error::{CallError, Refusal};
use super::scrub::Scrubber;

/// What the endpoint returned, without any known secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub http_status: u16,
    /// The endpoint's id of the request.
    pub request_id: Option<String>,
    /// The body, up to the configured limit; what is no UTF-8 is replaced.
    pub body: String,
    /// Whether the body is whole.
    pub truncated: bool,
    /// The endpoint's `Date`, milliseconds since 1970.
    pub server_date_ms: Option<i64>,
    /// From sending until the body was read.
    pub latency_ms: u64,
}

/// What came over the wire.
pub(super) struct Received {
    pub http_status: u16,
    pub headers: Headers,
    pub body: Vec<u8>,
    pub truncated: bool,
    pub latency_ms: u64,
}

/// The headers that matter, as sent.
#[derive(Default)]
pub(super) struct Headers {
    pub date: Option<String>,
    pub request_id: Option<String>,
    pub retry_after_ms: Option<String>,
    pub retry_after_s: Option<String>,
    pub location: Option<String>,
}

/// Texts of the endpoint that errors show are cut here; the body has all of it.
const SHOWN_CHARS_MAX: usize = 1_000;

/// What a response says about its call.
pub(super) fn classify(received: Received, scrubber: &Scrubber) -> Result<Response, CallError> {
    let Received { http_status, headers, body, truncated, latency_ms } = received;
    let raw = String::from_utf8_lossy(&body);
    let said = body::read(&raw);
    let response = Response {
        http_status,
        request_id: said
            .request_id
            .as_deref()
            .or(headers.request_id.as_deref())
            .map(|id| brief(id, scrubber)),
        body: if truncated { scrubber.scrub_cut(&raw) } else { scrubber.scrub(&raw) },
        truncated,
        server_date_ms: headers.date.as_deref().and_then(http_date_ms),
        latency_ms,
    };
    if (200..300).contains(&http_status) {
        return classify_success(said, response, &headers, scrubber);
    }
    let location = headers.location.as_deref().filter(|_| (300..400).contains(&http_status));
    let refusal = refusal(&said, response, location, scrubber);
    Err(refused(kind_of(&said.code, http_status), refusal, &headers))
}

fn classify_success(
    said: Said,
    response: Response,
    headers: &Headers,
    scrubber: &Scrubber,
) -> Result<Response, CallError> {
    if said.success == Some(false) {
        let throttled = said.code.starts_with("Throttling");
        let kind = kind_of(&said.code, response.http_status);
        let refusal = refusal(&said, response, None, scrubber);
        return Err(if throttled {
            refused(kind, refusal, headers)
        } else {
            CallError::FailedInBody { refusal: Box::new(refusal) }
        });
    }
    if said.failed_count > 0 {
        let refusal = Box::new(refusal(&said, response, None, scrubber));
        let Said { mut failed, failed_count, item_count, .. } = said;
        for item in &mut failed {
            item.message = brief(&item.message, scrubber);
        }
        return Err(CallError::PartialFailure { refusal, failed, failed_count, item_count });
    }
    if said.form == Form::Whole || said.success == Some(true) {
        Ok(response)
    } else {
        Err(CallError::Unreadable { response: Box::new(response) })
    }
}

fn refused(kind: &Kind, refusal: Refusal, headers: &Headers) -> CallError {
    let refusal = Box::new(refusal);
    match kind {
        Kind::Rejected => CallError::Rejected { refusal },
        Kind::Throttled(until) => {
            CallError::Throttled { refusal, retry_after_ms: retry_after_ms(headers), until: *until }
        }
        Kind::Unavailable => CallError::Unavailable { refusal },
        Kind::Forbidden => CallError::Forbidden { refusal },
        Kind::Credentials => CallError::Credentials { refusal },
        Kind::Clock => CallError::Clock { refusal },
        Kind::Repeated => CallError::Repeated { refusal },
    }
}

fn refusal(said: &Said, response: Response, location: Option<&str>, scrubber: &Scrubber) -> Refusal {
    let message = match location {
        Some(to) => format!("redirected to {to}; redirects are not followed"),
        None => said.message.clone(),
    };
    Refusal {
        code: brief(&said.code, scrubber),
        message: brief(&message, scrubber),
        recommend: said.recommend.as_deref().map(|link| brief(link, scrubber)),
        response,
    }
}

/// Scrubbed first and cut then: a cut through a secret would hide it from the scrubber.
fn brief(text: &str, scrubber: &Scrubber) -> String {
    scrubber.scrub(text).chars().take(SHOWN_CHARS_MAX).collect()
}

fn retry_after_ms(headers: &Headers) -> Option<u64> {
    let seconds = || headers.retry_after_s.as_ref()?.trim().parse::<u64>().ok()?.checked_mul(1000);
    headers.retry_after_ms.as_ref().and_then(|text| text.trim().parse().ok()).or_else(seconds)
}

fn http_date_ms(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::openapi::Secrets;
    use crate::openapi::error::{Class, Until};

    fn respond(http_status: u16, headers: Headers, body: &str) -> Result<Response, CallError> {
        let secrets = Secrets { by_name: [("x".to_owned(), SecretString::from("hunter2000"))].into() };
        let body = body.as_bytes().to_vec();
        let received = Received { http_status, headers, body, truncated: false, latency_ms: 7 };
        classify(received, &Scrubber::new(&secrets, None))
    }

    fn class(http_status: u16, body: &str) -> Option<Class> {
        respond(http_status, Headers::default(), body).err().map(|error| error.class())
    }

    const fn throttled(until: Until) -> Class {
        Class::Throttled { retry_after_ms: None, until }
    }

    const CODES: [(u16, &str, Class); 52] = [
        (429, "Throttling.User", throttled(Until::Soon)),
        (429, "Throttling.Api", throttled(Until::Later)),
        (429, "Throttling.System", throttled(Until::Soon)),
        (429, "Throttling.Api.Risk", throttled(Until::NextDay)),
        (429, "Throttling.Resource", throttled(Until::NextMonth)),
        (400, "Throttling", throttled(Until::Soon)),
        (400, "Throttling.User", throttled(Until::Soon)),
        (503, "Throttling.Api", throttled(Until::Later)),
        (500, "InternalError.System", Class::Unavailable),
        (500, "InternalError.UserId.Missing", Class::Unavailable),
        (400, "InternalError.UserId.Missing", Class::Unavailable),
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
        (400, "InvalidTimeStamp.Expired", Class::Clock),
        (403, "InvalidTimeStamp.Expired", Class::Clock),
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
    fn every_documented_code_has_its_class_in_both_spellings_and_in_xml() {
        for (status, code, expected) in CODES {
            for body in [
                format!(r#"{{"RequestId":"R","HostId":"h","Code":"{code}","Message":"m"}}"#),
                format!(r#"{{"requestId":"R","code":"{code}","message":"m"}}"#),
                format!("<Error><RequestId>R</RequestId><Code>{code}</Code><Message>m</Message></Error>"),
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
    fn the_pause_comes_in_milliseconds_or_in_seconds() {
        let wait = |ours: Option<&str>, standard: Option<&str>| {
            let headers = Headers {
                retry_after_ms: ours.map(str::to_owned),
                retry_after_s: standard.map(str::to_owned),
                ..Headers::default()
            };
            match respond(429, headers, r#"{"Code":"Throttling.User"}"#) {
                Err(CallError::Throttled { retry_after_ms, .. }) => retry_after_ms,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(wait(Some("1500"), Some("9")), Some(1500));
        assert_eq!(wait(None, Some("9")), Some(9000));
        assert_eq!(wait(Some("soon"), None), None);
        assert_eq!(wait(None, Some("18446744073709551615")), None);
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
}
