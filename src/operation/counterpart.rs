//! What was probably meant by a name that an API version does not have.
//!
//! Three hints, each only where it is true: the other version has the name; the version has another
//! operation for the same purpose; a name is spelled nearly so. The table of purposes is ours: the two
//! API versions share no naming rule, and renamed far more than they kept.

use std::fmt;

use super::{ApiVersion, names, versions_of};
use crate::diagnostic;

/// Operations of 2020-05-18 and, for the same purpose, of 2024-05-18.
const SAME_PURPOSE: [(&[&str], &[&str]); 17] = [
    (&["GetInstance"], &["GetTaskInstance"]),
    (&["GetInstanceLog"], &["GetTaskInstanceLog"]),
    (&["ListInstances"], &["ListTaskInstances"]),
    (&["RestartInstance"], &["RerunTaskInstances"]),
    (&["StopInstance"], &["StopTaskInstances"]),
    (&["SetSuccessInstance"], &["SetSuccessTaskInstances"]),
    (&["SuspendInstance"], &["SuspendTaskInstances"]),
    (&["ResumeInstance"], &["ResumeTaskInstances"]),
    (&["RunTriggerNode"], &["TriggerSchedulerTaskInstance"]),
    (&["RunCycleDagNodes", "CreateDagComplement", "RunSmokeTest"], &["CreateWorkflowInstances"]),
    (&["RunManualDagNodes", "CreateManualDag"], &["CreateWorkflowInstances", "StartWorkflowInstances"]),
    (&["GetDag"], &["GetWorkflowInstance"]),
    (&["GetNode", "GetNodeCode"], &["GetTask", "GetNode"]),
    (&["GetDeployment"], &["GetDeploymentPackage", "GetPipelineRun"]),
    (&["UpdateWorkbenchEventResult", "CallbackExtension", "UpdateIDEEventResult"], &["UpdateIDEEventResult"]),
    (&["UpdateMetaTable"], &["UpdateTableBusinessMetadata", "UpdateColumnBusinessMetadata"]),
    (&["CreateQualityRule"], &["CreateDataQualityRule", "CreateDataQualityScanRun"]),
];

/// What may have been meant by an unknown operation name; shown as one lowercase fragment, empty if
/// nothing is near.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestions {
    /// The other API version, if it has this very name.
    pub other_version: Option<ApiVersion>,
    /// What the API version that was asked for calls an operation of the same purpose.
    pub same_purpose: Vec<&'static str>,
    /// The nearest spelling, and the API version that has it.
    pub nearest: Option<(&'static str, ApiVersion)>,
    version: Option<ApiVersion>,
}

/// What may have been meant by `name`, which `version`, or neither version, does not have.
#[must_use]
pub fn suggestions(name: &str, version: impl Into<Option<ApiVersion>>) -> Suggestions {
    let version = version.into();
    let same_purpose = version.map_or_else(Vec::new, |version| same_purpose(name, version));
    let other_version = version.and_then(|version| versions_of(name).find(|other| *other != version));
    // The nearest of both; where both are as near, the version that was asked for, or the newer one.
    let near = |version| Some((diagnostic::nearest(name, names(version))?, version));
    let nearest = || {
        let mut found: Vec<_> = [ApiVersion::V2020, ApiVersion::V2024].into_iter().filter_map(near).collect();
        found.sort_by_key(|(_, found_in)| version == Some(*found_in));
        let name = diagnostic::nearest(name, found.iter().map(|(name, _)| *name))?;
        found.into_iter().rev().find(|(found, _)| *found == name)
    };
    // A name that means something in the other version is no misspelling.
    let is_misspelt = same_purpose.is_empty() && other_version.is_none();
    Suggestions { other_version, nearest: is_misspelt.then(nearest).flatten(), same_purpose, version }
}

/// That `version`, or neither version, has an operation `name`: one lowercase fragment.
#[must_use]
pub fn unknown(name: &str, version: Option<ApiVersion>) -> String {
    match version {
        Some(version) => format!("API version {} has no operation {name}", version.as_str()),
        None => format!("neither API version has an operation {name}"),
    }
}

/// The operations of `version` that serve the purpose which `name` has in the other version.
#[must_use]
pub fn same_purpose(name: &str, version: ApiVersion) -> Vec<&'static str> {
    let mut found = Vec::new();
    for (old, new) in SAME_PURPOSE {
        let (theirs, ours) = match version {
            ApiVersion::V2020 => (new, old),
            ApiVersion::V2024 => (old, new),
        };
        if theirs.contains(&name) {
            found.extend(ours.iter().filter(|it| **it != name));
        }
    }
    found
}

impl fmt::Display for Suggestions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(other) = self.other_version {
            parts.push(format!("it exists in {}", other.as_str()));
        }
        if let (Some(version), false) = (self.version, self.same_purpose.is_empty()) {
            parts.push(format!("{} has {} for this", version.as_str(), self.same_purpose.join(" or ")));
        }
        match self.nearest {
            Some((nearest, version)) if self.version == Some(version) => {
                parts.push(format!("did you mean `{nearest}`?"));
            }
            Some((nearest, version)) => {
                parts.push(format!("did you mean `{nearest}` ({})?", version.as_str()));
            }
            None => {}
        }
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::find;

    #[test]
    fn every_counterpart_exists_in_its_version() {
        for (old, new) in SAME_PURPOSE {
            for name in old {
                assert!(find(name, ApiVersion::V2020).is_some(), "{name}");
            }
            for name in new {
                assert!(find(name, ApiVersion::V2024).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn a_name_of_the_other_version_gets_its_counterpart() {
        for (name, version, shown) in [
            (
                "RestartInstance",
                ApiVersion::V2024,
                "it exists in 2020-05-18; 2024-05-18 has RerunTaskInstances for this",
            ),
            (
                "RerunTaskInstances",
                ApiVersion::V2020,
                "it exists in 2024-05-18; 2020-05-18 has RestartInstance for this",
            ),
            ("RestartInstanse", ApiVersion::V2020, "did you mean `RestartInstance`?"),
            ("rerunTaskInstances", ApiVersion::V2024, "did you mean `RerunTaskInstances`?"),
            ("RestartInstanse", ApiVersion::V2024, "did you mean `RestartInstance` (2020-05-18)?"),
            ("Zz", ApiVersion::V2024, ""),
        ] {
            assert_eq!(suggestions(name, version).to_string(), shown, "{name}");
        }
        let anywhere = |name| suggestions(name, None).to_string();
        assert_eq!(anywhere("GetTaskInstanc"), "did you mean `GetTaskInstance` (2024-05-18)?");
        assert_eq!(anywhere("Restartinstance"), "did you mean `RestartInstance` (2020-05-18)?");
        assert_eq!(anywhere("Zz"), "");
    }

    #[test]
    fn the_versions_of_a_name_are_listed() {
        assert_eq!(versions_of("GetNode").collect::<Vec<_>>(), [ApiVersion::V2020, ApiVersion::V2024]);
        assert_eq!(versions_of("RestartInstance").collect::<Vec<_>>(), [ApiVersion::V2020]);
        assert_eq!(versions_of("Nothing").count(), 0);
    }
}
