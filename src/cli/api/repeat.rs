//! What a second, identical call does, and what follows for a call whose response was lost; in words.

use crate::operation::RepeatEffect;

/// The words for `effect`; `within` says for how long a call is repeated that leads to the same state.
#[must_use]
pub(in crate::cli) fn in_words(effect: RepeatEffect, within: &str) -> String {
    match effect {
        RepeatEffect::None => "harmless".to_owned(),
        RepeatEffect::Converges => format!("same state again: repeated for {within}"),
        RepeatEffect::Duplicates => {
            "does it twice: a lost response is looked up or left to a person".to_owned()
        }
        RepeatEffect::Unknown => {
            "may do it twice: a lost response is looked up or left to a person".to_owned()
        }
    }
}
