//! The records of the story, in their order.

use serde_json::{Value, json};

use super::super::TRUSTED;
use super::Instances;
use super::write::{ACCOUNT, TENANT, Writer, id};

/// A workspace that the configuration does not trust.
const UNTRUSTED: i64 = 70412;

const HOUR_MS: i64 = 3_600_000;

/// A node of the schedule.
struct Node {
    id: i64,
    name: &'static str,
}

const ORDERS: Node = Node { id: 700_005_183_003, name: "dwd_trade_order_di" };
const USERS: Node = Node { id: 700_005_183_017, name: "dws_user_active_1d" };
const STORES: Node = Node { id: 700_005_183_024, name: "ads_门店销售日报" };
const GOODS: Node = Node { id: 700_005_183_039, name: "dim_商品主数据" };

/// How instances are, by DataWorks' numbers.
const WAITING: u8 = 3;
const RUNNING: u8 = 4;
const FAILED: u8 = 5;
const SUCCEEDED: u8 = 6;

/// The daily schedule, and backfills.
const DAILY: u8 = 0;
const BACKFILL: u8 = 3;

const INSTANCE: &str = "dataworks:InstanceStatusChanges:InstanceStatusChanges";

/// Writes them all.
pub(super) fn write(writer: &mut Writer, instances: &Instances) {
    let redelivered = quiet_morning(writer, instances);
    first_troubles(writer, instances);
    people_at_work(writer, instances);
    belts(writer, instances, redelivered);
    burst(writer, instances);
    evening(writer, instances);
}

/// Most events concern no rule; one failure is rerun at once. Gives the place of that failure.
fn quiet_morning(writer: &mut Writer, instances: &Instances) -> usize {
    usual(writer, &GOODS, RUNNING);
    usual_legacy(writer, &USERS, SUCCEEDED);
    node(writer, "node-change-created", &STORES, "NORMAL");
    status(writer, instances.rerun, &ORDERS, RUNNING);
    usual(writer, &GOODS, SUCCEEDED);
    status(writer, instances.rerun, &ORDERS, FAILED);
    let failure = writer.last();
    usual(writer, &USERS, WAITING);
    file(writer, "CommitFile", "commit-file", &STORES, 504_128_830);
    failure
}

/// A busy endpoint, a lost response to a call that may be repeated, a record that is none.
fn first_troubles(writer: &mut Writer, instances: &Instances) {
    usual_legacy(writer, &GOODS, SUCCEEDED);
    let data = status_data(writer, instances.throttled, &USERS, FAILED, DAILY, TRUSTED);
    writer.legacy("instance-status-changes", "instance-status-changes", instances.throttled, &data);
    usual(writer, &ORDERS, WAITING);
    alert(writer, instances.hurried, &STORES, "销售日报 08:00");
    table(writer, "dwd_trade_order_di");
    usual(writer, &GOODS, RUNNING);
    let cut = r#"{"messageBody":{"taskId":73910,"status":5,"nodeId":7000051"#;
    writer.put(1, 0, cut.to_owned());
    usual(writer, &USERS, SUCCEEDED);
}

/// What people do: some of it is worth a record, one thing has to be decided by a person. Meanwhile two
/// responses are lost to calls that may not be repeated.
fn people_at_work(writer: &mut Writer, instances: &Instances) {
    status(writer, instances.lost, &STORES, FAILED);
    download(writer, "members_full.csv", 4_718_302);
    node(writer, "node-change-updated", &USERS, "NORMAL");
    quality(writer, &GOODS, 0);
    status(writer, instances.doubtful, &GOODS, FAILED);
    usual_legacy(writer, &ORDERS, RUNNING);
    quality(writer, &ORDERS, 2);
    file(writer, "CommitFile", "commit-file", &ORDERS, 504_128_844);
    download(writer, "campaign_sample.csv", 1_200);
    usual(writer, &USERS, WAITING);
}

/// What keeps a rule from doing harm: age, trust, identity, and its own pattern.
fn belts(writer: &mut Writer, instances: &Instances, redelivered: usize) {
    let old = writer.instance();
    let data = status_data(writer, old, &USERS, FAILED, DAILY, TRUSTED);
    writer.cloud(INSTANCE, old, 6 * HOUR_MS, &data);
    usual(writer, &ORDERS, SUCCEEDED);
    let foreign = writer.instance();
    let data = status_data(writer, foreign, &GOODS, FAILED, DAILY, UNTRUSTED);
    writer.cloud(INSTANCE, foreign, 0, &data);
    status(writer, instances.rerun, &ORDERS, RUNNING);
    writer.again(redelivered);
    let backfilled = writer.instance();
    let data = status_data(writer, backfilled, &ORDERS, FAILED, BACKFILL, TRUSTED);
    writer.cloud(INSTANCE, backfilled, 0, &data);
    dag(writer);
}

/// Several instances fail at the same moment, as they do when a source is away.
fn burst(writer: &mut Writer, instances: &Instances) {
    let other = writer.instance();
    for (instance, node) in [(instances.crowded, &ORDERS), (instances.unavailable, &USERS), (other, &STORES)]
    {
        status(writer, instance, node, FAILED);
        writer.at_once();
    }
    usual_legacy(writer, &GOODS, RUNNING);
    file(writer, "DeployFile", "deploy-file", &STORES, 504_128_830);
}

/// The reruns come to their ends; the key has lost a permission.
fn evening(writer: &mut Writer, instances: &Instances) {
    status(writer, instances.throttled, &USERS, RUNNING);
    status(writer, instances.rerun, &ORDERS, SUCCEEDED);
    alert(writer, instances.forbidden, &ORDERS, "订单宽表 07:30");
    node(writer, "node-change-deleted", &GOODS, "NORMAL");
    usual(writer, &STORES, RUNNING);
    file(writer, "CommitFile", "commit-file", &GOODS, 504_128_861);
    status(writer, instances.throttled, &USERS, SUCCEEDED);
    usual_legacy(writer, &STORES, SUCCEEDED);
    table(writer, "dws_user_active_1d");
    status(writer, instances.crowded, &ORDERS, SUCCEEDED);
    usual(writer, &STORES, SUCCEEDED);
}

/// An instance of which nothing more is told.
fn usual(writer: &mut Writer, node: &Node, status_number: u8) {
    let instance = writer.instance();
    status(writer, instance, node, status_number);
}

fn usual_legacy(writer: &mut Writer, node: &Node, status_number: u8) {
    let instance = writer.instance();
    let data = status_data(writer, instance, node, status_number, DAILY, TRUSTED);
    writer.legacy("instance-status-changes", "instance-status-changes", instance, &data);
}

fn status(writer: &mut Writer, instance: i64, node: &Node, status_number: u8) {
    let data = status_data(writer, instance, node, status_number, DAILY, TRUSTED);
    writer.cloud(INSTANCE, instance, 0, &data);
}

fn status_data(
    writer: &Writer,
    instance: i64,
    node: &Node,
    status_number: u8,
    dag_type: u8,
    workspace: i64,
) -> Value {
    let now_ms = writer.now_ms();
    json!({
        "eventCode": "instance-status-changes", "tenantId": TENANT, "appId": workspace,
        "taskId": instance, "nodeId": node.id, "dagId": 1_180_044_633, "dagType": dag_type, "flowId": 1,
        "taskType": 0, "opCode": 61, "status": status_number,
        "createTime": now_ms - 10 * HOUR_MS, "beginWaitTimeTime": now_ms - 1_800_000,
        "beginWaitResTime": now_ms - 900_000, "beginRunningTime": now_ms - 600_000,
        "finishTime": now_ms, "modifyTime": now_ms,
    })
}

fn node(writer: &mut Writer, code: &str, node: &Node, scheduler: &str) {
    let now_ms = writer.now_ms();
    let data = json!({
        "eventCode": code, "tenantId": TENANT, "projectId": TRUSTED, "nodeId": node.id,
        "nodeName": node.name, "programType": "ODPS_SQL", "cronExpress": "00 04 00 * * ?",
        "schedulerType": scheduler, "ownerId": ACCOUNT, "operator": ACCOUNT, "priority": 1,
        "baselineId": 700_001_287, "repeatability": true, "blockBusiness": false,
        "createTime": now_ms - 40 * HOUR_MS, "modifyTime": now_ms,
    });
    writer.legacy("node-change", code, node.id, &data);
}

fn file(writer: &mut Writer, name: &str, code: &str, node: &Node, file: i64) {
    let mut data = json!({
        "eventCode": code, "tenantId": TENANT, "projectId": TRUSTED, "fileId": file,
        "fileName": node.name, "fileType": 10, "fileVersion": 4, "fileOwner": ACCOUNT,
        "fileCreateTime": writer.local(900 * HOUR_MS), "operator": "259814730062518843", "changeType": "1",
        "dataSourceName": "odps_first", "resourceType": 1, "blockBusiness": false,
        "extensionBizId": id(),
    });
    // Only what is deployed has a node.
    if let Some(fields) = data.as_object_mut().filter(|_| code == "deploy-file") {
        fields.insert("nodeId".to_owned(), json!(node.id));
    }
    writer.cloud(&format!("dataworks:FileChange:{name}"), file, 0, &data);
}

fn table(writer: &mut Writer, name: &str) {
    let data = json!({
        "eventCode": "commit-table", "tenantId": TENANT, "projectId": TRUSTED, "tableName": name,
        "tableType": "ODPS", "maxComputeProject": "retail_dw_dev", "operator": "259814730062518843",
        "extensionBizId": id(),
    });
    writer.cloud("dataworks:TableChange:CommitTable", 2, 0, &data);
}

fn alert(writer: &mut Writer, instance: i64, node: &Node, baseline: &str) {
    let data = json!({
        "eventCode": "workbench-monitor-alert", "tenantId": TENANT, "projectId": TRUSTED,
        "alarmType": "SLA_ALERT", "baselineId": 137_004_723, "baselineName": baseline, "baselineStatus": 3,
        "bizDate": writer.now_ms() - 24 * HOUR_MS, "inGroupId": 14, "nodeId": node.id, "taskId": instance,
    });
    writer.cloud("dataworks:MonitorAlert:WorkbenchMonitorAlert", instance, 0, &data);
}

/// A data-quality check of a strong rule; 2 is critical.
fn quality(writer: &mut Writer, node: &Node, result: u8) {
    let rows = if result == 0 { 182_340.0 } else { 0.0 };
    let data = json!({
        "eventCode": "dqc-check-finished-event", "tenantId": TENANT, "projectId": TRUSTED,
        "projectName": "retail_dw", "tableName": node.name, "ruleName": "行数大于零 (row count above zero)",
        "ruleId": 28_610_334, "entityId": 1_562_031, "id": 521_771_452, "taskId": id(), "blockType": 1,
        "checkResult": result, "checkResultStatus": result, "methodName": "table_count", "op": ">=",
        "expectValue": 1.0, "sampleValue": [{"bizDate": writer.local(24 * HOUR_MS), "value": rows}],
        "beginTime": writer.local(7_000), "endTime": writer.local(0), "timeConsuming": "7s",
        "externalType": "CWF2", "externalId": node.id.to_string(),
    });
    writer.cloud("dataworks:DqcCheck:DqcCheckFinishedEvent", node.id, 0, &data);
}

fn download(writer: &mut Writer, name: &str, rows: i64) {
    let data = json!({
        "eventCode": "download-resources", "moduleType": "sqlx_query", "operatorBaseId": "1239365730418",
        "operatorUid": "259814730062518843", "fileName": name, "fileSize": rows * 83,
        "datasourceId": "1111", "datasourceName": "odps_first", "queryDwProjectId": TRUSTED.to_string(),
        "queryDwProjectName": "retail_dw", "dataRowSize": rows.to_string(),
        "sqlText": "select * from dim_member_df",
    });
    writer.cloud("dataworks:ResourcesDownload:DownloadResources", 3, 0, &data);
}

fn dag(writer: &mut Writer) {
    let data = json!({
        "eventCode": "dag-status-changes", "tenantId": TENANT, "projectId": TRUSTED, "dagId": 1_180_044_702,
        "dagName": "P_dwd_trade_order_di", "dagType": 3, "flowId": 1, "flowName": "ATCLOUD_FLOW",
        "projectEnv": "PROD", "status": 5, "operator": "259814730062518843",
        "bizDate": writer.local(24 * HOUR_MS), "createTime": writer.local(60_000),
    });
    writer.cloud("dataworks:DagStatusChanges:DagStatusChanges", 4, 0, &data);
}
