//! One sample event for each event type of the catalogue, as EventBridge delivers it.
//!
//! Takes an event code and gives the whole CloudEvents document as JSON text. Fields, types and values that mean
//! something are those that are published; every id, name and time is invented. They serve tests of rules and
//! examples, never the data path.

/// A line for each row of [`super::catalogue`], in the same order: the code, a space, the document.
const SAMPLES: &str = include_str!("samples.txt");

/// The sample of the event `code`, one CloudEvents document as JSON text.
#[must_use]
pub fn of(code: &str) -> Option<&'static str> {
    all().find(|(own, _)| *own == code).map(|(_, document)| document)
}

/// Every code with its sample, in the order of the catalogue.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    SAMPLES.lines().filter_map(|line| line.split_once(' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::catalogue;
    use crate::event::decode::{Limits, decode};
    use crate::record::Record;

    #[test]
    fn every_event_type_has_a_sample_that_decodes_to_it_without_a_flag() {
        let mut samples = all();
        for row in catalogue::all() {
            let (code, document) = samples.next().expect("a sample for each row");
            assert_eq!(code, row.code);
            assert_eq!(of(code), Some(document));
            let event = decode(&Record::of_payload(document.as_bytes()), &Limits::default()).expect(code);
            assert_eq!(event.code.as_deref(), Some(code));
            assert_eq!(event.event_type.as_deref(), Some(row.event_type));
            assert_eq!(event.kind, Some(row.kind), "{code}");
            assert_eq!(event.flags.words().collect::<Vec<_>>(), [""; 0], "{code}");
            assert!(event.workspace.is_some() && event.published_ms.is_some(), "{code}");
            assert_eq!(event.operator.is_some(), row.operator_field.is_some(), "{code}");
        }
        assert_eq!(samples.next(), None);
        assert_eq!(of("commit"), None);
    }
}
