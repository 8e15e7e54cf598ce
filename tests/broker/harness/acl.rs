//! Grants permissions: the Kafka client for Rust has no call for it, and the request is small.

use super::wire::{call, text};

/// What is granted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Resource {
    /// Reading of topics.
    Topic,
    /// Use of consumer groups.
    Group,
}

const CREATE_ACLS: i16 = 30;
const READ: i8 = 3;
const LITERAL: i8 = 3;
const ALLOW: i8 = 3;

/// Lets `user` read topic `name`, or use group `name` (`*` for all), and waits for the broker's answer.
pub(crate) fn allow(server: &str, user: &str, resource: Resource, name: &str) {
    let kind: i8 = match resource {
        Resource::Topic => 2,
        Resource::Group => 3,
    };
    let mut request = Vec::new();
    request.extend(CREATE_ACLS.to_be_bytes());
    request.extend(1i16.to_be_bytes()); // version 1: the one that both brokers know
    request.extend(7i32.to_be_bytes()); // correlation
    text(&mut request, "openeventd-tests");
    request.extend(1i32.to_be_bytes()); // one creation
    request.extend(kind.to_be_bytes());
    text(&mut request, name);
    request.extend(LITERAL.to_be_bytes());
    text(&mut request, &format!("User:{user}"));
    text(&mut request, "*"); // from any host
    request.extend(READ.to_be_bytes());
    request.extend(ALLOW.to_be_bytes());

    let answer = call(server, &request);
    // Correlation, throttle time and count are four bytes each; then the first result's error code.
    assert_eq!(answer[12..14], [0, 0], "the permission was refused: {}", String::from_utf8_lossy(&answer));
}
