//! Everything that happened around an object, and what is known where nothing did.

use serde_json::Value;

use super::{Said, openeventd};
use crate::harness::{HOUR_MS, Harness, NOW_MS, at, failure, live, settlement, waiting};
use openeventd::store::outbox::Outcome;

/// The time of the tests.
const DAY: [&str; 4] = ["--since", "2026-03-25T00:00:00Z", "--until", "2026-03-26T00:00:00Z"];

fn why(store: &Harness, object: &str, more: &[&str]) -> Said {
    let mut arguments = vec!["why", object];
    arguments.extend(DAY);
    arguments.extend(more);
    openeventd(&store.path(), &arguments)
}

/// A call that came to nothing for instance 101, an event of node 12 that no rule matched, and later ones.
async fn told() -> Harness {
    let store = Harness::with(&live("duplicates", "")).await;
    store.accept(&[at(0, &failure("failed", 101)), at(1, &waiting("waits"))]).await;
    let claimed = store.claim(1, NOW_MS).await.remove(0);
    let lost = settlement(claimed.attempt, Outcome::Dead, NOW_MS);
    store.writer.settle(lost, NOW_MS + 120).await.expect("it is settled");
    store.accept_at(NOW_MS + 30 * HOUR_MS, &[at(2, &failure("later", 101))]).await;
    store
}

#[tokio::test]
async fn matched_and_unmatched_events_of_an_object_are_told_together() {
    let store = told().await;
    why(&store, "node:12", &[]).assert(
        0,
        &[
            "node 12 from 2026-03-25 00:00:00 to 2026-03-26 00:00:00 UTC: 2 events looked at\n",
            "EVENT  ACCEPTED (UTC)",
            "\n1      2026-03-25 08:00:00",
            "duplicates: dead",
            "duplicates  dead  RerunTaskInstances  {\"Ids\":[101]}\n",
            "         DataWorks refused it, or its attempts were used up; what can be done: `openeventd outbox show 1`\n",
            "attempt 1 dead  lost",
            "\n2      2026-03-25 08:00:00",
            "no rule matched: `openeventd explain 2` says why\n",
        ],
    );
    let said = why(&store, "instance:101", &[]);
    said.assert(0, &["\n1 "]);
    assert!(!said.stdout.contains("no rule matched"), "{}", said.stdout);
    why(&store, "instance:5", &[]).assert(0, &["`openeventd explain 2`"]);
    why(&store, "workspace:96384", &["-n", "1"]).assert(0, &["\n2 ", "there are more"]);
}

#[tokio::test]
async fn the_window_can_be_moved_and_its_ends_are_checked() {
    let store = told().await;
    let of = |since, until| {
        openeventd(&store.path(), &["why", "instance:101", "--since", since, "--until", until])
    };
    of("2026-03-26T00:00:00Z", "2026-03-27T00:00:00Z").assert(0, &["1 event looked at", "\n3 "]);
    of("2026-03-25T00:00:00Z", "2026-03-27T00:00:00Z").assert(0, &["\n1 ", "\n3 "]);
    assert_eq!(of("2026-03-27T00:00:00Z", "2026-03-26T00:00:00Z").exit, 64);
    let said = of("yesterday", "0s");
    assert!(said.exit == 64 && said.stderr.contains("how long ago"), "{}", said.stderr);
    for (object, part) in [
        ("1042", "openeventd audit 1042"),
        ("instance:x", "after the colon"),
        (
            "foo:1",
            "`foo` is no kind of object: expected instance, node, file, table, workspace or operator; what",
        ),
        ("Instance:1", "did you mean `instance:1`?"),
        ("nodes:1", "did you mean `node:1`?"),
    ] {
        let said = openeventd(&store.path(), &["why", object]);
        assert_eq!(said.exit, 64, "{}", said.stderr);
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
}

#[tokio::test]
async fn where_nothing_came_what_is_known_is_told() {
    let store = told().await;
    store.accept(&[at(3, "{\"taskId\": 777, broken")]).await;
    store.tamper("UPDATE quarantined_record SET quarantined_at = 1774425600000").await;
    store.tamper("INSERT INTO gap VALUES (1, 'events', 1, 40, 90, 'retention', 1774425600000)").await;
    let said = why(&store, "instance:777", &[]);
    said.assert(
        66,
        &[
            "instance 777 from ",
            "2 events looked at",
            "Last event   2026-03-26 14:00:00.000 UTC, ",
            ": event 3\n",
            "Daemon       never started; `openeventd status` tells more\n",
            "Behind       not known\n",
            "Gaps         1 noticed in that time, 50 records lost\n",
            "Quarantined  1 in that time, 1 with its id: `openeventd quarantine show 1`\n",
        ],
    );
    assert!(said.stderr.contains("no event of instance 777 was accepted in that time"), "{}", said.stderr);
    let arguments =
        ["why", "instance:101", "--since", "2026-03-27T00:00:00Z", "--until", "2026-03-28T00:00:00Z"];
    openeventd(&store.path(), &arguments).assert(
        66,
        &[
            "0 events looked at",
            "Of its workspace  96384, 2026-03-26 14:00:00.000 UTC, ",
            "About it          2026-03-26 14:00:00.000 UTC, ",
            ": event 3, which a rule matched\n",
            "Gaps              none noticed in that time\n",
            "Quarantined       none in that time\n",
        ],
    );
    for (object, is_told) in [
        ("instance:77", false),
        ("instance:7", false),
        ("table:roken", false),
        ("table:broken", true),
        ("operator:taskId", true),
        ("operator:task?d", false),
        ("operator:{", true),
        ("operator:[", false),
    ] {
        let said = why(&store, object, &[]);
        assert_eq!(
            said.stdout.contains("1 in that time, 1 with its id"),
            is_told,
            "{object}: {}",
            said.stdout
        );
    }
    for (change, object, is_told) in [
        // A schema registry's frame.
        ("UPDATE quarantined_record SET payload = x'000000000537373720'", "instance:777", true),
        ("UPDATE quarantined_record SET payload = x'0000000005373737'", "instance:777", true),
        ("UPDATE quarantined_record SET payload = x'00000000053137373720'", "instance:777", false),
        ("UPDATE quarantined_record SET payload = CAST('{\\n777\\n}' AS BLOB)", "instance:777", true),
        ("UPDATE quarantined_record SET payload = CAST('实例777失败' AS BLOB)", "instance:777", true),
        ("UPDATE quarantined_record SET payload = CAST('实例777失败' AS BLOB)", "instance:77", false),
        ("UPDATE quarantined_record SET payload = CAST('1777 777' AS BLOB)", "instance:777", true),
    ] {
        store.tamper(change).await;
        let told = why(&store, object, &[]).stdout.contains("1 with its id");
        assert_eq!(told, is_told, "{change} {object}");
    }
    why(&store, "workspace:7", &[]).assert(66, &["Of its workspace  none of the last 100000 events\n"]);
}

#[tokio::test]
async fn what_came_to_no_action_is_told_with_its_reason() {
    let mistaken = "[[rule]]\nname = \"mistaken\"\nmatch = { status = \"Failure\" }\n[[rule.steps]]\n\
        operation = \"GetTaskInstance\"\nparams = { Id = \"{{ data.absent }}\" }\n";
    let store = Harness::with(&format!("{mistaken}{}", live("none", ""))).await;
    store.accept(&[at(0, &failure("failed", 101))]).await;
    store.tamper("UPDATE decision SET outcome = 'untrusted', action = NULL WHERE rule = 'none'").await;
    store.tamper("DELETE FROM action").await;
    let told = "untrusted  [trust] does not name its workspace (96384) or its account (not told): nothing is called\n";
    why(&store, "instance:101", &[]).assert(
        0,
        &[
            "mistaken: failed, none: untrusted\n",
            "       mistaken  failed  steps[0].params.Id: ",
            &format!("       none  {told}"),
        ],
    );
    openeventd(&store.path(), &["explain", "1"]).assert(
        0,
        &[
            "mistaken",
            "came to failed: steps[0].params.Id: ",
            "none",
            "came to untrusted: [trust] does not name",
        ],
    );
}

#[tokio::test]
async fn programs_get_one_document() {
    let store = told().await;
    let said = why(&store, "node:12", &["--json"]);
    let [told] = &said.objects()[..] else { panic!("not one line: {}", said.stdout) };
    assert_eq!((&told["kind"], &told["id"], &told["looked_at"]), (&"node".into(), &"12".into(), &2.into()));
    let events = told["events"].as_array().expect("a list");
    let seqs: Vec<_> = events.iter().map(|event| event["seq"].as_i64()).collect();
    assert_eq!(seqs, [Some(1), Some(2)]);
    assert_eq!(events[0]["decisions"][0]["rule"], "duplicates");
    assert_eq!((&told["has_more"], &told["nothing"]), (&false.into(), &Value::Null));
    let said = why(&store, "file:9", &["--json"]);
    assert_eq!(said.exit, 66, "{}", said.stderr);
    let nothing = &said.objects()[0]["nothing"];
    assert_eq!((&nothing["daemon"], &nothing["gaps"]), (&"never started".into(), &0.into()));
    assert_eq!(nothing["last"]["seq"], 3);
}

#[tokio::test]
async fn events_that_have_left_are_counted() {
    let store = told().await;
    store.tamper("DELETE FROM event WHERE seq = 2").await;
    why(&store, "node:12", &[]).assert(0, &["1 event looked at; 1 more have left by retention\n", "\n1 "]);
}
