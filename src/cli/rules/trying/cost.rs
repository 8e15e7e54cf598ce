//! Calls by account and day of its quota.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::operation::Access;

/// The calls of all accounts: by name, then by the beginning of the day, milliseconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Cost {
    pub(super) accounts: BTreeMap<String, BTreeMap<i64, Calls>>,
}

/// Calls of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Calls {
    pub(super) reads: u64,
    pub(super) writes: u64,
    /// With those of rules that are not live.
    pub(super) reads_if_live: u64,
    pub(super) writes_if_live: u64,
}

impl Calls {
    pub(super) fn all(&self) -> u64 {
        self.reads.saturating_add(self.writes)
    }

    pub(super) fn all_if_live(&self) -> u64 {
        self.reads_if_live.saturating_add(self.writes_if_live)
    }
}

impl Cost {
    /// Counts one call of `account`; `is_live` if its rule is.
    pub(super) fn add(&mut self, (account, day): (&str, i64), access: Access, is_live: bool) {
        if !self.accounts.contains_key(account) {
            self.accounts.insert(account.to_owned(), BTreeMap::new());
        }
        let Some(days) = self.accounts.get_mut(account) else { return };
        let calls = days.entry(day).or_default();
        let (own, all) = match access {
            Access::Read => (&mut calls.reads, &mut calls.reads_if_live),
            Access::Write => (&mut calls.writes, &mut calls.writes_if_live),
        };
        *own += u64::from(is_live);
        *all += 1;
    }
}
