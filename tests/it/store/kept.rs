//! What is kept beside the events: gaps, rule sets, configurations.

use openeventd::rule::RuleFile;
use openeventd::store::Settings;
use openeventd::store::positions::{Gap, GapReason};
use serde_json::json;

use crate::harness::{Harness, NOW_MS, live, opened, rule_set};

#[tokio::test]
async fn a_gap_is_written_down_with_its_reason() {
    let mut store = Harness::with("").await;
    let reasons = [GapReason::Retention, GapReason::ForeignCommit, GapReason::Recreated, GapReason::StartAt];
    let gaps = reasons.map(|reason| Gap {
        topic: "events".into(),
        partition: 2,
        first_offset: 5,
        end_offset: 9,
        reason,
    });
    store.writer.record_gaps(gaps.to_vec(), NOW_MS).await.expect("they are kept");
    let words = ["retention", "foreign_commit", "recreated", "start_at"];
    let expected = words.map(|word| json!(["events", 2, 4, word, "2026-03-25T08:00:00.000Z"]));
    assert_eq!(store.rows("topic, partition, offsets, reason, noticed_at", "gaps").await, expected);
}

#[tokio::test]
async fn the_rule_set_last_in_force_comes_back_whole() {
    let (none, converges) = (live("none", ""), live("converges", ""));
    let mut store = Harness::with(&none).await;
    let other = rule_set(&converges);
    let first = store.deciding.rule_set;
    let second = store.writer.remember_rules(&other, NOW_MS + 1).await.expect("it is kept");
    assert_ne!(first, second);
    assert_eq!(store.writer.remember_rules(&other, NOW_MS + 2).await.expect("it is kept"), second);
    let again = store.writer.remember_rules(&store.deciding.rules, NOW_MS + 3).await.expect("it is kept");
    assert_eq!(again, first, "the same content is the same rule set");
    assert_eq!(
        store.rows("id, rules", "rule_sets ORDER BY id").await,
        [json!([first, 1]), json!([second, 1])]
    );

    let path = store.path();
    let directory = store.close().await;
    let opened = opened(&Settings { path, file_mode: 0o600 }).await;
    let files = opened.last_rules().await.expect("it reads");
    assert_eq!(files, Some(vec![RuleFile { path: "test.toml".into(), text: none }]));
    drop(directory);
}

#[tokio::test]
async fn a_new_database_has_no_rule_set_and_one_without_rules_has_an_empty_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let settings = Settings { path: directory.path().join("audit.db"), file_mode: 0o600 };
    let new = opened(&settings).await;
    assert_eq!(new.last_rules().await.expect("it reads"), None);
    drop(new);
    let store = Harness::open(directory, "", 0o600).await;
    let directory = store.close().await;
    let opened = opened(&settings).await;
    assert_eq!(opened.last_rules().await.expect("it reads"), Some(vec![]));
    drop(directory);
}
