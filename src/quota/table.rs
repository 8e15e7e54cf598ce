//! The provider's tables: what each edition is allowed.
//!
//! The usage page was dated 25 March 2026; a revision of 9 May 2026 took the daily limit from Standard and
//! Professional and made calls beyond their free ones billable. Which of them holds for an account is not
//! told by any interface, so it is a setting. Prices are those of the international site; the bill prevails.

use std::num::NonZeroU32;

use super::Percent;

/// A DataWorks edition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Edition {
    /// Basic.
    Basic,
    /// Standard.
    Standard,
    /// Professional.
    Professional,
    /// Enterprise.
    Enterprise,
}

/// A version of the provider's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Table {
    /// The page of 25 March 2026.
    March2026,
    /// Its revision of 9 May 2026.
    #[default]
    May2026,
}

/// What an edition is allowed in one region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Calls a second.
    pub rate: Rate,
    /// Calls a day, successful or not; `None` is no limit.
    pub calls_per_day: Option<u64>,
    /// Successful calls of a calendar month that cost nothing.
    pub free_per_month: u64,
    /// What further calls of the month are.
    pub beyond_free: BeyondFree,
}

/// Calls a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// All calls together.
    Shared(NonZeroU32),
    /// Reads and writes, each by itself.
    Apart {
        /// Reads.
        reads: NonZeroU32,
        /// Writes.
        writes: NonZeroU32,
    },
    /// No limit: for measuring against an endpoint of one's own.
    Unlimited,
}

/// What calls beyond the free ones of a month are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeyondFree {
    /// Refused.
    Impossible,
    /// Paid, in millionths of a US dollar for 10,000 calls.
    Paid {
        /// The price.
        micro_usd_per_10_000: u64,
    },
}

const PAID: BeyondFree = BeyondFree::Paid { micro_usd_per_10_000: 50_000 };

/// Of the page's merged cell: the small editions have one limit for all calls.
const SMALL: Rate = Rate::Shared(calls(5));
const LARGE: Rate = Rate::Apart { reads: calls(50), writes: calls(20) };

const fn calls(a_second: u32) -> NonZeroU32 {
    match NonZeroU32::new(a_second) {
        Some(calls) => calls,
        None => NonZeroU32::MIN,
    }
}

const fn row(
    rate: Rate,
    calls_per_day: Option<u64>,
    free_per_month: u64,
    beyond_free: BeyondFree,
) -> Allowance {
    Allowance { rate, calls_per_day, free_per_month, beyond_free }
}

/// Basic, Standard, Professional, Enterprise.
const MARCH_2026: [Allowance; 4] = [
    row(SMALL, Some(100), 3_100, BeyondFree::Impossible),
    row(SMALL, Some(1_000), 31_000, BeyondFree::Impossible),
    row(SMALL, Some(10_000), 310_000, BeyondFree::Impossible),
    row(LARGE, None, 1_000_000, PAID),
];
const MAY_2026: [Allowance; 4] = [
    row(SMALL, Some(100), 3_100, BeyondFree::Impossible),
    row(SMALL, None, 100_000, PAID),
    row(SMALL, None, 500_000, PAID),
    row(LARGE, None, 1_000_000, PAID),
];

impl Table {
    /// Both versions, with the names that settings give them.
    pub const NAMED: [(&'static str, Table); 2] =
        [("2026-03", Table::March2026), ("2026-05", Table::May2026)];

    /// As written in settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Table::March2026 => "2026-03",
            Table::May2026 => "2026-05",
        }
    }

    /// What `edition` is allowed by this version.
    #[must_use]
    pub fn of(self, edition: Edition) -> Allowance {
        let [basic, standard, professional, enterprise] = match self {
            Table::March2026 => MARCH_2026,
            Table::May2026 => MAY_2026,
        };
        match edition {
            Edition::Basic => basic,
            Edition::Standard => standard,
            Edition::Professional => professional,
            Edition::Enterprise => enterprise,
        }
    }
}

impl Edition {
    /// All editions, with the names that settings give them.
    pub const NAMED: [(&'static str, Edition); 4] = [
        ("basic", Edition::Basic),
        ("standard", Edition::Standard),
        ("professional", Edition::Professional),
        ("enterprise", Edition::Enterprise),
    ];

    /// As written in settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Edition::Basic => "basic",
            Edition::Standard => "standard",
            Edition::Professional => "professional",
            Edition::Enterprise => "enterprise",
        }
    }
}

impl Rate {
    /// The same without the share of others, at least one call a second of each kind.
    #[must_use]
    pub fn without(self, others: Percent) -> Rate {
        let rest = |limit: NonZeroU32| {
            let rest = others.rest_of(u64::from(limit.get()));
            u32::try_from(rest).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
        };
        match self {
            Rate::Shared(limit) => Rate::Shared(rest(limit)),
            Rate::Apart { reads, writes } => Rate::Apart { reads: rest(reads), writes: rest(writes) },
            Rate::Unlimited => Rate::Unlimited,
        }
    }
}

impl Allowance {
    /// What `succeeded` calls of one month cost beyond the free ones, in millionths of a US dollar;
    /// `None` where no call beyond them is possible.
    #[must_use]
    pub fn micro_usd(&self, succeeded: u64) -> Option<u64> {
        let beyond = succeeded.saturating_sub(self.free_per_month);
        match self.beyond_free {
            BeyondFree::Impossible => None,
            BeyondFree::Paid { micro_usd_per_10_000 } => {
                let cost = u128::from(beyond) * u128::from(micro_usd_per_10_000) / 10_000;
                Some(u64::try_from(cost).unwrap_or(u64::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_editions_of_march_cannot_exceed_their_month_by_their_days() {
        for (_, edition) in Edition::NAMED {
            let allowance = Table::March2026.of(edition);
            let by_days = allowance.calls_per_day.map(|calls| calls * 31);
            assert!(by_days.is_none_or(|by_days| by_days == allowance.free_per_month), "{edition:?}");
        }
    }

    #[test]
    fn calls_beyond_the_free_ones_cost_by_the_ten_thousand() {
        let enterprise = Table::May2026.of(Edition::Enterprise);
        assert_eq!(enterprise.micro_usd(1_000_000), Some(0));
        assert_eq!(enterprise.micro_usd(1_010_000), Some(50_000));
        assert_eq!(Table::May2026.of(Edition::Basic).micro_usd(9), None);
        assert_eq!(Table::March2026.of(Edition::Standard).micro_usd(9), None);
        assert_eq!(Table::May2026.of(Edition::Standard).micro_usd(200_000), Some(500_000));
    }

    #[test]
    fn a_share_of_others_leaves_at_least_one_call_a_second() {
        assert_eq!(SMALL.without(Percent::new(20)), Rate::Shared(NonZeroU32::new(4).expect("not zero")));
        assert_eq!(SMALL.without(Percent::new(99)), Rate::Shared(NonZeroU32::MIN));
        assert_eq!(LARGE.without(Percent::new(0)), LARGE);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        assert!(Table::NAMED.iter().all(|(name, table)| table.as_str() == *name));
        assert!(Edition::NAMED.iter().all(|(name, edition)| edition.as_str() == *name));
    }
}
