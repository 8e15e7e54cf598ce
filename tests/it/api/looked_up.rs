//! Looking operations up.

use serde_json::{Value, json};

use super::look_up;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

#[test]
fn all_operations_are_listed_or_those_that_are_asked_for() {
    for (arguments, count) in [
        (&["api", "list", "--json"][..], 716),
        (&["api", "list", "--json", "--api-version", "2020-05-18"], 315),
        (&["api", "list", "--json", "--access", "write"], 367),
        (&["api", "list", "--json", "--access", "read", "--api-version", "2024-05-18"], 181),
    ] {
        let said = look_up(arguments);
        assert_eq!((said.exit, lines(&said.stdout).len()), (0, count), "{arguments:?}");
    }
    let said = look_up(&["api", "list"]);
    assert!(said.stdout.starts_with("OPERATION  "), "{}", said.stdout);
    assert!(said.stdout.lines().all(|line| line.trim_end() == line));
    assert_eq!(look_up(&["api", "list", "--access", "wirte"]).exit, 64);
}

#[test]
fn an_operation_is_shown_with_all_that_matters_for_calling_it() {
    let said = look_up(&["api", "show", "CreateWorkflowInstances"]);
    for line in [
        "CreateWorkflowInstances 2024-05-18",
        "  method         POST",
        "  access         write",
        "  repeated       does it twice: a lost response is looked up or left to a person",
        "  lost           looked up by ListWorkflowInstances; that it was not executed never shows",
        "  in 2020-05-18  RunCycleDagNodes, CreateDagComplement, RunSmokeTest, RunManualDagNodes, CreateManualDag",
        "    BizDates                      array<object>             required",
        "  ProjectId                 form  integer                   required",
        "  operation = \"CreateWorkflowInstances\"",
    ] {
        assert!(said.stdout.lines().any(|found| found == line), "{line}\n{}", said.stdout);
    }
    let rerun = look_up(&["api", "show", "RerunTaskInstances", "--json"]).json();
    assert_eq!(rerun["looked_up_by"], json!(["GetTaskInstance", "ListTaskInstanceOperationLogs"]));
    let harmless = look_up(&["api", "show", "GetTaskInstance", "--json"]).json();
    assert_eq!(harmless["looked_up_by"], json!(null), "it is simply made again");
    let shown = look_up(&["api", "show", "CreateTable", "--json"]).json();
    assert_eq!(shown["looked_up_by"], json!([]));
    assert_eq!(
        (&shown["version"], &shown["client_token"], &shown["repeat_effect"]),
        (&json!("2020-05-18"), &json!("ClientToken"), &json!("duplicates"))
    );
    let columns = shown["params"].as_array().expect("a list").iter().find(|it| it["name"] == "Columns");
    let columns = columns.expect("it has Columns");
    assert_eq!((&columns["style"], &columns["position"]), (&json!("flat"), &json!("form")));
    assert_eq!(columns["fields"][0]["name"], json!("ColumnName"));
}

#[test]
fn of_an_operation_of_both_versions_the_newer_one_is_shown() {
    assert_eq!(look_up(&["api", "show", "StopDIJob", "--json"]).json()["method"], json!("GET"));
    let older = look_up(&["api", "show", "StopDIJob", "--api-version", "2020-05-18", "--json"]).json();
    assert_eq!(
        (&older["method"], &older["same_purpose"]),
        (&json!("POST"), &json!({"2024-05-18": ["StopDIJob"]}))
    );
}

#[test]
fn an_unknown_name_gets_what_was_probably_meant() {
    for (arguments, expected) in [
        (
            &["RestartInstence"][..],
            "neither API version has an operation RestartInstence: did you mean `RestartInstance` (2020-05-18)?",
        ),
        (
            &["RestartInstance", "--api-version", "2024-05-18"],
            "API version 2024-05-18 has no operation RestartInstance: it exists in 2020-05-18; 2024-05-18 has RerunTaskInstances for this",
        ),
        (&["Zzz"], "neither API version has an operation Zzz: `openeventd api search WORD` finds operations"),
    ] {
        let said = look_up(&[&["api", "show"], arguments].concat());
        assert_eq!((said.exit, said.stderr), (66, format!("openeventd: {expected}\n")));
        assert_eq!(said.stdout, "");
    }
}

#[test]
fn words_find_operations_and_names_come_before_parameters() {
    let names = |words: &[&str]| {
        let said = look_up(&[&["api", "search", "--json"], words].concat());
        let names = lines(&said.stdout).into_iter().map(|found| found["name"].as_str().map(str::to_owned));
        names.collect::<Option<Vec<String>>>().expect("each has a name")
    };
    assert_eq!(names(&["rerun", "tasks"])[0], "RerunTaskInstances");
    assert_eq!(names(&["delete data source"])[0], "DeleteDataSource");
    assert_eq!(names(&["RERUNTASKINSTANCES"]), ["RerunTaskInstances"]);
    let by_parameter = names(&["overtimesettings"]);
    assert!(by_parameter.contains(&"CreateBaseline".to_owned()), "{by_parameter:?}");
    assert_eq!(names(&["instance", "-n", "7"]).len(), 7);

    let nothing = look_up(&["api", "search", "xyzzy", "rerun"]);
    assert_eq!((nothing.exit, nothing.stdout.as_str()), (66, ""));
    assert!(nothing.stderr.contains("no operation has `xyzzy rerun` in its name or parameters"));
}
