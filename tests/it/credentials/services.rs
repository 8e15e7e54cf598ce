//! The services that give credentials: the metadata service, STS, a credentials URI. What they get, and
//! what their responses come to.

use openeventd::openapi::credential::{
    Ambient, Configured, CredentialError, Credentials, Fault, Files, Role, Source,
};
use serde_json::json;
use std::sync::Arc;

use super::{MINUTE_MS, URI, ambient, chain, keys, number, write};
use crate::endpoint::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, DataWorksDouble, Received, Reply, Signature};
use crate::openapi::{NOW_MS, credentials};

const END_MS: i64 = NOW_MS + 60 * MINUTE_MS;
const TOKEN_PATH: &str = "/latest/api/token";
const ROLES: &str = "/latest/meta-data/ram/security-credentials/";

/// An instance with the role `worker`.
fn instance(request: &Received, hardened: bool) -> Reply {
    let text = |status, text: &str| Reply::Answer(status, vec![], text.into());
    let has_token = request.headers.get("x-aliyun-ecs-metadata-token").is_some_and(|token| token == "T-1");
    match (request.method.as_str(), request.target.as_str()) {
        ("PUT", TOKEN_PATH) if hardened => {
            assert_eq!(request.headers["x-aliyun-ecs-metadata-token-ttl-seconds"], "21600");
            text(200, "T-1")
        }
        ("GET", _) if hardened && !has_token => text(403, ""),
        ("GET", ROLES) => text(200, "worker\n"),
        ("GET", path) if path == format!("{ROLES}worker") => text(200, &keys(1, END_MS).to_string()),
        _ => text(404, "not found"),
    }
}

fn targets(double: &DataWorksDouble) -> Vec<String> {
    double.received().into_iter().map(|request| format!("{} {}", request.method, request.target)).collect()
}

fn on_instance(double: &DataWorksDouble, variables: &[(&str, &str)]) -> Arc<Source> {
    chain(Ambient { metadata_url: double.url.clone(), ..ambient(variables) })
}

#[tokio::test]
async fn the_metadata_service_is_asked_in_its_hardened_mode() {
    let double = DataWorksDouble::start(|request| instance(request, true)).await;
    let source = on_instance(&double, &[]);
    let got = source.get(NOW_MS).await.expect("credentials");
    assert_eq!((number(&got), got.expires_at_ms), (1, Some(END_MS)));
    let asked = [format!("PUT {TOKEN_PATH}"), format!("GET {ROLES}"), format!("GET {ROLES}worker")];
    assert_eq!(targets(&double), asked);
    let told = source.told();
    assert_eq!((told.source, told.role.as_deref()), ("ecs_role", Some("worker")));
    let id = told.access_key_id.expect("there are credentials");
    assert_eq!(id, "STS....0001");
}

#[tokio::test]
async fn without_the_hardened_mode_it_is_asked_plainly_unless_that_is_forbidden() {
    let double = DataWorksDouble::start(|request| instance(request, false)).await;
    let named = ("ALIBABA_CLOUD_ECS_METADATA", "worker");
    on_instance(&double, &[named]).get(NOW_MS).await.expect("credentials");
    assert_eq!(targets(&double), [format!("PUT {TOKEN_PATH}"), format!("GET {ROLES}worker")]);

    let double = DataWorksDouble::start(|request| instance(request, false)).await;
    let hardened_only = [named, ("ALIBABA_CLOUD_IMDSV1_DISABLED", "true")];
    let error = on_instance(&double, &hardened_only).get(NOW_MS).await.expect_err("it has no hardened mode");
    assert_eq!(error.fault(), Fault::Refused, "{error}");
    assert_eq!(targets(&double), [format!("PUT {TOKEN_PATH}")]);
}

#[tokio::test]
async fn what_the_metadata_service_answers_wrongly_is_told_without_its_text() {
    let named = [("ALIBABA_CLOUD_ECS_METADATA", "worker")];
    let mut cut = keys(1, END_MS);
    cut["Expiration"] = json!("tomorrow hunter2");
    let mut without = keys(1, END_MS);
    without["SecurityToken"] = json!(null);
    for (reply, fault, expected) in [
        (Reply::json(200, "hunter2"), Fault::Unavailable, "its response (HTTP 200) is no JSON"),
        (Reply::json(200, &cut.to_string()), Fault::Unavailable, "its Expiration is no time"),
        (Reply::json(200, &without.to_string()), Fault::Unavailable, "its response has no SecurityToken"),
        (
            Reply::json(200, r#"{"Code":"Failed","Message":"hunter2"}"#),
            Fault::Refused,
            "its code is Failed, not Success",
        ),
        (Reply::json(200, r#"{"Code":"a hunter2 in a code"}"#), Fault::Refused, "its code is missing"),
        (Reply::json(404, "hunter2"), Fault::Refused, "HTTP 404"),
        (Reply::json(500, "hunter2"), Fault::Unavailable, "HTTP 500"),
        (Reply::redirect("http://127.0.0.1:9/"), Fault::Unavailable, "HTTP 302"),
        (Reply::json(200, &"x".repeat(70_000)), Fault::Unavailable, "is cut, or over 65536 bytes"),
        (Reply::Truncated("hunter2".into()), Fault::Unavailable, "is cut, or over 65536 bytes"),
        (Reply::Close, Fault::Unavailable, "gave no credentials"),
        (Reply::Hang, Fault::Unavailable, "no response in time"),
    ] {
        let described = format!("{reply:?}");
        let double = DataWorksDouble::start(move |request| match request.method.as_str() {
            "PUT" => Reply::Answer(200, vec![], "T-1".into()),
            _ => reply.clone(),
        })
        .await;
        let error = on_instance(&double, &named).get(NOW_MS).await.expect_err(&described);
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(expected) && !shown.contains("hunter2"), "{described}: {shown}");
        assert_eq!(error.fault(), fault, "{described}");
    }
}

#[tokio::test]
async fn a_machine_without_a_role_is_nobodys_fault() {
    for reply in [Reply::json(404, ""), Reply::json(200, "\n")] {
        let double = DataWorksDouble::start(move |request| match request.method.as_str() {
            "PUT" => Reply::Answer(200, vec![], "T-1".into()),
            _ => reply.clone(),
        })
        .await;
        let error = on_instance(&double, &[]).get(NOW_MS).await.expect_err("no role");
        assert!(error.to_string().contains("no RAM role is attached to this instance"), "{error}");
        assert_eq!(error.fault(), Fault::Settings);
        assert!(error.tried().iter().all(|tried| tried.fault.is_none()), "{error:?}");
    }
    // What would lead elsewhere is no role.
    let double = DataWorksDouble::start(|request| match request.method.as_str() {
        "PUT" => Reply::Answer(200, vec![], "T-1".into()),
        _ => Reply::Answer(200, vec![], "../../other".into()),
    })
    .await;
    let error = on_instance(&double, &[]).get(NOW_MS).await.expect_err("no role");
    assert!(error.to_string().contains("what should be the name of its role is none"), "{error}");
    assert_eq!(double.received().len(), 2);
}

#[tokio::test]
async fn a_credentials_uri_is_asked_as_it_is_and_its_path_is_not_told() {
    let double = DataWorksDouble::start(|_| Reply::json(200, &keys(1, END_MS).to_string())).await;
    let uri = format!("{}/path/hunter2?key=hunter2", double.url);
    let source = chain(ambient(&[(URI, &uri)]));
    source.get(NOW_MS).await.expect("credentials");
    assert_eq!(targets(&double), ["GET /path/hunter2?key=hunter2"]);
    let shown = format!("{:?} {source:?}", source.told());
    assert!(shown.contains(&double.url) && !shown.contains("hunter2"), "{shown}");
    let gone = chain(ambient(&[(URI, "http://127.0.0.1:9/hunter2")])).get(NOW_MS).await;
    let error = gone.expect_err("nobody listens");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    assert_eq!(error.fault(), Fault::Unavailable);
}

// -- STS --

fn assumed(number: usize) -> Reply {
    let body = json!({
        "RequestId": "R-1",
        "AssumedRoleUser": {"Arn": "acs:ram::1:role/r/openeventd"},
        "Credentials": keys(number, END_MS),
    });
    Reply::json(200, &body.to_string())
}

fn configured(credentials: Credentials, role: Role, sts_url: &str) -> Arc<Source> {
    let again = credentials.clone();
    let configured = Configured {
        from: "the test".into(),
        files: Files::default(),
        first: credentials,
        read: Box::new(move || Ok(again.clone())),
    };
    let ambient = Ambient { sts_url: Some(sts_url.into()), ..ambient(&[]) };
    Arc::new(Source::configured("main", configured, Some(role), ambient))
}

#[tokio::test]
async fn a_role_is_assumed_by_a_signed_call() {
    let double = DataWorksDouble::start(|_| assumed(1)).await;
    let role = Role {
        external_id: Some("ours & theirs".into()),
        policy: Some(r#"{"Version":"1"}"#.into()),
        ..Role::new("acs:ram::1:role/r")
    };
    let token = Some("base+token/==".into());
    let source = configured(Credentials { security_token: token, ..credentials() }, role, &double.url);
    let got = source.get(NOW_MS).await.expect("credentials");
    assert_eq!((number(&got), got.expires_at_ms), (1, Some(END_MS)));
    let told = source.told();
    assert_eq!((told.source, told.role.as_deref()), ("configured", Some("acs:ram::1:role/r")));

    let request = &double.received()[0];
    assert_eq!((request.method.as_str(), &request.signature), ("POST", &Signature::Valid("v1")));
    for (name, value) in [
        ("Action", "AssumeRole"),
        ("Version", "2015-04-01"),
        ("Format", "JSON"),
        ("AccessKeyId", ACCESS_KEY_ID),
        ("SecurityToken", "base+token/=="),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("Timestamp", "2026-03-25T08:00:00Z"),
    ] {
        assert_eq!(request.query[name], value, "{name}");
    }
    assert_eq!(request.query["SignatureNonce"].len(), 32);
    for (name, value) in [
        ("RoleArn", "acs:ram::1:role/r"),
        ("RoleSessionName", "openeventd"),
        ("DurationSeconds", "3600"),
        ("ExternalId", "ours & theirs"),
        ("Policy", r#"{"Version":"1"}"#),
    ] {
        assert_eq!(request.form[name], value, "{name}");
    }
}

#[tokio::test]
async fn what_sts_refuses_is_told_without_secrets() {
    let role = || Role::new("acs:ram::1:role/r");
    let wrong = Credentials {
        access_key_secret: "hunter2-hunter2".into(),
        security_token: Some("token+hunter2".into()),
        ..credentials()
    };
    // The stand-in echoes the text that was signed, as STS does.
    let double = DataWorksDouble::replying([]).await;
    let error = configured(wrong, role(), &double.url).get(NOW_MS).await.expect_err("a wrong signature");
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("SignatureDoesNotMatch") && shown.contains("request id R-1"), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains(ACCESS_KEY_ID), "{shown}");
    assert_eq!(error.fault(), Fault::Refused);

    for (reply, fault) in [
        (Reply::refusal(403, "NoPermission"), Fault::Refused),
        (Reply::refusal(404, "EntityNotExist.Role"), Fault::Refused),
        (Reply::refusal(429, "Throttling.User"), Fault::Unavailable),
        (Reply::refusal(500, "InternalError"), Fault::Unavailable),
        (Reply::json(200, r#"{"RequestId":"R-1"}"#), Fault::Unavailable),
    ] {
        let double = DataWorksDouble::replying([reply.clone()]).await;
        let error = configured(credentials(), role(), &double.url).get(NOW_MS).await;
        let error = error.expect_err("it is refused");
        assert_eq!(error.fault(), fault, "{reply:?}: {error}");
    }
    // Whose permission is missing is told as well.
    let double = DataWorksDouble::replying([Reply::refusal(403, "NoPermission")]).await;
    let key = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", ACCESS_KEY_ID),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", ACCESS_KEY_SECRET),
    ];
    let around = Ambient { sts_url: Some(double.url.clone()), ..ambient(&key) };
    let source = Arc::new(Source::default_chain("main", Some(role()), around));
    source.get(NOW_MS).await.expect_err("it is refused");
    let told = source.told();
    assert_eq!((told.source, told.role.as_deref()), ("environment", Some("acs:ram::1:role/r")));
    let plain = configured(credentials(), role(), "http://sts.example.com").get(NOW_MS).await;
    let error = plain.expect_err("plain text leaves the machine never");
    assert!(matches!(error, CredentialError::Settings { .. }), "{error}");
}

#[tokio::test]
async fn an_oidc_token_is_read_anew_and_travels_in_the_form() {
    let mut given = 0;
    let double = DataWorksDouble::start(move |_| {
        given += 1;
        let mut reply = keys(given, NOW_MS + 60 * MINUTE_MS * i64::try_from(given).expect("few"));
        reply["Code"] = json!(null);
        Reply::json(200, &json!({"RequestId": "R", "Credentials": reply}).to_string())
    })
    .await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("token");
    write(&file, "first.token.hunter2\n");
    let path = file.display().to_string();
    let variables = [
        ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r"),
        ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/p"),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", path.as_str()),
        ("ALIBABA_CLOUD_ROLE_SESSION_NAME", "session"),
    ];
    let source = chain(Ambient { sts_url: Some(double.url.clone()), ..ambient(&variables) });
    source.get(NOW_MS).await.expect("credentials");
    write(&file, "second.token.hunter2");
    // They have ended, so they are waited for.
    assert_eq!(number(&source.get(NOW_MS + 61 * MINUTE_MS).await.expect("credentials")), 2);

    let received = double.received();
    let tokens: Vec<&str> = received.iter().map(|request| request.form["OIDCToken"].as_str()).collect();
    assert_eq!(tokens, ["first.token.hunter2", "second.token.hunter2"]);
    let request = &received[0];
    assert_eq!(request.signature, Signature::Missing);
    assert_eq!(request.query["Action"], "AssumeRoleWithOIDC");
    assert_eq!(request.form["OIDCProviderArn"], "acs:ram::1:oidc-provider/p");
    assert_eq!(
        (request.form["RoleArn"].as_str(), request.form["RoleSessionName"].as_str()),
        ("acs:ram::1:role/r", "session")
    );
    assert!(!request.target.contains("hunter2"));

    let echo = Reply::json(
        400,
        &json!({"Code": "AuthenticationFail.OIDCToken", "Message": "no: third.token.hunter2"}).to_string(),
    );
    let double = DataWorksDouble::replying([echo]).await;
    write(&file, "third.token.hunter2");
    let source = chain(Ambient { sts_url: Some(double.url.clone()), ..ambient(&variables) });
    let error = source.get(NOW_MS).await.expect_err("it is refused");
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("AuthenticationFail.OIDCToken: no: [secret]"), "{shown}");
    assert_eq!(error.fault(), Fault::Refused);
}

#[tokio::test]
async fn no_proxy_is_asked_for_the_metadata_service_nor_for_loopback() {
    let proxy = DataWorksDouble::replying([]).await;
    let double = DataWorksDouble::start(|request| instance(request, true)).await;
    let around = Ambient { proxy: Some(proxy.url.clone()), metadata_url: double.url.clone(), ..ambient(&[]) };
    chain(around).get(NOW_MS).await.expect("credentials");
    let sts = DataWorksDouble::start(|_| assumed(1)).await;
    let around = Ambient {
        proxy: Some(proxy.url.clone()),
        sts_url: Some(sts.url.clone()),
        ..ambient(&[
            ("ALIBABA_CLOUD_ACCESS_KEY_ID", ACCESS_KEY_ID),
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", ACCESS_KEY_SECRET),
        ])
    };
    let role = Role::new("acs:ram::1:role/r");
    let source = Arc::new(Source::default_chain("main", Some(role), around));
    source.get(NOW_MS).await.expect("credentials");
    assert_eq!((proxy.received().len(), sts.received().len()), (0, 1));
}
