//! Whether it can be found out what became of an unresolved call, by what reads, and what they found. Pure.

use serde_json::{Map, Value};

use crate::operation::recipe;
use crate::operation::{self, ApiVersion};
use crate::store::operator::verdict::Lost;

/// How a lost call can be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By at most so many reads.
    Reads(usize),
    /// There is none, and why.
    None(&'static str),
}

/// How a call that was lost can be looked up now; `read_before` says whether anything was read before it.
pub(super) fn way(operation: &str, version: &str, params: &Map<String, Value>, read_before: bool) -> Way {
    let operation = ApiVersion::from_text(version).and_then(|version| operation::find(operation, version));
    let Some(recipe) = operation.and_then(recipe::of) else {
        return Way::None("no read of the API tells what became of such a call: look into DataWorks");
    };
    let reads = recipe.reads(params);
    if reads.is_empty() {
        return Way::None(
            "its parameters name nothing that can be looked at, or too much: look into DataWorks",
        );
    }
    if !read_before && !recipe.can_do_without_before() {
        return Way::None("nothing was read before it was sent, so that nothing can be compared");
    }
    // The moment of the call decides which rows the log gives, not how many reads that takes.
    Way::Reads(reads.len() + recipe.log_reads(&reads, 0).len())
}

impl From<&Lost> for Way {
    fn from(lost: &Lost) -> Self {
        // Parameters that cannot be read name nothing.
        let params = serde_json::from_str(&lost.params).unwrap_or_default();
        way(&lost.operation, &lost.version, &params, lost.read_before)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_looked_up_is_known_before_anything_is_read() {
        let instances = |ids: &[i64]| json!({"Ids": ids});
        for (operation, version, params, read_before, reads) in [
            ("RerunTaskInstances", "2024-05-18", instances(&[1, 2]), true, Some(4)),
            ("RerunTaskInstances", "2024-05-18", instances(&[1]), false, Some(2)),
            ("RerunTaskInstances", "2024-05-18", instances(&[1, 2, 3, 4, 5, 6]), true, None),
            ("RerunTaskInstances", "2024-05-18", json!({"Ids": [{"$secret": "x"}]}), true, None),
            ("RestartInstance", "2020-05-18", json!({"InstanceId": 1, "ProjectEnv": "PROD"}), true, Some(1)),
            ("RestartInstance", "2020-05-18", json!({"InstanceId": 1, "ProjectEnv": "PROD"}), false, None),
            ("RunManualDagNodes", "2020-05-18", json!({}), true, None),
            ("NoSuchOperation", "2020-05-18", json!({}), true, None),
        ] {
            let Value::Object(params) = params else { panic!("no object") };
            let way = way(operation, version, &params, read_before);
            let expected = reads.map_or(matches!(way, Way::None(_)), |reads| way == Way::Reads(reads));
            assert!(expected, "{operation} {params:?} {read_before}: {way:?}");
        }
    }
}
