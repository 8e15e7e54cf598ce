//! Settings: layers, strictness, the one report of all problems, secrets, and the shipped file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use openeventd::config::{self, Config, Environment, LoadError};
use openeventd::diagnostic::Diagnostic;
use openeventd::kafka::SecurityProtocol;
use openeventd::openapi::sign::Scheme;
use openeventd::operation::ApiVersion;
use openeventd::quota::{Edition, Table, Urgency};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

const SHIPPED: &str = include_str!("../../config/openeventd.toml");
const MINIMAL: &str = r#"
[kafka]
bootstrap_servers = ["127.0.0.1:9092"]
topics = ["events"]
group_id = "group"
security_protocol = "plaintext"
"#;

/// A directory with a configuration, and what the environment holds besides.
struct Given {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

impl Given {
    fn file(text: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::write(directory.path().join("openeventd.toml"), text).expect("the configuration is written");
        Given { directory, variables: Vec::new() }
    }

    fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Writes a file beside the configuration; gives its path.
    fn beside(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, content).expect("the file is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the mode is set");
        path
    }

    fn load(&self) -> Result<(Config, Vec<Diagnostic>), LoadError> {
        let environment: Environment = self.variables.iter().cloned().collect();
        config::load(&self.directory.path().join("openeventd.toml"), &environment)
    }

    fn config(&self) -> Config {
        match self.load() {
            Ok((config, _)) => config,
            Err(LoadError::Invalid(problems)) => panic!("refused:\n{}", shown(&problems, self)),
            Err(error) => panic!("not read: {error}"),
        }
    }

    /// The report, with the directory's name taken out.
    fn report(&self) -> String {
        match self.load() {
            Err(LoadError::Invalid(problems)) => shown(&problems, self),
            other => panic!("expected a report, got {other:?}"),
        }
    }
}

fn shown(problems: &[Diagnostic], given: &Given) -> String {
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    all.join("\n").replace(&format!("{}/", given.directory.path().display()), "")
}

/// The minimal file with `line` after its `[kafka]` header.
fn kafka_with(line: &str) -> String {
    MINIMAL.replace("[kafka]\n", &format!("[kafka]\n{line}\n"))
}

#[test]
fn an_unknown_key_is_shown_with_its_line_and_the_key_that_was_meant() {
    let report = Given::file(&kafka_with("  topcis = [\"a\"]")).report();
    assert_eq!(
        report,
        "openeventd.toml:3:3: error: kafka.topcis: unknown key\n \
         3 |   topcis = [\"a\"]\n   |   ^\n  help: did you mean `topics`?"
    );
}

#[test]
fn every_problem_is_in_one_report_in_the_order_of_the_file() {
    let text = r#"
[kafka]
bootstrap_servers = ["localhost"]
topics = ["a b"]
security_protocol = "sasl_ssll"
batch_max = "many"
session_timeout = "30"

[limits]
memory_max = "48MB"
depth = 3

[policy]
allow = [{ operation = "NoSuchOperation" }, { operaton = "x" }]

[dispatch]
lease = "30s"
concurrency = 1.5

[logs]
"#;
    let report = Given::file(text).report();
    let expected = [
        "openeventd.toml:2:2: error: kafka.group_id: missing, this setting is required",
        "openeventd.toml:3:22: error: kafka.bootstrap_servers[0]: `localhost` is no broker, expected host:port",
        "openeventd.toml:4:11: error: kafka.topics[0]: `a b` is no topic",
        "openeventd.toml:5:21: error: kafka.security_protocol: `sasl_ssll` is not known",
        "help: did you mean `sasl_ssl`?",
        "openeventd.toml:6:13: error: kafka.batch_max: wrong type: found string \"many\", expected a whole number",
        "openeventd.toml:7:19: error: kafka.session_timeout: `30` has no unit",
        "openeventd.toml:10:14: error: limits.memory_max: `48MB` has no exact meaning, write `48MiB`",
        "openeventd.toml:11:1: error: limits.depth: unknown key",
        "openeventd.toml:14:24: error: policy.allow[0].operation: `NoSuchOperation` is no operation",
        "openeventd.toml:14:47: error: policy.allow[1].operaton: unknown key",
        "openeventd.toml:17:9: error: dispatch.lease: not longer than attempt_timeout = \"30s\"",
        "openeventd.toml:18:15: error: dispatch.concurrency: wrong type: found floating point `1.5`",
        "openeventd.toml:20:2: error: logs: unknown key",
        "help: did you mean `log`?",
    ];
    let mut rest = report.as_str();
    for line in expected {
        let at = rest.find(line).unwrap_or_else(|| panic!("no `{line}` (in this order) in:\n{report}"));
        rest = &rest[at + line.len()..];
    }
}

#[test]
fn text_that_is_no_toml_is_shown_at_its_place() {
    let report = Given::file("[kafka]\ntopics = [\n[log]\nlevel = \n").report();
    assert!(report.contains("openeventd.toml:") && report.contains("error: no valid TOML: "), "{report}");
}

#[test]
fn a_variable_overrides_the_file() {
    let config = Given::file(MINIMAL)
        .variable("OPENEVENTD__KAFKA__GROUP_ID", "007")
        .variable("OPENEVENTD__KAFKA__TOPICS", "one, two")
        .variable("OPENEVENTD__KAFKA__BATCH_MAX", "7")
        .variable("OPENEVENTD__TRUST__WORKSPACES", "96384,1")
        .variable("OPENEVENTD__KAFKA__START_AT", "latest")
        .variable("OPENEVENT__KAFKA__GROUP_ID", "not ours")
        .config();
    assert_eq!(config.kafka.group_id, "007");
    assert_eq!(config.kafka.topics, ["one", "two"]);
    assert_eq!(config.ingest.batch.records_max, 7);
    assert_eq!(config.trust.workspaces, [96384, 1]);
    assert_eq!(config.ingest.start_at, openeventd::ingest::start::StartAt::Latest);
    assert!(config.redacted.text.contains("\"007\""), "{}", config.redacted.text);
}

#[test]
fn a_wrong_variable_is_named_and_the_file_is_not_blamed() {
    for (name, value, message) in [
        ("OPENEVENTD__KAFKA__GRUOP_ID", "x", "unknown key\n  help: did you mean `group_id`?"),
        ("OPENEVENTD__KAFAK__TOPICS", "x", "unknown key\n  help: did you mean `kafka`?"),
        (
            "OPENEVENTD__KAFKA__BATCH_MAX",
            "many",
            "wrong type: found string \"many\", expected a whole number",
        ),
        ("OPENEVENTD__KAFKA__BATCH_MAX", "0", "0 is out of range, expected 1 to 100000"),
        ("OPENEVENTD__KAFKA__SESSION_TIMEOUT", "soon", "`soon` is no duration"),
        ("OPENEVENTD__TRUST__WORKSPACES", "1,x", "`x` is no value of this list"),
        ("OPENEVENTD__KAFKA__GROUP_ID__X", "x", "wrong type: found "),
        ("OPENEVENTD__KAFKA____X", "x", "names no setting"),
    ] {
        let report = Given::file(MINIMAL).variable(name, value).report();
        assert!(report.starts_with(&format!("error: {name}: {message}")), "{name}: {report}");
        assert!(!report.contains("openeventd.toml"), "{name}: {report}");
    }
}

#[test]
fn wrong_variables_and_a_wrong_file_are_in_one_report() {
    let report = Given::file(&kafka_with("a = 1"))
        .variable("OPENEVENTD__KAFKA__B", "1")
        .variable("OPENEVENTD__LOG__LEVEL", "loud")
        .report();
    for key in ["kafka.a: unknown", "OPENEVENTD__KAFKA__B: unknown", "OPENEVENTD__LOG__LEVEL: `loud`"] {
        assert!(report.contains(key), "no {key} in:\n{report}");
    }
}

#[test]
fn a_secret_is_read_from_each_place_and_loses_only_its_line_break() {
    let secret = |line: &str| format!("{MINIMAL}\n[secrets]\n{line}\n");
    let credential = Given::file(&secret(r#"x = { credential = "name" }"#));
    credential.beside("name", " hunter2 \n", 0o444);
    let directory = credential.directory.path().display().to_string();
    let credential = credential.variable("CREDENTIALS_DIRECTORY", directory);
    let variable = Given::file(&secret(r#"x = { env = "NAME" }"#)).variable("NAME", " hunter2 ");
    let file = Given::file("");
    let path = file.beside("name", " hunter2 \r\n", 0o640);
    let text = secret(&format!("x = {{ file = \"{}\" }}", path.display()));
    fs::write(file.directory.path().join("openeventd.toml"), text).expect("the configuration is written");
    for given in [credential, variable, file] {
        let config = given.config();
        assert_eq!(config.secrets.by_name["x"].expose_secret(), " hunter2 ");
        assert!(!config.redacted.text.contains("hunter2"), "{}", config.redacted.text);
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}

#[test]
fn a_secret_that_others_can_read_or_change_is_refused_with_the_command_that_mends_it() {
    for mode in [0o644, 0o604, 0o660, 0o620, 0o601] {
        let given = Given::file("");
        let path = given.beside("secret", "hunter2", mode);
        let text = format!("{MINIMAL}\n[secrets]\nx = {{ file = \"{}\" }}\n", path.display());
        fs::write(given.directory.path().join("openeventd.toml"), text).expect("it is written");
        let report = given.report();
        assert!(report.contains(&format!("has mode {mode:04o}: others can read or change")), "{report}");
        assert!(report.contains("help: run `chmod 0600 secret`"), "{report}");
    }
}

#[test]
fn a_secret_that_is_not_there_is_a_clear_error() {
    for (source, message) in [
        (r#"{ credential = "x" }"#, "CREDENTIALS_DIRECTORY is not set"),
        (r#"{ credential = "../x" }"#, "`../x` is no name of a credential"),
        (r#"{ file = "/nowhere/x" }"#, "cannot read /nowhere/x: No such file"),
        (r#"{ file = "x" }"#, "`x` is a relative path"),
        (r#"{ file = "/dev" }"#, "/dev is not a regular file"),
        (r#"{ env = "NOT_SET" }"#, "the environment variable NOT_SET is not set"),
        ("{}", "expected exactly one of"),
        (r#"{ env = "A", file = "/x" }"#, "expected exactly one of"),
        (r#"{ enf = "A" }"#, "did you mean `env`?"),
    ] {
        let report = Given::file(&format!("{MINIMAL}\n[secrets]\nx = {source}\n")).report();
        assert!(report.contains(message), "{source}: {report}");
    }
    let given = Given::file("");
    let path = given.beside("secret", "\n", 0o600);
    let text = format!("{MINIMAL}\n[secrets]\nx = {{ file = \"{}\" }}\n", path.display());
    fs::write(given.directory.path().join("openeventd.toml"), text).expect("it is written");
    assert!(given.report().contains("secret is empty"), "{}", given.report());
}

#[test]
fn a_secret_written_into_the_settings_is_refused_and_not_repeated() {
    for text in [
        kafka_with(r#"password = "hunter2""#).replace("plaintext", "sasl_ssl"),
        kafka_with(r"password = 20260101"),
        kafka_with(r#"password = { value = "hunter2" }"#),
        kafka_with(r#"pasword = "hunter2""#),
        kafka_with(r#"password = "hunter2"#),
        kafka_with(r#"properties = { "sasl.password" = "hunter2" }"#),
        format!("{MINIMAL}\n[secrets]\nx = \"hunter2\"\n"),
        format!("{MINIMAL}\n[account.main]\naccess_key_secret = \"hunter2\"\n"),
        format!("{MINIMAL}\n[dispatch]\nproxy = \"http://u:hunter2@proxy:1\"\n"),
    ] {
        let given = Given::file(&text);
        let report = given.report();
        assert!(!report.contains("hunter2") && !report.contains("20260101"), "{report}");
    }
    let report = Given::file(MINIMAL).variable("OPENEVENTD__KAFKA__PASSWORD", "hunter2").report();
    assert!(report.contains("{ credential = \"NAME\" }, { file = \"/path\" } or { env ="), "{report}");
    assert!(!report.contains("hunter2"), "{report}");
}

#[test]
fn what_sasl_and_accounts_need_is_required() {
    let report = Given::file("[kafka]\n[account.main]\n").report();
    for key in [
        "kafka.bootstrap_servers",
        "kafka.topics",
        "kafka.group_id",
        "kafka.username",
        "kafka.password",
        "account.main.region",
        "account.main.edition",
        "account.main.access_key_id",
        "account.main.access_key_secret",
    ] {
        assert!(report.contains(&format!("{key}: missing")), "no {key} in:\n{report}");
    }
}

#[tokio::test]
async fn an_account_gives_endpoint_edition_and_credentials() {
    let account = |lines: &str| {
        let text = format!(
            "{MINIMAL}\n[account.main]\nregion = \"cn-shanghai\"\nedition = \"enterprise\"\n\
             access_key_id = \"id\"\naccess_key_secret = {{ env = \"KEY\" }}\n{lines}\n"
        );
        Given::file(&text).variable("KEY", "secret").config().accounts.remove(0)
    };
    let main = account("");
    assert_eq!((main.name.as_str(), main.budget.allowance), ("main", Table::May2026.of(Edition::Enterprise)));
    let credentials = main.credentials.get(0).await.expect("they were read at the start");
    assert_eq!(credentials.access_key_id, "id");
    assert_eq!(credentials.access_key_secret.expose_secret(), "secret");
    assert_eq!(main.endpoint, "https://dataworks.cn-shanghai.aliyuncs.com");
    assert_eq!(account("api_version = \"2020-05-18\"").api_version, Some(ApiVersion::V2020));
    assert_eq!(account("vpc = true").endpoint, "https://dataworks-vpc.cn-shanghai.aliyuncs.com");
    assert_eq!(account("endpoint = \"http://127.0.0.1:1/\"").endpoint, "http://127.0.0.1:1");
    assert_eq!(main.signature, Scheme::V1);
    assert_eq!(account("signature = \"acs3\"").signature, Scheme::Acs3);
    let report = Given::file(&format!("{MINIMAL}\n[account.main]\nsignature = \"acs\"\n")).report();
    assert!(report.contains("`acs` is not known, expected one of v1, acs3"), "{report}");
}

#[test]
fn an_account_has_a_budget_by_its_edition_table_calendar_and_shares() {
    let with = |lines: &str| format!("{MINIMAL}\n[account.main]\nregion = \"cn-shanghai\"\n{lines}\n");
    let key = "access_key_id = \"id\"\naccess_key_secret = { env = \"KEY\" }\nedition = \"standard\"";
    let budget = |lines: &str| {
        let given = Given::file(&with(&format!("{key}\n{lines}"))).variable("KEY", "secret");
        given.config().accounts.remove(0).budget
    };
    assert_eq!(budget("").day_limit(Urgency::Usual), None);
    assert_eq!(budget("quota_table = \"2026-03\"").day_limit(Urgency::Usual), Some(1_000));
    let shared = budget("quota_table = \"2026-03\"\nothers_share = \"20%\"\nverdict_share = \"10%\"");
    assert_eq!((shared.day_limit(Urgency::Urgent), shared.day_limit(Urgency::Usual)), (Some(800), Some(720)));
    assert_eq!(budget("calls_per_day_max = 7").day_limit(Urgency::Usual), Some(7));
    assert_eq!(budget("quota_offset = \"+00:00\"").calendar.day(1).begins_ms, 0);
    let report = Given::file(&with(
        "quota_table = \"2026-04\"\nquota_offset = \"8\"\nothers_share = \"96%\"\nverdict_share = \"0.1\"",
    ))
    .report();
    for expected in [
        "`2026-04` is not known, expected one of 2026-03, 2026-05",
        "`8` is no offset, expected one like `+08:00`",
        "`96%` is no share, expected `0%` to `95%`",
        "`0.1` is no share",
    ] {
        assert!(report.contains(expected), "{expected}\n{report}");
    }
}

#[test]
fn an_account_has_a_key_or_the_default_chain_and_perhaps_a_role() {
    const KEY: &str = "access_key_id = \"id\"\naccess_key_secret = { env = \"KEY\" }";
    const ROLE: &str = "role_arn = \"acs:ram::1:role/r\"";
    let given = |lines: &str| {
        let text =
            format!("{MINIMAL}\n[account.main]\nregion = \"cn-shanghai\"\nedition = \"basic\"\n{lines}\n");
        Given::file(&text).variable("KEY", "secret")
    };
    for lines in [
        "credentials = \"default\"",
        &format!("credentials = \"default\"\n{ROLE}"),
        &format!("{KEY}\n{ROLE}"),
    ] {
        assert_eq!(given(lines).config().accounts.len(), 1, "{lines}");
    }
    for (lines, expected) in [
        ("", "account.main.access_key_id: missing"),
        ("access_key_id = \"id\"", "or let the default chain find one: credentials = \"default\""),
        (&format!("credentials = \"default\"\n{KEY}"), "has no use beside credentials = \"default\""),
        ("credentials = \"defualt\"", "did you mean `default`?"),
        (&format!("{KEY}\nrole_arn = \"r\""), "`r` is no role, expected acs:ram::ACCOUNT:role/NAME"),
        (&format!("{KEY}\nexternal_id = \"x\""), "account.main.external_id: has no use without role_arn"),
        (&format!("{KEY}\n{ROLE}\nrole_session_name = \"a b\""), "`a b` is no name"),
        (&format!("{KEY}\napi_version = \"2021-01-01\""), "`2021-01-01` is no API version"),
    ] {
        let report = given(lines).report();
        assert!(report.contains(expected), "no `{expected}` in:\n{report}");
    }
}

#[test]
fn memory_is_divided_so_that_every_record_fits_a_batch() {
    let config = Given::file(MINIMAL).config();
    assert_eq!((config.kafka.queue_bytes_max, config.ingest.batch.bytes_max), (6 << 20, 3 << 20));
    let report = Given::file(&format!("{MINIMAL}[limits]\nrecord_bytes_max = \"8MiB\"\n")).report();
    assert!(report.contains("set memory_max = \"72MiB\" or more"), "{report}");
    let fits = format!("{MINIMAL}[limits]\nrecord_bytes_max = \"8MiB\"\nmemory_max = \"72MiB\"\n");
    assert_eq!(Given::file(&fits).config().ingest.limits.payload_bytes_max, 8 << 20);
}

#[test]
fn paths_have_their_defaults_and_are_beside_the_file() {
    let given = Given::file(MINIMAL);
    let config = given.config();
    assert_eq!(config.store.path, Path::new("/var/lib/openeventd/audit.db"));
    assert_eq!(config.rules_directory, given.directory.path().join("rules.d"));
    let given = Given::file(MINIMAL).variable("STATE_DIRECTORY", "/a/state:/b");
    assert_eq!(given.config().store.path, Path::new("/a/state/audit.db"));
    let given = Given::file(&format!("{MINIMAL}[store]\npath = \"my.db\"\n[rules]\ndirectory = \"/r\"\n"));
    assert_eq!(given.config().store.path, given.directory.path().join("my.db"));
    assert_eq!(given.config().rules_directory, Path::new("/r"));
}

#[test]
fn metrics_are_on_loopback_unless_somebody_says_otherwise_and_is_warned() {
    let with = |listen: &str| Given::file(&format!("{MINIMAL}[monitoring]\nlisten = \"{listen}\"\n"));
    let listen = |given: &Given| given.config().monitoring.listen.map(|address| address.to_string());
    assert_eq!(listen(&Given::file(MINIMAL)).as_deref(), Some("127.0.0.1:7464"));
    assert_eq!(listen(&with("[::1]:0")).as_deref(), Some("[::1]:0"));
    assert_eq!(listen(&with("off")), None);
    assert_eq!(listen(&with("")), None);
    let (config, warnings) = with("0.0.0.0:7464").load().expect("it is allowed");
    assert!(config.monitoring.listen.is_some());
    let said = warnings.iter().map(ToString::to_string).collect::<String>();
    assert!(said.contains("warning: monitoring.listen: whoever reaches 0.0.0.0:7464"), "{said}");
    for wrong in ["7464", "localhost:7464", "127.0.0.1"] {
        assert!(with(wrong).report().contains("expected an IP address and a port, or off"), "{wrong}");
    }
}

#[test]
fn the_hash_follows_every_setting_and_nothing_else() {
    let hash = |text: &str| Given::file(text).config().redacted.hash;
    assert_eq!(hash(MINIMAL), hash(&format!("# a comment\n{MINIMAL}[log]\nlevel = \"info\"\n")));
    assert_ne!(hash(MINIMAL), hash(&format!("{MINIMAL}[log]\nlevel = \"debug\"\n")));
    assert_eq!(hash(MINIMAL).len(), 64);
}

#[test]
fn typed_values_are_what_was_written() {
    let config = Given::file(&format!("{MINIMAL}[dispatch]\nbackoff_max = \"1h30m\"\n")).config();
    assert_eq!(config.kafka.protocol, SecurityProtocol::Plaintext);
    assert!(config.kafka.sasl.is_none());
    assert_eq!(config.dispatch.retry.backoff_max, Duration::from_mins(90));
    assert_eq!(config.dispatch.lease, Duration::from_mins(2));
    assert_eq!(config.upkeep.horizons.matched_ms, 400 * 24 * 3_600_000);
}

/// The shipped file with every `#key = value` made a setting, for the keys that `wanted` accepts.
fn uncommented(wanted: impl Fn(&str) -> bool) -> String {
    let mut optional = false;
    let mut text = String::new();
    for line in SHIPPED.lines() {
        let setting = line.strip_prefix('#').filter(|rest| {
            rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '"') && rest.contains(" = ")
        });
        match setting {
            Some(setting) if wanted(if optional { "optional" } else { "default" }) => text.push_str(setting),
            _ => text.push_str(line),
        }
        text.push('\n');
        optional = line.starts_with("# ") && line.trim_end_matches('.').ends_with("optional");
    }
    text
}

fn shipped(text: &str) -> Given {
    let given = Given::file(text).variable("RULES", "x");
    for name in ["kafka-password", "access-key-secret", "webhook", "ca.pem"] {
        given.beside(name, "hunter2", 0o600);
    }
    let directory = given.directory.path().display().to_string();
    given.variable("CREDENTIALS_DIRECTORY", directory)
}

/// All dotted keys below a JSON object; an empty or non-object value is a leaf.
fn keys(path: &str, value: &serde_json::Value, found: &mut Vec<String>) {
    match value.as_object().filter(|object| !object.is_empty()) {
        Some(object) => {
            for (key, value) in object {
                keys(&format!("{path}/{key}"), value, found);
            }
        }
        None => found.push(path.to_owned()),
    }
}

#[test]
fn the_shipped_file_shows_every_setting_and_no_other() {
    let text = uncommented(|_| true)
        .replace(r#"{ file = "/run/openeventd/security-token" }"#, r#"{ credential = "webhook" }"#);
    let config = shipped(&text).config();
    let (mut mirrored, mut shown) = (Vec::new(), Vec::new());
    let mirror: serde_json::Value = serde_json::from_str(&config.redacted.text).expect("it is JSON");
    keys("", &mirror, &mut mirrored);
    let file: toml::Value = toml::from_str(&text).expect("the shipped file is TOML");
    keys("", &serde_json::to_value(file).expect("it has no dates"), &mut shown);
    mirrored.sort();
    shown.sort();
    assert_eq!(mirrored, shown);
}

#[test]
fn the_defaults_in_the_shipped_file_are_the_defaults() {
    let as_shipped = shipped(&uncommented(|_| false)).config().redacted;
    let with_defaults = shipped(&uncommented(|kind| kind == "default")).config().redacted;
    assert_eq!(as_shipped.text, with_defaults.text);
    assert!(as_shipped.text.contains("\"batch_max\": 2048"), "{}", as_shipped.text);
}

#[test]
fn every_required_key_is_marked_in_the_shipped_file() {
    let mut comment = String::new();
    for line in SHIPPED.lines() {
        if line.starts_with('#') {
            comment = line.to_owned();
        } else if line.contains(" = ") {
            assert!(comment.ends_with("required"), "`{line}` is set, yet not marked as required");
            comment.clear();
        }
    }
}

#[test]
fn a_limit_of_no_calls_is_a_warning() {
    let account = "[account.main]\nregion = \"cn-shanghai\"\nedition = \"basic\"\ncredentials = \"default\"\ncalls_per_day_max = 0\n";
    let given = Given::file(&format!("{MINIMAL}{account}"));
    let (_, warnings) = given.load().expect("it is right");
    assert_eq!(
        shown(&warnings, &given),
        "openeventd.toml:11:21: warning: account.main.calls_per_day_max: with 0 nothing will ever be called\n \
         11 | calls_per_day_max = 0\n    |                     ^\n  \
         help: to stop calls for a while use `openeventd stop-calls`"
    );
}
