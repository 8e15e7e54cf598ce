//! Who an event is, and which action follows from it: the same answer on every redelivery and replay.

use std::fmt::{self, Write as _};

use sha2::{Digest, Sha256};

/// What makes an event the same event again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventIdentity<'a> {
    /// The event says who it is.
    Named {
        /// CloudEvents `source`.
        source: &'a str,
        /// CloudEvents `id`.
        id: &'a str,
        /// CloudEvents `type`, or empty where the event has none.
        event_type: &'a str,
    },
    /// The event does not say who it is: its record does.
    Position {
        /// Topic name.
        topic: &'a str,
        /// Partition.
        partition: i32,
        /// Offset.
        offset: i64,
        /// Hash of the payload; the caller always uses the same function.
        payload_hash: &'a [u8],
    },
}

/// An action's identity: 32 hex digits, a function of event, rule and step alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(String);

impl ActionId {
    /// The action that step `step` of `rule` plans for an event.
    #[must_use]
    pub fn of(identity: &EventIdentity<'_>, rule: &str, step: u32) -> Self {
        let mut hasher = Sha256::new();
        match identity {
            EventIdentity::Named { source, id, event_type } => {
                hasher.update(b"named");
                for part in [source, id, event_type] {
                    add(&mut hasher, part.as_bytes());
                }
            }
            EventIdentity::Position { topic, partition, offset, payload_hash } => {
                hasher.update(b"place");
                add(&mut hasher, topic.as_bytes());
                hasher.update(partition.to_be_bytes());
                hasher.update(offset.to_be_bytes());
                add(&mut hasher, payload_hash);
            }
        }
        add(&mut hasher, rule.as_bytes());
        hasher.update(step.to_be_bytes());
        ActionId(hasher.finalize().iter().take(16).fold(String::with_capacity(32), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }))
    }

    /// The hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Each part goes in with its length, so that no two lists of parts look the same.
fn add(hasher: &mut Sha256, part: &[u8]) {
    hasher.update(part.len().to_be_bytes());
    hasher.update(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named<'a>(source: &'a str, id: &'a str) -> EventIdentity<'a> {
        EventIdentity::Named { source, id, event_type: "t" }
    }

    #[test]
    fn an_action_id_is_the_same_for_ever() {
        let id = ActionId::of(&named("acs.dataworks", "1"), "rule", 0);
        assert_eq!(id.as_str(), "72be58ab2f4aac9c785ad6c9a0eb910c");
    }

    #[test]
    fn every_part_counts_and_parts_do_not_run_together() {
        let place = |offset| EventIdentity::Position { topic: "t", partition: 0, offset, payload_hash: b"h" };
        let ids = [
            ActionId::of(&named("ab", "c"), "r", 0),
            ActionId::of(&named("a", "bc"), "r", 0),
            ActionId::of(&named("a", "bc"), "r", 1),
            ActionId::of(&named("a", "bc"), "q", 0),
            ActionId::of(&place(1), "r", 0),
            ActionId::of(&place(2), "r", 0),
        ];
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
        assert!(ids.iter().all(|id| id.as_str().len() == 32));
    }
}
