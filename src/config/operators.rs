//! What operators see, typed: the log, and metrics and health over HTTP.

use std::net::SocketAddr;

use super::fields::choice;
use super::raw;
use super::report::Report;
use crate::{monitoring, telemetry};

/// Where metrics and health are served.
pub(super) fn monitoring(raw: &raw::Monitoring, report: &mut Report<'_>) -> monitoring::Settings {
    let text = raw.listen.trim();
    if text.is_empty() || text == "off" {
        return monitoring::Settings { listen: None };
    }
    let listen = text.parse::<SocketAddr>().ok();
    match listen {
        None => {
            let message = format!("`{text}` is no address, expected an IP address and a port, or off");
            report.error("monitoring.listen", message, r#"for instance: listen = "127.0.0.1:7464""#);
        }
        Some(address) if !address.ip().is_loopback() => {
            let message = format!("whoever reaches {address} can read the metrics: there is no login");
            report.warning("monitoring.listen", message, "keep it on loopback, or behind a firewall");
        }
        Some(_) => {}
    }
    monitoring::Settings { listen }
}

/// The form and the level of the log.
pub(super) fn log(raw: &raw::Log, report: &mut Report<'_>) -> telemetry::Settings {
    use telemetry::{Format, Level};
    telemetry::Settings {
        format: choice(
            report,
            "log.format",
            &raw.format,
            Format::Auto,
            &[("auto", Format::Auto), ("text", Format::Text), ("json", Format::Json)],
        ),
        level: choice(
            report,
            "log.level",
            &raw.level,
            Level::Info,
            &[
                ("error", Level::Error),
                ("warn", Level::Warn),
                ("info", Level::Info),
                ("debug", Level::Debug),
                ("trace", Level::Trace),
            ],
        ),
    }
}
