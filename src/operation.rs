//! The OpenAPI operations of both API versions, as embedded data.
//!
//! Name, HTTP method, parameters with position and style, whether it reads or writes, and what a
//! repetition does. Looked up lazily: start-up pays nothing for the 716 entries, a look-up parses
//! one line, once. For an unknown name, [`suggestions`] says what was
//! probably meant; [`recipe`] says how to find out whether a lost call was executed.
//!
//! Next: [`crate::quota`].

use std::hash::{Hash, Hasher};

mod catalogue;

mod counterpart;

pub mod recipe;

pub use counterpart::{Suggestions, same_purpose, suggestions, unknown};

/// One operation of one API version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The operation's name, case-sensitive (`RerunTaskInstances`).
    pub name: &'static str,
    /// The API version it belongs to.
    pub version: ApiVersion,
    /// The HTTP method of the request.
    pub method: Method,
    /// Whether it changes anything.
    pub access: Access,
    /// What a second, identical call does.
    pub repeat_effect: RepeatEffect,
    /// Its parameters.
    pub params: Vec<Param>,
    /// The parameter that makes a repetition safe (`ClientToken`), if the operation has one.
    pub client_token: Option<&'static str>,
    /// Whether it also takes a file.
    pub upload: Upload,
}

/// Name and version tell operations apart.
impl Hash for Operation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.name, self.version).hash(state);
    }
}

/// One parameter of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// The parameter's name, case-sensitive.
    pub name: &'static str,
    /// The declared type as in the catalogue: `string`, `integer`, `array<object>`, `map<string,any>`, ...
    pub param_type: &'static str,
    /// Where it travels.
    pub position: Position,
    /// Whether a call without it is refused.
    pub required: bool,
    /// Whether a call without it is refused in some cases.
    pub required_conditionally: bool,
    /// Whether a newer parameter replaces it.
    pub deprecated: bool,
    /// How a list or object is written.
    pub style: Style,
    /// The declared fields of an object or of the objects in a list; empty where none are declared.
    pub fields: Vec<Field>,
}

/// One declared field of an object parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The field's name, case-sensitive.
    pub name: &'static str,
    /// The declared type, in the words of [`Param::param_type`].
    pub field_type: &'static str,
    /// Whether an object without it is refused.
    pub required: bool,
    /// Its own fields.
    pub fields: Vec<Field>,
}

/// Whether an operation has a variant that takes a file through an upload of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Upload {
    /// Parameters only.
    None,
    /// One parameter may be the address of a file uploaded before.
    Offered,
}

/// An API version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiVersion {
    /// 2020-05-18.
    V2020,
    /// 2024-05-18.
    V2024,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
}

/// Whether an operation changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Changes nothing.
    Read,
    /// Changes something.
    Write,
}

/// What a second, identical call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RepeatEffect {
    /// Nothing: it reads.
    None,
    /// The same state is reached again.
    Converges,
    /// The effect happens twice.
    Duplicates,
    /// Not known; treated as `Duplicates`.
    Unknown,
}

/// Where a parameter travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Position {
    /// In the URL's query.
    Query,
    /// In the form body.
    Form,
}

/// How a list or object is written into one or more text parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    /// A scalar, as it is.
    Plain,
    /// Compact JSON text.
    Json,
    /// Values joined with commas.
    Simple,
    /// `Name.1`, `Name.2.Field`, ...
    Flat,
}

impl ApiVersion {
    /// As sent in requests: `2020-05-18`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ApiVersion::V2020 => "2020-05-18",
            ApiVersion::V2024 => "2024-05-18",
        }
    }

    /// The version written as `text`.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        [ApiVersion::V2020, ApiVersion::V2024].into_iter().find(|version| version.as_str() == text)
    }
}

impl Access {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Access::Read => "read",
            Access::Write => "write",
        }
    }
}

impl RepeatEffect {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RepeatEffect::None => "none",
            RepeatEffect::Converges => "converges",
            RepeatEffect::Duplicates => "duplicates",
            RepeatEffect::Unknown => "unknown",
        }
    }

    /// The effect written as `text`.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        [RepeatEffect::None, RepeatEffect::Converges, RepeatEffect::Duplicates, RepeatEffect::Unknown]
            .into_iter()
            .find(|effect| effect.as_str() == text)
    }
}

impl Method {
    /// As sent: `GET`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
        }
    }
}

impl Operation {
    /// The parameter of exactly this name.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }
}

/// Finds an operation by name in one API version.
#[must_use]
pub fn find(name: &str, version: ApiVersion) -> Option<&'static Operation> {
    catalogue::find(name, version)
}

/// The names of all operations of one API version, sorted.
pub fn names(version: ApiVersion) -> impl Iterator<Item = &'static str> {
    catalogue::names(version)
}

/// The API versions that have an operation of this name, oldest first.
pub fn versions_of(name: &str) -> impl Iterator<Item = ApiVersion> {
    [ApiVersion::V2020, ApiVersion::V2024]
        .into_iter()
        .filter(move |version| catalogue::contains(name, *version))
}
