//! The quota across SIGKILL: real daemons work off a thousand actions each against an endpoint that counts by
//! its own clock, are killed while calls are on their way, and are started again at once.
//!
//! No broker answers: the actions are planned beforehand. All cases run at once, since most of their time is
//! spent waiting for the quota.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use openeventd::duration::whole_ms;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::endpoint::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, DataWorksDouble, Received, Reply, Signature};
use crate::harness::{Harness, at, failure, live};

/// Events of each case; each is for two rules.
const EVENTS: i64 = 500;

/// Calls a day of the Basic edition.
const A_DAY: usize = 100;

const DAY_S: i64 = 86_400;

/// How far ahead midnight is: the day's calls take 25 s, the restarts a few more;
const TO_MIDNIGHT: Duration = Duration::from_secs(48);
/// where it comes while calls are made as fast as they may be, they have begun by then.
const TO_EARLY_MIDNIGHT: Duration = Duration::from_secs(20);

/// The endpoint thinks for up to so long,
const ANSWER_MS_MAX: u64 = 300;
/// and for so long over every tenth call and over those at which the daemon is killed.
const SLOW: Duration = Duration::from_millis(1_500);

/// Generous: the machine may be slow and shared, and a test that passes does not wait.
const DEADLINE: Duration = Duration::from_mins(3);

fn now_ms() -> i64 {
    whole_ms(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970"))
}

/// The `quota_offset` at which the next midnight is so far ahead.
fn offset_with_midnight_in(ahead: Duration) -> String {
    let second = now_ms().div_euclid(1_000).rem_euclid(DAY_S);
    let ahead = i64::try_from(ahead.as_secs()).expect("a day at most");
    let offset = (DAY_S - ahead - second).rem_euclid(DAY_S);
    let (sign, offset) = if offset > DAY_S / 2 { ('-', DAY_S - offset) } else { ('+', offset) };
    format!("{sign}{:02}:{:02}:{:02}", offset / 3_600, offset / 60 % 60, offset % 60)
}

/// What a case is made of.
struct Case {
    edition: &'static str,
    offset: String,
    /// The effects of its two rules, as in the harness.
    rules: [&'static str; 2],
    /// The daemon is killed when these requests arrive.
    kills: &'static [usize],
}

/// The endpoint, the database and the settings of one case.
struct Scene {
    home: TempDir,
    double: DataWorksDouble,
    killing: UnboundedReceiver<usize>,
    kills: usize,
    audit: SqliteConnection,
    begun: (Instant, i64),
}

/// A running daemon; it does not outlive the test.
struct Daemon(Child);

impl Daemon {
    fn start(home: &Path) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(home.join("log")).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_openeventd"))
            .args(["run", "--config"])
            .arg(home.join("openeventd.toml"))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        Daemon(child)
    }

    fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("it is our child").is_none()
    }

    /// SIGKILL.
    fn kill(mut self) {
        assert!(self.is_running(), "it ended by itself");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Scene {
    async fn set(case: &Case) -> Self {
        let (kill, killing) = unbounded_channel();
        let (mut count, kills) = (0, case.kills);
        let double = DataWorksDouble::start(move |_| {
            count += 1;
            let is_last = kills.contains(&count);
            if is_last {
                // The test has failed when nobody listens any more.
                let _ = kill.send(count);
            }
            let thinks = Duration::from_millis(fastrand::u64(0..=ANSWER_MS_MAX));
            let thinks = if is_last || count % 10 == 0 { SLOW } else { thinks };
            Reply::Late(thinks, Box::new(Reply::success()))
        })
        .await;
        let rules: String = case.rules.iter().map(|effect| live(effect, "max_calls = 1000")).collect();
        let store = Harness::with(&rules).await;
        let payloads: Vec<String> = (0..EVENTS).map(|id| failure(&id.to_string(), 1_000 + id)).collect();
        let records: Vec<_> = payloads.iter().zip(0..).map(|(payload, offset)| at(offset, payload)).collect();
        store.accept_at(now_ms(), &records).await;
        let home = store.close().await;
        std::fs::create_dir(home.path().join("rules.d")).expect("a directory");
        std::fs::write(home.path().join("rules.d/test.toml"), rules).expect("writable");
        let secret = home.path().join("secret");
        std::fs::write(&secret, ACCESS_KEY_SECRET).expect("writable");
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
        std::fs::write(home.path().join("openeventd.toml"), settings(case, &double.url, &secret))
            .expect("writable");
        let options = SqliteConnectOptions::new().filename(home.path().join("audit.db")).read_only(true);
        let audit = options.busy_timeout(Duration::from_secs(10)).connect().await.expect("the audit opens");
        Scene { home, double, killing, kills: kills.len(), audit, begun: (Instant::now(), now_ms()) }
    }

    /// Runs the daemon, kills it at the set moments, and gives the one that runs at last.
    async fn killed_again_and_again(&mut self) -> Daemon {
        let mut daemon = Daemon::start(self.home.path());
        for _ in 0..self.kills {
            let mut look = tokio::time::interval(Duration::from_millis(100));
            while self.killing.is_empty() {
                look.tick().await;
                assert!(daemon.is_running(), "it ended by itself\n{}", self.log());
                assert!(self.begun.0.elapsed() < DEADLINE, "no moment to kill it\n{}", self.log());
            }
            self.killing.recv().await.expect("the endpoint runs");
            daemon.kill();
            daemon = Daemon::start(self.home.path());
        }
        daemon
    }

    /// Waits until `question` gives `expected`.
    async fn until(&mut self, question: &'static str, expected: i64) {
        let mut look = tokio::time::interval(Duration::from_millis(100));
        let answered = async {
            while self.number(question).await != expected {
                look.tick().await;
            }
        };
        let answered = tokio::time::timeout(DEADLINE, answered).await;
        assert!(answered.is_ok(), "waited in vain for {expected} of {question}\n{}", self.log());
    }

    async fn number(&mut self, question: &'static str) -> i64 {
        let number: Option<i64> =
            sqlx::query_scalar(question).fetch_one(&mut self.audit).await.expect(question);
        number.unwrap_or_default()
    }

    async fn rows<T>(&mut self, question: &'static str) -> Vec<T>
    where
        T: for<'r> sqlx::FromRow<'r, SqliteRow> + Send + Unpin,
    {
        sqlx::query_as(question).fetch_all(&mut self.audit).await.expect(question)
    }

    /// What arrived, in order, every signature right.
    fn arrived(&self) -> Vec<Received> {
        let mut received = self.double.received();
        received.sort_by_key(|request| request.at);
        for request in &received {
            assert_eq!(request.signature, Signature::Valid("v1"), "{} {}", request.method, request.target);
        }
        received
    }

    /// When a request arrived, milliseconds since 1970.
    fn arrived_at_ms(&self, request: &Received) -> i64 {
        let (begun, begun_ms) = self.begun;
        begun_ms + whole_ms(request.at.duration_since(begun))
    }

    /// The end of the daemons' log, for a test that failed.
    fn log(&self) -> String {
        let text = std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(40).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Every action is where it may be, and every call belongs to one; gives how many attempts and look-ups
    /// were cut off.
    async fn nothing_is_lost(&mut self, arrived: &[Received]) -> usize {
        let states: Vec<(String, i64)> =
            self.rows("SELECT state, count(*) FROM actions GROUP BY state").await;
        let states: BTreeMap<String, i64> = states.into_iter().collect();
        assert_eq!(states.values().sum::<i64>(), 2 * EVENTS, "{states:?}");
        let expected = BTreeSet::from(["planned", "succeeded", "unresolved"]);
        assert!(states.keys().all(|state| expected.contains(state.as_str())), "{states:?}");
        let cut_off = self
            .number(
                "SELECT (SELECT count(*) FROM attempts WHERE outcome = 'interrupted' AND class = 'lost') \
                 + (SELECT count(*) FROM lookups WHERE finished_at IS NULL OR class = 'lost')",
            )
            .await;
        let unexplained = self
            .number(
                "SELECT count(*) FROM actions a WHERE a.state = 'unresolved' AND NOT EXISTS \
                 (SELECT 1 FROM attempts t WHERE t.action = a.id AND t.outcome = 'interrupted')",
            )
            .await;
        assert_eq!(unexplained, 0, "only what was on its way at a kill is unresolved");
        let durable: Vec<(String, i64, i64)> = self
            .rows(
                "SELECT c.operation, e.instance, count(*) FROM \
                 (SELECT t.action, a.operation FROM attempts t JOIN actions a ON a.id = t.action \
                  UNION ALL SELECT action, operation FROM lookups) c \
                 JOIN actions a ON a.id = c.action JOIN events e ON e.seq = a.event GROUP BY 1, 2",
            )
            .await;
        let mut allowed: BTreeMap<(String, i64), i64> =
            durable.into_iter().map(|(operation, instance, count)| ((operation, instance), count)).collect();
        for request in arrived {
            let left = allowed.get_mut(&object_of(request)).expect("a call was durable before it left");
            *left -= 1;
            assert!(*left >= 0, "more calls than were durable: {request:?}");
        }
        let unsent: i64 = allowed.values().sum();
        assert!(unsent <= cut_off, "{unsent} calls never arrived, {cut_off} were cut off");
        let cut_off = usize::try_from(cut_off).expect("a count");
        assert!(cut_off >= self.kills, "{cut_off} calls were cut off by {} kills", self.kills);
        cut_off
    }
}

fn settings(case: &Case, url: &str, secret: &Path) -> String {
    let secret = secret.display();
    let (edition, offset) = (case.edition, &case.offset);
    format!(
        "[kafka]\nbootstrap_servers = [\"127.0.0.1:1\"]\ntopics = [\"events\"]\ngroup_id = \"group\"\n\
         security_protocol = \"plaintext\"\n[store]\npath = \"audit.db\"\ndisk_free_min = \"1MiB\"\n\
         [monitoring]\nlisten = \"off\"\n[log]\nformat = \"text\"\n[dispatch]\nconcurrency = 64\n\
         [account.main]\nregion = \"cn-shanghai\"\nedition = \"{edition}\"\nquota_offset = \"{offset}\"\n\
         endpoint = \"{url}\"\naccess_key_id = \"{ACCESS_KEY_ID}\"\naccess_key_secret = {{ file = \"{secret}\" }}\n\
         [policy]\nallow = [{{ operation = \"StopTaskInstances\" }}, {{ operation = \"RerunTaskInstances\" }}]\n"
    )
}

/// The operation and the instance that it is for.
fn object_of(request: &Received) -> (String, i64) {
    let find = |name: &str| request.query.get(name).or_else(|| request.form.get(name));
    let operation = find("Action").expect("every request names its operation").clone();
    let named = find("Id").or_else(|| find("Ids")).expect("it names an instance");
    let digits: String = named.chars().filter(char::is_ascii_digit).collect();
    (operation, digits.parse().expect("instances are numbers"))
}

/// No sliding second holds more than `limit` of these requests.
fn assert_rate(arrived: &[&Received], limit: usize) {
    for window in arrived.windows(limit + 1) {
        let (first, last) = (window[0], window[limit]);
        let apart = last.at - first.at;
        assert!(apart > Duration::from_secs(1), "{} requests within {apart:?}", limit + 1);
    }
}

/// The calls of one day are spent and nothing more is sent, however often the daemon is started.
async fn a_day(mut scene: Scene) {
    let daemon = scene.killed_again_and_again().await;
    scene.until("SELECT count(*) FROM parkings WHERE reason = 'day_spent'", 1).await;
    scene.until("SELECT count(*) FROM actions WHERE state = 'in_flight'", 0).await;
    daemon.kill();
    let spent = scene.arrived().len();
    let parked = "SELECT count(*) FROM parkings WHERE since > \
        (SELECT max(coalesce(finished_at, started_at)) FROM attempts) AND reason = 'day_spent'";
    std::fs::remove_file(scene.home.path().join("log")).expect("it was written");
    let daemon = Daemon::start(scene.home.path());
    let mut look = tokio::time::interval(Duration::from_millis(100));
    let told = async {
        while !scene.log().contains("calls_parked") {
            look.tick().await;
        }
    };
    tokio::time::timeout(DEADLINE, told).await.expect("it tells that the day is spent");
    assert_eq!(scene.number(parked).await, 1);
    daemon.kill();

    let arrived = scene.arrived();
    assert_eq!(arrived.len(), spent, "a restart spends nothing");
    assert_rate(&arrived.iter().collect::<Vec<_>>(), 5);
    let cut_off = scene.nothing_is_lost(&arrived).await;
    let days: Vec<(i64,)> = scene.rows("SELECT sent FROM quota_days").await;
    assert_eq!(days, [(i64::try_from(A_DAY).expect("small"),)]);
    assert!(spent <= A_DAY && spent + cut_off >= A_DAY, "{spent} of {A_DAY} arrived, {cut_off} were cut off");
    // What waits says for what and until when.
    let waiting: Vec<(String, String)> =
        scene.rows("SELECT DISTINCT waits_for, runs_at FROM actions WHERE state = 'planned'").await;
    let over = "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', (ends_at + 5000) / 1000.0, 'unixepoch') FROM quota_day";
    let ends: Vec<(String,)> = scene.rows(over).await;
    assert_eq!(waiting, [("day_spent".to_owned(), ends[0].0.clone())]);
    eprintln!("a day: {spent} of {A_DAY} arrived, {cut_off} were cut off by {} kills", scene.kills);
}

/// What is left of the first day's calls goes on the second day, and no earlier.
async fn over_midnight(mut scene: Scene, first_is_spent: bool) {
    let daemon = scene.killed_again_and_again().await;
    let second_is_spent = "SELECT count(*) FROM parkings p WHERE reason = 'day_spent' \
        AND until = (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', (max(ends_at) + 5000) / 1000.0, 'unixepoch') FROM quota_day) \
        AND (SELECT count(*) FROM quota_days) = 2";
    scene.until(second_is_spent, 1).await;
    scene.until("SELECT count(*) FROM actions WHERE state = 'in_flight'", 0).await;
    daemon.kill();

    let arrived = scene.arrived();
    assert_rate(&arrived.iter().collect::<Vec<_>>(), 5);
    let cut_off = scene.nothing_is_lost(&arrived).await;
    let days: Vec<(i64, i64)> = scene.rows("SELECT begins_at, sent FROM quota_day ORDER BY begins_at").await;
    let midnight_ms = days[1].0;
    let sent: Vec<usize> = days.iter().filter_map(|(_, sent)| usize::try_from(*sent).ok()).collect();
    assert!(sent[0] <= A_DAY && sent[1] == A_DAY, "{sent:?}");
    assert!(!first_is_spent || sent[0] == A_DAY, "{sent:?}");
    let (before, after): (Vec<_>, Vec<_>) =
        arrived.iter().partition(|request| scene.arrived_at_ms(request) < midnight_ms);
    let (before, after) = (before.len(), after.len());
    assert!(before <= sent[0] && after <= A_DAY, "{before} before midnight and {after} after it");
    // What was claimed around midnight counts in both days.
    let attempts: Vec<(i64,)> = scene.rows("SELECT count(*) FROM attempt").await;
    let attempts = usize::try_from(attempts[0].0).expect("a count");
    assert!(
        sent[0] + sent[1] >= attempts && before + after + cut_off >= attempts,
        "{before}, {after}, {attempts}"
    );
    eprintln!(
        "over midnight: {before} before, {after} after, {cut_off} were cut off by {} kills",
        scene.kills
    );
}

/// Reads and writes of the largest edition, each with its own limit, until all are done.
async fn reads_and_writes(mut scene: Scene) {
    let daemon = scene.killed_again_and_again().await;
    scene.until("SELECT count(*) FROM actions WHERE state = 'succeeded'", 2 * EVENTS).await;
    daemon.kill();

    let arrived = scene.arrived();
    let (reads, writes): (Vec<_>, Vec<_>) =
        arrived.iter().partition(|request| object_of(request).0 == "GetTaskInstance");
    assert_rate(&reads, 50);
    assert_rate(&writes, 20);
    let cut_off = scene.nothing_is_lost(&arrived).await;
    let sent = scene.number("SELECT sum(sent) FROM quota_days").await;
    let sent = usize::try_from(sent).expect("a count");
    assert!(arrived.len() <= sent && sent <= arrived.len() + cut_off, "{} of {sent} arrived", arrived.len());
    eprintln!(
        "reads and writes: {} and {} arrived, {cut_off} were cut off by {} kills",
        reads.len(),
        writes.len(),
        scene.kills
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_while_calls_are_on_their_way_it_never_exceeds_the_quota_and_loses_no_action() {
    let noon = offset_with_midnight_in(Duration::from_hours(12));
    let case = |edition, rules, kills| Case { edition, offset: noon.clone(), rules, kills };
    let day = Scene::set(&case("basic", ["none", "duplicates"], &[12, 47])).await;
    let both = Scene::set(&case("enterprise", ["none", "converges"], &[90, 410])).await;
    let reruns = ["none", "duplicates"];
    let offset = offset_with_midnight_in(TO_MIDNIGHT);
    let spent = Scene::set(&Case { offset, ..case("basic", reruns, &[30, 112]) }).await;
    let offset = offset_with_midnight_in(TO_EARLY_MIDNIGHT);
    let unspent = Scene::set(&Case { offset, ..case("basic", reruns, &[10, 90]) }).await;
    tokio::join!(
        async { tokio::spawn(a_day(day)).await.expect("a day") },
        async { tokio::spawn(over_midnight(spent, true)).await.expect("over midnight") },
        async { tokio::spawn(over_midnight(unspent, false)).await.expect("over an early midnight") },
        async { tokio::spawn(reads_and_writes(both)).await.expect("reads and writes") },
    );
}
