//! What the client tells: errors, and whether brokers are connected.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};

use super::super::diagnosis::Diagnosis;
use super::super::lag::digest;

/// The client's context.
pub(super) struct Watch {
    pub(super) diagnosis: Diagnosis,
}

impl ClientContext for Watch {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        if !matches!(level, RDKafkaLogLevel::Debug) {
            tracing::debug!(facility, "librdkafka: {line}");
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match digest(statistics) {
            Ok(digest) => self.diagnosis.seen(&digest.brokers),
            Err(error) => tracing::warn!(%error, "cannot read the client's statistics"),
        }
    }

    fn error(&self, error: ClientError, reason: &str) {
        match error.rdkafka_error_code() {
            // We use no group.
            None | Some(Code::GroupAuthorizationFailed | Code::PollExceeded) => {}
            Some(code) => self.diagnosis.said(code, reason),
        }
    }
}

impl ConsumerContext for Watch {}
