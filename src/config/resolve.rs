//! From the texts of the file to typed settings: Kafka, memory, store, dispatch.
//!
//! Every check runs, whatever failed before. Accounts, policy and secrets are in [`super::accounts`].

use std::path::{Path, PathBuf};

use super::accounts;
use super::environment::Environment;
use super::fields::{
    choice, count_within, duration_within, required, required_list, required_secret, size_within,
};
use super::operators;
use super::raw::{self, Raw};
use super::redacted;
use super::report::{Report, join, may_hold_secret};
use super::resolved::Config;
use crate::dispatch::{self, Lookups, judge::Retry};
use crate::event::decode;
use crate::ingest::{self, start::StartAt};
use crate::kafka::BatchLimits;
use crate::kafka::properties::{self, PropertyError};
use crate::kafka::{self, EndpointIdentification, Sasl, SaslMechanism, SecurityProtocol};
use crate::store::retention::Horizons;
use crate::{openapi, store, upkeep};

/// The program itself, its stacks, the database's cache, TLS and the rule set: what does not grow with
/// the load. The rest of `memory_max` is queue and batches.
const BASE_BYTES: usize = 24 << 20;

/// The rest of the memory is divided into so many equal parts:
/// two for the client's queue, three for batches (one being filled, two in flight), one for the copy
/// of a batch that the writer has bound to a statement.
const MEMORY_PARTS: usize = 6;
const QUEUE_PARTS: usize = 2;

/// Types and checks all of `raw`, which came from the file `file`.
pub(super) fn resolve(raw: &Raw, file: &Path, environment: &Environment, report: &mut Report<'_>) -> Config {
    let directory = file.parent().unwrap_or(Path::new(""));
    let (queue_bytes_max, ingest) = ingest_settings(raw, report);
    let dispatch = dispatch_settings(&raw.dispatch, report);
    let store = store_settings(&raw.store, directory, environment, report);
    Config {
        kafka: kafka_settings(&raw.kafka, queue_bytes_max, directory, environment, report),
        ingest,
        upkeep: upkeep_settings(raw, &store, &dispatch, report),
        store,
        dispatch,
        openapi: openapi_settings(&raw.dispatch, report),
        accounts: accounts::accounts(&raw.account, environment, raw.dispatch.proxy.as_deref(), report),
        secrets: accounts::secrets(&raw.secrets, environment, report),
        policy: accounts::policy(&raw.policy, report),
        trust: accounts::trust(&raw.trust),
        rules_directory: rules_directory(raw, file),
        monitoring: operators::monitoring(&raw.monitoring, report),
        log: operators::log(&raw.log, report),
        stop_timeout: duration_within(
            report,
            "service.stop_timeout",
            &raw.service.stop_timeout,
            ("1s", "10m"),
        ),
        redacted: redacted::of_raw(raw, report),
    }
}

fn kafka_settings(
    raw: &raw::Kafka,
    queue_bytes_max: usize,
    directory: &Path,
    environment: &Environment,
    report: &mut Report<'_>,
) -> kafka::Settings {
    let bootstrap_servers = required_list(
        report,
        "kafka.bootstrap_servers",
        &raw.bootstrap_servers,
        r#"["broker-1.example.com:9093"]"#,
    );
    for (at, server) in bootstrap_servers.iter().enumerate().filter(|(_, server)| !is_host_port(server)) {
        let path = format!("kafka.bootstrap_servers[{at}]");
        report.error(&path, format!("`{server}` is no broker, expected host:port"), "");
    }
    let topics = required_list(report, "kafka.topics", &raw.topics, r#"["dataworks-openevent"]"#);
    for (at, topic) in topics.iter().enumerate().filter(|(_, topic)| !is_topic(topic)) {
        let message = format!("`{topic}` is no topic, expected up to 249 of letters, digits, `.`, `_`, `-`");
        report.error(&format!("kafka.topics[{at}]"), message, "");
    }
    let ssl_ca_location = path(raw.ssl_ca_location.as_deref(), directory);
    if let Some(bundle) = ssl_ca_location.as_ref().filter(|bundle| !bundle.is_file()) {
        let message = format!("no readable file {}", bundle.display());
        report.error("kafka.ssl_ca_location", message, "name the PEM file with the authorities to trust");
    }
    for name in raw.properties.keys().filter(|name| may_hold_secret(name)) {
        let help = "its value would stand in the settings; use kafka.password, or a certificate in a file";
        report.error(&join("kafka.properties", name), "a secret is never written into the settings", help);
    }
    let properties = raw.properties.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect();
    for error in properties::check(&properties).err().into_iter().flatten() {
        let (PropertyError::Refused { name, .. }
        | PropertyError::Unknown { name, .. }
        | PropertyError::Value { name, .. }) = &error;
        if !may_hold_secret(name) {
            report.error(&join("kafka.properties", name), error.to_string(), "");
        }
    }
    let protocol = security_protocol(raw, report);
    kafka::Settings {
        bootstrap_servers,
        topics,
        group_id: required(report, "kafka.group_id", &raw.group_id, r#""openeventd""#),
        protocol,
        sasl: sasl(raw, protocol, environment, report),
        ssl_ca_location,
        ssl_endpoint_identification: choice(
            report,
            "kafka.ssl_endpoint_identification",
            &raw.ssl_endpoint_identification,
            EndpointIdentification::Https,
            &[("https", EndpointIdentification::Https), ("none", EndpointIdentification::None)],
        ),
        session_timeout: duration_within(
            report,
            "kafka.session_timeout",
            &raw.session_timeout,
            ("1s", "30m"),
        ),
        queue_bytes_max,
        properties,
    }
}

fn security_protocol(raw: &raw::Kafka, report: &mut Report<'_>) -> SecurityProtocol {
    choice(
        report,
        "kafka.security_protocol",
        &raw.security_protocol,
        SecurityProtocol::Plaintext,
        &[
            ("sasl_ssl", SecurityProtocol::SaslSsl),
            ("ssl", SecurityProtocol::Ssl),
            ("sasl_plaintext", SecurityProtocol::SaslPlaintext),
            ("plaintext", SecurityProtocol::Plaintext),
        ],
    )
}

fn sasl(
    raw: &raw::Kafka,
    protocol: SecurityProtocol,
    environment: &Environment,
    report: &mut Report<'_>,
) -> Option<Sasl> {
    let mechanism = choice(
        report,
        "kafka.sasl_mechanism",
        &raw.sasl_mechanism,
        SaslMechanism::Plain,
        &[
            ("plain", SaslMechanism::Plain),
            ("scram-sha-256", SaslMechanism::ScramSha256),
            ("scram-sha-512", SaslMechanism::ScramSha512),
        ],
    );
    if matches!(protocol, SecurityProtocol::Plaintext | SecurityProtocol::Ssl) {
        for (key, given) in [("username", !raw.username.is_empty()), ("password", raw.password.is_some())] {
            if given {
                let message = format!("has no use with security_protocol = \"{}\"", raw.security_protocol);
                let help = "remove it, or use sasl_ssl";
                report.warning(&join("kafka", key), message, help);
            }
        }
        return None;
    }
    Some(Sasl {
        mechanism,
        username: required(report, "kafka.username", &raw.username, r#""alice""#),
        password: required_secret(report, "kafka.password", raw.password.as_ref(), environment),
    })
}

/// The bytes of the client's queue, and how batches are made.
pub(super) fn ingest_settings(raw: &Raw, report: &mut Report<'_>) -> (usize, ingest::Settings) {
    let (limits, kafka) = (&raw.limits, &raw.kafka);
    let memory_max = size_within(report, "limits.memory_max", &limits.memory_max, ("30MiB", "64GiB"));
    let payload_bytes_max =
        size_within(report, "limits.record_bytes_max", &limits.record_bytes_max, ("1KiB", "64MiB"));
    let part_bytes = memory_max.saturating_sub(BASE_BYTES) / MEMORY_PARTS;
    if memory_max >= BASE_BYTES && part_bytes < payload_bytes_max {
        let needed_mib =
            (BASE_BYTES.saturating_add(payload_bytes_max.saturating_mul(MEMORY_PARTS))).div_ceil(1 << 20);
        let message = format!("a batch could not hold one record of {}", limits.record_bytes_max);
        let help = format!("set memory_max = \"{needed_mib}MiB\" or more, or lower record_bytes_max");
        report.error("limits.memory_max", message, help);
    }
    let settings = ingest::Settings {
        start_at: choice(
            report,
            "kafka.start_at",
            &kafka.start_at,
            StartAt::Earliest,
            &[("earliest", StartAt::Earliest), ("latest", StartAt::Latest)],
        ),
        batch: BatchLimits {
            records_max: count_within(report, "kafka.batch_max", kafka.batch_max, (1, 100_000)),
            bytes_max: part_bytes,
            linger: duration_within(report, "kafka.batch_linger", &kafka.batch_linger, ("0s", "10s")),
        },
        limits: decode::Limits {
            payload_bytes_max,
            depth_max: count_within(report, "limits.depth_max", limits.depth_max, (8, 120)),
        },
    };
    (part_bytes * QUEUE_PARTS, settings)
}

fn store_settings(
    raw: &raw::Store,
    directory: &Path,
    environment: &Environment,
    report: &mut Report<'_>,
) -> store::Settings {
    let state_directory = state_directory(environment);
    let path = database_path(raw, directory, state_directory.clone());
    if path.is_dir() {
        report.error("store.path", format!("{} is a directory, expected a file", path.display()), "");
    }
    // The service's own state directory is readable for its group; anywhere else only the owner reads.
    let of_the_service = state_directory.is_some_and(|directory| path.starts_with(directory));
    store::Settings { path, file_mode: if of_the_service { 0o640 } else { 0o600 } }
}

/// Where the database of `raw`, which came from the file `file`, lies.
pub(super) fn database(raw: &Raw, file: &Path, environment: &Environment) -> PathBuf {
    database_path(&raw.store, file.parent().unwrap_or(Path::new("")), state_directory(environment))
}

/// Where the rules of `raw`, which came from the file `file`, lie.
pub(super) fn rules_directory(raw: &Raw, file: &Path) -> PathBuf {
    let directory = file.parent().unwrap_or(Path::new(""));
    path(raw.rules.directory.as_deref(), directory).unwrap_or_else(|| directory.join("rules.d"))
}

fn database_path(raw: &raw::Store, directory: &Path, state_directory: Option<PathBuf>) -> PathBuf {
    path(raw.path.as_deref(), directory).unwrap_or_else(|| {
        state_directory.unwrap_or_else(|| PathBuf::from("/var/lib/openeventd")).join("audit.db")
    })
}

/// What systemd gives the service to write into.
fn state_directory(environment: &Environment) -> Option<PathBuf> {
    environment.get("STATE_DIRECTORY").and_then(|list| list.split(':').next()).map(PathBuf::from)
}

fn upkeep_settings(
    raw: &Raw,
    store: &store::Settings,
    dispatch: &dispatch::Settings,
    report: &mut Report<'_>,
) -> upkeep::Settings {
    let order_block_max =
        duration_within(report, "dispatch.order_block_max", &raw.dispatch.order_block_max, ("1s", "30d"));
    let raw = &raw.store;
    let bounds = ("1h", "5000d");
    let mut kept = |key: &str, text: &str| {
        let kept = duration_within(report, &join("store", key), text, bounds);
        crate::duration::whole_ms(kept)
    };
    let horizons = Horizons {
        unmatched_ms: kept("retention_unmatched", &raw.retention_unmatched),
        matched_ms: kept("retention_matched", &raw.retention_matched),
        dedupe_ms: kept("dedupe_horizon", &raw.dedupe_horizon),
    };
    if horizons.dedupe_ms < horizons.unmatched_ms {
        let message = "shorter than retention_unmatched: a stored event could be taken for a new one";
        report.error("store.dedupe_horizon", message, "set it to retention_unmatched or longer");
    }
    if horizons.matched_ms < horizons.unmatched_ms {
        let message = "shorter than retention_unmatched: decisions would go before what nothing matched";
        report.warning("store.retention_matched", message, "");
    }
    let mut bytes = |key: &str, text: &str, bounds| {
        u64::try_from(size_within(report, &join("store", key), text, bounds)).unwrap_or(u64::MAX)
    };
    upkeep::Settings {
        path: store.path.clone(),
        horizons,
        wal_bytes_max: bytes("wal_bytes_max", &raw.wal_bytes_max, ("8MiB", "64GiB")),
        disk_free_min: bytes("disk_free_min", &raw.disk_free_min, ("0B", "1024GiB")),
        repeat_within: dispatch.retry.repeat_within,
        lookups: dispatch.lookups,
        order_block_max,
    }
}

fn dispatch_settings(raw: &raw::Dispatch, report: &mut Report<'_>) -> dispatch::Settings {
    let attempts_max = count_within(report, "dispatch.attempts_max", raw.attempts_max, (1, 100));
    let retry = Retry {
        attempts_max: u32::try_from(attempts_max).unwrap_or(u32::MAX),
        backoff_min: duration_within(report, "dispatch.backoff_min", &raw.backoff_min, ("10ms", "1h")),
        backoff_max: duration_within(report, "dispatch.backoff_max", &raw.backoff_max, ("10ms", "1d")),
        repeat_within: duration_within(report, "dispatch.repeat_within", &raw.repeat_within, ("0s", "1d")),
    };
    if retry.backoff_max < retry.backoff_min {
        report.error("dispatch.backoff_max", "shorter than backoff_min", "set it to backoff_min or longer");
    }
    dispatch::Settings {
        concurrency: count_within(report, "dispatch.concurrency", raw.concurrency, (1, 256)),
        lease: duration_within(report, "dispatch.lease", &raw.lease, ("1s", "1h")),
        retry,
        lookups: if raw.verify { Lookups::On } else { Lookups::Off },
    }
}

fn openapi_settings(raw: &raw::Dispatch, report: &mut Report<'_>) -> openapi::Settings {
    let timeout = duration_within(report, "dispatch.attempt_timeout", &raw.attempt_timeout, ("1s", "10m"));
    let connect_timeout =
        duration_within(report, "dispatch.connect_timeout", &raw.connect_timeout, ("100ms", "1m"));
    // A lease that ends while its call is under way would let the sweep call that action lost.
    if crate::duration::parse(&raw.lease).is_ok_and(|lease| lease <= timeout) {
        let message = format!("not longer than attempt_timeout = \"{}\"", raw.attempt_timeout);
        report.error("dispatch.lease", message, "a lease must outlive an attempt: raise lease");
    }
    if connect_timeout > timeout {
        report.error("dispatch.connect_timeout", "longer than attempt_timeout", "lower connect_timeout");
    }
    if let Some(proxy) = &raw.proxy {
        accounts::check_url(report, "dispatch.proxy", proxy);
    }
    openapi::Settings {
        timeout,
        connect_timeout,
        body_bytes_max: size_within(
            report,
            "dispatch.body_bytes_max",
            &raw.body_bytes_max,
            ("1KiB", "64MiB"),
        ),
        proxy: raw.proxy.clone(),
    }
}

/// A path of the settings; a relative one is beside the settings file.
fn path(text: Option<&str>, directory: &Path) -> Option<PathBuf> {
    text.filter(|text| !text.is_empty()).map(|text| directory.join(text))
}

/// Whether `server` is a host and a port.
pub(crate) fn is_host_port(server: &str) -> bool {
    server.rsplit_once(':').is_some_and(|(host, port)| {
        let host_fits = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "/,@".contains(c));
        host_fits && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

/// Whether Kafka takes `topic` for a name.
pub(crate) fn is_topic(topic: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=249).contains(&topic.len()) && topic.chars().all(fits) && topic != "." && topic != ".."
}
