//! The demonstration's endpoint: it lets through what is signed rightly and new, and nothing else.

use std::time::Duration;

use openeventd::demo::endpoint::{AccessKey, Endpoint, Fate, Fates};
use openeventd::openapi::call::Client;
use openeventd::openapi::credential::Credentials;
use openeventd::openapi::error::{CallError, Class, Until};
use openeventd::openapi::rate::Slot;
use openeventd::openapi::response::Response;
use openeventd::openapi::{Account, Call, Secrets, Settings};
use openeventd::operation::ApiVersion;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::endpoint::{ACCESS_KEY_ID, ACCESS_KEY_SECRET};
use crate::openapi::{account, credentials, operation, settings, signed_by};

const INSTANCE: i64 = 73_910_042_265;

async fn endpoint(fates: Fates) -> Endpoint {
    let key = AccessKey { id: ACCESS_KEY_ID.into(), secret: ACCESS_KEY_SECRET.into() };
    Endpoint::start(key, fates).await.expect("a loopback port")
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

async fn call(
    account: &Account,
    settings: &Settings,
    name: &str,
    params: Value,
    nonce: &str,
    at_ms: i64,
) -> Result<Response, CallError> {
    let params = serde_json::from_value(params).expect("an object");
    let call = Call { operation: operation(name, ApiVersion::V2024), params: &params, client_token: None };
    let client = Client::new(settings).expect("a client");
    let credentials = account.credentials.get(at_ms).await.expect("credentials");
    client.call(account, &credentials, &call, &Secrets::default(), nonce, at_ms, Slot::unlimited()).await
}

async fn rerun(account: &Account, nonce: &str) -> Result<Response, CallError> {
    let params = json!({"Ids": [INSTANCE], "Comment": "自动 rerun & more"});
    call(account, &settings(), "RerunTaskInstances", params, nonce, now_ms()).await
}

fn code(result: Result<Response, CallError>) -> String {
    let error = result.expect_err("a refusal");
    error.refusal().expect("a response of the endpoint").code.clone()
}

#[tokio::test]
async fn a_call_with_the_right_signature_is_answered_as_dataworks_does() {
    let endpoint = endpoint(Fates::new()).await;
    let account = account(&endpoint.url());
    let response = rerun(&account, "n-1").await.expect("success");
    let body: Value = serde_json::from_str(&response.body).expect("JSON");
    assert_eq!(body["SuccessInfo"][INSTANCE.to_string()], json!({"Success": true, "Message": "success"}));
    assert_eq!(body["RequestId"].as_str(), response.request_id.as_deref());
    let params = json!({"Id": INSTANCE});
    let response = call(&account, &settings(), "GetTaskInstanceLog", params, "n-2", now_ms()).await;
    assert!(response.expect("success").body.contains("ODPS-0130131"));
    assert_eq!(endpoint.verified(), 2);
}

#[tokio::test]
async fn a_rerun_is_one_more_run_even_if_its_response_is_lost() {
    let endpoint = endpoint(Fates::from_iter([(("RerunTaskInstances", INSTANCE), vec![Fate::Lose])])).await;
    let account = account(&endpoint.url());
    let read = async |nonce: &str| {
        let params = json!({"Id": INSTANCE});
        let response = call(&account, &settings(), "GetTaskInstance", params, nonce, now_ms()).await;
        let mut body: Value = serde_json::from_str(&response.expect("success").body).expect("JSON");
        body["TaskInstance"].take()
    };
    let before = read("n-1").await;
    assert_eq!(before, read("n-2").await, "nothing happened");
    assert_eq!((&before["RunNumber"], &before["Status"]), (&json!(1), &json!("Failure")));
    let impatient = Settings { timeout: Duration::from_millis(500), ..settings() };
    let params = json!({"Ids": [INSTANCE]});
    let lost = call(&account, &impatient, "RerunTaskInstances", params, "n-3", now_ms()).await;
    assert_eq!(lost.expect_err("its fate").class(), Class::Lost);
    let after = read("n-4").await;
    assert_eq!((&after["RunNumber"], &after["Status"]), (&json!(2), &json!("Running")));
    assert!(after["StartedTime"].as_i64() > before["StartedTime"].as_i64());
    rerun(&account, "n-5").await.expect("success");
    assert_eq!(read("n-6").await["RunNumber"], 3);
}

#[tokio::test]
async fn a_wrong_key_a_wrong_clock_and_a_replayed_nonce_are_refused() {
    let endpoint = endpoint(Fates::new()).await;
    let good = account(&endpoint.url());
    let mut wrong_secret = good.clone();
    wrong_secret.credentials =
        signed_by(Credentials { access_key_secret: "anotherSecret".into(), ..credentials() });
    assert_eq!(code(rerun(&wrong_secret, "n-1").await), "SignatureDoesNotMatch");
    let mut wrong_id = good.clone();
    wrong_id.credentials = signed_by(Credentials { access_key_id: "another".into(), ..credentials() });
    assert_eq!(code(rerun(&wrong_id, "n-2").await), "InvalidAccessKeyId.NotFound");
    let params = json!({"Ids": [INSTANCE]});
    let hour_ago = now_ms() - 3_600_000;
    let late = call(&good, &settings(), "RerunTaskInstances", params, "n-3", hour_ago).await;
    assert_eq!(code(late), "InvalidTimeStamp.Expired");
    // A refused call used up no nonce; one that passed did.
    rerun(&good, "n-1").await.expect("success");
    assert_eq!(code(rerun(&good, "n-1").await), "SignatureNonceUsed");
    assert_eq!(endpoint.verified(), 1);
}

#[tokio::test]
async fn a_call_without_signature_is_refused_in_the_gateway_s_shape() {
    let endpoint = endpoint(Fates::new()).await;
    let url = format!("{}/?Action=GetTaskInstanceLog&Version=2024-05-18&Id=1", endpoint.url());
    // Building our own client sets up what its library needs.
    let _client = Client::new(&settings()).expect("a client");
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let response = http.get(url).send().await.expect("a response");
    assert_eq!(response.status(), 400);
    let body: Value = serde_json::from_str(&response.text().await.expect("a body")).expect("JSON");
    assert_eq!(body["Code"], "MissingParameter");
    for key in ["RequestId", "HostId", "Message", "Recommend"] {
        assert!(body[key].is_string(), "{key} in {body}");
    }
}

#[tokio::test]
async fn each_fate_is_met_once_and_success_follows() {
    let fates = vec![Fate::Throttle, Fate::Fail, Fate::Forbid, Fate::Lose];
    let endpoint = endpoint(Fates::from_iter([(("RerunTaskInstances", INSTANCE), fates)])).await;
    let account = account(&endpoint.url());
    let expected = [
        Class::Throttled { retry_after_ms: None, until: Until::Soon },
        Class::Unavailable,
        Class::Forbidden,
        Class::Lost,
    ];
    let impatient = Settings { timeout: Duration::from_millis(500), ..settings() };
    for (number, class) in expected.into_iter().enumerate() {
        let params = json!({"Ids": [INSTANCE]});
        let nonce = format!("n-{number}");
        let result = call(&account, &impatient, "RerunTaskInstances", params, &nonce, now_ms()).await;
        assert_eq!(result.expect_err("its fate").class(), class);
    }
    rerun(&account, "n-last").await.expect("success");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_is_closed_and_keeps_nobody_out() {
    let endpoint = endpoint(Fates::new()).await;
    let address = endpoint.url().replace("http://", "");
    let mut half_open = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        stream.write_all(b"GET / HTTP/1.1\r\nX: y").await.expect("written");
        half_open.push(stream);
    }
    let account = account(&endpoint.url());
    let patient = Settings { timeout: Duration::from_secs(20), ..settings() };
    let params = json!({"Ids": [INSTANCE]});
    call(&account, &patient, "RerunTaskInstances", params, "n-1", now_ms()).await.expect("success");
    for mut stream in half_open {
        let mut rest = Vec::new();
        let closing = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest));
        // Closed in order or reset, yet closed.
        let _closed = closing.await.expect("it is closed");
    }
}
