//! The buses whose event patterns are a part of ours, and what each of them lacks.

/// A bus whose rules a pattern should be valid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Amazon EventBridge.
    Aws,
    /// Alibaba Cloud EventBridge.
    Alibaba,
}

/// What a pattern may use that not every bus has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feature {
    IgnoreCase,
    AffixIgnoreCase,
    Contains,
    Wildcard,
    AnythingButOperator,
    NumberBeyondABillion,
    NumberBeyondFiveBillion,
    Cidr6,
    Or,
    Regex,
    Not,
    SixMembers,
    ManyCombinations,
}

impl Dialect {
    /// All of them.
    pub(crate) const ALL: [Dialect; 2] = [Dialect::Aws, Dialect::Alibaba];

    /// As written in rules and commands.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::Aws => "aws",
            Dialect::Alibaba => "alibaba",
        }
    }

    /// What was written as `text`.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == text)
    }

    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Aws => "Amazon EventBridge",
            Dialect::Alibaba => "Alibaba Cloud EventBridge",
        }
    }

    pub(super) fn has(self, feature: Feature) -> bool {
        match feature {
            Feature::Regex | Feature::Not | Feature::ManyCombinations | Feature::NumberBeyondFiveBillion => {
                false
            }
            Feature::Contains => self == Dialect::Alibaba,
            Feature::IgnoreCase
            | Feature::AffixIgnoreCase
            | Feature::Wildcard
            | Feature::AnythingButOperator
            | Feature::NumberBeyondABillion
            | Feature::Cidr6
            | Feature::Or
            | Feature::SixMembers => self == Dialect::Aws,
        }
    }
}

impl Feature {
    /// For messages: what the bus does not have.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Feature::IgnoreCase => "the operator `equals-ignore-case`",
            Feature::AffixIgnoreCase => "`prefix` and `suffix` that ignore case",
            Feature::Contains => "the operator `contains`",
            Feature::Wildcard => "the operator `wildcard`",
            Feature::AnythingButOperator => "`anything-but` with another operator than `prefix`",
            Feature::NumberBeyondABillion => "numbers beyond a billion in `numeric`",
            Feature::NumberBeyondFiveBillion => "numbers beyond five billion in `numeric`",
            Feature::Cidr6 => "networks of IPv6 addresses",
            Feature::Or => "`$or`",
            Feature::Regex => "the operator `regex`",
            Feature::Not => "the operator `not`",
            Feature::SixMembers => "more than five values and operators for one field",
            Feature::ManyCombinations => "`$or` of more than 1,000 combinations in all",
        }
    }

    /// What to write instead, if there is something.
    pub(super) fn instead(self) -> Option<&'static str> {
        match self {
            Feature::Contains => Some("`wildcard` with a star at both ends says the same"),
            Feature::Or | Feature::SixMembers | Feature::ManyCombinations => Some("write several rules"),
            _ => None,
        }
    }
}
