//! Clocks that differ: learned from a refusal, used from then on, corrected once.

use openeventd::openapi::call::Client;
use openeventd::openapi::error::{CallError, Class};
use openeventd::openapi::sign::Scheme;

use super::{Account, account, rerun, secrets, settings};
use crate::endpoint::{DataWorksDouble, Received, Reply, Signature};

const WRONG: Class = Class::Clock { corrected: false };
const STILL_WRONG: Class = Class::Clock { corrected: true };

/// The refusal of an endpoint by whose clock it is this time.
fn expired(date: &str) -> Reply {
    let Reply::Answer(status, mut headers, body) = Reply::refusal(400, "InvalidTimeStamp.Expired") else {
        panic!("a refusal is an answer")
    };
    headers.push(("Date", date.into()));
    Reply::Answer(status, headers, body)
}

fn time_of(request: &Received) -> &str {
    request.query.get("Timestamp").unwrap_or_else(|| &request.headers["x-acs-date"])
}

/// The classes and the times of as many calls as there are replies, and one more.
async fn calls(scheme: Scheme, replies: Vec<Reply>) -> (Vec<Option<Class>>, Vec<String>) {
    let count = replies.len() + 1;
    let double = DataWorksDouble::replying(replies).await;
    let client = Client::new(&settings()).expect("a client");
    let account = Account { signature: scheme, ..account(&double.url) };
    let mut classes = Vec::new();
    for _ in 0..count {
        let outcome = rerun(&client, &account, &secrets()).await;
        classes.push(outcome.err().map(|error| error.class()));
    }
    let received = double.received();
    assert!(received.iter().all(|request| request.signature == Signature::Valid(scheme.as_str())));
    // To the minute: the difference includes how long the call took.
    let times = received.iter().map(|request| time_of(request)[..16].to_owned()).collect();
    (classes, times)
}

#[tokio::test]
async fn the_endpoint_s_time_is_used_once_it_is_known() {
    // Our clock says 2026-03-25T08:00:00Z.
    for scheme in [Scheme::V1, Scheme::Acs3] {
        let (classes, times) =
            calls(scheme, vec![expired("Wed, 25 Mar 2026 09:30:30 GMT"), Reply::success(), Reply::success()])
                .await;
        assert_eq!(classes, [Some(WRONG), None, None, None]);
        assert_eq!(times[0], "2026-03-25T08:00");
        assert!(times[1..].iter().all(|time| time == "2026-03-25T09:30"), "{times:?}");
    }
}

#[tokio::test]
async fn a_clock_is_corrected_once_unless_the_endpoint_s_own_moved() {
    let (near, far) = ("Wed, 25 Mar 2026 09:31:00 GMT", "Wed, 25 Mar 2026 05:00:30 GMT");
    let (classes, times) =
        calls(Scheme::V1, vec![expired("Wed, 25 Mar 2026 09:30:30 GMT"), expired(near), expired(far)]).await;
    assert_eq!(classes, [Some(WRONG), Some(STILL_WRONG), Some(WRONG), None]);
    assert_eq!(times, ["2026-03-25T08:00", "2026-03-25T09:30", "2026-03-25T09:30", "2026-03-25T05:00"]);
}

#[tokio::test]
async fn without_a_usable_date_nothing_is_learned() {
    let (classes, times) = calls(Scheme::V1, vec![expired("today"), expired("")]).await;
    assert_eq!(classes, [Some(STILL_WRONG), Some(STILL_WRONG), None]);
    assert!(times.iter().all(|time| time == "2026-03-25T08:00"), "{times:?}");
}

#[tokio::test]
async fn other_endpoints_and_other_refusals_keep_our_time() {
    let date = "Wed, 25 Mar 2026 09:30:30 GMT";
    let first = DataWorksDouble::replying([expired(date)]).await;
    let other = DataWorksDouble::replying([Reply::refusal(400, "InvalidTimeStamp.Format")]).await;
    let client = Client::new(&settings()).expect("a client");
    let error = rerun(&client, &account(&first.url), &secrets()).await.expect_err("refused");
    assert!(matches!(error, CallError::Clock { corrected: false, .. }), "{error:?}");
    rerun(&client, &account(&other.url), &secrets()).await.expect_err("refused");
    rerun(&client, &account(&other.url), &secrets()).await.expect("success");
    assert!(other.received().iter().all(|request| time_of(request) == "2026-03-25T08:00:00Z"));
}
