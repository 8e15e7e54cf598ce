//! The words and bits under which parts of an event are stored and shown.
//!
//! They are on disk and in people's queries: a word or a bit, once used, keeps its meaning for good.

use super::{Envelope, Flags, Kind, Status};

impl Envelope {
    const WORDS: [(Envelope, &'static str); 6] = [
        (Envelope::CloudEvents, "cloudevents"),
        (Envelope::CloudEventsBinary, "cloudevents_binary"),
        (Envelope::Kafka, "kafka"),
        (Envelope::KafkaGen1, "kafka_gen1"),
        (Envelope::FunctionCompute, "function_compute"),
        (Envelope::DataOnly, "data_only"),
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }

    /// The envelope of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        named(&Self::WORDS, word)
    }
}

impl Kind {
    const WORDS: [(Kind, &'static str); 2] = [(Kind::Regular, "regular"), (Kind::Extension, "extension")];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }

    /// The kind of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        named(&Self::WORDS, word)
    }
}

impl Status {
    const WORDS: [(Status, &'static str); 8] = [
        (Status::NotRun, "NotRun"),
        (Status::WaitTime, "WaitTime"),
        (Status::WaitResource, "WaitResource"),
        (Status::Running, "Running"),
        (Status::Failure, "Failure"),
        (Status::Success, "Success"),
        (Status::Checking, "Checking"),
        (Status::CheckingCondition, "CheckingCondition"),
    ];

    /// All of them.
    pub(crate) const ALL: [Status; 8] = [
        Status::NotRun,
        Status::WaitTime,
        Status::WaitResource,
        Status::Running,
        Status::Failure,
        Status::Success,
        Status::Checking,
        Status::CheckingCondition,
    ];

    /// The word for it, as API version 2024-05-18 spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }

    /// The status of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        named(&Self::WORDS, word)
    }

    /// The status of the number that a payload carries.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        Some(match code {
            0 | 1 => Status::NotRun,
            2 => Status::WaitTime,
            3 => Status::WaitResource,
            4 => Status::Running,
            5 => Status::Failure,
            6 => Status::Success,
            7 => Status::Checking,
            8 => Status::CheckingCondition,
            _ => return None,
        })
    }
}

impl Flags {
    /// Bit 0 first; new flags are appended.
    const WORDS: [&'static str; 7] = [
        "data_was_text",
        "code_conflict",
        "duplicate_data_keys",
        "attribute_collision",
        "no_identity",
        "unknown_type",
        "unreadable_value",
    ];

    /// One bit a flag, the same for good.
    #[must_use]
    pub fn to_bits(self) -> u32 {
        self.as_array().into_iter().enumerate().fold(0, |bits, (at, is_set)| bits | (u32::from(is_set) << at))
    }

    /// The flags of bits that [`Flags::to_bits`] gave; bits of later versions are ignored.
    #[must_use]
    pub fn from_bits(bits: u32) -> Self {
        let has = |at: u32| bits & (1 << at) != 0;
        Flags {
            data_was_text: has(0),
            code_conflict: has(1),
            duplicate_data_keys: has(2),
            attribute_collision: has(3),
            no_identity: has(4),
            unknown_type: has(5),
            unreadable_value: has(6),
        }
    }

    /// The words of the flags that are set.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::WORDS.into_iter().zip(self.as_array()).filter_map(|(word, is_set)| is_set.then_some(word))
    }

    fn as_array(self) -> [bool; 7] {
        [
            self.data_was_text,
            self.code_conflict,
            self.duplicate_data_keys,
            self.attribute_collision,
            self.no_identity,
            self.unknown_type,
            self.unreadable_value,
        ]
    }
}

fn word_of<T: Copy + PartialEq>(words: &[(T, &'static str)], value: T) -> &'static str {
    words.iter().find(|(named, _)| *named == value).map_or("", |(_, word)| word)
}

fn named<T: Copy>(words: &[(T, &'static str)], word: &str) -> Option<T> {
    words.iter().find(|(_, named)| *named == word).map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_what_they_name() {
        assert!(Envelope::WORDS.iter().all(|(value, _)| Envelope::from_word(value.as_str()) == Some(*value)));
        assert!(Kind::WORDS.iter().all(|(value, _)| Kind::from_word(value.as_str()) == Some(*value)));
        assert!(Status::WORDS.iter().all(|(value, _)| Status::from_word(value.as_str()) == Some(*value)));
        assert_eq!(Status::from_word("notrun"), None);
    }

    #[test]
    fn statuses_follow_their_numbers_and_two_numbers_mean_not_run() {
        let words: Vec<_> =
            (-1..=9).map(|code| Status::from_code(code).map_or("-", Status::as_str)).collect();
        let expected =
            "- NotRun NotRun WaitTime WaitResource Running Failure Success Checking CheckingCondition -";
        assert_eq!(words.join(" "), expected);
    }

    #[test]
    fn every_flag_has_its_own_bit_and_word() {
        for (at, word) in Flags::WORDS.into_iter().enumerate() {
            let flags = Flags::from_bits(1 << at);
            assert_eq!(flags.to_bits(), 1 << at);
            assert_eq!(flags.words().collect::<Vec<_>>(), [word]);
        }
        assert_eq!(Flags::from_bits(u32::MAX).to_bits(), (1 << Flags::WORDS.len()) - 1);
        assert_eq!(Flags::default().words().count(), 0);
    }
}
