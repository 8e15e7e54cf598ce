//! From settings to the client's configuration.
//!
//! The user's properties come first, the daemon's own last, so that nothing passed through can undo a
//! promise even if the check of the names had missed it.

use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::x509::X509;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use secrecy::ExposeSecret;

use super::{EndpointIdentification, SaslMechanism, SecurityProtocol, Settings};

/// Why the settings make no client.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file of certificate authorities cannot be read.
    #[error("cannot read the certificate authorities in {path}; `ssl_ca_location` must name a readable PEM file", path = .path.display())]
    ReadCa {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no PEM file.
    #[error("{path} is not a PEM file of certificates; `ssl_ca_location` must hold `-----BEGIN CERTIFICATE-----` blocks (convert a JKS truststore with keytool and openssl)", path = .path.display())]
    ParseCa {
        /// The file.
        path: PathBuf,
        /// What OpenSSL says.
        source: ErrorStack,
    },
    /// It is a PEM file without a certificate.
    #[error("{path} holds no certificate; `ssl_ca_location` must hold `-----BEGIN CERTIFICATE-----` blocks", path = .path.display())]
    EmptyCa {
        /// The file.
        path: PathBuf,
    },
    /// A SASL protocol without a user.
    #[error(
        "the security protocol needs a Kafka user, and none is configured: set kafka.username and kafka.password"
    )]
    MissingUser,
}

/// Fetches are this large at most, whatever the queue may hold.
const FETCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// And at least this, or the broker is asked for every record alone.
const FETCH_BYTES_MIN: usize = 64 * 1024;

/// The client's configuration for these settings.
pub(super) fn client_config(settings: &Settings) -> Result<ClientConfig, ConfigurationError> {
    // Before the client does: in this way OpenSSL is not taken down at the end of the process under threads of
    // the client that somebody in a hurry has left behind.
    openssl::init();
    let mut config = ClientConfig::new();
    config.set("client.id", "openeventd").set("reconnect.backoff.ms", "250");
    config.set("reconnect.backoff.max.ms", "5000").set("auto.commit.interval.ms", "1000");
    config.set("metadata.recovery.strategy", "rebootstrap");
    // Three heartbeats fit into a session, however short it is set.
    let heartbeat_ms = (settings.session_timeout.as_millis() / 3).clamp(1, 3000);
    config.set("heartbeat.interval.ms", heartbeat_ms.to_string());
    for (name, value) in &settings.properties {
        config.set(name, value);
    }
    config.set("bootstrap.servers", settings.bootstrap_servers.join(","));
    config.set("group.id", &settings.group_id);
    config.set("session.timeout.ms", settings.session_timeout.as_millis().to_string());
    config.set("partition.assignment.strategy", "range");
    // The promises: a start is decided by us, an offset is committed only after we stored it.
    config.set("auto.offset.reset", "error");
    config.set("enable.auto.offset.store", "false").set("enable.auto.commit", "true");
    config.set("allow.auto.create.topics", "false");
    config.set("statistics.interval.ms", "1000");
    queues(&mut config, settings.queue_bytes_max);
    security(&mut config, settings)?;
    // That a topic was created anew is told in debug lines about metadata only, which are read for it.
    let asked = settings.properties.get("debug").map(|asked| format!("{asked},metadata"));
    config.set("debug", asked.as_deref().unwrap_or("metadata"));
    config.set_log_level(RDKafkaLogLevel::Debug);
    Ok(config)
}

/// A full queue stops fetching for `fetch.queue.backoff.ms`, one second by default: with a small queue
/// that alone would cost most of the rate. A record larger than the fetch sizes is still delivered, alone.
fn queues(config: &mut ClientConfig, queue_bytes_max: usize) {
    let fetch = (queue_bytes_max / 4).clamp(FETCH_BYTES_MIN, FETCH_BYTES_MAX);
    config.set("queued.max.messages.kbytes", (queue_bytes_max / 1024).max(1).to_string());
    config.set("fetch.message.max.bytes", fetch.to_string());
    config.set("fetch.max.bytes", fetch.to_string());
    // Concerns producers, but the client insists that a fetch be no smaller.
    config.set("message.max.bytes", fetch.min(1_000_000).to_string());
    config.set("fetch.queue.backoff.ms", "10");
}

fn security(config: &mut ClientConfig, settings: &Settings) -> Result<(), ConfigurationError> {
    let (name, tls, sasl) = match settings.protocol {
        SecurityProtocol::Plaintext => ("plaintext", false, false),
        SecurityProtocol::SaslPlaintext => ("sasl_plaintext", false, true),
        SecurityProtocol::Ssl => ("ssl", true, false),
        SecurityProtocol::SaslSsl => ("sasl_ssl", true, true),
    };
    config.set("security.protocol", name);
    if tls {
        if let Some(path) = &settings.ssl_ca_location {
            authorities(path)?;
            config.set("ssl.ca.location", path.to_string_lossy());
        } else {
            config.set("ssl.ca.location", "probe");
        }
        config.set("enable.ssl.certificate.verification", "true");
        config.set(
            "ssl.endpoint.identification.algorithm",
            match settings.ssl_endpoint_identification {
                EndpointIdentification::Https => "https",
                EndpointIdentification::None => "none",
            },
        );
    }
    if sasl {
        let user = settings.sasl.as_ref().ok_or(ConfigurationError::MissingUser)?;
        config.set("sasl.mechanism", user.mechanism.name());
        config.set("sasl.username", &user.username);
        config.set("sasl.password", user.password.expose_secret());
    }
    Ok(())
}

/// The certificates of a file of authorities.
pub(super) fn authorities(path: &Path) -> Result<Vec<X509>, ConfigurationError> {
    let path = path.to_owned();
    let pem = match std::fs::read(&path) {
        Ok(pem) => pem,
        Err(source) => return Err(ConfigurationError::ReadCa { path, source }),
    };
    match X509::stack_from_pem(&pem) {
        Ok(found) if found.is_empty() => Err(ConfigurationError::EmptyCa { path }),
        Ok(found) => Ok(found),
        Err(source) => Err(ConfigurationError::ParseCa { path, source }),
    }
}

impl SaslMechanism {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SaslMechanism::Plain => "PLAIN",
            SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
            SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}
