//! Events as the tests send them.

/// An instance event; `instance` makes its identity too.
pub(crate) fn event(instance: i64, node: i64) -> Vec<u8> {
    event_with_id(&format!("event-{instance}"), instance, node)
}

/// An instance event with an identity of its own.
pub(crate) fn event_with_id(id: &str, instance: i64, node: i64) -> Vec<u8> {
    serde_json::json!({
        "specversion": "1.0",
        "id": id,
        "source": "acs.dataworks",
        "type": "dataworks:InstanceStatusChanges:InstanceStatusChanges",
        "datacontenttype": "application/json;charset=utf-8",
        "time": "2026-03-12T10:30:00+08:00",
        "aliyunaccountid": "1460982254730185",
        "aliyunregionid": "cn-hangzhou",
        "data": {
            "eventCode": "instance-status-changes",
            "appId": 96384,
            "tenantId": 283_785_412_310_656_i64,
            "nodeId": node,
            "taskId": instance,
            "status": 5,
        }
    })
    .to_string()
    .into_bytes()
}

/// A live rule that calls `operation` with `params` for events of `node`.
pub(crate) fn live_rule(name: &str, node: i64, operation: &str, params: &str) -> String {
    format!(
        "[[rule]]\nname = \"{name}\"\nmode = \"live\"\nmax_calls = 1000000\nmatch = {{ node = [{node}] }}\n\
         [[rule.steps]]\noperation = \"{operation}\"\nversion = \"2024-05-18\"\nparams = {params}\n"
    )
}

/// The instance of the `n`th event.
pub(crate) fn instance(n: usize) -> i64 {
    i64::try_from(n).expect("tests count in small numbers")
}
