//! What the error codes of the gateway and of DataWorks mean.
//!
//! By the code, as far as it is known; by the HTTP status where it is not. Sources differ on the status
//! of some codes, so the status never overrules a code.

use super::error::{NextAllowance, Until};

/// What an error code says.
pub(super) enum Kind {
    Rejected,
    Throttled(Until),
    QuotaExhausted(NextAllowance),
    Unavailable,
    Faulty,
    Forbidden,
    Credentials,
    Clock,
    Repeated,
}

/// Codes by their beginning; the first that fits decides, so the longer stand before the shorter.
const KINDS: [(&str, Kind); 25] = [
    ("Throttling.Api.Risk", Kind::QuotaExhausted(NextAllowance::NextDay)),
    ("Throttling.Resource", Kind::QuotaExhausted(NextAllowance::NextMonth)),
    ("Throttling.Api", Kind::Throttled(Until::Later)),
    ("Throttling", Kind::Throttled(Until::Soon)),
    ("InvalidTimeStamp.Expired", Kind::Clock),
    ("SignatureNonceUsed", Kind::Repeated),
    ("SignatureDoesNotMatch", Kind::Credentials),
    ("IncompleteSignature", Kind::Credentials),
    ("InvalidSignatureMethod", Kind::Credentials),
    ("InvalidAccessKeyId", Kind::Credentials),
    ("InvalidSecurityToken", Kind::Credentials),
    ("MissingSecurityToken", Kind::Credentials),
    ("Forbidden", Kind::Forbidden),
    ("NoPermission", Kind::Forbidden),
    ("ResourceNotAuthorized", Kind::Forbidden),
    ("InternalError.UserId.Missing", Kind::Faulty),
    ("InternalError", Kind::Unavailable),
    ("UnknownError", Kind::Unavailable),
    ("ServiceUnavailable", Kind::Unavailable),
    ("Missing", Kind::Rejected),
    ("Invalid", Kind::Rejected),
    ("IllegalTimestamp", Kind::Rejected),
    ("IdempotentParameterMismatch", Kind::Rejected),
    ("UnsupportedHTTPMethod", Kind::Rejected),
    ("UnsupportedParameter", Kind::Rejected),
];

/// The kind by the code; by the status where the code says nothing.
pub(super) fn kind_of(code: &str, http_status: u16) -> &'static Kind {
    let by_code = KINDS.iter().find(|(start, _)| code.starts_with(start)).map(|(_, kind)| kind);
    by_code.unwrap_or(match http_status {
        429 => &Kind::Throttled(Until::Soon),
        401 | 403 => &Kind::Forbidden,
        500.. => &Kind::Unavailable,
        _ => &Kind::Rejected,
    })
}
