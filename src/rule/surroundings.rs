//! What rules may refer to in the configuration.

use crate::operation::ApiVersion;
use crate::rule::Policy;

/// What the rules may refer to.
#[derive(Debug, Clone)]
pub struct Surroundings<'a> {
    /// The configured accounts.
    pub accounts: &'a [KnownAccount],
    /// What writes rules may call.
    pub policy: &'a Policy,
}

/// A configured account, as far as rules are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownAccount {
    /// Its name.
    pub name: String,
    /// The API version that a step means where both have its operation and it names none.
    pub api_version: Option<ApiVersion>,
}

/// What is known of it where the configuration has mistakes: what depends on a `None` is not looked at.
#[derive(Debug, Clone, Copy)]
pub struct PartlyKnown<'a> {
    /// The configured accounts.
    pub accounts: Option<&'a [KnownAccount]>,
    /// What writes rules may call.
    pub policy: Option<&'a Policy>,
}

impl KnownAccount {
    /// The account `name`, whose steps name their API version.
    #[must_use]
    pub fn named(name: &str) -> Self {
        KnownAccount { name: name.to_owned(), api_version: None }
    }
}

impl<'a> From<&Surroundings<'a>> for PartlyKnown<'a> {
    fn from(surroundings: &Surroundings<'a>) -> Self {
        PartlyKnown { accounts: Some(surroundings.accounts), policy: Some(surroundings.policy) }
    }
}
