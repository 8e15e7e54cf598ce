//! What operations answer when all is well, in the shapes of DataWorks.

use serde_json::{Map, Value, json};

use super::Refusal;
use super::gate::Call;

/// The answer of the call, without the request's id.
pub(super) fn of(call: &Call) -> Result<Map<String, Value>, Refusal> {
    let answer = match call.operation.as_str() {
        "RerunTaskInstances" | "UpdateTaskInstances" => {
            let success = json!({"Success": true, "Message": "success"});
            let each = instances(call).into_iter().map(|id| (id.to_string(), success.clone()));
            json!({"SuccessInfo": each.collect::<Map<_, _>>()})
        }
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
