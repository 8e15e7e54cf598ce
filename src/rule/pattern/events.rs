//! Which events of the catalogue can meet a condition, one bit for each.
//!
//! What an event can have is asked of the decoder, once: it decodes each event with every field that its payload is
//! known to have. An event that the catalogue does not know, and one whose payload was not published, may have anything.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::json;

use super::evaluate::{Fit, plain_fit};
use super::leaf::Leaf;
use super::{Branch, Condition, Or, Pattern};
use crate::event::Status;
use crate::event::catalogue::{self, EventType};
use crate::event::decode::{Limits, decode};
use crate::event::payload;
use crate::record::Record;
use crate::rule::field::{Field, FieldValue};

/// Events of the catalogue, by their places in it, and all that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Events(u64);

/// What each event is called and can have.
struct Table {
    /// By code, type or kind.
    named: HashMap<(Field, &'static str), Events>,
    /// By attribute or fact.
    having: HashMap<Field, Events>,
    /// By status.
    with_status: [(Status, Events); Status::ALL.len()],
    /// Those of which nothing can be said.
    unknown: Events,
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

impl Pattern {
    /// The events that it can be for, by its conditions on code, type and kind.
    pub(crate) fn events(&self) -> Events {
        let common = Events::named_by(&self.common);
        self.choices.iter().map(Events::named_by_one).fold(common, Events::and)
    }
}

/// Whether a condition is on what an event is called.
pub(super) fn is_telling(condition: &Condition) -> bool {
    matches!(condition.field, Some(Field::Code | Field::Type | Field::Kind))
}

impl Events {
    pub(super) const ALL: Events = Events(u64::MAX);
    pub(super) const NONE: Events = Events(0);
    /// Those that the catalogue does not know.
    const OTHERS: Events = Events(1 << 63);

    /// Those that a branch is for, by its conditions on code, type and kind.
    pub(super) fn named_by(branch: &Branch) -> Self {
        let telling = branch.conditions.iter().filter(|condition| is_telling(condition));
        telling.fold(Self::ALL, |left, condition| left.and(Self::of(condition)))
    }

    /// Those that one of the alternatives is for.
    pub(super) fn named_by_one(choice: &Or) -> Self {
        choice.alternatives.iter().map(Self::named_by).fold(Self::NONE, Self::or)
    }

    /// Those that can meet the condition, as far as it is one on what tells events apart.
    pub(super) fn of(condition: &Condition) -> Self {
        let Some(field) = condition.field else { return Self::ALL };
        condition.leaves.iter().fold(Self::ALL, |left, leaf| left.and(Self::of_leaf(field, leaf)))
    }

    fn of_leaf(field: Field, leaf: &Leaf) -> Self {
        if plain_fit(leaf, FieldValue::Missing) != Fit::No {
            return Self::ALL;
        }
        match field {
            Field::Code | Field::Type | Field::Kind if leaf.is_exact() && leaf.numbers.is_empty() => {
                // An event of an unknown type has the code that its payload names.
                let unknown = if field == Field::Type { Self::ALL } else { Self::OTHERS };
                let own = leaf.texts.iter().map(|text| named(field, text).unwrap_or(unknown));
                let others = if field == Field::Kind { Self::OTHERS } else { Self::NONE };
                own.fold(others, Self::or)
            }
            Field::Code | Field::Type | Field::Kind => Self::ALL,
            Field::Status => {
                let holds = |word: &str| plain_fit(leaf, FieldValue::Text(word)) != Fit::No;
                let fitting = TABLE.with_status.iter().filter(|(status, _)| holds(status.as_str()));
                let events = fitting.fold(Self::NONE, |all, (_, events)| all.or(*events));
                // That no event has the value is told elsewhere.
                if events.is_empty() { Self::ALL } else { events.or(TABLE.unknown) }
            }
            // `data` is no fact: any event may have it.
            _ => may_have(field),
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Events(self.0 & other.0)
    }

    pub(super) fn or(self, other: Self) -> Self {
        Events(self.0 | other.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Whether they may be events that the catalogue does not know.
    pub(crate) fn has_others(self) -> bool {
        !self.and(Self::OTHERS).is_empty()
    }

    /// Those that the catalogue knows.
    pub(crate) fn rows(self) -> impl Iterator<Item = &'static EventType> {
        catalogue::all().enumerate().filter(move |(at, _)| !self.and(bit(*at)).is_empty()).map(|(_, row)| row)
    }
}

/// Those that can have a value of `field`: all of which nothing is known among them.
pub(crate) fn may_have(field: Field) -> Events {
    TABLE.having.get(&field).copied().unwrap_or(Events::ALL)
}

/// The events whose code, type or kind is `text`, if there are any.
pub(super) fn named(field: Field, text: &str) -> Option<Events> {
    TABLE.named.get(&(field, text)).copied()
}

/// The known events that can have a value of `field`.
pub(super) fn having(field: Field) -> Events {
    Events(may_have(field).0 & !TABLE.unknown.0)
}

fn bit(at: usize) -> Events {
    u32::try_from(at).ok().and_then(|at| 1_u64.checked_shl(at)).map_or(Events::OTHERS, Events)
}

impl Table {
    fn new() -> Self {
        let mut table = Table {
            named: HashMap::new(),
            having: HashMap::new(),
            with_status: Status::ALL.map(|status| (status, Events::NONE)),
            unknown: Events::OTHERS,
        };
        for (at, row) in catalogue::all().enumerate() {
            let own = bit(at);
            let names =
                [(Field::Code, row.code), (Field::Type, row.event_type), (Field::Kind, row.kind.as_str())];
            for name in names {
                let events = table.named.entry(name).or_default();
                *events = events.or(own);
            }
            match payload::of_code(row.code).filter(|payload| payload.is_known) {
                Some(payload) => table.note_facts(row, own, &payload.filled()),
                None => table.unknown = table.unknown.or(own),
            }
            for (_, events) in
                table.with_status.iter_mut().filter(|(status, _)| row.family.statuses().contains(status))
            {
                *events = events.or(own);
            }
        }
        for field in Field::ALL.into_iter().filter(|field| *field != Field::Data) {
            let events = table.having.entry(field).or_default();
            *events = events.or(table.unknown);
        }
        table
    }

    fn note_facts(&mut self, row: &EventType, own: Events, data: &serde_json::Value) {
        let document = json!({
            "id": "1", "source": "1", "type": row.event_type, "time": "1", "specversion": "1", "subject": "1",
            "aliyunaccountid": "1", "aliyunregionid": "1", "data": data,
        });
        let document = document.to_string();
        let record = Record::of_payload(document.as_bytes());
        // An event that could not be decoded would be one that can have nothing; a test decodes them all.
        let Ok(event) = decode(&record, &Limits::default()) else { return };
        for field in Field::ALL.into_iter().filter(|field| field.value(&event) != FieldValue::Missing) {
            let events = self.having.entry(field).or_default();
            *events = events.or(own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_a_bit_of_its_own_and_what_every_event_has() {
        assert!(catalogue::all().count() < 63);
        for field in [Field::Id, Field::Code, Field::Type, Field::Kind, Field::Workspace, Field::Region] {
            let known = having(field).rows().count();
            assert_eq!(known, catalogue::all().count() - 3, "{field:?}: all but those of unknown payload");
        }
        for row in catalogue::all() {
            let has_status = having(Field::Status).rows().any(|own| own == row);
            assert_eq!(has_status, !row.family.statuses().is_empty(), "{}", row.code);
            let has_operator = TABLE.having[&Field::Operator].rows().any(|own| own == row);
            assert_eq!(has_operator, row.operator_field.is_some(), "{}", row.code);
        }
    }
}
