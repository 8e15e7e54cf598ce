//! Why calls are parked, and for how long.

use crate::quota::Exhausted;

/// Why calls are not tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParkReason {
    /// By our own count nothing of the day's calls is left.
    DaySpent,
    /// By our own count nothing of the month's calls is left.
    MonthSpent,
    /// The endpoint says that the day's calls are used up.
    DayRefused,
    /// The endpoint says that the edition's calls are used up.
    MonthRefused,
    /// The endpoint refuses calls for their number, below our own count of them: others call too.
    Throttled,
    /// The endpoint refuses the access key, its token or its signature, or there is none.
    Credentials,
    /// The endpoint refuses the request's time though it goes by the endpoint's own clock, as far as that is told.
    Clock,
    /// The endpoint fails or cannot be reached.
    Endpoint,
    /// The account may not call this operation for this workspace.
    Forbidden,
}

/// How long calls are not tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// Until a moment, milliseconds since 1970.
    Until(i64),
    /// `first_ms` at first, twice as long each further time in a row, never longer than `max_ms`.
    Growing {
        /// The first pause.
        first_ms: i64,
        /// The longest.
        max_ms: i64,
    },
}

impl ParkReason {
    const ALL: [ParkReason; 9] = [
        ParkReason::DaySpent,
        ParkReason::MonthSpent,
        ParkReason::DayRefused,
        ParkReason::MonthRefused,
        ParkReason::Throttled,
        ParkReason::Credentials,
        ParkReason::Clock,
        ParkReason::Endpoint,
        ParkReason::Forbidden,
    ];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ParkReason::DaySpent => "day_spent",
            ParkReason::MonthSpent => "month_spent",
            ParkReason::DayRefused => "day_refused",
            ParkReason::MonthRefused => "month_refused",
            ParkReason::Throttled => "throttled",
            ParkReason::Credentials => "credentials",
            ParkReason::Clock => "clock",
            ParkReason::Endpoint => "endpoint",
            ParkReason::Forbidden => "forbidden",
        }
    }

    /// What was stored or shown as `text`.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// Whether a restart cannot have mended it.
    pub(super) fn outlives_a_restart(self) -> bool {
        matches!(self, ParkReason::DayRefused | ParkReason::MonthRefused)
    }

    /// Whether it ends when its time is over, without a call that finds out.
    pub(super) fn ends_by_time(self) -> bool {
        matches!(
            self,
            ParkReason::DaySpent | ParkReason::MonthSpent | ParkReason::DayRefused | ParkReason::MonthRefused
        )
    }
}

impl From<Exhausted> for ParkReason {
    fn from(exhausted: Exhausted) -> Self {
        match exhausted {
            Exhausted::Day => ParkReason::DaySpent,
            Exhausted::Month => ParkReason::MonthSpent,
        }
    }
}

impl Pause {
    pub(super) fn until(self, now_ms: i64, failures: i64) -> i64 {
        match self {
            Pause::Until(until_ms) => until_ms,
            Pause::Growing { first_ms, max_ms } => {
                let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(30);
                now_ms.saturating_add(first_ms.saturating_mul(1 << doublings).min(max_ms))
            }
        }
    }
}
