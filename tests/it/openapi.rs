//! Calls to the OpenAPI endpoint: requests, outcomes, and what must never be seen.

#![expect(clippy::expect_used, reason = "a helper that cannot prepare its test has failed it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use openeventd::openapi::call::Client;
use openeventd::openapi::credential::{Ambient, Configured, Credentials, Files, Source};
use openeventd::openapi::error::{CallError, Class, Until};
use openeventd::openapi::rate::Slot;
use openeventd::openapi::response::Response;
use openeventd::openapi::sign::{self, Pair, Scheme};
use openeventd::openapi::{Account, Call, Secrets, Settings};
use openeventd::operation::{self, ApiVersion, Method, Operation, Position, Style};
use openeventd::quota::Edition;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::endpoint::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, DataWorksDouble, Received, Reply, Signature};
use crate::harness::budget;

mod bodies;

mod clock;

mod connections;

mod slots;

/// 2026-03-25T08:00:00Z, the time of all our signature vectors.
pub(crate) const NOW_MS: i64 = 1_774_425_600_000;

pub(crate) fn settings() -> Settings {
    Settings {
        timeout: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(10),
        body_bytes_max: 64 * 1024,
        proxy: None,
    }
}

pub(crate) fn account(endpoint: &str) -> Account {
    Account {
        name: "main".into(),
        region: "cn-shanghai".into(),
        endpoint: endpoint.into(),
        budget: budget(Edition::Enterprise),
        signature: Scheme::V1,
        credentials: signed_by(credentials()),
        api_version: None,
    }
}

/// These credentials, whatever happens.
pub(crate) fn signed_by(credentials: Credentials) -> Arc<Source> {
    let again = credentials.clone();
    let configured = Configured {
        from: "the test".into(),
        files: Files::default(),
        first: credentials,
        read: Box::new(move || Ok(again.clone())),
    };
    Arc::new(Source::configured("main", configured, None, Ambient::new(BTreeMap::new(), None)))
}

/// What the stand-in accepts.
pub(crate) fn credentials() -> Credentials {
    Credentials {
        access_key_id: ACCESS_KEY_ID.into(),
        access_key_secret: ACCESS_KEY_SECRET.into(),
        security_token: None,
        expires_at_ms: None,
    }
}

pub(crate) fn operation(name: &str, version: ApiVersion) -> &'static Operation {
    operation::find(name, version).expect(name)
}

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).expect("an object")
}

/// Makes a call that nothing limits.
pub(crate) async fn send(
    client: &Client,
    account: &Account,
    call: &Call<'_>,
    secrets: &Secrets,
    nonce: &str,
) -> Result<Response, CallError> {
    let slot = Slot::unlimited();
    let credentials = account.credentials.get(NOW_MS).await.expect("credentials");
    client.call(account, &credentials, call, secrets, nonce, NOW_MS, slot).await
}

/// Reruns one task instance, the call of most tests here.
async fn rerun(client: &Client, account: &Account, secrets: &Secrets) -> Result<Response, CallError> {
    rerun_with(client, account, secrets, Slot::unlimited()).await
}

async fn rerun_with(
    client: &Client,
    account: &Account,
    secrets: &Secrets,
    slot: Slot,
) -> Result<Response, CallError> {
    let params = object(json!({"Ids": [1234], "Comment": {"$secret": "comment"}}));
    let operation = operation("RerunTaskInstances", ApiVersion::V2024);
    let call = Call { operation, params: &params, client_token: None };
    let credentials = account.credentials.get(NOW_MS).await.expect("credentials");
    client.call(account, &credentials, &call, secrets, "nonce-1", NOW_MS, slot).await
}

fn secrets() -> Secrets {
    Secrets { by_name: [("comment".to_owned(), SecretString::from("correct/horse battery"))].into() }
}

async fn outcome(settings: &Settings, reply: Reply) -> (Result<Response, CallError>, usize) {
    let double = DataWorksDouble::replying([reply]).await;
    let client = Client::new(settings).expect("a client");
    let outcome = rerun(&client, &account(&double.url), &secrets()).await;
    (outcome, double.received().len())
}

// -- requests --

fn example(declared: &str) -> Value {
    match declared {
        "integer" => json!(9_007_199_254_740_993_i64),
        "number" => json!(0.5),
        "boolean" => json!(true),
        "object" => json!({"Key": "值 & more"}),
        _ if declared.starts_with("array<") => {
            json!([example(&declared["array<".len()..declared.len() - 1])])
        }
        "map<string,array<string>>" => json!({"key": ["值"]}),
        _ if declared.starts_with("map<") => json!({"key": "值"}),
        _ => json!("text '(*)~ +值"),
    }
}

#[tokio::test]
async fn every_operation_is_sent_with_every_parameter_where_the_catalogue_says() {
    for scheme in [Scheme::V1, Scheme::Acs3] {
        let double = DataWorksDouble::replying([]).await;
        let client = Client::new(&settings()).expect("a client");
        let account = Account { signature: scheme, ..account(&double.url) };
        let all = [ApiVersion::V2020, ApiVersion::V2024]
            .into_iter()
            .flat_map(|version| operation::names(version).map(move |name| operation(name, version)));
        let mut sent = Vec::new();
        for operation in all {
            let params: Map<String, Value> = operation
                .params
                .iter()
                .map(|param| {
                    // Declared fields have types of their own, so an object of them is given empty.
                    let value = match param.param_type {
                        "object" if !param.fields.is_empty() => json!({}),
                        "array<object>" if !param.fields.is_empty() => json!([{}]),
                        declared => example(declared),
                    };
                    (param.name.to_owned(), value)
                })
                .collect();
            let call = Call { operation, params: &params, client_token: None };
            let outcome = send(&client, &account, &call, &Secrets::default(), "n").await;
            outcome.unwrap_or_else(|error| panic!("{}: {error}", operation.name));
            sent.push(operation);
        }

        let received = double.received();
        assert_eq!((sent.len(), received.len()), (716, 716));
        for (operation, request) in sent.into_iter().zip(received) {
            let name = operation.name;
            assert_eq!(request.signature, Signature::Valid(scheme.as_str()), "{name}");
            let action = match scheme {
                Scheme::V1 => &request.query["Action"],
                Scheme::Acs3 => &request.headers["x-acs-action"],
            };
            assert_eq!((action.as_str(), request.method.as_str()), (name, operation.method.as_str()));
            for param in operation.params.iter().filter(|param| param.style != Style::Flat) {
                let (there, elsewhere) = match param.position {
                    Position::Query => (&request.query, &request.form),
                    Position::Form => (&request.form, &request.query),
                };
                assert!(there.contains_key(param.name), "{name}.{}", param.name);
                assert!(!elsewhere.contains_key(param.name), "{name}.{}", param.name);
            }
            let has_length = request.headers.contains_key("content-length");
            assert!(operation.method != Method::Get || !has_length, "{name}");
        }
    }
}

#[tokio::test]
async fn what_is_prepared_is_what_is_sent_without_secrets() {
    for (scheme, body) in [
        (Scheme::V1, "Comment=correct%2Fhorse%20battery&Ids=%5B1%2C2%5D"),
        (Scheme::Acs3, "Comment=correct%2Fhorse+battery&Ids=%5B1%2C2%5D"),
    ] {
        let double = DataWorksDouble::replying([]).await;
        let client = Client::new(&settings()).expect("a client");
        let token = Some("STS+token/with=padding==".into());
        let signing = signed_by(Credentials { security_token: token, ..credentials() });
        let account = Account { signature: scheme, credentials: signing, ..account(&double.url) };
        let params = object(json!({"Ids": [1, 2], "Comment": {"$secret": "comment"}}));
        let operation = operation("RerunTaskInstances", ApiVersion::V2024);
        let call = Call { operation, params: &params, client_token: None };
        let prepared = client.prepare(&account, &call, "n", NOW_MS).expect("it fits");
        send(&client, &account, &call, &secrets(), "n").await.expect("success");

        let received = &double.received()[0];
        assert_eq!(received.signature, Signature::Valid(scheme.as_str()));
        assert_eq!(received.body, body);
        let form: Vec<Pair> =
            vec![("Comment".into(), "secret(\"comment\")".into()), ("Ids".into(), "[1,2]".into())];
        assert_eq!(prepared.form, form);
        assert_eq!(query_of(&prepared.url, &double.url), query_sent(received));
        let hidden = ["authorization", "x-acs-security-token", "x-acs-accesskey-id", "x-acs-content-sha256"];
        let mut sent = received.headers.clone();
        // These are about the connection, and the same for all calls.
        let general = ["user-agent", "content-length", if scheme == Scheme::V1 { "host" } else { "" }];
        sent.retain(|name, _| !hidden.contains(&name.as_str()) && !general.contains(&name.as_str()));
        if scheme == Scheme::V1 {
            assert_eq!(sent.remove("accept").as_deref(), Some("*/*"));
        }
        assert_eq!(prepared.headers.into_iter().collect::<BTreeMap<_, _>>(), sent);
    }
}

/// The pairs of a stored URL, still encoded, in order.
fn query_of(url: &str, base: &str) -> Vec<String> {
    let rest = url.strip_prefix(&format!("{base}/")).expect("the endpoint's URL");
    let mut pairs: Vec<String> =
        rest.trim_start_matches('?').split('&').filter(|pair| !pair.is_empty()).map(str::to_owned).collect();
    pairs.sort_unstable();
    pairs
}

/// The same of what arrived, without what is never stored.
fn query_sent(received: &Received) -> Vec<String> {
    let hidden = ["AccessKeyId", "SecurityToken", "Signature"];
    let shown = received.query.iter().filter(|(name, _)| !hidden.contains(&name.as_str()));
    let mut pairs: Vec<String> =
        shown.map(|(name, value)| format!("{name}={}", sign::percent_encode(value))).collect();
    pairs.sort_unstable();
    pairs
}

#[tokio::test]
async fn a_request_says_who_we_are_and_asks_for_nothing_compressed() {
    let double = DataWorksDouble::replying([]).await;
    let (client, account) = (Client::new(&settings()).expect("a client"), account(&double.url));
    for _ in 0..2 {
        rerun(&client, &account, &secrets()).await.expect("success");
    }
    let received = double.received();
    let header = |name: &str| received[0].headers.get(name).map(String::as_str);
    assert_eq!(header("user-agent"), Some(concat!("openeventd/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(header("accept-encoding"), None);
    assert_eq!(received[1].connection, 0, "a connection that was idle for a moment is used again");
}

// -- outcomes --

#[tokio::test]
async fn each_reply_is_classified_and_nothing_is_sent_twice() {
    let throttled = Class::Throttled { retry_after_ms: None, until: Until::Soon };
    for (reply, expected) in [
        (Reply::success(), None),
        (Reply::failure("Invalid.Tenant.ConnectionNotExists"), Some(Class::FailedInBody)),
        (Reply::refusal(429, "Throttling.User"), Some(throttled)),
        (Reply::refusal(500, "InternalError.System"), Some(Class::Unavailable)),
        (Reply::refusal(403, "Forbidden.Access"), Some(Class::Forbidden)),
        (Reply::refusal(400, "InvalidTimeStamp.Expired"), Some(Class::Clock { corrected: false })),
        (Reply::Answer(502, vec![], "<html>bad gateway</html>".into()), Some(Class::Unavailable)),
        (Reply::Answer(200, vec![], String::new()), Some(Class::Lost)),
        (Reply::Close, Some(Class::Lost)),
        (Reply::Truncated(r#"{"RequestId":"R-1","#.into()), Some(Class::Lost)),
        (Reply::Truncated(r#"{"Success":false,"#.into()), Some(Class::FailedInBody)),
    ] {
        let described = format!("{reply:?}");
        let (outcome, requests) = outcome(&settings(), reply).await;
        assert_eq!(outcome.err().map(|error| error.class()), expected, "{described}");
        assert_eq!(requests, 1, "{described}");
    }
}

#[tokio::test]
async fn an_endpoint_that_says_nothing_in_time_is_a_lost_call() {
    let brief = Settings { timeout: Duration::from_millis(300), ..settings() };
    let (outcome, requests) = outcome(&brief, Reply::Hang).await;
    let error = outcome.expect_err("nothing came");
    assert!(matches!(error, CallError::TimedOut { .. }), "{error:?}");
    assert_eq!((error.class(), requests), (Class::Lost, 1));
}

#[tokio::test]
async fn a_call_that_we_give_up_reached_the_endpoint_once() {
    let double = DataWorksDouble::replying([Reply::Hang]).await;
    let (client, account, secrets) =
        (Client::new(&settings()).expect("a client"), account(&double.url), secrets());
    tokio::select! {
        outcome = rerun(&client, &account, &secrets) => panic!("nobody answers: {outcome:?}"),
        () = double.wait_for(1) => {}
    }
    rerun(&client, &account, &secrets).await.expect("success");
    let received = double.received();
    assert_eq!(received.len(), 2);
    assert_ne!(received[0].connection, received[1].connection, "a given-up connection is not used again");
}

#[tokio::test]
async fn a_refused_connection_means_that_nothing_was_sent() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let url = format!("http://{}", unused.local_addr().expect("a bound address"));
    drop(unused);
    let client = Client::new(&settings()).expect("a client");
    let error = rerun(&client, &account(&url), &secrets()).await.expect_err("nobody listens");
    assert_eq!(error.class(), Class::Unreachable);
    assert!(error.to_string().contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = DataWorksDouble::replying([]).await;
    let (outcome, requests) = outcome(&settings(), Reply::redirect(&elsewhere.url)).await;
    let error = outcome.expect_err("a redirect is no success");
    assert_eq!((error.class(), requests), (Class::Rejected, 1));
    assert!(error.to_string().contains("redirects are not followed"), "{error}");
    assert_eq!(elsewhere.received().len(), 0);
}

#[tokio::test]
async fn a_huge_body_is_cut_at_its_limit() {
    let huge = |start: &str| Reply::json(200, &format!("{start}{}\"}}", "x".repeat(3_000_000)));
    let (known, _) = outcome(&settings(), huge(r#"{"Success":true,"Data":""#)).await;
    let known = known.expect("success stood before the cut");
    assert!(known.truncated);
    assert_eq!(known.body.len(), settings().body_bytes_max);

    let (unknown, _) = outcome(&settings(), huge(r#"{"Data":""#)).await;
    let error = unknown.expect_err("nothing before the cut says success");
    assert_eq!(error.class(), Class::Lost);
    assert!(error.response().is_some_and(|response| response.truncated));
}

// -- what must never be seen --

#[tokio::test]
async fn an_echoed_signature_string_leaks_no_secret() {
    for (scheme, echoed) in
        [(Scheme::V1, "correct%252Fhorse%2520battery"), (Scheme::Acs3, "x-acs-security-token:STS+token")]
    {
        let double = DataWorksDouble::replying([]).await;
        let other = Credentials {
            access_key_secret: "anotherSecretKey".into(),
            security_token: Some("STS+token/with=padding==".into()),
            ..credentials()
        };
        let account = Account { signature: scheme, credentials: signed_by(other), ..account(&double.url) };
        let client = Client::new(&settings()).expect("a client");
        let error = rerun(&client, &account, &secrets()).await.expect_err("the signature is wrong");
        assert_eq!(error.class(), Class::Credentials);

        let Signature::Wrong { string_to_sign } = &double.received()[0].signature else { panic!("{error}") };
        assert!(string_to_sign.contains(echoed), "{string_to_sign}");
        let response = error.response().expect("there was a response").clone();
        assert!(response.body.contains("SignatureDoesNotMatch"), "{}", response.body);
        let params = object(json!({"Comment": {"$secret": "comment"}, "Ids": [1]}));
        let call = Call {
            operation: operation("RerunTaskInstances", ApiVersion::V2024),
            params: &params,
            client_token: None,
        };
        for shown in [
            error.to_string(),
            format!("{error:?}"),
            response.body,
            format!("{account:?} {:?} {client:?} {call:?}", secrets()),
            format!("{:?}", client.prepare(&account, &call, "n", NOW_MS)),
        ] {
            for secret in ["horse", "anotherSecretKey", "STS+token", "STS%2", "STS%252", ACCESS_KEY_ID] {
                assert!(!shown.contains(secret), "{secret} in {shown}");
            }
        }
    }
}

#[tokio::test]
async fn errors_without_a_response_show_neither_url_nor_signature() {
    for reply in [Reply::Close, Reply::Hang] {
        let brief = Settings { timeout: Duration::from_millis(300), ..settings() };
        let (outcome, _) = outcome(&brief, reply).await;
        let error = outcome.expect_err("no response");
        let shown = format!("{error} {error:?}");
        for hidden in ["Signature", "AccessKeyId", "horse", "Action"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
}

#[tokio::test]
async fn an_endpoint_in_plain_text_is_refused_before_anything_leaves() {
    let client = Client::new(&settings()).expect("a client");
    let error = rerun(&client, &account("http://dataworks.example.com"), &secrets()).await;
    assert_eq!(error.expect_err("plain text").class(), Class::Unsendable);
}
