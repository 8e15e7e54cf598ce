//! The recipes, each with its reasoning.
//!
//! Left out on purpose, since no read answers the question from the call's parameters alone:
//! `TriggerSchedulerTaskInstance` (the list of instances wants a workspace and a business date, which the
//! call has not), `RunCycleDagNodes`, `CreateDagComplement` and `RunManualDagNodes` (their runs are found
//! by an id that only the lost response has), and `DeployFile` by file (nothing says what of a file is deployed).

use super::{Order, Recipe, Rows, Same, Says, Source, State, Status, Subject, Unchanged};
use crate::operation::ApiVersion::{V2020, V2024};

/// States of an instance in which a run is on its way. Freezing, unfreezing and setting successful lead
/// from a finished state to none of these.
const UNDER_WAY: &[&str] =
    &["NotRun", "WaitTime", "WaitResource", "WaitTrigger", "Running", "Checking", "CheckingCondition"];

/// The same in the words of 2020-05-18.
const UNDER_WAY_2020: &[&str] =
    &["NOT_RUN", "WAIT_TIME", "WAIT_RESOURCE", "WAIT_TRIGGER", "RUNNING", "CHECKING", "CHECKING_CONDITION"];

const FINISHED: &[&str] = &["Failure", "Success"];

const DI_JOB: Status = Status {
    field: "JobStatus",
    rest: &["Initialized", "Stopped", "Finished", "Failed"],
    // A job that was started and came to the same end looks the same as one that was not started.
    proof: &["Initialized", "Stopped"],
    begun: &["Starting", "Running"],
};

const FILE_VERSIONS: &[(&str, Source)] = &[
    ("FileId", Source::Subject),
    ("ProjectId", Source::IfGiven("ProjectId")),
    ("ProjectIdentifier", Source::IfGiven("ProjectIdentifier")),
    ("PageNumber", Source::Number(1)),
    // The count is what matters; a row holds the whole text of a file.
    ("PageSize", Source::Number(1)),
];

const VERSION_COUNT: Says = Says::State(State {
    at: "/Data",
    about: None,
    total: None,
    needs: &["TotalCount"],
    grows: &["TotalCount"],
    proves: &["TotalCount"],
    // Should the endpoint keep so many versions and no more, the row on the page changes instead.
    keeps: &["/FileVersions/0/FileVersion"],
    status: None,
});

pub(super) static RECIPES: [Recipe; 14] = [
    // The API counts the runs of an instance, and a rerun is one more. An accepted rerun that still waits
    // shows in the state; anything else that touches the instance shows in ModifyTime and leaves it open.
    Recipe {
        operation: "RerunTaskInstances",
        version: V2024,
        read: "GetTaskInstance",
        subject: Subject::Each("Ids"),
        params: &[("Id", Source::Subject)],
        same: &[Same::Subject(&["Id"])],
        says: Says::State(State {
            at: "/TaskInstance",
            about: None,
            total: None,
            needs: &["RunNumber", "Status"],
            grows: &["RunNumber", "StartedTime"],
            proves: &["RunNumber", "Status"],
            keeps: &["FinishedTime", "ModifyTime"],
            status: Some(Status { field: "Status", rest: FINISHED, proof: FINISHED, begun: UNDER_WAY }),
        }),
        unchanged: Unchanged::Proves,
        has_log: true,
    },
    // What is started leaves NotRun and gets a start time. A start that is only queued would be seen in
    // ModifyTime, so without that field nothing is proven.
    Recipe {
        operation: "StartWorkflowInstances",
        version: V2024,
        read: "GetWorkflowInstance",
        subject: Subject::Each("Ids"),
        params: &[("Id", Source::Subject)],
        same: &[Same::Subject(&["Id"])],
        says: Says::State(State {
            at: "/WorkflowInstance",
            about: None,
            total: None,
            needs: &["Status"],
            grows: &["StartedTime"],
            proves: &["Status", "ModifyTime"],
            keeps: &["FinishedTime"],
            status: Some(Status {
                field: "Status",
                rest: &["NotRun"],
                proof: &["NotRun"],
                begun: &["WaitResource", "Running", "Checking", "CheckingCondition"],
            }),
        }),
        unchanged: Unchanged::Proves,
        has_log: false,
    },
    // A rerun starts a finished workflow instance anew. The endpoint only queues it and answers with the id
    // of that operation, so an instance that has not changed may yet be rerun. By filter there are no ids.
    Recipe {
        operation: "RerunWorkflowInstances",
        version: V2024,
        read: "GetWorkflowInstance",
        subject: Subject::Each("Ids"),
        params: &[("Id", Source::Subject)],
        same: &[Same::Subject(&["Id"])],
        says: Says::State(State {
            at: "/WorkflowInstance",
            about: None,
            total: None,
            needs: &["Status"],
            grows: &["StartedTime"],
            proves: &["Status", "ModifyTime"],
            keeps: &["FinishedTime"],
            status: Some(Status { field: "Status", rest: FINISHED, proof: FINISHED, begun: UNDER_WAY }),
        }),
        unchanged: Unchanged::ProvesNothing,
        has_log: false,
    },
    // A run that was created is a new workflow instance of that name on the first business day asked for.
    // The endpoint only queues the creation, so that there is none yet proves nothing.
    Recipe {
        operation: "CreateWorkflowInstances",
        version: V2024,
        read: "ListWorkflowInstances",
        subject: Subject::One(&["WorkflowId"]),
        params: &[
            ("ProjectId", Source::Param("ProjectId")),
            ("WorkflowId", Source::Subject),
            ("BizDate", Source::FirstBizDate),
            ("Name", Source::Param("Name")),
            ("Type", Source::Param("Type")),
            ("EnvType", Source::IfGiven("EnvType")),
            ("SortBy", Source::Text("Id Desc")),
            ("PageNumber", Source::Number(1)),
            ("PageSize", Source::Number(20)),
        ],
        // The endpoint matches names loosely, and may add to the name that was given.
        same: &[Same::Begins(&["Name"], "Name")],
        says: Says::Rows(Rows {
            at: "/PagingInfo/WorkflowInstances",
            total: "/PagingInfo/TotalCount",
            id: "Id",
            order: Order::NewestFirst,
        }),
        unchanged: Unchanged::ProvesNothing,
        has_log: false,
    },
    // A stage that was executed leaves its initial state, and the API refuses to execute it twice.
    Recipe {
        operation: "ExecPipelineRunStage",
        version: V2024,
        read: "GetPipelineRun",
        subject: Subject::One(&["Id"]),
        params: &[("Id", Source::Subject), ("ProjectId", Source::Param("ProjectId"))],
        same: &[Same::Equals(&["Code"], "Code")],
        says: Says::State(State {
            at: "/Pipeline/Stages",
            about: Some("/Pipeline/Id"),
            total: None,
            needs: &["Status"],
            grows: &[],
            proves: &["Status"],
            keeps: &["Message"],
            status: Some(Status {
                field: "Status",
                rest: &["Init"],
                proof: &["Init"],
                // Ended by abolishing the run, a stage was perhaps never executed.
                begun: &["Running", "Success", "Fail"],
            }),
        }),
        unchanged: Unchanged::Proves,
        has_log: false,
    },
    // A publish is a new run for its object. The response has the run's id, so a run exists at once; ids
    // are no numbers, so all runs of the object have to be on the page.
    Recipe {
        operation: "CreatePipelineRun",
        version: V2024,
        read: "ListPipelineRuns",
        subject: Subject::First("ObjectIds"),
        params: &[
            ("ProjectId", Source::Param("ProjectId")),
            ("ObjectId", Source::Subject),
            ("PageNumber", Source::Number(1)),
            ("PageSize", Source::Number(100)),
        ],
        same: &[],
        says: Says::Rows(Rows {
            at: "/PagingInfo/PipelineRuns",
            total: "/PagingInfo/TotalCount",
            id: "Id",
            order: Order::Any,
        }),
        unchanged: Unchanged::Proves,
        has_log: false,
    },
    // A scan that was run is a new row with the parameters of the call; the schedule makes rows as well,
    // and one with other parameters is not ours.
    Recipe {
        operation: "CreateDataQualityScanRun",
        version: V2024,
        read: "ListDataQualityScanRuns",
        subject: Subject::One(&["DataQualityScanId"]),
        params: &[
            ("ProjectId", Source::Param("ProjectId")),
            ("DataQualityScanId", Source::Subject),
            ("SortBy", Source::Text("Id Desc")),
            ("PageNumber", Source::Number(1)),
            ("PageSize", Source::Number(20)),
        ],
        same: &[Same::Holds(&["Parameters"], "Parameters")],
        says: Says::Rows(Rows {
            at: "/PageInfo/DataQualityScanRuns",
            total: "/PageInfo/TotalCount",
            id: "Id",
            order: Order::NewestFirst,
        }),
        unchanged: Unchanged::Proves,
        has_log: false,
    },
    // A job at rest that runs was started. There is no start time in this version, so a job that has failed
    // or finished before and now may have been started in between.
    Recipe {
        operation: "StartDIJob",
        version: V2024,
        read: "GetDIJob",
        subject: Subject::One(&["Id", "DIJobId"]),
        params: &[("Id", Source::IfGiven("Id")), ("DIJobId", Source::IfGiven("DIJobId"))],
        same: &[Same::Subject(&["Id", "DIJobId"])],
        says: Says::State(State {
            at: "/PagingInfo",
            about: None,
            total: None,
            needs: &["JobStatus"],
            grows: &[],
            proves: &["JobStatus"],
            keeps: &[],
            status: Some(DI_JOB),
        }),
        unchanged: Unchanged::Proves,
        has_log: false,
    },
    // A commit is one more version of the file, from when it is submitted: a version may be COMMITTING, while
    // checks are still going on.
    Recipe {
        operation: "SubmitFile",
        version: V2024,
        read: "ListFileVersions",
        subject: Subject::One(&["FileId"]),
        params: FILE_VERSIONS,
        same: &[],
        says: VERSION_COUNT,
        unchanged: Unchanged::Proves,
        has_log: false,
    },
    // As in 2024-05-18.
    Recipe {
        operation: "SubmitFile",
        version: V2020,
        read: "ListFileVersions",
        subject: Subject::One(&["FileId"]),
        params: FILE_VERSIONS,
        same: &[],
        says: VERSION_COUNT,
        unchanged: Unchanged::Proves,
        has_log: false,
    },
    // A rerun begins later than the run before it. TaskRerunTime is no counter of runs: it says how many
    // automatic reruns are left, and is not looked at.
    Recipe {
        operation: "RestartInstance",
        version: V2020,
        read: "GetInstance",
        subject: Subject::One(&["InstanceId"]),
        params: &[("InstanceId", Source::Subject), ("ProjectEnv", Source::Param("ProjectEnv"))],
        same: &[Same::Subject(&["InstanceId"])],
        says: Says::State(State {
            at: "/Data",
            about: None,
            total: None,
            needs: &["Status"],
            grows: &["BeginRunningTime"],
            proves: &["Status", "BeginRunningTime", "ModifyTime"],
            keeps: &["FinishTime"],
            status: Some(Status {
                field: "Status",
                rest: &["FAILURE", "SUCCESS"],
                proof: &["FAILURE", "SUCCESS"],
                begun: UNDER_WAY_2020,
            }),
        }),
        unchanged: Unchanged::Proves,
        has_log: false,
    },
    // The instance of that node and time waits for its trigger, and leaves that state when it comes. Killed
    // or set successful, it leaves it as well: only a run that begins counts.
    Recipe {
        operation: "RunTriggerNode",
        version: V2020,
        read: "ListInstances",
        subject: Subject::One(&["NodeId"]),
        params: &[
            ("ProjectId", Source::Param("AppId")),
            ("ProjectEnv", Source::Text("PROD")),
            ("NodeId", Source::Subject),
            ("Bizdate", Source::DayOf("BizDate")),
            ("PageNumber", Source::Number(1)),
            ("PageSize", Source::Number(100)),
        ],
        same: &[Same::Subject(&["NodeId"]), Same::Equals(&["CycTime"], "CycleTime")],
        says: Says::State(State {
            at: "/Data/Instances",
            about: None,
            total: Some("/Data/TotalCount"),
            needs: &["InstanceId", "Status"],
            grows: &["BeginRunningTime"],
            proves: &["InstanceId", "Status", "ModifyTime"],
            keeps: &["FinishTime"],
            status: Some(Status {
                field: "Status",
                rest: &["WAIT_TRIGGER"],
                proof: &["WAIT_TRIGGER"],
                begun: &["WAIT_RESOURCE", "RUNNING", "CHECKING", "CHECKING_CONDITION"],
            }),
        }),
        unchanged: Unchanged::Proves,
        has_log: false,
    },
    // Here a job has a start time, which a start moves on.
    Recipe {
        operation: "StartDIJob",
        version: V2020,
        read: "GetDIJob",
        subject: Subject::One(&["DIJobId"]),
        params: &[("DIJobId", Source::Subject)],
        same: &[Same::Subject(&["DIJobId"])],
        says: Says::State(State {
            at: "/Data",
            about: None,
            total: None,
            needs: &["JobStatus"],
            grows: &["StartedTime"],
            proves: &["JobStatus"],
            keeps: &["UpdatedTime"],
            status: Some(DI_JOB),
        }),
        unchanged: Unchanged::Proves,
        has_log: false,
    },
    // A deployment moves the day on which its node was last deployed. It runs through checks first, so that
    // a node which has not changed may yet be deployed.
    Recipe {
        operation: "DeployFile",
        version: V2020,
        read: "GetNode",
        subject: Subject::One(&["NodeId"]),
        params: &[("NodeId", Source::Subject), ("ProjectEnv", Source::Text("PROD"))],
        same: &[Same::Subject(&["NodeId"])],
        says: Says::State(State {
            at: "/Data",
            about: None,
            total: None,
            needs: &["DeployDate"],
            grows: &["DeployDate"],
            proves: &["DeployDate"],
            keeps: &[],
            status: None,
        }),
        unchanged: Unchanged::ProvesNothing,
        has_log: false,
    },
];
