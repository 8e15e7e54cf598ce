//! What can go wrong with a call, and what that says about it.
//!
//! [`CallError::class`] answers what must be decided next; the variants keep what a person needs.
//! No text in here contains a secret, a URL or a parameter's value.

use thiserror::Error;

use super::endpoint::EndpointError;
use super::response::Response;

/// What an error says about its call. The classes differ in what may be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nothing left: the call cannot be built. The same call fails again.
    Unsendable,
    /// Nothing left: there was no connection. Any call may be repeated later.
    Unreachable,
    /// Refused as it is, and not executed. The same call is refused again.
    Rejected,
    /// Refused for the number of calls, and not executed. Any call may be repeated after the pause.
    Throttled {
        /// The pause that the endpoint asked for.
        retry_after_ms: Option<u64>,
        /// How long the refusal lasts by its kind.
        until: Until,
    },
    /// The endpoint failed; the call may have been executed.
    Unavailable,
    /// The account may not do this, and nothing was executed.
    Forbidden,
    /// The access key, its token or the signature is wrong, and nothing was executed. Every other call
    /// of the account will fail alike.
    Credentials,
    /// Our clock and the endpoint's differ too much, and nothing was executed.
    Clock,
    /// The operation itself reported failure.
    FailedInBody,
    /// The operation reported failure for some of its items.
    PartialFailure,
    /// Sent, and the outcome is not known; the call may have been executed.
    Lost,
}

impl Class {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Unsendable => "unsendable",
            Class::Unreachable => "unreachable",
            Class::Rejected => "rejected",
            Class::Throttled { .. } => "throttled",
            Class::Unavailable => "unavailable",
            Class::Forbidden => "forbidden",
            Class::Credentials => "credentials",
            Class::Clock => "clock",
            Class::FailedInBody => "failed_in_body",
            Class::PartialFailure => "partial_failure",
            Class::Lost => "lost",
        }
    }
}

/// How long a refusal for the number of calls lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Too many at once: a short pause.
    Soon,
    /// This operation's own allowance: a longer pause.
    Later,
    /// The day's allowance: the next day.
    NextDay,
    /// The edition's allowance: the next month, or a larger edition.
    NextMonth,
}

/// A response that reports an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error code; empty if the response has none.
    pub code: String,
    /// The endpoint's message; empty if the response has none.
    pub message: String,
    /// The endpoint's link to troubleshooting, if any.
    pub recommend: Option<String>,
    /// The response itself.
    pub response: Response,
}

/// One item that a batch operation failed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedItem {
    /// The item's id.
    pub id: String,
    /// The endpoint's message about it.
    pub message: String,
}

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CallError {
    /// A parameter that the operation does not have.
    #[error("{operation} has no parameter `{parameter}`{}", did_you_mean(*nearest))]
    UnknownParameter {
        /// The operation.
        operation: &'static str,
        /// The parameter.
        parameter: String,
        /// The operation's parameter that is spelled nearly so.
        nearest: Option<&'static str>,
    },
    /// A value that cannot be of the declared type.
    #[error("parameter `{parameter}` of {operation} is {found}: expected {expected}")]
    UnfitParameter {
        /// The operation.
        operation: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// The declared type.
        expected: &'static str,
        /// What the value is; never the value.
        found: &'static str,
    },
    /// A required parameter is absent.
    #[error("{operation} needs the parameter `{parameter}`")]
    MissingParameter {
        /// The operation.
        operation: &'static str,
        /// The parameter.
        parameter: &'static str,
    },
    /// A secret that a parameter names is not configured.
    #[error("secret `{name}` is not configured")]
    MissingSecret {
        /// The secret's name.
        name: String,
    },
    /// The account's endpoint is unusable.
    #[error("account has no usable endpoint")]
    Endpoint(#[source] EndpointError),
    /// The HTTP client refused to build the request.
    #[error("request cannot be built: {cause}")]
    Build {
        /// The client's reason.
        cause: String,
    },
    /// No connection, so nothing was sent.
    #[error("no connection to {host}: {cause}")]
    Connect {
        /// The endpoint's host and port.
        host: String,
        /// The client's reason.
        cause: String,
    },
    /// No response within the time-out.
    #[error("no response from {host} in time; the call may have been executed")]
    TimedOut {
        /// The endpoint's host and port.
        host: String,
    },
    /// The connection broke before the response came.
    #[error("connection to {host} broke before the response ({cause}); the call may have been executed")]
    Broken {
        /// The endpoint's host and port.
        host: String,
        /// The client's reason.
        cause: String,
    },
    /// A response of success whose body says nothing certain.
    #[error("response cannot be read as success or failure {}", trace(response))]
    Unreadable {
        /// The response.
        response: Box<Response>,
    },
    /// The endpoint has already seen this request: something between us and it sent it twice.
    #[error("endpoint has already seen this request {}", shown(refusal))]
    Repeated {
        /// The response.
        refusal: Box<Refusal>,
    },
    /// Refused as it is.
    #[error("rejected: {}", shown(refusal))]
    Rejected {
        /// The response.
        refusal: Box<Refusal>,
    },
    /// Refused for the number of calls.
    #[error("throttled: {}", shown(refusal))]
    Throttled {
        /// The response.
        refusal: Box<Refusal>,
        /// The pause that the endpoint asked for.
        retry_after_ms: Option<u64>,
        /// How long the refusal lasts by its kind.
        until: Until,
    },
    /// The endpoint failed.
    #[error("endpoint failed: {}", shown(refusal))]
    Unavailable {
        /// The response.
        refusal: Box<Refusal>,
    },
    /// The account may not do this.
    #[error("forbidden: {}", shown(refusal))]
    Forbidden {
        /// The response.
        refusal: Box<Refusal>,
    },
    /// The access key, its token or the signature is wrong.
    #[error("credentials refused: {}", shown(refusal))]
    Credentials {
        /// The response.
        refusal: Box<Refusal>,
    },
    /// The clocks differ too much.
    #[error("clock differs from the endpoint's by more than it allows: {}", shown(refusal))]
    Clock {
        /// The response; its `server_date_ms` is the endpoint's time.
        refusal: Box<Refusal>,
    },
    /// HTTP success, and the operation reported failure.
    #[error("operation failed: {}", shown(refusal))]
    FailedInBody {
        /// The response.
        refusal: Box<Refusal>,
    },
    /// HTTP success, and the operation reported failure for some items.
    #[error("operation failed for {failed_count} of {item_count} items {}", trace(&refusal.response))]
    PartialFailure {
        /// The response.
        refusal: Box<Refusal>,
        /// The first of the failed items, at most [`FAILED_ITEMS_MAX`].
        failed: Vec<FailedItem>,
        /// How many items failed.
        failed_count: usize,
        /// How many items there were.
        item_count: usize,
    },
}

/// How many failed items are listed; the response's body has all of them.
pub const FAILED_ITEMS_MAX: usize = 100;

impl CallError {
    /// What the error says about the call.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            CallError::UnknownParameter { .. }
            | CallError::UnfitParameter { .. }
            | CallError::MissingParameter { .. }
            | CallError::MissingSecret { .. }
            | CallError::Endpoint(_)
            | CallError::Build { .. } => Class::Unsendable,
            CallError::Connect { .. } => Class::Unreachable,
            CallError::TimedOut { .. }
            | CallError::Broken { .. }
            | CallError::Unreadable { .. }
            | CallError::Repeated { .. } => Class::Lost,
            CallError::Rejected { .. } => Class::Rejected,
            CallError::Throttled { retry_after_ms, until, .. } => {
                Class::Throttled { retry_after_ms: *retry_after_ms, until: *until }
            }
            CallError::Unavailable { .. } => Class::Unavailable,
            CallError::Forbidden { .. } => Class::Forbidden,
            CallError::Credentials { .. } => Class::Credentials,
            CallError::Clock { .. } => Class::Clock,
            CallError::FailedInBody { .. } => Class::FailedInBody,
            CallError::PartialFailure { .. } => Class::PartialFailure,
        }
    }

    /// What the endpoint said, if it said anything that could be read.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            CallError::Repeated { refusal }
            | CallError::Rejected { refusal }
            | CallError::Throttled { refusal, .. }
            | CallError::Unavailable { refusal }
            | CallError::Forbidden { refusal }
            | CallError::Credentials { refusal }
            | CallError::Clock { refusal }
            | CallError::FailedInBody { refusal }
            | CallError::PartialFailure { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// The response, if there was one.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        match self {
            CallError::Unreadable { response } => Some(response),
            _ => self.refusal().map(|refusal| &refusal.response),
        }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// `Code: message (HTTP 400, request id X)`.
fn shown(refusal: &Refusal) -> String {
    let parts = [refusal.code.as_str(), refusal.message.as_str()];
    let said: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let said = if said.is_empty() { "no reason given".to_owned() } else { said.join(": ") };
    format!("{said} {}", trace(&refusal.response))
}

fn trace(response: &Response) -> String {
    match &response.request_id {
        Some(id) => format!("(HTTP {}, request id {id})", response.http_status),
        None => format!("(HTTP {})", response.http_status),
    }
}
