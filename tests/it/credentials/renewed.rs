//! Renewal: before the end, one at a time, and what is served while it fails.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openeventd::openapi::credential::{CredentialError, Fault, Source};
use tokio::task::JoinSet;

use super::{MINUTE_MS, URI, ambient, chain, giving, keys, number, until_number};
use crate::endpoint::{DataWorksDouble, Reply};
use crate::openapi::{NOW_MS, credentials, signed_by};

fn source(double: &DataWorksDouble) -> Arc<Source> {
    chain(ambient(&[(URI, &double.url), ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")]))
}

#[tokio::test]
async fn credentials_are_renewed_a_quarter_of_an_hour_before_they_end() {
    let double = giving(60 * MINUTE_MS).await;
    let source = source(&double);
    for minutes in [0, 1, 44] {
        let got = source.get(NOW_MS + minutes * MINUTE_MS).await.expect("credentials");
        assert_eq!((number(&got), double.received().len()), (1, 1), "{minutes}");
    }
    // Nobody waits: the old ones are good for a while.
    let due_ms = NOW_MS + 45 * MINUTE_MS;
    assert_eq!(number(&source.get(due_ms).await.expect("credentials")), 1);
    until_number(&source, 2, due_ms).await;
    assert_eq!(double.received().len(), 2);
    let told = source.told();
    assert_eq!((told.source, told.failed), ("credentials_uri", None));
    assert_eq!(told.expires_at_ms, Some(NOW_MS + 120 * MINUTE_MS));
}

#[tokio::test]
async fn a_short_life_is_renewed_at_its_half() {
    let double = giving(10 * MINUTE_MS).await;
    let source = source(&double);
    for minutes in [0, 4] {
        assert_eq!(number(&source.get(NOW_MS + minutes * MINUTE_MS).await.expect("credentials")), 1);
    }
    // The renewal itself took a moment of that life.
    until_number(&source, 2, NOW_MS + 5 * MINUTE_MS + 10_000).await;
    assert_eq!(double.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_ask_at_once_are_one_renewal() {
    let double = DataWorksDouble::start(|_| {
        let body = keys(1, NOW_MS + 60 * MINUTE_MS).to_string();
        Reply::Late(Duration::from_millis(100), Box::new(Reply::json(200, &body)))
    })
    .await;
    let source = source(&double);
    let mut asking = JoinSet::new();
    for _ in 0..50 {
        let source = Arc::clone(&source);
        asking.spawn(async move { source.get(NOW_MS).await.map(|got| number(&got)) });
    }
    assert!(asking.join_all().await.into_iter().all(|got| got == Ok(1)));
    assert_eq!(double.received().len(), 1);
}

#[tokio::test]
async fn whoever_stops_waiting_takes_the_renewal_from_nobody() {
    let double = giving(60 * MINUTE_MS).await;
    let source = source(&double);
    // Polled once, then dropped: as a call that was given up.
    let given_up = tokio::time::timeout(Duration::ZERO, source.get(NOW_MS)).await;
    assert!(given_up.is_err());
    assert_eq!(number(&source.get(NOW_MS).await.expect("credentials")), 1);
    assert_eq!(double.received().len(), 1);
}

#[tokio::test]
async fn while_renewals_fail_the_old_ones_are_served_and_nobody_is_hammered() {
    let broken = Arc::new(AtomicBool::new(false));
    let is_broken = Arc::clone(&broken);
    let mut given = 0;
    let double = DataWorksDouble::start(move |_| {
        if is_broken.load(Ordering::Relaxed) {
            return Reply::Answer(503, vec![], String::new());
        }
        given += 1;
        Reply::json(
            200,
            &keys(given, NOW_MS + 60 * MINUTE_MS * i64::try_from(given).expect("few")).to_string(),
        )
    })
    .await;
    let source = source(&double);
    source.get(NOW_MS).await.expect("credentials");

    broken.store(true, Ordering::Relaxed);
    // An hour and more later they have ended, and are served even so: the endpoint decides.
    let late_ms = NOW_MS + 61 * MINUTE_MS;
    for after_ms in [0, 1_000, 4_000] {
        assert_eq!(number(&source.get(late_ms + after_ms).await.expect("the old ones")), 1);
        assert_eq!(double.received().len(), 2, "{after_ms} ms after the first failure");
    }
    let failed = source.told().failed.expect("it failed");
    assert_eq!((failed.failures, failed.error.fault()), (1, Fault::Unavailable));
    assert!(failed.error.to_string().ends_with("gave no credentials: HTTP 503"), "{}", failed.error);

    // The pause grows: 5 s, 10 s, 20 s, 40 s, and never more than a minute.
    let mut now_ms = late_ms;
    for (failures, pause_ms) in [(2, 5_000), (3, 10_000), (4, 20_000), (5, 40_000), (6, 60_000), (7, 60_000)]
    {
        source.get(now_ms + pause_ms - 1_000).await.expect("the old ones");
        assert_eq!(double.received().len(), failures, "before the pause is over");
        // What the renewal itself took counts too.
        now_ms += pause_ms + 15_000;
        source.get(now_ms).await.expect("the old ones");
        assert_eq!(double.received().len(), failures + 1);
    }

    broken.store(false, Ordering::Relaxed);
    assert_eq!(number(&source.get(now_ms + 90_000).await.expect("fresh ones")), 2);
    assert_eq!(source.told().failed, None);
}

#[tokio::test]
async fn without_any_credentials_the_failure_is_told_to_all_and_tried_again_after_a_pause() {
    let double = DataWorksDouble::replying([Reply::Close]).await;
    let source = source(&double);
    for after_ms in [0, 1, 4_000] {
        let error = source.get(NOW_MS + after_ms).await.expect_err("nothing was given");
        assert!(matches!(error, CredentialError::NotFound { .. }), "{error}");
        assert_eq!(double.received().len(), 1);
    }
    // The stand-in then answers with what has no credentials in it.
    let error = source.get(NOW_MS + 20_000).await.expect_err("nothing was given");
    assert_eq!((error.fault(), double.received().len()), (Fault::Refused, 2));
}

#[tokio::test]
async fn refused_credentials_are_renewed_once() {
    let double = giving(60 * MINUTE_MS).await;
    let source = source(&double);
    let first = source.get(NOW_MS).await.expect("credentials");
    source.invalidate(&first);
    source.invalidate(&first);
    // Whoever asks next does not get them again.
    let second = source.get(NOW_MS).await.expect("credentials");
    assert_eq!((number(&second), double.received().len()), (2, 2));
    // A late refusal of the old ones says nothing about the new ones.
    source.invalidate(&first);
    assert_eq!(number(&source.get(NOW_MS).await.expect("credentials")), 2);
    // If the new ones are refused as well, others will hardly be better: that waits a minute.
    source.invalidate(&second);
    assert_eq!(number(&source.get(NOW_MS + 50_000).await.expect("credentials")), 2);
    assert_eq!(double.received().len(), 2);
    assert_eq!(number(&source.get(NOW_MS + 90_000).await.expect("credentials")), 3);
}

#[tokio::test]
async fn a_service_that_gives_the_same_until_its_end_is_asked_ever_again_but_not_hammered() {
    let end_ms = NOW_MS + 60 * MINUTE_MS;
    let double = DataWorksDouble::start(move |_| Reply::json(200, &keys(1, end_ms).to_string())).await;
    let source = source(&double);
    // Somebody asks ten times a second in the last half hour.
    for tenths in 0..18_000 {
        source.get(end_ms - 30 * MINUTE_MS + tenths * 100).await.expect("credentials");
        tokio::task::yield_now().await;
    }
    let asked = double.received().len();
    assert!((2..=13).contains(&asked), "{asked} times");
}

#[tokio::test]
async fn what_is_the_same_after_its_renewal_is_not_renewed_again() {
    let double =
        DataWorksDouble::start(|_| Reply::json(200, &keys(1, NOW_MS + 60 * MINUTE_MS).to_string())).await;
    let source = source(&double);
    for _ in 0..5 {
        let got = source.get(NOW_MS).await.expect("credentials");
        source.invalidate(&got);
    }
    assert_eq!(double.received().len(), 2);
    let fixed = signed_by(credentials());
    let got = fixed.get(NOW_MS).await.expect("credentials");
    fixed.invalidate(&got);
    assert_eq!(fixed.get(NOW_MS).await.expect("credentials").access_key_id, got.access_key_id);
}

#[tokio::test]
async fn fresh_credentials_that_are_near_their_end_are_left_alone_for_a_minute() {
    // As with a clock of ours that is wrong: all that is given has ended.
    let double = DataWorksDouble::start(|_| Reply::json(200, &keys(1, NOW_MS - 1).to_string())).await;
    let source = source(&double);
    for after_ms in [0, 1_000, 55_000] {
        source.get(NOW_MS + after_ms).await.expect("the endpoint decides");
        assert_eq!(double.received().len(), 1);
    }
    source.get(NOW_MS + 80_000).await.expect("the endpoint decides");
    assert_eq!(double.received().len(), 2);
}

#[tokio::test]
async fn a_failing_renewal_is_an_alarm_that_ends() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    // With one subscriber alone, a line that another test's thread comes to first is taken to interest nobody.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    // Tasks of this test run on its own thread.
    let logging = tracing::subscriber::set_default(subscriber);
    let double = DataWorksDouble::start({
        let mut asked = 0;
        move |_| {
            asked += 1;
            let body = keys(1, NOW_MS + 60 * MINUTE_MS).to_string();
            if asked < 3 { Reply::Close } else { Reply::json(200, &body) }
        }
    })
    .await;
    let source = source(&double);
    for after_ms in [0, 20_000] {
        source.get(NOW_MS + after_ms).await.expect_err("nothing was given");
    }
    source.get(NOW_MS + 60_000).await.expect("credentials");
    drop(logging);
    let text = log.text();
    let alarms: Vec<&str> = text.lines().filter(|line| line.contains("credentials_failing")).collect();
    assert_eq!(alarms.len(), 2, "{text}");
    let (raised, over) = (alarms[0], alarms[1]);
    assert!(raised.contains("ERROR") && raised.contains("subject=main"), "{raised}");
    assert!(raised.contains("credentials_uri: the credentials URI http://127.0.0.1"), "{raised}");
    assert!(over.contains("INFO") && over.contains("over:") && over.contains("subject=main"), "{over}");
    assert!(!text.contains("very-secret") && !text.contains("access-key-0001"), "{text}");
}

/// What is logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("nobody panics with it").clone()).expect("UTF-8")
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics with it").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
