//! Circuit breakers: an endpoint that fails for several calls in a row is left alone for a while.
//!
//! Counted here by endpoint; what follows is a parking of the account, in the commit that settles the call,
//! so that it survives a restart. After the pause one call finds out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::openapi::error::Class;
use crate::store::parking::Pause;

/// Failures in a row after which an endpoint is left alone.
const FAILURES_MAX: u32 = 5;

/// More endpoints than accounts can have are not counted.
const ENDPOINTS_MAX: usize = 1_024;

/// The first pause at least, milliseconds; it is drawn from once to twice of it.
const FIRST_PAUSE_MS: i64 = 5_000;

/// The longest pause.
const PAUSE_MS_MAX: i64 = 300_000;

/// The failures in a row of each endpoint.
#[derive(Debug, Default)]
pub(super) struct Breakers(Mutex<HashMap<String, u32>>);

impl Breakers {
    /// Notes what came of a call to `endpoint`; gives how long to leave it alone, if that is due.
    pub(super) fn note(&self, endpoint: &str, result: Result<(), Class>, jitter: f64) -> Option<Pause> {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            // Nothing is known of the endpoint.
            Err(Class::Unsendable) => None,
            Err(Class::Unreachable | Class::Unavailable | Class::Faulty | Class::Lost) => {
                if !failures.contains_key(endpoint) && failures.len() >= ENDPOINTS_MAX {
                    return None;
                }
                let count = failures.entry(endpoint.to_owned()).or_default();
                *count = count.saturating_add(1);
                (*count >= FAILURES_MAX).then(|| pause(jitter))
            }
            Ok(()) | Err(_) => {
                failures.remove(endpoint);
                None
            }
        }
    }
}

fn pause(jitter: f64) -> Pause {
    let spread =
        std::time::Duration::from_millis(FIRST_PAUSE_MS.unsigned_abs()).mul_f64(jitter.clamp(0.0, 1.0));
    Pause::Growing { first_ms: FIRST_PAUSE_MS + crate::duration::whole_ms(spread), max_ms: PAUSE_MS_MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_fails_in_a_row_is_left_alone_and_one_that_answers_is_not() {
        let breakers = Breakers::default();
        let fails = |endpoint| breakers.note(endpoint, Err(Class::Lost), 0.0).is_some();
        assert_eq!([0; 4].map(|_| fails("a")), [false; 4]);
        assert!(!fails("b"), "another endpoint");
        assert!(fails("a") && fails("a"), "from the fifth on");
        assert_eq!(breakers.note("a", Err(Class::Rejected), 0.0), None, "it answers");
        assert!(!fails("a"));
        assert_eq!(breakers.note("a", Err(Class::Unsendable), 0.0), None);
        let pause = pause(1.0);
        assert_eq!(pause, Pause::Growing { first_ms: 10_000, max_ms: 300_000 });
    }
}
