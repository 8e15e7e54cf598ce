//! The default chain: its order, its profiles, and what it says of what it skipped.

use std::path::Path;
use std::sync::Arc;

use openeventd::openapi::credential::{Ambient, CredentialError, Fault, Source};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{MINUTE_MS, URI, ambient, chain, giving, keys, number, write};
use crate::endpoint::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, DataWorksDouble, Reply, Signature};
use crate::openapi::NOW_MS;

const CLI: &str = ".aliyun/config.json";
const INI: &str = ".alibabacloud/credentials";

/// Metadata service, STS and credentials URI in one; whose number is 2, 5 and 6.
async fn services() -> DataWorksDouble {
    DataWorksDouble::start(|request| {
        let end_ms = NOW_MS + 60 * MINUTE_MS;
        let path = request.target.split('?').next().expect("a path");
        match (request.method.as_str(), path) {
            ("PUT", _) => Reply::Answer(200, vec![], "T-1".into()),
            ("POST", _) => Reply::json(200, &json!({"Credentials": keys(2, end_ms)}).to_string()),
            ("GET", "/uri") => Reply::json(200, &keys(6, end_ms).to_string()),
            ("GET", path) if path.ends_with('/') => Reply::Answer(200, vec![], "worker".into()),
            _ => Reply::json(200, &keys(5, end_ms).to_string()),
        }
    })
    .await
}

fn home(files: &[(&str, &str)]) -> TempDir {
    let home = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        write(&home.path().join(name), text);
    }
    home
}

/// The chain with this home and these services.
fn around(home: &Path, double: &DataWorksDouble, variables: &[(&str, &str)]) -> Ambient {
    Ambient {
        home: Some(home.to_owned()),
        metadata_url: double.url.clone(),
        sts_url: Some(double.url.clone()),
        ..ambient(variables)
    }
}

fn cli(profile: &Value) -> String {
    json!({"current": "c", "profiles": [{"name": "other", "mode": "AK"}, profile]}).to_string()
}

#[tokio::test]
async fn each_step_gives_way_to_those_before_it() {
    let double = services().await;
    let profile = json!({"name": "c", "mode": "AK", "access_key_id": "id-0003", "access_key_secret": "s"});
    let ini = "[default]\ntype = access_key\naccess_key_id = id-0004 # ours\naccess_key_secret = s\n";
    let home = home(&[(CLI, &cli(&profile)), (INI, ini), ("token", "t")]);
    let token = home.path().join("token").display().to_string();
    let uri = format!("{}/uri", double.url);
    let all = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "id-0001"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s"),
        ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r"),
        ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/p"),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", token.as_str()),
        (URI, uri.as_str()),
    ];
    let without = |names: &[&str]| -> Vec<(&str, &str)> {
        all.into_iter().filter(|(name, _)| !names.contains(name)).collect()
    };
    let no_key = ["ALIBABA_CLOUD_ACCESS_KEY_ID"];
    let no_role = ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"];
    let no_cli = ("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true");
    let no_ini = ("ALIBABA_CLOUD_CREDENTIALS_FILE", "/nowhere/credentials");
    let no_ecs = ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    let steps = ["environment", "oidc_role", "cli_profile", "ini_profile", "ecs_role", "credentials_uri"];
    let cases = [
        (without(&[]), vec![]),
        (without(&no_key), vec![]),
        (without(&no_role), vec![]),
        (without(&no_role), vec![no_cli]),
        (without(&no_role), vec![no_cli, no_ini]),
        (without(&no_role), vec![no_cli, no_ini, no_ecs]),
    ];
    for (at, (variables, more)) in cases.into_iter().enumerate() {
        let source = chain(around(home.path(), &double, &[variables, more].concat()));
        let got = source.get(NOW_MS).await.unwrap_or_else(|error| panic!("{}: {error}", steps[at]));
        let told = source.told();
        assert_eq!((number(&got), told.source), (at + 1, steps[at]));
        let skipped: Vec<&str> = told.tried.iter().map(|tried| tried.step).collect();
        assert_eq!(skipped, steps[..at], "each skipped step is told");
    }
}

#[tokio::test]
async fn the_step_that_worked_once_is_used_again() {
    let double = giving(60 * MINUTE_MS).await;
    let home = home(&[]);
    let variables = [(URI, double.url.as_str()), ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")];
    let source = chain(around(home.path(), &double, &variables));
    assert_eq!(number(&source.get(NOW_MS).await.expect("credentials")), 1);
    let profile = json!({"name": "c", "mode": "AK", "access_key_id": "id-0099", "access_key_secret": "s"});
    write(&home.path().join(CLI), &cli(&profile));
    assert_eq!(number(&source.get(NOW_MS + 61 * MINUTE_MS).await.expect("credentials")), 2);
    assert_eq!(source.told().source, "credentials_uri");
}

#[tokio::test]
async fn every_mode_of_the_cli_is_understood_or_refused() {
    let double = services().await;
    let key = json!({"access_key_id": ACCESS_KEY_ID, "access_key_secret": ACCESS_KEY_SECRET});
    let role = json!({"ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "s-1", "expired_seconds": 900,
        "external_id": "e", "policy": "{}"});
    let token = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(token.path(), "token").expect("it is written");
    let with = |mode: &str, parts: &[&Value]| {
        let mut profile = json!({"name": "c", "mode": mode});
        for part in parts {
            for (key, value) in part.as_object().expect("an object") {
                profile[key] = value.clone();
            }
        }
        profile
    };
    let oidc = json!({"oidc_provider_arn": "p", "oidc_token_file": token.path()});
    for (profile, expected) in [
        (with("AK", &[&key]), Ok(ACCESS_KEY_ID)),
        (with("StsToken", &[&key, &json!({"sts_token": "t"})]), Ok(ACCESS_KEY_ID)),
        (with("RamRoleArn", &[&key, &role]), Ok("STS.access-key-0002")),
        (with("OIDC", &[&role, &oidc]), Ok("STS.access-key-0002")),
        (with("EcsRamRole", &[&json!({"ram_role_name": "worker"})]), Ok("STS.access-key-0005")),
        (with("EcsRamRole", &[&json!({"ram_role_name": ""})]), Ok("STS.access-key-0005")),
        (with("EcsRamRole", &[&json!({"ram_role_name": "../x"})]), Err("has a ram_role_name that is none")),
        (
            with("ChainableRamRoleArn", &[&role, &json!({"source_profile": "base"})]),
            Ok("STS.access-key-0002"),
        ),
        (with("ChainableRamRoleArn", &[&role, &json!({"source_profile": "c"})]), Err("builds on itself")),
        (with("ChainableRamRoleArn", &[&role, &json!({"source_profile": "loop"})]), Err("builds on itself")),
        (
            with("ChainableRamRoleArn", &[&role, &json!({"source_profile": "none"})]),
            Err("has no profile `none`"),
        ),
        (with("CloudSSO", &[&key]), Err("has the mode CloudSSO, which openeventd does not support")),
        (with("OAuth", &[&key]), Err("has the mode OAuth, which openeventd does not support")),
        (with("External", &[]), Err("has the mode External, which openeventd does not support")),
        (with("Later", &[&key]), Err("has the mode `Later`, expected one of AK,")),
        (with("AK", &[]), Err("has no access_key_id")),
        (with("StsToken", &[&key]), Err("has no sts_token")),
    ] {
        let base = with("AK", &[&key, &json!({"name": "base"})]);
        let looping = with("ChainableRamRoleArn", &[&role, &json!({"name": "loop", "source_profile": "c"})]);
        let text = json!({"current": "c", "profiles": [profile, base, looping]}).to_string();
        let home = home(&[(CLI, &text)]);
        let no_more = [("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")];
        let outcome = chain(around(home.path(), &double, &no_more)).get(NOW_MS).await;
        match (outcome, expected) {
            (Ok(got), Ok(id)) => assert_eq!(got.access_key_id, id, "{profile}"),
            (Err(error), Err(expected)) => {
                let shown = format!("{error} {error:?}");
                assert!(shown.contains(expected) && !shown.contains(ACCESS_KEY_SECRET), "{profile}: {shown}");
                assert_eq!(error.fault(), Fault::Settings);
            }
            (outcome, _) => panic!("{profile}: {outcome:?}"),
        }
    }
    let posts: Vec<_> = double.received().into_iter().filter(|request| request.method == "POST").collect();
    assert_eq!(posts.len(), 3);
    for request in posts {
        let is_signed = request.query["Action"] == "AssumeRole";
        assert_eq!(request.signature, if is_signed { Signature::Valid("v1") } else { Signature::Missing });
        let form = |name: &str| request.form[name].clone();
        assert_eq!((form("DurationSeconds"), form("RoleSessionName")), ("900".into(), "s-1".into()));
    }
}

#[tokio::test]
async fn every_type_of_the_shared_file_is_understood_or_refused() {
    let double = services().await;
    let key = format!("access_key_id = {ACCESS_KEY_ID}\naccess_key_secret={ACCESS_KEY_SECRET} # keep it\n");
    let role = "role_arn = acs:ram::1:role/r\nrole_session_name = s-1\npolicy = {}\n";
    let token = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(token.path(), "token").expect("it is written");
    let oidc = format!("oidc_provider_arn = p\noidc_token_file_path = {}\n", token.path().display());
    for (lines, expected) in [
        (format!("type = access_key\n{key}"), Ok(ACCESS_KEY_ID)),
        (format!("type = ram_role_arn\n{key}{role}"), Ok("STS.access-key-0002")),
        (format!("type = oidc_role_arn\n{role}{oidc}"), Ok("STS.access-key-0002")),
        ("type = ecs_ram_role\nrole_name = worker\n".to_owned(), Ok("STS.access-key-0005")),
        ("type = rsa_key_pair\npublic_key_id = x\n".to_owned(), Err("which openeventd does not support")),
        (format!("type = bearer\n{key}"), Err("has the type `bearer`, expected one of access_key,")),
        (key.clone(), Err("has no type")),
        ("type = access_key\n".to_owned(), Err("has no access_key_id")),
    ] {
        let home = home(&[(".alibabacloud/credentials.ini", &format!("[other]\ntype=x\n[team]\n{lines}"))]);
        let variables = [("ALIBABA_CLOUD_PROFILE", "team"), ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")];
        let source = chain(around(home.path(), &double, &variables));
        match (source.get(NOW_MS).await, expected) {
            (Ok(got), Ok(id)) => {
                assert_eq!(got.access_key_id, id, "{lines}");
                assert!(source.told().from.starts_with("section [team] ("), "{:?}", source.told());
            }
            (Err(error), Err(expected)) => {
                let shown = format!("{error} {error:?}");
                assert!(shown.contains(expected) && !shown.contains(ACCESS_KEY_SECRET), "{lines}: {shown}");
            }
            (outcome, _) => panic!("{lines}: {outcome:?}"),
        }
    }
}

#[tokio::test]
async fn the_shared_file_may_lie_elsewhere() {
    let double = services().await;
    let section = |id: &str| format!("[default]\ntype=access_key\naccess_key_id={id}\naccess_key_secret=s\n");
    let home = home(&[(INI, &section("id-0001")), ("other", &section("id-0002"))]);
    let other = home.path().join("other").display().to_string();
    let elsewhere = [("ALIBABA_CLOUD_CREDENTIALS_FILE", other.as_str())];
    for (variables, expected) in [(&[][..], 1), (&elsewhere[..], 2)] {
        let source = chain(around(home.path(), &double, variables));
        assert_eq!(number(&source.get(NOW_MS).await.expect("credentials")), expected);
    }
}

#[tokio::test]
async fn a_profile_that_is_wrong_is_skipped_and_told_without_its_text() {
    let double = services().await;
    let uri = format!("{}/uri", double.url);
    let variables = [(URI, uri.as_str()), ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")];
    for (text, expected) in [
        (r#"{"profiles": "hunter2"}"#.to_owned(), "names no current profile"),
        (r#"{"current": "x", "profiles": [{"hunter2": 1}]}"#.to_owned(), "has no profile `x`"),
        ("{\"current\":\n hunter2".to_owned(), "is no JSON (line 2, column 2)"),
        ("x".repeat(2 << 20), "is over 1048576 bytes"),
    ] {
        let home = home(&[(CLI, &text)]);
        let source = chain(around(home.path(), &double, &variables));
        assert_eq!(number(&source.get(NOW_MS).await.expect("the URI gives some")), 6);
        let told = source.told().tried;
        let skipped = told.iter().find(|tried| tried.step == "cli_profile").expect("it was tried");
        assert!(skipped.why.contains(expected) && !skipped.why.contains("hunter2"), "{skipped:?}");
        assert_eq!(skipped.fault, Some(Fault::Settings));
    }
}

#[tokio::test]
async fn a_profile_that_was_written_anew_is_read_anew() {
    let double = services().await;
    let profile =
        |id: &str| cli(&json!({"name": "c", "mode": "AK", "access_key_id": id, "access_key_secret": "s"}));
    let home = home(&[(CLI, &profile("id-0001"))]);
    let source = chain(around(home.path(), &double, &[]));
    assert_eq!(number(&source.get(NOW_MS).await.expect("credentials")), 1);
    write(&home.path().join(CLI), &profile("id-000002"));
    assert_eq!(number(&source.get(NOW_MS + 20_000).await.expect("credentials")), 2);
}

#[tokio::test]
async fn where_nothing_is_found_every_step_says_why() {
    let home = home(&[]);
    let nothing = DataWorksDouble::replying([]).await;
    let variables = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", ""),
        ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r"),
        ("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true"),
    ];
    let around = Ambient { metadata_url: super::NOWHERE.into(), ..around(home.path(), &nothing, &variables) };
    let source: Arc<Source> = chain(around);
    let error = source.get(NOW_MS).await.expect_err("there is nothing");
    let CredentialError::NotFound { tried } = &error else { panic!("{error}") };
    let root = home.path().display();
    let missing =
        format!("there is no {root}/.alibabacloud/credentials and no {root}/.alibabacloud/credentials.ini");
    let expected = [
        ("environment", "ALIBABA_CLOUD_ACCESS_KEY_ID is not set"),
        ("oidc_role", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN is not set"),
        ("cli_profile", "switched off by ALIBABA_CLOUD_CLI_PROFILE_DISABLED"),
        ("ini_profile", missing.as_str()),
        ("ecs_role", "no connection to the metadata service at 127.0.0.1:9: "),
        ("credentials_uri", "ALIBABA_CLOUD_CREDENTIALS_URI is not set"),
    ];
    for (tried, (step, why)) in tried.iter().zip(expected) {
        assert_eq!((tried.step, tried.fault), (step, None));
        assert!(tried.why.starts_with(why), "{tried:?}");
    }
    assert_eq!((tried.len(), error.fault()), (6, Fault::Settings));
    assert_eq!(source.told().tried, *tried);
}
