//! Making calls, against an endpoint that verifies the signature.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{KEYS, Said, configured, run};
use crate::endpoint::{DataWorksDouble, Received, Reply, Signature};
use crate::harness::Harness;

/// Makes a call with the keys of the environment, and without a configuration.
fn call(endpoint: &str, arguments: &[&str]) -> Said {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let whole = [&["api", "call", "--endpoint", endpoint], arguments].concat();
    run(directory.path(), &KEYS, &whole, "")
}

/// What a request carries beside what every request does.
fn own(pairs: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    let every = [
        "AccessKeyId",
        "Action",
        "Format",
        "Signature",
        "SignatureMethod",
        "SignatureNonce",
        "SignatureVersion",
        "Timestamp",
        "Version",
    ];
    pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| !every.contains(name))
        .collect()
}

type Pairs = &'static [(&'static str, &'static str)];

type Sent = (&'static str, &'static str, &'static [&'static str], &'static str, Pairs, Pairs);

/// Version, operation, arguments, and what the official Python clients send for them: method, query, form. (They
/// write booleans with a capital; the other official clients do not.)
const SENT: [Sent; 19] = [
    (
        "2024-05-18",
        "RerunTaskInstances",
        &["Ids=[9007199254740993, 9223372036854775807]", "Comment=a b+c*d~e%f/g&h=i '数据' \"双\""],
        "POST",
        &[],
        &[("Comment", "a b+c*d~e%f/g&h=i '数据' \"双\""), ("Ids", "[9007199254740993,9223372036854775807]")],
    ),
    (
        "2024-05-18",
        "RerunTaskInstances",
        &["Ids=[]", "Comment=", "UseLatestConfig=false"],
        "POST",
        &[],
        &[("Comment", ""), ("Ids", "[]"), ("UseLatestConfig", "false")],
    ),
    (
        "2024-05-18",
        "GetTaskInstance",
        &["Id=9223372036854775807"],
        "GET",
        &[("Id", "9223372036854775807")],
        &[],
    ),
    ("2024-05-18", "GetNode", &["Id=007", "ProjectId=-1"], "GET", &[("Id", "007"), ("ProjectId", "-1")], &[]),
    ("2024-05-18", "StopDIJob", &["Id=5", "InstanceId=0"], "GET", &[("Id", "5"), ("InstanceId", "0")], &[]),
    (
        "2024-05-18",
        "ExecPipelineRunStage",
        &["Code=[x]", "Id={\"a\": 1}", "ProjectId=3"],
        "POST",
        &[("ProjectId", "3")],
        &[("Code", "[x]"), ("Id", "{\"a\": 1}")],
    ),
    (
        "2024-05-18",
        "CreateWorkflowInstances",
        &[
            "Name=n",
            "ProjectId=1",
            "Type=SupplementData",
            "WorkflowId=2",
            "Periods={\"BizDates\": [{\"StartBizDate\": \"2026-01-01\", \"EndBizDate\": \"2026-01-02\"}]}",
            "DefaultRunProperties={\"RootTaskIds\": [1, 2], \"Alert\": {\"Type\": \"失败\"}}",
        ],
        "POST",
        &[],
        &[
            ("DefaultRunProperties", "{\"Alert\":{\"Type\":\"失败\"},\"RootTaskIds\":[1,2]}"),
            ("Name", "n"),
            ("Periods", "{\"BizDates\":[{\"EndBizDate\":\"2026-01-02\",\"StartBizDate\":\"2026-01-01\"}]}"),
            ("ProjectId", "1"),
            ("Type", "SupplementData"),
            ("WorkflowId", "2"),
        ],
    ),
    (
        "2024-05-18",
        "ListDataSources",
        &["ProjectId=1", "Types=[\"hologres\", \"maxcompute\"]"],
        "GET",
        &[("ProjectId", "1"), ("Types", "hologres,maxcompute")],
        &[],
    ),
    (
        "2024-05-18",
        "ListDataSources",
        &["ProjectId=1", "Types=[]"],
        "GET",
        &[("ProjectId", "1"), ("Types", "")],
        &[],
    ),
    (
        "2024-05-18",
        "ListCrawlers",
        &["DataSourceIds=[1, 9007199254740993]"],
        "POST",
        &[],
        &[("DataSourceIds", "1,9007199254740993")],
    ),
    (
        "2024-05-18",
        "UpdateTableBusinessMetadata",
        &["Id=t:1", "CustomAttributes={\"键 a\": [\"x\", \"y&z\"]}", "Readme=line\nnext"],
        "POST",
        &[],
        &[("CustomAttributes", "{\"键 a\":[\"x\",\"y&z\"]}"), ("Id", "t:1"), ("Readme", "line\nnext")],
    ),
    (
        "2024-05-18",
        "ListAlertRules",
        &["PageNumber=1", "PageSize=10", "TaskIds=[5]", "Types=[\"Timeout\"]"],
        "POST",
        &[("PageNumber", "1"), ("PageSize", "10"), ("TaskIds", "[5]"), ("Types", "[\"Timeout\"]")],
        &[],
    ),
    (
        "2020-05-18",
        "RestartInstance",
        &["InstanceId=9007199254740993", "ProjectEnv=PROD"],
        "POST",
        &[],
        &[("InstanceId", "9007199254740993"), ("ProjectEnv", "PROD")],
    ),
    (
        "2020-05-18",
        "UpdateMetaTable",
        &["TableGuid=odps.p.t", "ProjectId=1", "AddedLabels=a,b", "Caption= lead trail "],
        "POST",
        &[("Caption", " lead trail "), ("ProjectId", "1"), ("TableGuid", "odps.p.t")],
        &[("AddedLabels", "a,b")],
    ),
    (
        "2020-05-18",
        "CreateBaseline",
        &[
            "BaselineName=b",
            "BaselineType=DAILY",
            "Owner=1",
            "Priority=1",
            "ProjectId=1",
            "OvertimeSettings=[{\"Cycle\": 1, \"Time\": \"00:30\"}, null, {\"Cycle\": 2}]",
        ],
        "POST",
        &[],
        &[
            ("BaselineName", "b"),
            ("BaselineType", "DAILY"),
            ("OvertimeSettings.1.Cycle", "1"),
            ("OvertimeSettings.1.Time", "00:30"),
            ("OvertimeSettings.3.Cycle", "2"),
            ("Owner", "1"),
            ("Priority", "1"),
            ("ProjectId", "1"),
        ],
    ),
    (
        "2020-05-18",
        "CreatePermissionApplyOrder",
        &[
            "ApplyReason=~",
            "ApplyUserIds=1,2",
            "ApplyObject=[{\"Actions\": \"Select\", \"ColumnMetaList\": [{\"Name\": \"列\"}, {\"Name\": \"b\"}], \"Name\": \"t\"}]",
        ],
        "POST",
        &[
            ("ApplyObject.1.Actions", "Select"),
            ("ApplyObject.1.ColumnMetaList.1.Name", "列"),
            ("ApplyObject.1.ColumnMetaList.2.Name", "b"),
            ("ApplyObject.1.Name", "t"),
            ("ApplyReason", "~"),
            ("ApplyUserIds", "1,2"),
        ],
        &[],
    ),
    (
        "2020-05-18",
        "UpdateTableAddColumn",
        &["TableGuid=g", "Column=[{\"ColumnName\": \"a\", \"ColumnType\": \"bigint\"}]"],
        "POST",
        &[("TableGuid", "g")],
        &[("Column.1.ColumnName", "a"), ("Column.1.ColumnType", "bigint")],
    ),
    (
        "2020-05-18",
        "TestDataServiceApi",
        &[
            "ApiId=1",
            "BodyContent={\"a\": \"b c\"}",
            "QueryParam=[{\"ParamKey\": \"k=\", \"ParamValue\": \"\"}]",
            "PathParams=[]",
        ],
        "POST",
        &[("ApiId", "1")],
        &[
            ("BodyContent", "{\"a\": \"b c\"}"),
            ("QueryParam.1.ParamKey", "k="),
            ("QueryParam.1.ParamValue", ""),
        ],
    ),
    (
        "2020-05-18",
        "CreateDISyncTask",
        &["ProjectId=1", "TaskType=DI_OFFLINE", "TaskName=@file", "TaskContent=null", "ClientToken=mine"],
        "POST",
        &[("ClientToken", "mine"), ("ProjectId", "1"), ("TaskName", "@file"), ("TaskType", "DI_OFFLINE")],
        &[("TaskContent", "null")],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_sent_as_the_official_clients_send_them() {
    let double = DataWorksDouble::replying([]).await;
    for (version, operation, words, method, query, form) in SENT {
        let said = call(
            &double.url,
            &[&[operation, "--api-version", version, "--signature", "acs3"], words].concat(),
        );
        assert_eq!(said.exit, 0, "{operation}: {}", said.stderr);
        let received = double.received().pop().expect("it arrived");
        assert_eq!(received.signature, Signature::Valid("acs3"), "{operation}");
        assert_eq!(received.headers["x-acs-action"], operation);
        let expected = |pairs: Pairs| pairs.iter().copied().collect::<BTreeMap<_, _>>();
        assert_eq!(own(&received.query), expected(query), "{operation}: the query");
        assert_eq!(own(&received.form), expected(form), "{operation}: the form");

        let said = call(&double.url, &[&[operation, "--api-version", version], words].concat());
        assert_eq!(said.exit, 0, "{operation}: {}", said.stderr);
        let received = double.received().pop().expect("it arrived");
        assert_eq!(received.signature, Signature::Valid("v1"), "{operation}");
        assert_eq!((received.method.as_str(), received.query["Action"].as_str()), (method, operation));
        assert_eq!(received.query["Version"], version);
        let expected = |pairs: Pairs| pairs.iter().copied().collect::<BTreeMap<_, _>>();
        assert_eq!(own(&received.query), expected(query), "{operation}: the query");
        assert_eq!(own(&received.form), expected(form), "{operation}: the form");
    }
    assert_eq!(double.received().len(), 2 * SENT.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_before_anything_leaves() {
    let double = DataWorksDouble::replying([]).await;
    for (arguments, expected) in [
        (
            &["RerunTaskInstances", "ids=[1]"][..],
            "RerunTaskInstances has no parameter `ids`; did you mean `Ids`?",
        ),
        (&["RerunTaskInstances", "Ids=1,2"], "write for instance Ids='[1,2]'"),
        (
            &["RerunTaskInstances", "Ids=[\"x\"]"],
            "parameter `Ids` of RerunTaskInstances is a list with something else in it: expected array<integer>",
        ),
        (&["RerunTaskInstances", "Comment"], "`Comment` is no parameter: expected NAME=VALUE"),
        (&["RerunTaskInstances", "Comment=a", "Comment=a"], "parameter `Comment` is given twice"),
        (
            &["RerunTaskInstances", "UseLatestConfig=yes"],
            "`UseLatestConfig` of RerunTaskInstances is text: expected boolean",
        ),
        (&["GetTaskInstance", "Id=4.0"], "parameter `Id` of GetTaskInstance is text: expected integer"),
        (
            &["GetTaskInstance", "Id=99999999999999999999"],
            "parameter `Id` of GetTaskInstance is text: expected integer",
        ),
        (&["GetTaskInstance"], "GetTaskInstance needs the parameter `Id`"),
        (&["GetTaskInstanc", "Id=1"], "did you mean `GetTaskInstance` (2024-05-18)?"),
        (
            &["GetInstance", "--api-version", "2024-05-18"],
            "it exists in 2020-05-18; 2024-05-18 has GetTaskInstance for this",
        ),
        (
            &["StopDIJob", "Id=1"],
            "both API versions have the operation StopDIJob: add --api-version 2024-05-18",
        ),
        (&["GetTaskInstance", "Id=1", "--params", "none.json"], "cannot read the parameters from none.json"),
    ] {
        let said = call(&double.url, arguments);
        assert_eq!((said.exit, said.stdout.as_str()), (64, ""), "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.contains(expected), "{arguments:?}: {}", said.stderr);
    }
    for endpoint in ["http://example.com", "https://example.com/path", "ftp://127.0.0.1"] {
        assert_eq!(call(endpoint, &["GetTaskInstance", "Id=1"]).exit, 64, "{endpoint}");
    }
    assert_eq!(double.received().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_come_from_a_file_or_standard_input_too() {
    let double = DataWorksDouble::replying([]).await;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let with = |stdin: &str, words: &[&str]| {
        let fixed = ["api", "call", "RerunTaskInstances", "--endpoint", &double.url, "--params", "-"];
        run(directory.path(), &KEYS, &[&fixed, words].concat(), stdin)
    };
    assert_eq!(with(r#"{"Ids": [9007199254740993]}"#, &["Comment=c"]).exit, 0);
    let received: Received = double.received().pop().expect("it arrived");
    assert_eq!(own(&received.form), [("Comment", "c"), ("Ids", "[9007199254740993]")].into());
    for (stdin, words) in
        [(r#"{"Ids": [1], "Ids": [2]}"#, &[][..]), (r#"{"Ids": [1]}"#, &["Ids=[1]"]), ("[1]", &[])]
    {
        assert_eq!(with(stdin, words).exit, 64, "{stdin}");
    }
    assert_eq!(double.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_outcome_has_its_exit_code_and_its_class() {
    let items = r#"{"RequestId":"R-1","SuccessInfo":{"1":{"Success":true},"2":{"Success":false,"Message":"frozen"}}}"#;
    for (reply, exit, class, code) in [
        (Reply::success(), 0, "success", Value::Null),
        (Reply::refusal(400, "MissingParameter"), 65, "rejected", json!("MissingParameter")),
        (Reply::failure("Invalid.X"), 65, "failed_in_body", json!("Invalid.X")),
        (Reply::json(200, items), 65, "partial_failure", Value::Null),
        (Reply::refusal(500, "InternalError.System"), 69, "unavailable", json!("InternalError.System")),
        (Reply::refusal(429, "Throttling.User"), 75, "throttled", json!("Throttling.User")),
        (Reply::refusal(429, "Throttling.Resource"), 75, "quota_exhausted", json!("Throttling.Resource")),
        (Reply::refusal(403, "Forbidden.Access"), 77, "forbidden", json!("Forbidden.Access")),
        (
            Reply::refusal(404, "InvalidAccessKeyId.NotFound"),
            77,
            "credentials",
            json!("InvalidAccessKeyId.NotFound"),
        ),
        (Reply::Close, 74, "lost", Value::Null),
        (Reply::json(200, "<html>"), 74, "lost", Value::Null),
    ] {
        let described = format!("{reply:?}");
        let double = DataWorksDouble::replying([reply.clone(), reply]).await;
        let said = call(&double.url, &["RerunTaskInstances", "Ids=[1]", "--json"]);
        let object = said.json();
        assert_eq!(
            (said.exit, &object["class"], &object["code"]),
            (exit, &json!(class), &code),
            "{described}"
        );
        assert_eq!(
            (&object["operation"], &object["version"], &object["endpoint"]),
            (&json!("RerunTaskInstances"), &json!("2024-05-18"), &json!(double.url))
        );
        assert!(object["latency_ms"].is_u64());
        for name in ["http_status", "request_id", "message", "recommend", "body"] {
            assert!(object.get(name).is_some(), "{described}: {name}");
        }
        assert_eq!(said.stderr.is_empty(), exit == 0, "{described}: {}", said.stderr);

        let said = call(&double.url, &["RerunTaskInstances", "Ids=[1]"]);
        assert_eq!((said.exit, said.stdout.is_empty()), (exit, exit != 0), "{described}: {said:?}");
        assert!(class != "lost" || said.stderr.contains("it may have been executed"), "{}", said.stderr);
        assert!(class != "partial_failure" || said.stderr.contains("  2: frozen\n"), "{}", said.stderr);
        assert_eq!(double.received().len(), 2, "nothing is repeated");
    }
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let url = format!("http://{}", unused.local_addr().expect("a bound address"));
    drop(unused);
    let said = call(&url, &["GetTaskInstance", "Id=1", "--json"]);
    assert_eq!((said.exit, &said.json()["class"]), (69, &json!("unreachable")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_is_shown_whole_to_programs_and_safely_to_people() {
    let body = "{\"RequestId\":\"R-1\",\"Id\":9007199254740993,\"Name\":\"a\u{202e}b\u{9b}2J\",\"List\":[1]}";
    let double = DataWorksDouble::replying([Reply::json(200, body), Reply::json(200, body)]).await;
    let said = call(&double.url, &["GetTaskInstance", "Id=1"]);
    assert_eq!(
        said.stdout,
        "{\n  \"Id\": 9007199254740993,\n  \"List\": [\n    1\n  ],\n  \"Name\": \"a\\u{202e}b\\u{9b}2J\",\n  \"RequestId\": \"R-1\"\n}\n"
    );
    let (first, second) = said.stderr.split_once('\n').expect("two lines");
    assert_eq!(
        first,
        "openeventd: this call is not counted in any quota: it names no account of a configuration"
    );
    assert!(second.starts_with("GetTaskInstance 2024-05-18: HTTP 200 in "), "{second}");
    let object = call(&double.url, &["GetTaskInstance", "Id=1", "--json"]).json();
    assert_eq!(object["body"], serde_json::from_str::<Value>(body).expect("JSON"));
    assert_eq!((&object["http_status"], &object["request_id"]), (&json!(200), &json!("R-1")));

    let message = r#"{"RequestId":"R","Code":"Missing.P","Message":"\u001b[2J\nopeneventd: all is well","Recommend":"https://example.com/\u001b"}"#;
    let double = DataWorksDouble::replying([Reply::json(400, message)]).await;
    let said = call(&double.url, &["GetTaskInstance", "Id=1"]);
    assert!(
        !said.stderr.contains('\u{1b}') && !said.stderr.contains("\nopeneventd: all is well"),
        "{}",
        said.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_token_is_fresh_for_each_call_and_shown() {
    let double = DataWorksDouble::replying([]).await;
    let arguments = ["StopProcessInstance", "ProcessInstanceId=p"];
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let object = call(&double.url, &[&arguments[..], &["--json"]].concat()).json();
        let sent = double.received().pop().expect("it arrived");
        let token =
            sent.query.get("ClientToken").or_else(|| sent.form.get("ClientToken")).expect("a token").clone();
        assert_eq!(object["client_token"], json!({"ClientToken": token}));
        assert!((16..=64).contains(&token.len()) && token.is_ascii());
        tokens.push(token);
    }
    assert_ne!(tokens[0], tokens[1]);
    let said = call(&double.url, &arguments);
    assert!(said.stderr.contains("ClientToken="), "{}", said.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_what_would_be_sent_and_sends_nothing() {
    let double = DataWorksDouble::replying([]).await;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let fixed = [
        "api",
        "call",
        "--endpoint",
        &double.url,
        "--dry-run",
        "UpdateMetaTable",
        "TableGuid=g h",
        "AddedLabels=a\nb",
    ];
    let said = run(directory.path(), &[], &fixed, "");
    assert_eq!(said.exit, 0, "{}", said.stderr);
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(
        lines[0].starts_with(&format!("POST {}/?Action=UpdateMetaTable&Version=2020-05-18&", double.url)),
        "{lines:?}"
    );
    assert!(lines[0].ends_with("&TableGuid=g%20h"), "{lines:?}");
    assert!(lines.contains(&"content-type: application/x-www-form-urlencoded"), "{lines:?}");
    assert_eq!(lines.last(), Some(&"AddedLabels=a\\nb"));

    let shown = run(directory.path(), &[], &[&fixed[..], &["--json"]].concat(), "").json();
    assert_eq!((&shown["method"], &shown["form"]), (&json!("POST"), &json!({"AddedLabels": "a\nb"})));
    assert_eq!(shown["headers"]["host"], json!(double.url.trim_start_matches("http://")));
    assert!(
        shown["url"].as_str().is_some_and(|url| !url.contains("Signature=") && !url.contains("AccessKeyId"))
    );
    let keys: Vec<&String> = shown.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["form", "headers", "method", "url"]);
    assert_eq!(double.received().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_or_a_destination_nothing_is_sent() {
    let double = DataWorksDouble::replying([]).await;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let no_machine = ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    let id_only = [KEYS[0], no_machine];
    for (environment, arguments, exit, expected) in [
        (&[no_machine][..], &["--endpoint", double.url.as_str()][..], 77, "the default chain finds no"),
        (&id_only[..], &["--endpoint", &double.url], 77, "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
        (&KEYS, &[], 64, "give --region REGION"),
        (&[], &[], 64, "give --region REGION"),
        (&KEYS, &["--region", "CN"], 64, "region `CN` is no region id"),
        (&KEYS, &["--account", "main"], 78, "cannot read the configuration"),
    ] {
        let said = run(
            directory.path(),
            environment,
            &[&["api", "call", "GetTaskInstance", "Id=1"], arguments].concat(),
            "",
        );
        assert_eq!((said.exit, said.stdout.as_str()), (exit, ""), "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.contains(expected), "{arguments:?}: {}", said.stderr);
    }
    assert_eq!(double.received().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_the_configuration_brings_its_endpoint_and_signs() {
    let double = DataWorksDouble::replying([]).await;
    let account = |name: &str, region: &str| {
        format!(
            "[account.{name}]\nregion = \"{region}\"\nedition = \"basic\"\nendpoint = \"{}\"\n\
             access_key_id = {{ env = \"KEY_ID\" }}\naccess_key_secret = {{ env = \"KEY\" }}\n",
            double.url
        )
    };
    let (one, two) = (account("main", "cn-shanghai"), account("test", "cn-beijing"));
    let own = [("KEY_ID", KEYS[0].1), ("KEY", KEYS[1].1)];
    let other = [
        own[0],
        own[1],
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "other"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "other"),
    ];
    for (settings, environment, arguments, exit) in [
        (one.clone(), &own[..], &[][..], 0),
        (one.clone(), &other, &["--account", "main"], 0),
        (one.clone(), &other, &[], 64),
        (format!("{one}{two}"), &own, &[], 64),
        (format!("{one}{two}"), &own, &["--account", "test"], 0),
        (one.clone(), &own, &["--account", "mian"], 64),
        // What is only shown needs no keys.
        (one.clone(), &[][..], &["--dry-run"], 0),
        (one.clone(), &[], &["--dry-run", "--account", "main"], 0),
        (one.clone(), &[], &["--account", "main"], 78),
        // The keys of the account are for its calls alone.
        (
            one,
            &[own[0], own[1], ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")],
            &["--endpoint", &double.url],
            77,
        ),
    ] {
        let directory = configured(&[("openeventd.toml", &settings)]);
        let before = double.received().len();
        let said = run(
            directory.path(),
            environment,
            &[&["api", "call", "GetTaskInstance", "Id=1"], arguments].concat(),
            "",
        );
        assert_eq!(said.exit, exit, "{arguments:?}: {}", said.stderr);
        let is_sent = exit == 0 && !arguments.contains(&"--dry-run");
        assert_eq!(double.received().len() - before, usize::from(is_sent), "{arguments:?}");
        assert!(double.received().iter().all(|request| request.signature == Signature::Valid("v1")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_by_a_configured_account_counts_in_its_quota() {
    let double = DataWorksDouble::replying([]).await;
    let settings = format!(
        "[account.main]\nregion = \"cn-shanghai\"\nedition = \"basic\"\nendpoint = \"{}\"\ncalls_per_day_max = 7\n\
         access_key_id = \"{}\"\naccess_key_secret = {{ env = \"KEY\" }}\n[store]\npath = \"audit.db\"\n",
        double.url, KEYS[0].1
    );
    let directory = configured(&[("openeventd.toml", &settings)]);
    let place = directory.path().to_owned();
    let call = || {
        let said =
            run(&place, &[("KEY", KEYS[1].1)], &["api", "call", "GetTaskInstance", "Id=1", "--json"], "");
        (said.exit, said.stderr)
    };
    assert_eq!(call(), (0, String::new()), "before there is a database it is not counted");
    let mut store = Harness::open(directory, "", 0o600).await;
    for _ in 0..7 {
        assert_eq!(call(), (0, String::new()));
    }
    let (exit, said) = call();
    assert_eq!((exit, said.contains("has nothing left this day")), (75, true), "{said}");
    let spent = store.rows("kind, name, sent, succeeded", "quota_spenders").await;
    assert_eq!(spent, [json!(["command", "api call", 7, 7])]);
    let calls = store.rows("DISTINCT operation, class, ended_at IS NOT NULL", "outside_calls").await;
    assert_eq!(calls[0], json!(["GetTaskInstance", "success", 1]));
    let arrivals: Vec<_> = double.received().iter().skip(1).map(|request| request.at).collect();
    assert_eq!(arrivals.len(), 7);
    assert!(
        arrivals[5] - arrivals[0] > std::time::Duration::from_secs(1),
        "five a second, without a daemon too"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_corrected_once() {
    let expired = || Reply::refusal(400, "InvalidTimeStamp.Expired");
    for (replies, exit) in [(vec![expired()], 0), (vec![expired(), expired()], 65)] {
        let double = DataWorksDouble::replying(replies).await;
        let said = call(&double.url, &["RerunTaskInstances", "Ids=[1]"]);
        assert_eq!(said.exit, exit, "{}", said.stderr);
        let received = double.received();
        assert_eq!(received.len(), 2);
        let nonces: Vec<&String> = received.iter().map(|request| &request.query["SignatureNonce"]).collect();
        assert_ne!(nonces[0], nonces[1]);
        assert!(received[1].query["Timestamp"].starts_with("1994-11-06T"), "the endpoint's own time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_wrong_clock_repeats_counts_twice_and_another_region_asks_no_daemon() {
    let double = DataWorksDouble::replying([Reply::refusal(400, "InvalidTimeStamp.Expired")]).await;
    let settings = format!(
        "[account.main]\nregion = \"cn-shanghai\"\nedition = \"basic\"\nendpoint = \"{}\"\n\
         access_key_id = \"{}\"\naccess_key_secret = {{ env = \"KEY\" }}\n[store]\npath = \"audit.db\"\n",
        double.url, KEYS[0].1
    );
    let directory = configured(&[("openeventd.toml", &settings)]);
    let place = directory.path().to_owned();
    let mut store = Harness::open(directory, "", 0o600).await;
    let call = |more: &[&str]| {
        let arguments = [&["api", "call", "GetTaskInstance", "Id=1", "--json"], more].concat();
        let said = run(&place, &[("KEY", KEYS[1].1)], &arguments, "");
        (said.exit, said.stderr)
    };
    assert_eq!(call(&[]), (0, String::new()));
    let spent = store.rows("sent, succeeded", "quota_spenders").await;
    assert_eq!(spent, [json!([2, 1])]);
    let calls = store.rows("class", "outside_calls ORDER BY id").await;
    assert_eq!(calls, [json!(["clock"]), json!(["success"])]);
    store
        .tamper(
            "INSERT INTO daemon (id, version, pid, started_at, alive_at, rule_set, configuration, \
             rules_condition, intake, partitions, failing) \
             VALUES (1, '0', 1, 1, 9000000000000, 1, 1, 'current', 'polling', '[]', '[]')",
        )
        .await;
    let elsewhere = ["--account", "main", "--region", "cn-beijing", "--endpoint", &double.url];
    assert_eq!(call(&elsewhere), (0, String::new()));
    assert_eq!(double.received().len(), 3);
}
