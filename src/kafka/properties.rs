//! Which properties of librdkafka a user may pass through.
//!
//! Everything that the client knows is allowed, except what would break a promise of the daemon or has a
//! setting of its own: those are refused by name, with the reason. Unknown names and values that the client
//! refuses are found here, before anything connects.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError as ClientError;

use crate::diagnostic::nearest;

/// Every property that librdkafka's documentation lists for consumers, one a line.
const KNOWN: &str = include_str!("properties.txt");

/// One property that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PropertyError {
    /// It would break a promise, or has a setting of its own.
    #[error("`{name}` cannot be set: {reason}")]
    Refused {
        /// The property.
        name: String,
        /// Why, and what to use instead.
        reason: &'static str,
    },
    /// The client does not know it.
    #[error("`{name}` is no property of a consumer{}", suggestion(.nearest.as_deref()))]
    Unknown {
        /// The property.
        name: String,
        /// The known property that was probably meant.
        nearest: Option<String>,
    },
    /// The client refuses the value.
    #[error("`{name}` was refused by the client: {reason}")]
    Value {
        /// The property.
        name: String,
        /// What the client says about the value.
        reason: String,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// Checks all properties.
///
/// # Errors
///
/// Every property that cannot be used, in the order of their names.
pub fn check(properties: &BTreeMap<String, String>) -> Result<(), Vec<PropertyError>> {
    let errors: Vec<_> = properties.iter().filter_map(|(name, value)| check_one(name, value).err()).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn check_one(name: &str, value: &str) -> Result<(), PropertyError> {
    if let Some(reason) = refusal(name) {
        return Err(PropertyError::Refused { name: name.to_owned(), reason });
    }
    if !KNOWN.lines().any(|known| known == name) {
        let allowed = KNOWN.lines().filter(|known| refusal(known).is_none());
        let nearest = nearest(name, allowed).map(str::to_owned);
        return Err(PropertyError::Unknown { name: name.to_owned(), nearest });
    }
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(ClientError::ClientConfig(_, reason, ..)) => {
            Err(PropertyError::Value { name: name.to_owned(), reason })
        }
        Err(other) => Err(PropertyError::Value { name: name.to_owned(), reason: other.to_string() }),
    }
}

/// Why a property is refused; `None` if it may be set.
fn refusal(name: &str) -> Option<&'static str> {
    REFUSED
        .iter()
        .find(|(pattern, _)| match (pattern.strip_suffix('*'), pattern.strip_prefix('*')) {
            (Some(prefix), _) => name.starts_with(prefix),
            (_, Some(suffix)) => name.ends_with(suffix),
            _ => *pattern == name,
        })
        .map(|(_, reason)| *reason)
}

const OFFSETS: &str =
    "offsets are committed only after the events are durable, and by this alone nothing is lost";
const HOOK: &str = "it is a hook of the client library, not a setting";
const CODE: &str = "it loads foreign code into the daemon";
const SECRET: &str = "secrets belong into the daemon's secrets, never into properties";
const USER: &str = "use kafka.sasl_mechanism, kafka.username and kafka.password";
const NO_LOGIN: &str = "this way of logging in is not supported; use PLAIN or SCRAM (kafka.sasl_mechanism)";
const MEMORY: &str = "the sizes of all queues follow from `memory_max`";
const CA: &str = "use the setting `ssl_ca_location`";

/// Names, or beginnings or endings of names with a `*`, and why they are refused.
const REFUSED: &[(&str, &str)] = &[
    ("enable.auto.commit", OFFSETS),
    ("auto.commit.enable", OFFSETS),
    ("enable.auto.offset.store", OFFSETS),
    ("offset.store.*", OFFSETS),
    ("auto.offset.reset", "where a partition starts is decided by the audit database and `start_at`"),
    ("enable.partition.eof", "the end of a partition is read from the statistics"),
    (
        "enable.ssl.certificate.verification",
        "certificates are always verified; for a broker whose certificate names no host, give its authority \
         as `ssl_ca_location` and set `ssl_endpoint_identification = \"none\"`",
    ),
    ("ssl.endpoint.identification.algorithm", "use the setting `ssl_endpoint_identification`"),
    ("ssl.ca.location", CA),
    ("ssl.ca.pem", CA),
    ("ssl.ca.certificate.stores", CA),
    ("ssl.key.password", SECRET),
    ("ssl.key.pem", SECRET),
    ("ssl.keystore.password", SECRET),
    ("ssl.engine.*", CODE),
    ("plugin.library.paths", CODE),
    ("interceptors", CODE),
    ("sasl.username", USER),
    ("sasl.password", USER),
    ("sasl.mechanism*", USER),
    ("sasl.*", NO_LOGIN),
    ("enable.sasl.oauthbearer*", NO_LOGIN),
    ("https.ca.*", NO_LOGIN),
    ("group.protocol*", "the classic group protocol is used: brokers before 4.0 know no other"),
    ("group.remote.assignor", "the classic group protocol is used: brokers before 4.0 know no other"),
    ("partition.assignment.strategy", "partitions are drained and handed over as a whole"),
    ("group.id", "use the setting `group_id`"),
    ("bootstrap.servers", "use the setting `bootstrap_servers`"),
    ("metadata.broker.list", "use the setting `bootstrap_servers`"),
    ("security.protocol", "use the setting `security_protocol`"),
    ("session.timeout.ms", "use the setting `session_timeout`"),
    ("queued.m*", MEMORY),
    ("message.max.bytes", MEMORY),
    ("fetch.message.max.bytes", MEMORY),
    ("max.partition.fetch.bytes", MEMORY),
    ("fetch.max.bytes", MEMORY),
    ("receive.message.max.bytes", MEMORY),
    ("statistics.interval.ms", "lag and the recovery of connections are read from the statistics"),
    ("allow.auto.create.topics", "a misspelt topic must be an error, not a new topic"),
    ("topic.blacklist", "a subscribed topic must not be hidden"),
    ("*_cb", HOOK),
    ("*_cb_data", HOOK),
    ("ssl_*", HOOK),
    ("ssl.certificate.verify_cb", HOOK),
    ("opaque", HOOK),
    ("default_topic_conf", HOOK),
    ("enabled_events", HOOK),
    ("log.queue", HOOK),
    ("log_level", HOOK),
    ("internal.termination.signal", HOOK),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check_pair(name: &str, value: &str) -> Result<(), PropertyError> {
        check(&BTreeMap::from([(name.to_owned(), value.to_owned())])).map_err(|mut errors| errors.remove(0))
    }

    #[test]
    fn what_would_break_a_promise_is_refused_by_name() {
        for (name, value, reason) in [
            ("enable.auto.commit", "true", "durable"),
            ("enable.auto.offset.store", "true", "durable"),
            ("auto.offset.reset", "latest", "start_at"),
            ("enable.ssl.certificate.verification", "false", "ssl_endpoint_identification"),
            ("group.protocol", "consumer", "classic"),
            ("partition.assignment.strategy", "cooperative-sticky", "as a whole"),
            ("plugin.library.paths", "/tmp/x.so", "foreign code"),
            ("rebalance_cb", "", "hook"),
            ("sasl.password", "x", "kafka.sasl"),
            ("ssl.key.password", "x", "secrets"),
            ("sasl.oauthbearer.token.endpoint.url", "x", "PLAIN"),
            ("queued.max.messages.kbytes", "1", "memory_max"),
        ] {
            let error = check_pair(name, value).expect_err(name);
            assert!(matches!(error, PropertyError::Refused { .. }), "{name}: {error:?}");
            assert!(error.to_string().contains(name) && error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn other_properties_pass_through() {
        for (name, value) in [
            ("client.rack", "a"),
            ("isolation.level", "read_committed"),
            ("debug", "broker,cgrp"),
            ("ssl.cipher.suites", "ECDHE-RSA-AES256-GCM-SHA384"),
            ("max.poll.interval.ms", "300000"),
            ("group.instance.id", "one"),
            ("heartbeat.interval.ms", "500"),
        ] {
            assert_eq!(check_pair(name, value), Ok(()));
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest_known_one() {
        let error = check_pair("max.poll.intervall.ms", "1").expect_err("the name is misspelt");
        assert!(error.to_string().ends_with("did you mean `max.poll.interval.ms`?"), "{error}");
        let error = check_pair("linger.ms", "1").expect_err("it belongs to producers");
        assert!(matches!(error, PropertyError::Unknown { .. }), "{error:?}");
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_what_the_client_says() {
        let error = check_pair("heartbeat.interval.ms", "0").expect_err("zero is out of range");
        assert!(matches!(&error, PropertyError::Value { .. }), "{error:?}");
        assert!(error.to_string().contains("heartbeat.interval.ms"), "{error}");
    }

    #[test]
    fn every_known_name_is_known_to_the_bundled_client() {
        for name in KNOWN.lines() {
            let answer = ClientConfig::new().set(name, "no such value").create_native_config();
            let Err(ClientError::ClientConfig(_, reason, ..)) = answer else { continue };
            assert!(!reason.contains("No such configuration property"), "{name}: {reason}");
        }
    }
}
