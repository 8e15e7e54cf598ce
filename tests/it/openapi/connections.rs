//! Connections: proxies, IPv6, and what is not used again.

use std::time::Duration;

use openeventd::openapi::Settings;
use openeventd::openapi::call::{Client, IDLE_MAX};
use openeventd::openapi::error::Class;
use openeventd::openapi::sign::Scheme;
use tokio::net::TcpListener;

use super::{Account, account, rerun, secrets, settings};
use crate::endpoint::{DataWorksDouble, Reply, Signature};

#[tokio::test]
async fn loopback_is_never_called_through_a_proxy() {
    let proxy = DataWorksDouble::replying([]).await;
    let endpoint = DataWorksDouble::replying([]).await;
    let client = Client::new(&Settings { proxy: Some(proxy.url.clone()), ..settings() }).expect("a client");
    rerun(&client, &account(&endpoint.url), &secrets()).await.expect("success");
    let secure = endpoint.url.replace("http:", "https:");
    let error = rerun(&client, &account(&secure), &secrets()).await.expect_err("the endpoint has no TLS");
    assert_eq!(error.class(), Class::Unreachable);
    assert_eq!(proxy.received().len(), 0);
}

#[tokio::test]
async fn other_hosts_are_called_through_the_proxy_and_it_sees_only_the_host() {
    let proxy = DataWorksDouble::replying([Reply::refusal(407, "Proxy")]).await;
    let client = Client::new(&Settings { proxy: Some(proxy.url.clone()), ..settings() }).expect("a client");
    let error = rerun(&client, &account("https://dataworks.example.invalid"), &secrets()).await;
    assert_eq!(error.expect_err("the proxy refuses").class(), Class::Unreachable);
    let received = proxy.received();
    assert_eq!(received.len(), 1);
    assert_eq!(
        (received[0].method.as_str(), received[0].target.as_str()),
        ("CONNECT", "dataworks.example.invalid:443")
    );
}

#[test]
fn a_proxy_that_is_no_url_is_refused_without_being_shown() {
    let proxy = Some("http://user:hunter2000@ho st".to_owned());
    let settings = Settings { proxy, ..settings() };
    let error = Client::new(&settings).expect_err("no URL");
    let shown = format!("{error} {error:?} {settings:?}");
    assert!(
        shown.contains("the setting `proxy` is no proxy URL") && !shown.contains("hunter2000"),
        "{shown}"
    );
}

#[tokio::test]
async fn an_endpoint_may_have_an_ipv6_address() {
    let listener = match TcpListener::bind("[::1]:0").await {
        Ok(listener) => listener,
        Err(error) => {
            // Loud, since nothing was tested.
            eprintln!("SKIPPED: this machine has no ::1 ({error})");
            return;
        }
    };
    let double = DataWorksDouble::listening(listener, |_| Reply::success());
    assert!(double.url.starts_with("http://[::1]:"), "{}", double.url);
    let client = Client::new(&settings()).expect("a client");
    for signature in [Scheme::V1, Scheme::Acs3] {
        let account = Account { signature, ..account(&double.url) };
        rerun(&client, &account, &secrets()).await.expect("success");
        let received = double.received().pop().expect("the call arrived");
        assert_eq!(received.signature, Signature::Valid(signature.as_str()));
        assert_eq!(received.headers["host"], double.url.trim_start_matches("http://"));
    }
}

#[tokio::test]
async fn a_connection_that_was_idle_for_too_long_is_not_used_again() {
    assert!(IDLE_MAX < Duration::from_secs(5));
    let double = DataWorksDouble::replying([]).await;
    let client = Client::new(&settings()).expect("a client");
    let account = account(&double.url);
    rerun(&client, &account, &secrets()).await.expect("success");
    // The pool measures idleness by a clock that no test can move.
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    let begun = std::time::Instant::now();
    while begun.elapsed() <= IDLE_MAX + Duration::from_millis(200) {
        looks.tick().await;
    }
    rerun(&client, &account, &secrets()).await.expect("success");
    let connections: Vec<usize> = double.received().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 1]);
}
