//! The 52 known event types: the only place where a type and a code are paired.
//!
//! Takes a CloudEvents `type` or an event code and gives the row of the table, or nothing. Types and codes
//! are never made from each other, because their spelling follows no rule (`UnFreezeNode` is
//! `unfreeze-node`, `StartDiJob` is `start-diJob`).

use super::{Kind, Status};

/// One known event type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventType {
    /// CloudEvents `type`, `dataworks:Category:Event`.
    pub event_type: &'static str,
    /// The event code: `eventType` of the older envelopes, `data.eventCode` of today's.
    pub code: &'static str,
    /// Whether an operation waits for a verdict.
    pub kind: Kind,
    /// The call that answers an extension point.
    pub callback: Option<Callback>,
    /// The payload's field that holds the workspace.
    pub workspace_field: &'static str,
    /// The payload's field that holds who acted, if the event says it.
    pub operator_field: Option<&'static str>,
    /// What `taskId`, `taskIds` and `status` mean in the payload.
    pub family: Family,
}

/// The call that answers an extension point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callback {
    /// `UpdateIDEEventResult`, for the editor.
    Ide,
    /// `UpdateWorkbenchEventResult`, for Operation Center.
    Workbench,
    /// `CallbackExtension`, for every extension point.
    General,
    /// Either of the last two: the sources do not agree.
    WorkbenchOrGeneral,
}

/// What `taskId`, `taskIds` and `status` mean in a payload: the same names mean other things elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `taskId` is an instance, `status` its status.
    InstanceStatus,
    /// `taskIds` are instances.
    InstanceOperation,
    /// `status` is that of a DAG.
    DagStatus,
    /// `taskId` or `taskIds` are instances.
    Alert,
    /// None of them is an instance, nor its status.
    Other,
}

impl Family {
    /// The statuses that its events are known to have.
    pub(crate) fn statuses(self) -> &'static [Status] {
        match self {
            Family::InstanceStatus => &Status::ALL,
            Family::DagStatus => &[Status::NotRun, Status::Running, Status::Failure, Status::Success],
            Family::InstanceOperation | Family::Alert | Family::Other => &[],
        }
    }
}

/// The row of a CloudEvents `type`.
#[must_use]
pub fn by_type(event_type: &str) -> Option<&'static EventType> {
    let at = TABLE.binary_search_by(|row| row.event_type.cmp(event_type)).ok()?;
    TABLE.get(at)
}

/// The row of an event code.
#[must_use]
pub fn by_code(code: &str) -> Option<&'static EventType> {
    TABLE.iter().find(|row| row.code == code)
}

/// All rows, in the order of their types.
pub fn all() -> impl Iterator<Item = &'static EventType> {
    TABLE.iter()
}

const fn row(
    event_type: &'static str,
    code: &'static str,
    kind: Kind,
    callback: Option<Callback>,
    workspace_field: &'static str,
    operator_field: Option<&'static str>,
    family: Family,
) -> EventType {
    EventType { event_type, code, kind, callback, workspace_field, operator_field, family }
}

const REGULAR: Kind = Kind::Regular;
const EXTENSION: Kind = Kind::Extension;
const IDE: Option<Callback> = Some(Callback::Ide);
const WORKBENCH: Option<Callback> = Some(Callback::Workbench);
const GENERAL: Option<Callback> = Some(Callback::General);
const EITHER: Option<Callback> = Some(Callback::WorkbenchOrGeneral);

/// Sorted by type, for the binary search.
#[rustfmt::skip]
static TABLE: [EventType; 52] = [
    row("dataworks:ApprovalChange:ApprovalChangeBeforeCreate", "approval-change-before-create", EXTENSION, GENERAL, "projectId", Some("operator"), Family::Other),
    row("dataworks:ApprovalChange:ApprovalChangeCreated", "approval-change-created", EXTENSION, GENERAL, "appId", Some("assignee"), Family::Other),
    row("dataworks:ApprovalChange:ApprovalChangeFinished", "approval-change-finished", REGULAR, None, "appId", Some("assignee"), Family::Other),
    row("dataworks:BackfillDataOperate:BackfillData", "backfill-data", EXTENSION, WORKBENCH, "projectId", Some("operator"), Family::Other),
    row("dataworks:DagStatusChanges:DagStatusChanges", "dag-status-changes", REGULAR, None, "projectId", Some("operator"), Family::DagStatus),
    row("dataworks:DqcCheck:BatchCreateDataQualityRules", "batch-create-data-quality-rules", EXTENSION, GENERAL, "projectId", Some("operator"), Family::Other),
    row("dataworks:DqcCheck:BatchDeleteDataQualityEvaluationTasks", "batch-delete-data-quality-evaluation-tasks", EXTENSION, GENERAL, "projectId", Some("operator"), Family::Other),
    row("dataworks:DqcCheck:BatchDeleteDataQualityRules", "batch-delete-data-quality-rules", EXTENSION, GENERAL, "projectId", Some("operator"), Family::Other),
    row("dataworks:DqcCheck:BatchUpdateDataQualityRules", "batch-update-data-quality-rules", EXTENSION, GENERAL, "projectId", Some("operator"), Family::Other),
    row("dataworks:DqcCheck:CloneDataQualityEvaluationTask", "clone-data-quality-evaluation-task", EXTENSION, GENERAL, "projectId", Some("operator"), Family::Other),
    row("dataworks:DqcCheck:CreateDataQualityEvaluationTask", "create-data-quality-evaluation-task", EXTENSION, GENERAL, "projectId", Some("operator"), Family::Other),
    row("dataworks:DqcCheck:CreateDataQualityEvaluationTaskNotification", "create-data-quality-evaluation-task-notification", EXTENSION, GENERAL, "projectId", Some("operator"), Family::Other),
    row("dataworks:DqcCheck:DeleteDataQualityEvaluationTaskNotification", "delete-data-quality-evaluation-task-notification", EXTENSION, GENERAL, "projectId", Some("operator"), Family::Other),
    row("dataworks:DqcCheck:DqcCheckFeedbackEvent", "dqc-check-feedback-event", REGULAR, None, "projectId", Some("createUser"), Family::Other),
    row("dataworks:DqcCheck:DqcCheckFinishedEvent", "dqc-check-finished-event", REGULAR, None, "projectId", None, Family::Other),
    row("dataworks:DqcCheck:UpdateDataQualityEvaluationTask", "update-data-quality-evaluation-task", EXTENSION, GENERAL, "projectId", Some("operator"), Family::Other),
    row("dataworks:DqcCheck:UpdateDataQualityEvaluationTaskNotification", "update-data-quality-evaluation-task-notification", EXTENSION, GENERAL, "projectId", Some("operator"), Family::Other),
    row("dataworks:DqcCheck:UpdateDataQualityRule", "update-data-quality-rule", EXTENSION, GENERAL, "projectId", Some("operator"), Family::Other),
    row("dataworks:FileChange:CommitFile", "commit-file", EXTENSION, IDE, "projectId", Some("operator"), Family::Other),
    row("dataworks:FileChange:DeleteFile", "delete-file", EXTENSION, IDE, "projectId", Some("operator"), Family::Other),
    row("dataworks:FileChange:DeployFile", "deploy-file", EXTENSION, IDE, "projectId", Some("operator"), Family::Other),
    row("dataworks:FileChange:ReviewFile", "review-file", REGULAR, None, "projectId", Some("operator"), Family::Other),
    row("dataworks:FileChange:RunFile", "run-file", EXTENSION, IDE, "projectId", Some("operator"), Family::Other),
    row("dataworks:InstanceChange:DeleteTaskInstanceDependencies", "delete-task-instance-dependencies", REGULAR, None, "appId", Some("operator"), Family::InstanceOperation),
    row("dataworks:InstanceChange:ExpiredTaskInstancesDeleted", "expired-task-instances-deleted", REGULAR, None, "appId", Some("owner"), Family::InstanceOperation),
    row("dataworks:InstanceChange:FreezeInstance", "freeze-instance", REGULAR, None, "projectId", Some("operator"), Family::InstanceOperation),
    row("dataworks:InstanceChange:KillInstance", "kill-instance", REGULAR, None, "projectId", Some("operator"), Family::InstanceOperation),
    row("dataworks:InstanceChange:PreFreezeInstance", "pre-freeze-instance", EXTENSION, EITHER, "projectId", Some("operator"), Family::InstanceOperation),
    row("dataworks:InstanceChange:PreKillInstance", "pre-kill-instance", EXTENSION, EITHER, "projectId", Some("operator"), Family::InstanceOperation),
    row("dataworks:InstanceChange:PreRerunInstance", "pre-rerun-instance", EXTENSION, EITHER, "projectId", Some("operator"), Family::InstanceOperation),
    row("dataworks:InstanceChange:PreSetInstanceSuccess", "pre-set-instance-success", EXTENSION, EITHER, "projectId", Some("operator"), Family::InstanceOperation),
    row("dataworks:InstanceChange:PreUnfreezeInstance", "pre-unfreeze-instance", EXTENSION, EITHER, "projectId", Some("operator"), Family::InstanceOperation),
    row("dataworks:InstanceChange:RerunInstance", "rerun-instance", REGULAR, None, "projectId", Some("operator"), Family::InstanceOperation),
    row("dataworks:InstanceChange:SetInstanceSuccess", "set-instance-success", REGULAR, None, "projectId", Some("operator"), Family::InstanceOperation),
    row("dataworks:InstanceChange:UnfreezeInstance", "unfreeze-instance", REGULAR, None, "projectId", Some("operator"), Family::InstanceOperation),
    row("dataworks:InstanceStatusChanges:InstanceStatusChanges", "instance-status-changes", REGULAR, None, "appId", None, Family::InstanceStatus),
    row("dataworks:MonitorAlert:WorkbenchMonitorAlert", "workbench-monitor-alert", REGULAR, None, "projectId", None, Family::Alert),
    row("dataworks:NodeChange:BatchStartDiJob", "batch-start-diJob", EXTENSION, GENERAL, "projectId", Some("operator"), Family::Other),
    row("dataworks:NodeChange:FreezeNode", "freeze-node", EXTENSION, WORKBENCH, "projectId", Some("operator"), Family::Other),
    row("dataworks:NodeChange:NodeChangeCreated", "node-change-created", REGULAR, None, "projectId", Some("operator"), Family::Other),
    row("dataworks:NodeChange:NodeChangeDeleted", "node-change-deleted", REGULAR, None, "projectId", Some("operator"), Family::Other),
    row("dataworks:NodeChange:NodeChangeUpdated", "node-change-updated", REGULAR, None, "projectId", Some("operator"), Family::Other),
    row("dataworks:NodeChange:StartDiJob", "start-diJob", EXTENSION, GENERAL, "projectId", Some("operator"), Family::Other),
    row("dataworks:NodeChange:UnFreezeNode", "unfreeze-node", EXTENSION, WORKBENCH, "projectId", Some("operator"), Family::Other),
    row("dataworks:NodeChange:UndeployNode", "undeploy-node", EXTENSION, WORKBENCH, "projectId", Some("operator"), Family::Other),
    row("dataworks:ProjectChange:DeleteProject", "delete-project", EXTENSION, GENERAL, "projectId", Some("operator"), Family::Other),
    row("dataworks:ProjectChange:ProjectDeleted", "project-deleted", REGULAR, None, "projectId", Some("operator"), Family::Other),
    row("dataworks:ResourcesDownload:DownloadResources", "download-resources", EXTENSION, GENERAL, "queryDwProjectId", Some("operatorUid"), Family::Other),
    row("dataworks:ResourcesDownload:DownloadResourcesExecute", "download-resources-execute", EXTENSION, GENERAL, "queryDwProjectId", Some("operatorUid"), Family::Other),
    row("dataworks:ResourcesUpload:UploadDataToTable", "upload-data-to-table", EXTENSION, GENERAL, "queryDwProjectId", Some("operatorUid"), Family::Other),
    row("dataworks:TableChange:CommitTable", "commit-table", EXTENSION, IDE, "projectId", Some("operator"), Family::Other),
    row("dataworks:TableChange:DeployTable", "deploy-table", EXTENSION, IDE, "projectId", Some("operator"), Family::Other),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_by_type_and_no_code_is_there_twice() {
        assert!(TABLE.is_sorted_by(|a, b| a.event_type < b.event_type));
        let mut codes: Vec<_> = all().map(|row| row.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), TABLE.len());
    }

    #[test]
    fn every_row_is_found_by_its_type_and_by_its_code() {
        for row in all() {
            assert_eq!(by_type(row.event_type), Some(row));
            assert_eq!(by_code(row.code), Some(row));
        }
        assert_eq!(by_type("dataworks:FileChange:commit-file"), None);
        assert_eq!(by_code(""), None);
    }

    #[test]
    fn exactly_the_extension_points_have_a_callback() {
        for row in all() {
            assert_eq!(row.callback.is_some(), row.kind == Kind::Extension, "{}", row.code);
        }
    }
}
