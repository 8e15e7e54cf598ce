//! The OpenAPI operations of both API versions, as embedded data.
//!
//! Name, HTTP method, parameters with position and style, whether it reads or writes, and what a
//! repetition does. Looked up lazily: start-up pays nothing for the 716 entries.
//!
//! Next: [`crate::action`].

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
    /// How a list or object is written.
    pub style: Style,
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

// Until the embedded catalogue is here: the few operations that tests of rules need.
static OPERATIONS: std::sync::LazyLock<Vec<Operation>> = std::sync::LazyLock::new(|| {
    let param = |name, param_type, required, style| Param {
        name,
        param_type,
        position: Position::Form,
        required,
        style,
    };
    let operation = |name, version, access, repeat_effect, params| Operation {
        name,
        version,
        method: Method::Post,
        access,
        repeat_effect,
        params,
        client_token: None,
    };
    let instance_2020 = || {
        vec![
            param("InstanceId", "integer", true, Style::Plain),
            param("ProjectEnv", "string", true, Style::Plain),
        ]
    };
    let (read, write) = (Access::Read, Access::Write);
    vec![
        operation("GetInstance", ApiVersion::V2020, read, RepeatEffect::None, instance_2020()),
        operation("RestartInstance", ApiVersion::V2020, write, RepeatEffect::Duplicates, instance_2020()),
        operation(
            "GetTaskInstance",
            ApiVersion::V2024,
            read,
            RepeatEffect::None,
            vec![param("Id", "integer", true, Style::Plain)],
        ),
        operation(
            "RerunTaskInstances",
            ApiVersion::V2024,
            write,
            RepeatEffect::Duplicates,
            vec![
                param("Comment", "string", false, Style::Plain),
                param("Ids", "array<integer>", false, Style::Json),
                param("UseLatestConfig", "boolean", false, Style::Plain),
            ],
        ),
    ]
});

/// Finds an operation by name in one API version.
#[must_use]
pub fn find(name: &str, version: ApiVersion) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name && operation.version == version)
}

/// The names of all operations of one API version, sorted.
pub fn names(version: ApiVersion) -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().filter(move |operation| operation.version == version).map(|operation| operation.name)
}
