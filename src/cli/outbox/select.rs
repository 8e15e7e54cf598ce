//! Which actions a person means: numbers and ids, and what narrows the choice.

use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;

use crate::action::{ActionState, HeldReason};
use crate::cli::{Exit, Failure, instant};
use crate::duration::whole_ms;
use crate::escape::Escaped;
use crate::store::Reader;
use crate::store::operator::select::Selection;

/// Shorter beginnings of ids are mistakes more often than meant.
const PREFIX_MIN: usize = 4;

/// Digits of an id.
const ID_DIGITS: usize = 32;

/// How actions are chosen; several values of one kind widen the choice, several kinds narrow it.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SelectArguments {
    /// Actions by number, or by the beginning of their id; digits alone are a number
    #[arg(value_name = "ACTION")]
    actions: Vec<String>,
    /// In this state
    #[arg(long, value_name = "STATE", value_parser = states(), value_delimiter = ',')]
    state: Vec<ActionState>,
    /// Held for this reason
    #[arg(long, value_name = "REASON", value_parser = reasons(), value_delimiter = ',')]
    held_reason: Vec<HeldReason>,
    /// Of this rule
    #[arg(long, value_name = "NAME")]
    rule: Vec<String>,
    /// Calling this operation
    #[arg(long, value_name = "NAME")]
    operation: Vec<String>,
    /// For events of this workspace
    #[arg(long, value_name = "NUMBER")]
    workspace: Vec<i64>,
    /// Signed by this account
    #[arg(long, value_name = "NAME")]
    account: Vec<String>,
    /// Planned longer ago than this
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    older_than: Option<Duration>,
    /// Planned not longer ago than this
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    newer_than: Option<Duration>,
}

/// Why an action is not the one that was meant.
#[derive(Debug, thiserror::Error)]
pub(super) enum SelectError {
    #[error("there is no action {}: `openeventd outbox list` shows numbers and ids", Escaped(.0))]
    Unknown(String),
    #[error(
        "there is no action number {0}: digits alone are a number; of an id, give a beginning with a letter \
         in it, or all {ID_DIGITS} digits"
    )]
    NoNumber(String),
    #[error("`{}` is no action: expected a number, or at least {PREFIX_MIN} hex digits of an id", Escaped(.0))]
    NoName(String),
    #[error("`{name}` begins the ids of several actions: {}, give more digits", .ids.join(", "))]
    Ambiguous { name: String, ids: Vec<String> },
}

impl From<SelectError> for Failure {
    fn from(error: SelectError) -> Self {
        let exit = match error {
            SelectError::Unknown(_) | SelectError::NoNumber(_) => Exit::NoInput,
            SelectError::NoName(_) | SelectError::Ambiguous { .. } => Exit::Usage,
        };
        Failure::new(exit, error)
    }
}

fn states() -> impl clap::builder::TypedValueParser<Value = ActionState> {
    PossibleValuesParser::new(ActionState::ALL.map(ActionState::as_str))
        .try_map(|text| ActionState::from_text(&text).ok_or("no state"))
}

fn reasons() -> impl clap::builder::TypedValueParser<Value = HeldReason> {
    PossibleValuesParser::new(HeldReason::ALL.map(HeldReason::as_str))
        .try_map(|text| HeldReason::from_text(&text).ok_or("no reason"))
}

impl SelectArguments {
    /// Whether anything narrows the choice.
    pub(super) fn is_empty(&self) -> bool {
        self.actions.is_empty()
            && self.state.is_empty()
            && self.held_reason.is_empty()
            && self.rule.is_empty()
            && self.operation.is_empty()
            && self.workspace.is_empty()
            && self.account.is_empty()
            && self.older_than.is_none()
            && self.newer_than.is_none()
    }

    /// Whether actions are named one by one.
    pub(super) fn names_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// The choice as a question; `states` where it names neither actions nor states.
    pub(super) async fn resolve(
        &self,
        reader: &mut Reader,
        states: &[ActionState],
        now_ms: i64,
    ) -> Result<Selection, Failure> {
        let mut numbers = Vec::with_capacity(self.actions.len());
        for name in &self.actions {
            numbers.push(find(reader, name).await?);
        }
        let before = |age: Duration| now_ms.saturating_sub(whole_ms(age));
        let open = self.actions.is_empty() && self.state.is_empty();
        Ok(Selection {
            numbers,
            states: if open { states.to_vec() } else { self.state.clone() },
            held_reasons: self.held_reason.clone(),
            rules: self.rule.clone(),
            operations: self.operation.clone(),
            workspaces: self.workspace.clone(),
            accounts: self.account.clone(),
            planned_before_ms: self.older_than.map(before),
            planned_after_ms: self.newer_than.map(before),
        })
    }

    /// The choice in words, as the audit keeps it.
    pub(super) fn in_words(&self) -> String {
        let states: Vec<_> = self.state.iter().map(|state| state.as_str()).collect();
        let reasons: Vec<_> = self.held_reason.iter().map(|reason| reason.as_str()).collect();
        let workspaces: Vec<_> = self.workspace.iter().map(ToString::to_string).collect();
        let lists = [
            ("actions", self.actions.join(" ")),
            ("state", states.join(" ")),
            ("held reason", reasons.join(" ")),
            ("rule", self.rule.join(" ")),
            ("operation", self.operation.join(" ")),
            ("workspace", workspaces.join(" ")),
            ("account", self.account.join(" ")),
        ];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let ages = [("older than", self.older_than), ("newer than", self.newer_than)];
        let ages = ages.into_iter().filter_map(|(name, age)| Some((name, instant::age(whole_ms(age?)))));
        let words: Vec<_> = lists.chain(ages).map(|(name, value)| format!("{name} {value}")).collect();
        if words.is_empty() { "all".into() } else { words.join(", ") }
    }
}

/// How a person names an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    /// A number; `None` is larger than any.
    Number(Option<i64>),
    /// The beginning of an id, or all of it.
    Id,
    /// Neither.
    Nothing,
}

impl Name {
    /// What `name` is, in lower case. Ids begin with what looks like any number, so a number that no action
    /// has must never mean the action whose id happens to begin with it.
    fn of(name: &str) -> Self {
        let is_hex = name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        match name.len() {
            ID_DIGITS if is_hex => Name::Id,
            _ if is_number => Name::Number(name.parse().ok()),
            PREFIX_MIN..=ID_DIGITS if is_hex => Name::Id,
            _ => Name::Nothing,
        }
    }
}

/// The number of the action that `name` means.
pub(super) async fn find(reader: &mut Reader, name: &str) -> Result<i64, Failure> {
    let name = name.trim().to_ascii_lowercase();
    let (found, unknown) = match Name::of(&name) {
        Name::Nothing => return Err(SelectError::NoName(name).into()),
        Name::Number(None) => return Err(SelectError::NoNumber(name).into()),
        Name::Number(number) => (reader.named(number, None).await?, SelectError::NoNumber(name.clone())),
        Name::Id => (reader.named(None, Some(&name)).await?, SelectError::Unknown(name.clone())),
    };
    match found.as_slice() {
        [only] => Ok(only.number),
        [] => Err(unknown.into()),
        several => {
            let ids = several.iter().map(|named| named.id.clone()).collect();
            Err(SelectError::Ambiguous { name, ids }.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_alone_are_a_number_and_nothing_else() {
        let whole = "3035".repeat(8);
        let cases = [
            ("7", Name::Number(Some(7))),
            ("3035", Name::Number(Some(3035))),
            ("0", Name::Number(Some(0))),
            (&whole[..31], Name::Number(None)),
            (&whole, Name::Id),
            ("303a", Name::Id),
            ("c0de", Name::Id),
            ("c0d", Name::Nothing),
            ("+3035", Name::Nothing),
            ("303x", Name::Nothing),
            ("", Name::Nothing),
        ];
        for (name, expected) in cases {
            assert_eq!(Name::of(name), expected, "{name}");
        }
        assert_eq!(Name::of(&format!("{whole}a")), Name::Nothing, "longer than an id");
    }
}
