//! What operations answer when all is well, in the shapes of DataWorks.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::Refusal;
use super::gate::Call;

/// Instances that are remembered: far more than a demonstration has.
const INSTANCES_MAX: usize = 10_000;

/// How long a run took before anybody reran it.
const FIRST_RUN_MS: i64 = 600_000;

/// The runs of instances: each has failed in its first, and runs since its last rerun.
pub(super) struct Runs {
    failed_at_ms: i64,
    /// How often an instance was rerun, and when it was last, milliseconds since 1970.
    reruns: HashMap<i64, (i64, i64)>,
}

impl Runs {
    pub(super) fn failed_at(failed_at_ms: i64) -> Self {
        Runs { failed_at_ms, reruns: HashMap::new() }
    }

    fn rerun(&mut self, instances: &[i64], now_ms: i64) {
        for instance in instances {
            if self.reruns.len() < INSTANCES_MAX || self.reruns.contains_key(instance) {
                let (count, last_ms) = self.reruns.entry(*instance).or_default();
                (*count, *last_ms) = (count.saturating_add(1), now_ms);
            }
        }
    }

    fn of(&self, instance: i64) -> Value {
        match self.reruns.get(&instance) {
            None => json!({
                "Id": instance, "RunNumber": 1, "Status": "Failure", "ModifyTime": self.failed_at_ms,
                "StartedTime": self.failed_at_ms - FIRST_RUN_MS, "FinishedTime": self.failed_at_ms,
            }),
            Some((count, last_ms)) => json!({
                "Id": instance, "RunNumber": count.saturating_add(1), "Status": "Running",
                "ModifyTime": last_ms, "StartedTime": last_ms,
            }),
        }
    }
}

/// The answer of the call, without the request's id.
pub(super) fn of(call: &Call, runs: &mut Runs, now_ms: i64) -> Result<Map<String, Value>, Refusal> {
    let answer = match call.operation.as_str() {
        "RerunTaskInstances" | "UpdateTaskInstances" => {
            if call.operation == "RerunTaskInstances" {
                runs.rerun(&instances(call), now_ms);
            }
            let success = json!({"Success": true, "Message": "success"});
            let each = instances(call).into_iter().map(|id| (id.to_string(), success.clone()));
            json!({"SuccessInfo": each.collect::<Map<_, _>>()})
        }
        "GetTaskInstance" => {
            json!({"TaskInstance": instances(call).first().map(|instance| runs.of(*instance))})
        }
        // Its rows come later than anybody asks here.
        "ListTaskInstanceOperationLogs" => json!({"PagingInfo": {"OperationLogs": [], "TotalCount": 0}}),
        "GetTaskInstanceLog" => json!({"TaskInstanceLog": log(call)}),
        "UpdateNodeRunMode" => json!({"Success": true}),
        _ => {
            let message = format!("{} is not offered in this demonstration.", call.operation);
            return Err(Refusal::new(500, "Forbidden.Not.Server", message));
        }
    };
    match answer {
        Value::Object(answer) => Ok(answer),
        _ => Ok(Map::new()),
    }
}

/// The instances that the call is about.
pub(super) fn instances(call: &Call) -> Vec<i64> {
    let list = |name: &str, of: fn(&Value) -> Option<i64>| -> Vec<i64> {
        let text = call.params.get(name).map(String::as_str).unwrap_or_default();
        let items: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
        items.iter().filter_map(of).collect()
    };
    match call.operation.as_str() {
        "RerunTaskInstances" => list("Ids", Value::as_i64),
        "UpdateTaskInstances" => list("TaskInstances", |item| item.get("Id")?.as_i64()),
        _ => call.params.get("Id").and_then(|id| id.parse().ok()).into_iter().collect(),
    }
}

fn log(call: &Call) -> String {
    let id = call.params.get("Id").map(String::as_str).unwrap_or_default();
    format!(
        "instance {id}\n\
         INFO  submit the statement to MaxCompute\n\
         ERROR FAILED: ODPS-0130131: Table not found - table retail_dw.ods_order_sync cannot be resolved\n\
         INFO  exit code 1\n"
    )
}
