//! Which writes rules may call.

use crate::operation::{Access, Operation};

/// The write operations that rules may call; reads are always allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Each permits some calls; nothing else is permitted.
    pub allow: Vec<Allow>,
}

/// One permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The operation's name, in either API version.
    pub operation: String,
    /// Only for events of these workspaces; empty allows all.
    pub workspaces: Vec<i64>,
    /// Only for rules in this directory below `rules.d/`; empty allows all.
    pub rules: String,
}

impl Policy {
    /// Whether a rule in the file `rule_path` may ever call `operation`, in some workspace.
    #[must_use]
    pub fn allows_rule(&self, operation: &Operation, rule_path: &str) -> bool {
        operation.access == Access::Read || self.allow.iter().any(|allow| allow.covers(operation, rule_path))
    }

    /// Whether a rule in the file `rule_path` may call `operation` for an event of `workspace`.
    #[must_use]
    pub fn allows_call(&self, operation: &Operation, rule_path: &str, workspace: Option<i64>) -> bool {
        operation.access == Access::Read
            || self.allow.iter().any(|allow| {
                allow.covers(operation, rule_path)
                    && (allow.workspaces.is_empty()
                        || workspace.is_some_and(|number| allow.workspaces.contains(&number)))
            })
    }
}

impl Allow {
    fn covers(&self, operation: &Operation, rule_path: &str) -> bool {
        let directory = self.rules.trim_matches('/');
        self.operation == operation.name
            && (directory.is_empty()
                || rule_path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/')))
    }
}
