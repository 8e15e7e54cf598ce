//! The store as the daemon opens it: a real SQLite file in a directory of its own, batches made of
//! records, and questions asked as people ask them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openeventd::action::plan::Trust;
use openeventd::batch::RecordBatch;
use openeventd::event::decode::Limits;
use openeventd::ingest::decode_batch;
use openeventd::quota::{Budget, Calendar, Edition, Table};
use openeventd::record::Record;
use openeventd::rule::parse::{KnownAccount, Surroundings, parse};
use openeventd::rule::policy::Allow;
use openeventd::rule::{Policy, RuleFile, RuleSet};
use openeventd::store::accept::{Accepted, Deciding};
use openeventd::store::backlog::Backlogs;
use openeventd::store::identity::Remaining;
use openeventd::store::open::Closing;
use openeventd::store::outbox::{Change, Claimed, Evidence, Outcome, Settlement, Wanted};
use openeventd::store::positions::Positions;
use openeventd::store::retention::Horizons;
use openeventd::store::spending::{Debit, Paid, Spender};
use openeventd::store::{Settings, Store, StoreError, Writer};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// When most tests accept: 2026-03-25T08:00:00Z.
pub(crate) const NOW_MS: i64 = 1_774_425_600_000;

pub(crate) const HOUR_MS: i64 = 3_600_000;

/// One call for each thing that a repetition may do: the rule's name and its step.
pub(crate) const STEPS: [(&str, &str); 4] = [
    ("none", "operation = \"GetTaskInstance\"\nparams = { Id = \"{{ instance }}\" }"),
    ("converges", "operation = \"StopTaskInstances\"\nparams = { Ids = [\"{{ instance }}\"] }"),
    ("duplicates", "operation = \"RerunTaskInstances\"\nparams = { Ids = [\"{{ instance }}\"] }"),
    (
        "unknown",
        "operation = \"DsgStopSensIdentify\"\nversion = \"2020-05-18\"\nparams = { JobId = \"{{ instance }}\", TenantId = \"t\" }",
    ),
];

/// A live rule `name` for failed instances, with further keys of the rule.
pub(crate) fn live(name: &str, keys: &str) -> String {
    let step = STEPS.iter().find(|(effect, _)| *effect == name).expect("a known step").1;
    format!(
        "[[rule]]\nname = \"{name}\"\nmode = \"live\"\n{keys}\nmatch = {{ status = \"Failure\" }}\n[[rule.steps]]\n{step}\n"
    )
}

/// Every write of [`STEPS`] is allowed.
pub(crate) fn policy() -> Policy {
    let allow =
        |operation: &str| Allow { operation: operation.into(), workspaces: vec![], rules: String::new() };
    Policy { allow: ["StopTaskInstances", "RerunTaskInstances", "DsgStopSensIdentify"].map(allow).to_vec() }
}

pub(crate) fn rule_set(text: &str) -> RuleSet {
    let files =
        if text.is_empty() { vec![] } else { vec![RuleFile { path: "test.toml".into(), text: text.into() }] };
    let (accounts, policy) = ([KnownAccount::named("main")], policy());
    match parse(files, &Surroundings { accounts: &accounts, policy: &policy }) {
        Ok((rules, _)) => rules,
        Err(problems) => panic!("{}", problems.iter().map(ToString::to_string).collect::<String>()),
    }
}

/// A failed instance, told by `id`.
pub(crate) fn failure(id: &str, instance: i64) -> String {
    event(id, &format!(r#"{{"taskId":{instance},"status":5,"nodeId":12,"projectId":96384}}"#))
}

/// An instance that waits: no rule of these tests wants it.
pub(crate) fn waiting(id: &str) -> String {
    event(id, r#"{"taskId":5,"status":2,"nodeId":12,"projectId":96384}"#)
}

fn event(id: &str, data: &str) -> String {
    format!(
        r#"{{"data":{data},"id":"{id}","source":"acs.dataworks","specversion":"1.0","type":"dataworks:InstanceStatusChanges:InstanceStatusChanges"}}"#
    )
}

/// A record of topic `events`, partition 0.
pub(crate) fn at(offset: i64, payload: &str) -> Record<'_> {
    Record { topic: "events", offset, ..Record::of_payload(payload.as_bytes()) }
}

/// What an edition may spend, by the newest table.
pub(crate) fn budget(edition: Edition) -> Budget {
    Budget::of(Table::May2026, edition)
}

/// The end of an attempt of the rule `r`, of class `lost`.
pub(crate) fn settlement(attempt: i64, outcome: Outcome, now_ms: i64) -> Settlement {
    Settlement {
        attempt,
        outcome,
        class: "lost",
        evidence: Evidence::default(),
        debit: Debit {
            account: "main".into(),
            region: "cn-shanghai".into(),
            days: Calendar::default().days(now_ms),
            spender: Spender::Rule("r".into()),
        },
        paid: Paid::Succeeded,
        operation: "GetTaskInstance".into(),
        workspace: None,
        park: None,
        lift: &[],
        verify_at_ms: None,
    }
}

/// The store at its file. A program that another test is just starting holds every lock of this process for a
/// moment, from its fork to its exec, those of a store that was closed meanwhile as well.
pub(crate) async fn opened(settings: &Settings) -> Store {
    let begun = Instant::now();
    loop {
        match Store::open(settings).await {
            Err(StoreError::InUse { .. }) if begun.elapsed() < Duration::from_secs(10) => {
                tokio::task::yield_now().await;
            }
            opened => return opened.expect("the store opens"),
        }
    }
}

/// The open store.
pub(crate) struct Harness {
    directory: TempDir,
    pub(crate) writer: Writer,
    pub(crate) positions: Positions,
    pub(crate) backlogs: Backlogs,
    pub(crate) deciding: Arc<Deciding>,
    pub(crate) limits: Limits,
    closing: JoinHandle<Result<(), StoreError>>,
    reader: SqliteConnection,
}

impl Harness {
    /// A new database with these rules in force.
    pub(crate) async fn with(rules: &str) -> Self {
        Self::open(tempfile::tempdir().expect("a directory"), rules, 0o600).await
    }

    pub(crate) async fn open(directory: TempDir, rules: &str, file_mode: u32) -> Self {
        let path = directory.path().join("audit.db");
        let store = opened(&Settings { path: path.clone(), file_mode }).await;
        let backlogs = store.backlogs();
        let (writer, positions, closing) = store.into_writer(NOW_MS).await.expect("the writer starts");
        let closing = tokio::spawn(Closing::run(closing));
        let rules = rule_set(rules);
        let deciding = Deciding {
            rule_set: writer.remember_rules(&rules, NOW_MS).await.expect("the rules are kept"),
            configuration: writer
                .remember_configuration("0".repeat(64), "{}".into(), NOW_MS)
                .await
                .expect("the configuration is kept"),
            rules: Arc::new(rules),
            policy: policy(),
            trust: Trust::default(),
            default_account: Some("main".into()),
            regions: HashMap::from([("main".into(), "cn-shanghai".into())]),
        };
        let reader =
            SqliteConnectOptions::new().filename(&path).read_only(true).connect().await.expect("a reader");
        let (deciding, limits) = (Arc::new(deciding), Limits::default());
        Harness { directory, writer, positions, backlogs, deciding, limits, closing, reader }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("audit.db")
    }

    /// Ends the use of the database; the directory stays.
    pub(crate) async fn close(self) -> TempDir {
        let Harness { directory, writer, positions, backlogs, closing, reader, .. } = self;
        sqlx::Connection::close(reader).await.expect("the reader closes");
        drop((writer, positions, backlogs));
        closing.await.expect("no panic").expect("the store closes");
        directory
    }

    /// Closes the database and opens it again, as a restart does.
    pub(crate) async fn reopen(self) -> Self {
        let rules: String = self.deciding.rules.files.iter().map(|file| file.text.as_str()).collect();
        let limits = self.limits;
        let directory = self.close().await;
        Harness { limits, ..Self::open(directory, &rules, 0o600).await }
    }

    pub(crate) async fn try_accept(
        &self,
        records: &[Record<'_>],
        now_ms: i64,
    ) -> Result<Accepted, StoreError> {
        let mut batch = RecordBatch::new();
        for record in records {
            batch.push(record);
        }
        let batch = decode_batch(batch, &self.limits, &self.deciding.rules);
        self.writer.accept(Arc::new(batch), Arc::clone(&self.deciding), now_ms).await
    }

    pub(crate) async fn accept_at(&self, now_ms: i64, records: &[Record<'_>]) -> Accepted {
        self.try_accept(records, now_ms).await.expect("the batch is accepted")
    }

    pub(crate) async fn accept(&self, records: &[Record<'_>]) -> Accepted {
        self.accept_at(NOW_MS, records).await
    }

    /// What an account with this name may claim.
    pub(crate) fn wanted(account: &str, limit: usize) -> Wanted {
        Wanted {
            account: account.into(),
            region: "cn-shanghai".into(),
            budget: budget(Edition::Enterprise),
            access: None,
            limit,
            lease_ms: 60_000,
            repeat_within_ms: 600_000,
        }
    }

    /// Claims up to `limit` actions of the account `main`, for a minute.
    pub(crate) async fn claim(&self, limit: usize, now_ms: i64) -> Vec<Claimed> {
        let wanted = Self::wanted("main", limit);
        self.writer.claim(wanted, now_ms).await.expect("the claim is kept").claimed
    }

    pub(crate) async fn settle(&self, attempt: i64, outcome: Outcome, now_ms: i64) -> Change {
        let settlement = settlement(attempt, outcome, now_ms);
        self.writer.settle(settlement, now_ms).await.expect("the settle is kept").change
    }

    /// Retires until nothing remains to do.
    pub(crate) async fn retire(&self, horizons: Horizons, now_ms: i64) {
        for _ in 0..1_000 {
            if self.writer.retire(horizons, now_ms).await.expect("the step is kept") == Remaining::Nothing {
                return;
            }
        }
        panic!("retention has no end");
    }

    /// The rows of `SELECT columns FROM rest`, each a list.
    pub(crate) async fn rows(&mut self, columns: &str, rest: &str) -> Vec<Value> {
        let statement = AssertSqlSafe(format!("SELECT json_array({columns}) FROM {rest}"));
        let rows: Vec<String> = sqlx::query_scalar(statement).fetch_all(&mut self.reader).await.expect(rest);
        rows.iter().map(|row| serde_json::from_str(row).expect("SQLite writes JSON")).collect()
    }

    /// The number of rows of `SELECT count(*) FROM rest`.
    pub(crate) async fn count(&mut self, rest: &str) -> i64 {
        let statement = AssertSqlSafe(format!("SELECT count(*) FROM {rest}"));
        sqlx::query_scalar(statement).fetch_one(&mut self.reader).await.expect(rest)
    }

    /// Changes the database behind the writer's back, as a person with the sqlite3 program could.
    pub(crate) async fn tamper(&self, statement: &'static str) {
        let options = SqliteConnectOptions::new().filename(self.path());
        let mut connection = options.connect().await.expect("a second writer");
        sqlx::query(statement).execute(&mut connection).await.expect(statement);
        sqlx::Connection::close(connection).await.expect("it closes");
    }
}
