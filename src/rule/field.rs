//! The attributes and facts of an event under the names that people see.
//!
//! Patterns look them up directly, templates get them as values; there is no second list of names.

use crate::event::{Event, Kind, Status};

/// An attribute or a fact of the normalised event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Field {
    // From the most to the least selective: the index prefers the first.
    Instance,
    Id,
    Node,
    File,
    Table,
    Instances,
    Nodes,
    Operator,
    Workspace,
    Code,
    Type,
    Status,
    Subject,
    Time,
    Rows,
    Bytes,
    Account,
    Region,
    Kind,
    Source,
    Specversion,
    Data,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Text,
    Integer,
    Data,
}

/// The value of a field in one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldValue<'e> {
    Missing,
    Text(&'e str),
    Integer(i64),
    Integers(&'e [i64]),
}

/// CloudEvents extension attributes that EventBridge is known to send.
pub(crate) const KNOWN_EXTENSIONS: [&str; 7] = [
    "aliyunaccountid",
    "aliyuneventbusname",
    "aliyunoriginalaccountid",
    "aliyunpublishaddr",
    "aliyunpublishtime",
    "aliyunregionid",
    "datacontenttype",
];

impl Field {
    /// All fields, the most selective first.
    pub(crate) const ALL: [Field; 22] = [
        Field::Instance,
        Field::Id,
        Field::Node,
        Field::File,
        Field::Table,
        Field::Instances,
        Field::Nodes,
        Field::Operator,
        Field::Workspace,
        Field::Code,
        Field::Type,
        Field::Status,
        Field::Subject,
        Field::Time,
        Field::Rows,
        Field::Bytes,
        Field::Account,
        Field::Region,
        Field::Kind,
        Field::Source,
        Field::Specversion,
        Field::Data,
    ];

    /// The field called `name`.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// Its name in patterns, templates, output and audit.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Field::Instance => "instance",
            Field::Id => "id",
            Field::Node => "node",
            Field::File => "file",
            Field::Table => "table",
            Field::Instances => "instances",
            Field::Nodes => "nodes",
            Field::Operator => "operator",
            Field::Workspace => "workspace",
            Field::Code => "code",
            Field::Type => "type",
            Field::Status => "status",
            Field::Subject => "subject",
            Field::Time => "time",
            Field::Rows => "rows",
            Field::Bytes => "bytes",
            Field::Account => "account",
            Field::Region => "region",
            Field::Kind => "kind",
            Field::Source => "source",
            Field::Specversion => "specversion",
            Field::Data => "data",
        }
    }

    /// What it holds, where an event has it.
    pub(crate) fn shape(self) -> Shape {
        match self {
            Field::Instance
            | Field::Instances
            | Field::Node
            | Field::Nodes
            | Field::File
            | Field::Workspace
            | Field::Rows
            | Field::Bytes => Shape::Integer,
            Field::Data => Shape::Data,
            _ => Shape::Text,
        }
    }

    /// Whether an event may have several values of it.
    pub(crate) fn is_list(self) -> bool {
        matches!(self, Field::Instances | Field::Nodes)
    }

    /// Every value that it can have, if they are few.
    pub(crate) fn all_texts(self) -> Option<Vec<&'static str>> {
        match self {
            Field::Status => Some(Status::ALL.into_iter().map(Status::as_str).collect()),
            Field::Kind => Some(vec![Kind::Regular.as_str(), Kind::Extension.as_str()]),
            _ => None,
        }
    }

    /// Its value in `event`; `data` is not a plain value and is missing here.
    pub(crate) fn value<'e>(self, event: &'e Event<'_>) -> FieldValue<'e> {
        let text = |value: &'e Option<std::borrow::Cow<'_, str>>| {
            value.as_deref().map_or(FieldValue::Missing, FieldValue::Text)
        };
        let integer = |value: Option<i64>| value.map_or(FieldValue::Missing, FieldValue::Integer);
        let facts = &event.facts;
        match self {
            Field::Id => text(&event.id),
            Field::Source => text(&event.source),
            Field::Type => text(&event.event_type),
            Field::Time => text(&event.time),
            Field::Specversion => text(&event.specversion),
            Field::Subject => text(&event.subject),
            Field::Code => text(&event.code),
            Field::Operator => text(&event.operator),
            Field::Account => text(&event.account),
            Field::Region => text(&event.region),
            Field::Table => text(&facts.table),
            Field::Kind => event.kind.map_or(FieldValue::Missing, |kind| FieldValue::Text(kind.as_str())),
            Field::Status => {
                facts.status.map_or(FieldValue::Missing, |status| FieldValue::Text(status.as_str()))
            }
            Field::Workspace => integer(event.workspace),
            Field::Instance => integer(facts.instance),
            Field::Node => integer(facts.node),
            Field::File => integer(facts.file),
            Field::Rows => integer(facts.rows),
            Field::Bytes => integer(facts.bytes),
            Field::Instances => integers(&facts.instances),
            Field::Nodes => integers(&facts.nodes),
            Field::Data => FieldValue::Missing,
        }
    }
}

fn integers(values: &[i64]) -> FieldValue<'_> {
    if values.is_empty() { FieldValue::Missing } else { FieldValue::Integers(values) }
}
