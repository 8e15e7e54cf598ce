//! Which operation a person means: its name, and the API version where that is not clear.

use crate::escape::Escaped;
use crate::operation::{self, Access, ApiVersion, Operation};

/// Why the operation is not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum FindError {
    /// No API version that was asked for has it.
    #[error("{}: {hint}", operation::unknown(&Escaped(name).to_string(), *version))]
    Unknown { name: String, version: Option<ApiVersion>, hint: String },
    /// Both API versions have it.
    #[error(
        "both API versions have the operation {name}: add --api-version 2024-05-18 or --api-version 2020-05-18"
    )]
    InBoth { name: String },
}

/// The operation of this name; without a version, in the newest that has it.
pub(super) fn newest(name: &str, version: Option<ApiVersion>) -> Result<&'static Operation, FindError> {
    let version_or_newest = version.or_else(|| operation::versions_of(name).last());
    let found = version_or_newest.and_then(|version| operation::find(name, version));
    found.ok_or_else(|| {
        let hint = match operation::suggestions(name, version).to_string() {
            nothing if nothing.is_empty() => "`openeventd api search WORD` finds operations".to_owned(),
            hint => hint,
        };
        FindError::Unknown { name: name.to_owned(), version, hint }
    })
}

/// The operation of this name, if it is clear which one that is.
pub(super) fn the_only(name: &str, version: Option<ApiVersion>) -> Result<&'static Operation, FindError> {
    if version.is_none() && operation::versions_of(name).count() > 1 {
        return Err(FindError::InBoth { name: name.to_owned() });
    }
    newest(name, version)
}

/// All operations in order of API version and name.
pub(super) fn all() -> impl Iterator<Item = &'static Operation> {
    [ApiVersion::V2020, ApiVersion::V2024]
        .into_iter()
        .flat_map(|version| operation::names(version).filter_map(move |name| operation::find(name, version)))
}

/// An API version as an argument.
pub(super) fn version(text: &str) -> Result<ApiVersion, String> {
    ApiVersion::from_text(text).ok_or_else(|| "expected 2020-05-18 or 2024-05-18".to_owned())
}

/// Reads or writes, as an argument.
pub(super) fn access(text: &str) -> Result<Access, String> {
    [Access::Read, Access::Write]
        .into_iter()
        .find(|access| access.as_str() == text)
        .ok_or_else(|| "expected read or write".to_owned())
}
