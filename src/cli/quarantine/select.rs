//! Which quarantined records a person means.

use std::time::Duration;

use crate::cli::instant;
use crate::duration::whole_ms;
use crate::store::operator::quarantine::{Replayed, Selection};

/// How records are chosen; several values of one kind widen the choice, several kinds narrow it.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SelectArguments {
    /// Records by number
    #[arg(value_name = "RECORD", value_parser = clap::value_parser!(i64).range(1..))]
    records: Vec<i64>,
    /// Quarantined for this reason, as in `not_json`
    #[arg(long, value_name = "REASON", value_delimiter = ',')]
    quarantine_reason: Vec<String>,
    /// Of this topic
    #[arg(long, value_name = "NAME")]
    topic: Vec<String>,
    /// Quarantined longer ago than this
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    older_than: Option<Duration>,
    /// Quarantined not longer ago than this
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    newer_than: Option<Duration>,
}

impl SelectArguments {
    /// Whether anything narrows the choice.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.quarantine_reason.is_empty()
            && self.topic.is_empty()
            && self.older_than.is_none()
            && self.newer_than.is_none()
    }

    /// The records that are named one by one.
    pub(super) fn named(&self) -> &[i64] {
        &self.records
    }

    /// The choice as a question; records that are named are meant whatever became of them.
    pub(super) fn selection(&self, replayed: Replayed, now_ms: i64) -> Selection {
        let before = |age: Duration| now_ms.saturating_sub(whole_ms(age));
        Selection {
            ids: self.records.clone(),
            reasons: self.quarantine_reason.clone(),
            topics: self.topic.clone(),
            before_ms: self.older_than.map(before),
            after_ms: self.newer_than.map(before),
            replayed: if self.records.is_empty() { replayed } else { Replayed::Included },
        }
    }

    /// The choice in words, as the audit keeps it.
    pub(super) fn in_words(&self) -> String {
        let records: Vec<_> = self.records.iter().map(ToString::to_string).collect();
        let lists = [
            ("records", records.join(" ")),
            ("reason", self.quarantine_reason.join(" ")),
            ("topic", self.topic.join(" ")),
        ];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let ages = [("older than", self.older_than), ("newer than", self.newer_than)];
        let ages = ages.into_iter().filter_map(|(name, age)| Some((name, instant::age(whole_ms(age?)))));
        let words: Vec<_> = lists.chain(ages).map(|(name, value)| format!("{name} {value}")).collect();
        if words.is_empty() { "all".into() } else { words.join(", ") }
    }
}
