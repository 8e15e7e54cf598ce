//! What the daemon does with an account's credentials: none, and refused ones.

use std::sync::Arc;
use std::time::Duration;

use openeventd::openapi::Account;
use serde_json::json;

use super::{MINUTE_MS, URI, ambient, chain, keys};
use crate::dispatch::{Dispatching, now_ms, plan, until_worked_off};
use crate::endpoint::{ACCESS_KEY_SECRET, DataWorksDouble, Reply, Signature};
use crate::harness::{Harness, live, policy};
use crate::openapi::account;

#[tokio::test]
async fn without_credentials_nothing_leaves_and_the_account_is_parked() {
    let double = DataWorksDouble::replying([]).await;
    let mut store = Harness::with(&live("duplicates", "")).await;
    plan(&store, 1..20).await;
    let nothing = chain(ambient(&[("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")]));
    let dispatching =
        Dispatching::start_for(&store, Account { credentials: nothing, ..account(&double.url) }, policy());
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let parked = async {
        while store.count("parking").await == 0 || store.count("action WHERE state = 'in_flight'").await > 0 {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), parked).await.expect("the account is parked");
    dispatching.stop().await;
    assert!(double.received().is_empty());
    assert_eq!(store.count("action WHERE state = 'planned'").await, 19, "they wait for a key");
    assert_eq!(store.rows("account, reason", "parkings").await, [json!(["main", "credentials"])]);
    assert_eq!(store.rows("sum(sent)", "quota_days").await, [json!([0])], "nothing left, nothing is spent");
    for attempt in store.rows("class, http_status, error_message", "attempts").await {
        assert_eq!((&attempt[0], &attempt[1]), (&json!("credentials"), &json!(null)));
        let message = attempt[2].as_str().expect("a text");
        assert!(message.starts_with("the account has no credentials: the default chain finds"), "{message}");
    }
}

#[tokio::test]
async fn credentials_that_the_endpoint_refuses_are_renewed_for_the_next_attempt() {
    let mut given = 0;
    let giving = DataWorksDouble::start(move |_| {
        given += 1;
        let mut keys = keys(given, now_ms() + 60 * MINUTE_MS);
        keys["AccessKeySecret"] = json!(ACCESS_KEY_SECRET);
        Reply::json(200, &keys.to_string())
    })
    .await;
    let double = DataWorksDouble::replying([Reply::refusal(400, "InvalidSecurityToken.Expired")]).await;
    let mut store = Harness::with(&live("duplicates", "")).await;
    plan(&store, 1..2).await;
    let source = chain(ambient(&[(URI, &giving.url), ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")]));
    let account = Account { credentials: Arc::clone(&source), ..account(&double.url) };
    let dispatching = Dispatching::start_for(&store, account, policy());
    until_worked_off(&mut store).await;
    dispatching.stop().await;
    assert_eq!(store.rows("state", "actions").await, [json!(["succeeded"])]);
    let received = double.received();
    let used: Vec<(&str, &str)> = received
        .iter()
        .map(|request| (request.query["AccessKeyId"].as_str(), request.query["SecurityToken"].as_str()))
        .collect();
    let expected = [
        ("STS.access-key-0001", "very-secret-token-0001"),
        ("STS.access-key-0002", "very-secret-token-0002"),
    ];
    assert_eq!(used, expected);
    assert!(received.iter().all(|request| request.signature == Signature::Valid("v1")));
    assert_eq!(giving.received().len(), 2);
}
