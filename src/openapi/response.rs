//! Responses, and what they say about their calls.
//!
//! `classify` takes what came over the wire and gives a [`Response`] (success) or a [`CallError`].
//! The code decides before the HTTP status: sources differ on the status of some codes. HTTP success is
//! not success: `Success: false` is a failure, and so is a failed item of a batch; an `ErrorCode` beside
//! `Success: true` is not. A success whose body is no whole JSON object and does not state `Success`,
//! or that states it in another word, is [`CallError::Unreadable`]: its class is `Lost`, since the call may have been executed, or not.

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
    /// When it was read, by our clock, milliseconds since 1970.
    pub arrived_ms: i64,
}

/// The headers that matter, as sent.
#[derive(Default)]
pub(super) struct Headers {
    pub date: Option<String>,
    pub request_id: Option<String>,
    pub retry_after_ms: Option<String>,
    /// Seconds, or a date.
    pub retry_after: Option<String>,
    pub location: Option<String>,
}

/// Texts of the endpoint that errors show are cut here; the body has all of it.
const SHOWN_CHARS_MAX: usize = 1_000;

/// What a response says about its call.
pub(super) fn classify(received: Received, scrubber: &Scrubber) -> Result<Response, CallError> {
    let Received { http_status, headers, body, truncated, latency_ms, arrived_ms } = received;
    let raw = String::from_utf8_lossy(&body);
    let said = body::read(&raw);
    let response = Response {
        http_status,
        request_id: said
            .request_id
            .as_deref()
            .or(headers.request_id.as_deref())
            .map(|id| brief(id, scrubber)),
        // A body may also be cut where its length was wrong.
        body: if truncated || said.form == Form::Cut {
            scrubber.scrub_cut(&raw)
        } else {
            scrubber.scrub(&raw)
        },
        truncated,
        server_date_ms: headers.date.as_deref().and_then(http_date_ms),
        latency_ms,
    };
    let now_ms = response.server_date_ms.unwrap_or(arrived_ms);
    let retry_after_ms = retry_after_ms(&headers, now_ms);
    if (200..300).contains(&http_status) {
        return classify_success(said, response, retry_after_ms, scrubber);
    }
    let location = headers.location.as_deref().filter(|_| (300..400).contains(&http_status));
    let refusal = refusal(&said, response, location, scrubber);
    Err(refused(kind_of(&said.code, http_status), refusal, retry_after_ms))
}

fn classify_success(
    said: Said,
    response: Response,
    retry_after_ms: Option<u64>,
    scrubber: &Scrubber,
) -> Result<Response, CallError> {
    if said.success == Some(false) {
        let throttled = said.code.starts_with("Throttling");
        let kind = kind_of(&said.code, response.http_status);
        let refusal = refusal(&said, response, None, scrubber);
        return Err(if throttled {
            refused(kind, refusal, retry_after_ms)
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
    if (said.form == Form::Whole && !said.is_unclear) || said.success == Some(true) {
        Ok(response)
    } else {
        Err(CallError::Unreadable { response: Box::new(response) })
    }
}

fn refused(kind: &Kind, refusal: Refusal, retry_after_ms: Option<u64>) -> CallError {
    let refusal = Box::new(refusal);
    match kind {
        Kind::Rejected => CallError::Rejected { refusal },
        Kind::Throttled(until) => CallError::Throttled { refusal, retry_after_ms, until: *until },
        Kind::QuotaExhausted(until) => CallError::QuotaExhausted { refusal, until: *until, retry_after_ms },
        Kind::Unavailable => CallError::Unavailable { refusal },
        Kind::Faulty => CallError::Faulty { refusal },
        Kind::Forbidden => CallError::Forbidden { refusal },
        Kind::Credentials => CallError::Credentials { refusal },
        // Whoever knows the endpoint's clock says whether it was corrected.
        Kind::Clock => CallError::Clock { refusal, corrected: true },
        Kind::Repeated => CallError::Repeated { refusal },
    }
}

fn refusal(said: &Said, response: Response, location: Option<&str>, scrubber: &Scrubber) -> Refusal {
    let message = match (location, &said.access_denied) {
        (Some(to), _) => format!("redirected to {to}; redirects are not followed"),
        (None, Some(detail)) => format!("{} (access denied: {detail})", said.message),
        (None, None) => said.message.clone(),
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

/// The pause that the endpoint asks for: its own header in milliseconds, or the standard one in seconds or
/// as a date, from the endpoint's own time if the response has it.
fn retry_after_ms(headers: &Headers, now_ms: i64) -> Option<u64> {
    if let Some(ms) = headers.retry_after_ms.as_ref().and_then(|text| text.trim().parse().ok()) {
        return Some(ms);
    }
    let text = headers.retry_after.as_ref()?.trim();
    match text.parse::<u64>() {
        Ok(seconds) => seconds.checked_mul(1000),
        // A date that is over asks for no pause.
        Err(_) => {
            http_date_ms(text).map(|date_ms| u64::try_from(date_ms.saturating_sub(now_ms)).unwrap_or(0))
        }
    }
}

fn http_date_ms(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests;
