//! What programs watch: metrics and health over HTTP, alarms, the daemon's own condition.
