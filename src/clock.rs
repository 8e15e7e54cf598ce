//! The clock on the wall, as everything here counts it. What is pure takes the time as an argument instead.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    crate::duration::whole_ms(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
