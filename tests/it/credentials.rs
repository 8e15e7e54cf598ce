//! Credentials: where they are found, how they stay fresh, and what nobody ever sees of them.
//!
//! The services that give credentials are played by the loopback stand-in; the time is an argument.

#![expect(clippy::expect_used, reason = "a helper that cannot prepare its test has failed it")]

mod command;
mod dispatched;
mod found;
mod renewed;
mod rotated;
mod services;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openeventd::openapi::credential::{Ambient, Credentials, Source};
use serde_json::json;

use crate::endpoint::{DataWorksDouble, Reply};
use crate::openapi::{NOW_MS, signed_by};

const MINUTE_MS: i64 = 60_000;

/// A port that nobody listens on.
const NOWHERE: &str = "http://127.0.0.1:9";

const URI: &str = "ALIBABA_CLOUD_CREDENTIALS_URI";

/// These variables, no home, and services that are not there.
fn ambient(variables: &[(&str, &str)]) -> Ambient {
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let nowhere = Ambient::new(variables, None);
    Ambient { metadata_url: NOWHERE.into(), sts_url: Some(NOWHERE.into()), ..nowhere }
}

fn chain(ambient: Ambient) -> Arc<Source> {
    Arc::new(Source::default_chain("main", None, ambient))
}

fn instant(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).expect("a time").to_string()
}

/// The temporary credentials number `number`, in the words of all services.
fn keys(number: usize, end_ms: i64) -> serde_json::Value {
    json!({
        "Code": "Success",
        "AccessKeyId": format!("STS.access-key-{number:04}"),
        "AccessKeySecret": format!("very-secret-{number:04}"),
        "SecurityToken": format!("very-secret-token-{number:04}"),
        "Expiration": instant(end_ms),
    })
}

/// The number of the credentials that [`keys`] made.
fn number(credentials: &Credentials) -> usize {
    credentials.access_key_id.rsplit('-').next().expect("a part").parse().expect("a number")
}

/// A service that gives new credentials with each answer; the first end after `lives_ms`, the next as much later.
async fn giving(lives_ms: i64) -> DataWorksDouble {
    let mut given = 0;
    DataWorksDouble::start(move |_| {
        given += 1;
        let end_ms = NOW_MS + lives_ms * i64::try_from(given).expect("few");
        Reply::json(200, &keys(given, end_ms).to_string())
    })
    .await
}

/// Asks until these credentials are there, for at most 20 seconds.
async fn until_number(source: &Arc<Source>, wanted: usize, now_ms: i64) {
    let mut look = tokio::time::interval(Duration::from_millis(5));
    let there = async {
        while number(&source.get(now_ms).await.expect("credentials")) != wanted {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), there).await.expect("they are renewed");
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("it has a parent")).expect("directories are made");
    std::fs::write(path, text).expect("the file is written");
}

#[test]
fn nothing_shows_a_secret() {
    let variables = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI-environment-id-x7Qp"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "environment-hunter2"),
        ("ALIBABA_CLOUD_SECURITY_TOKEN", "environment-token-hunter2"),
    ];
    let ambient = Ambient { proxy: Some("http://user:hunter2@proxy:1".into()), ..ambient(&variables) };
    let credentials = Credentials {
        access_key_id: "LTAI-environment-id-x7Qp".into(),
        access_key_secret: "fixed-hunter2".into(),
        security_token: Some("token-hunter2".into()),
        expires_at_ms: None,
    };
    let fixed = signed_by(credentials.clone());
    let source = chain(ambient.clone());
    for shown in [
        format!("{ambient:?}"),
        format!("{credentials:?}"),
        format!("{fixed:?} {:?}", fixed.told()),
        format!("{source:?} {:?}", source.told()),
    ] {
        assert!(!shown.contains("hunter2") && !shown.contains("environment-id"), "{shown}");
    }
    assert_eq!(credentials.shortened_id(), "LTAI...x7Qp");
    let short = Credentials { access_key_id: "0123456789abcde".into(), ..credentials };
    assert_eq!(short.shortened_id(), "(short)", "too little would stay hidden");
}
