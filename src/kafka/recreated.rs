//! Topics that were deleted or created anew while we read them: their positions mean nothing any more.
//!
//! Two signs are kept. A topic's id changed, which the client tells in a debug line only and brokers before
//! 2.8 never; or a topic that we hold was reported unknown. A commit that was made meanwhile stands at the
//! old position, so that the next start of such a topic must not believe it. Too many signs cost records
//! that are read again and recognised; one too few would lose records.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The signs, written by callbacks and read by the polling thread.
#[derive(Debug, Default)]
pub(super) struct Recreated {
    ids_changed: Mutex<BTreeSet<String>>,
    vanished: Mutex<BTreeSet<String>>,
    /// Whether `ids_changed` holds anything, so that a poll takes no lock.
    is_changed: AtomicBool,
}

impl Recreated {
    /// Reads a line of the client's log. Called under locks of the client: takes no lock but its own.
    pub(super) fn read_line(&self, line: &str) {
        if let Some(topic) = id_changed(line) {
            tracing::warn!(topic, "the topic was created anew while the daemon ran");
            lock(&self.ids_changed).insert(topic.to_owned());
            self.is_changed.store(true, Ordering::Release);
        }
    }

    /// A topic that we hold is unknown to the cluster.
    pub(super) fn vanished(&self, topic: &str) {
        lock(&self.vanished).insert(topic.to_owned());
    }

    /// Whether some topic's id changed and nobody has acted on it.
    pub(super) fn is_changed(&self) -> bool {
        self.is_changed.load(Ordering::Acquire)
    }

    /// Topics whose id changed.
    pub(super) fn changed(&self) -> BTreeSet<String> {
        if self.is_changed() { lock(&self.ids_changed).clone() } else { BTreeSet::new() }
    }

    /// Topics whose commits may be those of a log that is gone.
    pub(super) fn distrusted(&self) -> BTreeSet<String> {
        let vanished = lock(&self.vanished).clone();
        &vanished | &self.changed()
    }

    /// Whoever changed their id was dealt with, or is not held by us.
    pub(super) fn forget_changed(&self, topics: &BTreeSet<String>) {
        let mut changed = lock(&self.ids_changed);
        changed.retain(|topic| !topics.contains(topic));
        self.is_changed.store(!changed.is_empty(), Ordering::Release);
    }

    /// These are read from their beginning.
    pub(super) fn started_anew<'a>(&self, topics: impl Iterator<Item = &'a str>) {
        let mut vanished = lock(&self.vanished);
        for topic in topics {
            vanished.remove(topic);
        }
    }
}

fn lock(set: &Mutex<BTreeSet<String>>) -> MutexGuard<'_, BTreeSet<String>> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The topic of a line that says its id has changed. From no id to one is no change.
fn id_changed(line: &str) -> Option<&str> {
    let (before, ids) = line.split_once(" changed id from ")?;
    let (_, topic) = before.rsplit_once("Topic ")?;
    let (old, _) = ids.split_once(" to ")?;
    (!old.trim_matches('A').is_empty()).then_some(topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_a_topics_id_is_read_from_the_line_that_says_so() {
        let line = "[thrd:main]: Topic a-b changed id from kSn5jw1bTjGCnyWcYhLn4w to 9Gm2zHhFQqqf0yQw9E9n1g";
        assert_eq!(id_changed(line), Some("a-b"));
        let first = "[thrd:main]: Topic a changed id from AAAAAAAAAAAAAAAAAAAAAA to 9Gm2zHhFQqqf0yQw9E9n1g";
        assert_eq!(id_changed(first), None);
        assert_eq!(id_changed("[thrd:main]: Topic a [0] Leader 1 Epoch 0"), None);
    }

    #[test]
    fn a_sign_is_kept_until_the_topic_is_started_anew() {
        let recreated = Recreated::default();
        recreated.vanished("a");
        recreated.read_line("Topic b changed id from k to l");
        assert_eq!(recreated.distrusted(), BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        assert!(recreated.is_changed());
        recreated.forget_changed(&recreated.changed());
        assert!(!recreated.is_changed());
        assert_eq!(recreated.distrusted(), BTreeSet::from(["a".to_owned()]));
        recreated.started_anew(["a"].into_iter());
        assert!(recreated.distrusted().is_empty());
    }
}
