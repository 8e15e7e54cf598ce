//! What was spent, of the day and the month, by whom, and what is left of it.

use std::path::PathBuf;
use std::time::Duration;

use openeventd::quota::Calendar;
use openeventd::store::Reader;
use openeventd::store::look::quota::Asked;
use serde_json::{Value, json};

use super::{Said, openeventd};
use crate::harness::{HOUR_MS, Harness, NOW_MS, at, failure, live};

/// Days in +08:00 around 25 March 2026: the first of the month, the last of the month before, the first of the next.
const MARCH: &str = "INSERT INTO quota_day (account, region, begins_at, ends_at, sent, succeeded, throttled) \
    SELECT 'main', r.value, unixepoch(d.value ->> 0) * 1000, unixepoch(d.value ->> 0) * 1000 + 86400000, \
        d.value ->> 1, d.value ->> 2, d.value ->> 3 \
    FROM json_each('[\"cn-shanghai\", \"cn-beijing\"]') r, json_each('[[\"2026-02-27T16:00:00\", 1000, 900, 7], \
        [\"2026-02-28T16:00:00\", 20, 10, 1], [\"2026-03-24T16:00:00\", 5, 3, 2], [\"2026-03-31T16:00:00\", 4000, 4000, 9]]') d";
const SPENDERS: &str = "INSERT INTO quota_day_spender (account, region, begins_at, kind, name, sent, succeeded) \
    SELECT 'main', 'cn-shanghai', unixepoch(s.value ->> 0) * 1000, s.value ->> 1, s.value ->> 2, s.value ->> 3, 1 \
    FROM json_each('[[\"2026-02-27T16:00:00\", \"rule\", \"old\", 1000], [\"2026-02-28T16:00:00\", \"rule\", \"a\", 5], \
        [\"2026-03-24T16:00:00\", \"rule\", \"a\", 1], [\"2026-02-28T16:00:00\", \"rule\", \"b\", 15], \
        [\"2026-03-24T16:00:00\", \"command\", \"api call\", 30], [\"2026-03-24T16:00:00\", \"lookup\", \"a\", 4]]') s";

#[tokio::test]
async fn a_month_ends_where_its_calendar_ends_it() {
    let store = Harness::with("").await;
    store.tamper(MARCH).await;
    store.tamper(SPENDERS).await;
    let mut reader = Reader::open(&store.path(), Duration::from_secs(10)).await.expect("it opens");
    let calendar = Calendar::default();
    // Offset of the moment in hours, and what is sent in the day and succeeded in the month then.
    for (hours, day_sent, month_succeeded) in
        [(0, 5, 13), (-26 * 24, 1000, 900), (-25 * 24, 1000, 900), (-24 * 24, 20, 13), (7 * 24, 4000, 4000)]
    {
        let now_ms = NOW_MS + hours * HOUR_MS;
        let asked = Asked {
            account: "main".into(),
            region: "cn-shanghai".into(),
            day: calendar.day(now_ms),
            month: calendar.month(now_ms),
        };
        let spent = reader.spent(&asked, now_ms).await.expect("it is read");
        let day_and_month = (spent.day.integer("sent"), spent.month.integer("succeeded"));
        let expected =
            if hours == -26 * 24 { (Some(0), Some(900)) } else { (Some(day_sent), Some(month_succeeded)) };
        assert_eq!(day_and_month, expected, "{hours}");
        if hours == 0 {
            let spenders: Vec<Value> = spent
                .spenders
                .iter()
                .map(|row| {
                    json!([
                        row.text("kind"),
                        row.text("name"),
                        row.integer("sent_today"),
                        row.integer("sent_month")
                    ])
                })
                .collect();
            let expected = [
                json!(["rule", "b", 0, 15]),
                json!(["rule", "a", 1, 6]),
                json!(["command", "api call", 30, 30]),
                json!(["lookup", "a", 4, 4]),
            ];
            assert_eq!(spenders, expected, "rules first, who spent most first");
        }
    }
    assert_eq!(reader.spending_accounts().await.expect("it is read").len(), 2);
    reader.close().await.expect("it closes");
}

/// Today by the calendar of the provider, computed by SQLite.
const TODAY: &str = "INSERT INTO quota_day (account, region, begins_at, ends_at, sent, succeeded, throttled) \
    SELECT account, 'cn-shanghai', b.at, b.at + 86400000, 60, 50, 3 \
    FROM (SELECT ((unixepoch() + 28800) / 86400 * 86400 - 28800) * 1000 AS at) b, \
    (SELECT 'main' AS account UNION SELECT 'gone')";
const PARKED: &str = "INSERT INTO parking VALUES (1, 'main', NULL, NULL, 'day_refused', 'Throttling.Api.Risk', \
    unixepoch() * 1000 - 3600000, unixepoch() * 1000 + 7200000, 1)";
const STOPPED: &str =
    "INSERT INTO stop VALUES (1, 'none', NULL, NULL, 'alice', 'why not', unixepoch() * 1000 - 3600000, NULL)";

/// Settings whose secrets nobody can read, and which lack whatever else a daemon needs.
fn settings(store: &Harness, edition: &str) -> PathBuf {
    let file = store.path().with_file_name("openeventd.toml");
    let text = format!(
        "[account.main]\nregion = \"cn-shanghai\"\nedition = \"{edition}\"\nothers_share = \"20%\"\nverdict_share = \"10%\"\n\
         access_key_id = \"LTAI-example\"\naccess_key_secret = {{ credential = \"absent\" }}\n"
    );
    std::fs::write(&file, text).expect("it is written");
    file
}

fn quota(store: &Harness, settings: &std::path::Path, arguments: &[&str]) -> Said {
    let config = settings.to_str().expect("text");
    openeventd(&store.path(), &[&["quota", "--config", config], arguments].concat())
}

#[tokio::test]
async fn limits_shares_and_what_is_left_are_told_without_a_secret() {
    let mut store = Harness::with(&live("duplicates", "")).await;
    store.accept_at(jiff::Timestamp::now().as_millisecond(), &[at(0, &failure("1", 71))]).await;
    for statement in [TODAY, PARKED] {
        store.tamper(statement).await;
    }
    let settings = settings(&store, "basic");
    let said = quota(&store, &settings, &["--json"]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    let object = &said.objects()[0];
    let main = &object["accounts"][0];
    assert_eq!(
        (&main["account"], &main["edition"], &main["quota_table"]),
        (&json!("main"), &json!("basic"), &json!("2026-05"))
    );
    // 100 a day: 80 are ours, of these 72 for other calls than verdicts.
    let day = &main["day"];
    let figures: Vec<&Value> =
        ["sent", "succeeded", "throttled", "limit", "left", "for_verdicts"].map(|name| &day[name]).to_vec();
    assert_eq!(figures, [60, 50, 3, 72, 12, 8]);
    let month = &main["month"];
    let figures: Vec<&Value> = ["free", "limit", "cost_usd"].map(|name| &month[name]).to_vec();
    assert_eq!(json!(figures), json!([3_100, 2_232, null]));
    assert_eq!(main["calls_per_second"], json!({"all": 4, "reads": null, "writes": null}));
    assert_eq!(main["others_are_spending"], true);
    assert_eq!(main["waiting"]["planned"], 1);
    // The write's time ends half an hour after its event, and the account is parked for two hours.
    assert_eq!(main["waiting"]["too_late"], 1);
    assert_eq!(main["parkings"][0]["reason"], "day_refused");
    let others = store.rows("begins_at, ends_at", "quota_days WHERE account = 'main'").await;
    assert_eq!(json!([day["begins_at"], day["ends_at"]]), others[0]);
    // Accounts that only the database knows.
    let gone = &object["accounts"][1];
    assert_eq!(
        (&gone["account"], &gone["edition"], &gone["day"]["sent"]),
        (&json!("gone"), &Value::Null, &json!(60))
    );
    assert_eq!((&gone["day"]["limit"], &gone["month"]["free"]), (&Value::Null, &Value::Null));

    let said = quota(&store, &settings, &["--account", "main"]);
    said.assert(
        0,
        &[
            "account main cn-shanghai: basic, table 2026-05\n",
            "4 calls",
            "60 sent of 72, 12 left, 50 of them succeeded; 8 more are left to verdicts",
            "3 refused for their number, though ours are below the edition's limit: others are spending",
            "3,100 are free, beyond them calls are refused",
            "1 planned, 1 of them due",
            "1 of them will be held by then",
            "main: day_refused for ",
        ],
    );
    assert!(!said.stdout.contains("account gone"), "{}", said.stdout);
    let said = quota(&store, &settings, &["--account", "mian"]);
    assert_eq!(said.exit, 66);
    assert!(said.stderr.contains("did you mean `main`?"), "{}", said.stderr);
    store.close().await;
}

#[tokio::test]
async fn calls_beyond_the_free_ones_cost_and_no_settings_are_no_hindrance_to_a_copy() {
    let store = Harness::with("").await;
    store.tamper(TODAY).await;
    store.tamper("UPDATE quota_day SET sent = 1200000, succeeded = 1200000, throttled = 0").await;
    let settings = settings(&store, "enterprise");
    let said = quota(&store, &settings, &["--account", "main", "--json"]);
    let main = &said.objects()[0]["accounts"][0];
    assert_eq!(main["month"]["cost_usd"], json!(1.0));
    assert_eq!((&main["day"]["limit"], &main["month"]["limit"]), (&Value::Null, &Value::Null));
    assert_eq!(main["calls_per_second"], json!({"all": null, "reads": 40, "writes": 16}));
    quota(&store, &settings, &[])
        .assert(0, &["1,000,000 are free, beyond them USD 1.00 so far: an estimate, the bill prevails"]);

    let said = quota(&store, &settings.with_file_name("absent.toml"), &[]);
    said.assert(0, &["account gone", "not in the settings", "1,200,000 sent"]);
    assert!(said.stderr.contains("there are no settings in "), "{}", said.stderr);
    std::fs::write(&settings, "[account.main]\nregion = \"cn-shanghai\"\nedition = \"large\"\n")
        .expect("it is written");
    let said = quota(&store, &settings, &[]);
    assert_eq!(said.exit, 78);
    assert!(said.stderr.contains("`large` is not known"), "{}", said.stderr);
    store.close().await;
}

#[tokio::test]
async fn status_tells_what_is_stopped_parked_and_spent() {
    let store = Harness::with("").await;
    let said = openeventd(&store.path(), &["status"]);
    assert!(!said.stdout.contains("Stopped") && !said.stdout.contains("Parked"), "{}", said.stdout);
    for statement in [TODAY, PARKED, STOPPED] {
        store.tamper(statement).await;
    }
    openeventd(&store.path(), &["status"]).assert(
        69,
        &[
            "Stopped",
            "calls of rule none by alice, 60m ago: why not",
            "Parked",
            "main: day_refused for 60m, until ",
            "Today's quota",
            "gone: 60 calls sent, 50 succeeded, 3 refused for their number; the day ends in ",
            "main: 60 calls sent",
        ],
    );
    let json = &openeventd(&store.path(), &["status", "--json"]).objects()[0];
    assert_eq!(
        (&json["stops"][0]["rule"], &json["parkings"][0]["account"]),
        (&json!("none"), &json!("main"))
    );
    assert_eq!((&json["quota"][1]["account"], &json["quota"][1]["sent"]), (&json!("main"), &json!(60)));
    store.close().await;
}
