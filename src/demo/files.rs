//! The demonstration's files: configuration, rules, secrets, the authority's certificate.
//!
//! They are what a user would write, and they are read back by the code that reads a user's.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::directory::Directory;
use super::{GROUP, REGION, TOPIC, TRUSTED, USER};

/// The configuration's name.
pub const CONFIGURATION: &str = "openeventd.toml";

/// The log's name.
pub const LOG: &str = "openeventd.log";

/// The rules, as they stand beside this file.
const RULES: [(&str, &str); 4] = [
    ("failures.toml", include_str!("rules/failures.toml")),
    ("baselines.toml", include_str!("rules/baselines.toml")),
    ("quality.toml", include_str!("rules/quality.toml")),
    ("changes.toml", include_str!("rules/changes.toml")),
];

/// What the files have to say.
pub(super) struct Contents<'a> {
    /// `host:port` of the broker.
    pub(super) broker: String,
    /// The base URL of the endpoint.
    pub(super) endpoint: String,
    /// The authority's certificate, PEM.
    pub(super) authority: &'a str,
    /// The Kafka user's password.
    pub(super) password: &'a SecretString,
    /// The id of the access key.
    pub(super) access_key_id: &'a str,
    /// Its secret.
    pub(super) access_key_secret: &'a SecretString,
}

/// Writes them into `directory`, which is new.
pub(super) fn write(directory: &mut Directory, contents: &Contents<'_>) -> Result<(), (PathBuf, io::Error)> {
    let (rules, secrets) = (directory.path().join("rules.d"), directory.path().join("secrets"));
    for new in [&rules, &secrets] {
        directory.subdirectory(new).map_err(|error| (new.clone(), error))?;
    }
    // The settings ask for absolute paths of secrets, so that they do not depend on where one stands.
    let secrets = secrets.canonicalize().map_err(|error| (secrets, error))?;
    for (name, text) in RULES {
        create(directory, &rules.join(name), text, 0o644)?;
    }
    let password = secrets.join("kafka-password");
    create(directory, &password, contents.password.expose_secret(), 0o600)?;
    let key = secrets.join("access-key-secret");
    create(directory, &key, contents.access_key_secret.expose_secret(), 0o600)?;
    let (authority, settings) = (directory.path().join("ca.pem"), directory.path().join(CONFIGURATION));
    create(directory, &authority, contents.authority, 0o644)?;
    create(directory, &settings, &configuration(contents, &password, &key), 0o644)
}

fn create(directory: &mut Directory, path: &Path, text: &str, mode: u32) -> Result<(), (PathBuf, io::Error)> {
    let written = directory.file(path, mode);
    written.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| (path.to_owned(), error))
}

fn configuration(contents: &Contents<'_>, password: &Path, key: &Path) -> String {
    let Contents { broker, endpoint, access_key_id, .. } = contents;
    let (password, key) = (quoted(password), quoted(key));
    format!(
        r#"# The configuration of a demonstration. Broker and endpoint lived as long as it did; the audit remains.

[kafka]
bootstrap_servers = ["{broker}"]
topics = ["{TOPIC}"]
group_id = "{GROUP}"
username = "{USER}"
password = {{ file = {password} }}
ssl_ca_location = "ca.pem"

# The mock broker answers only when this time is over; real ones answer as soon as there is a record.
[kafka.properties]
"fetch.wait.max.ms" = "50"

[store]
path = "audit.db"
disk_free_min = "16MiB"

[account.main]
region = "{REGION}"
edition = "enterprise"
endpoint = "{endpoint}"
access_key_id = "{access_key_id}"
access_key_secret = {{ file = {key} }}

# Reads are always allowed. Writes are allowed one by one, here for the events of one workspace.
[policy]
allow = [
    {{ operation = "RerunTaskInstances", workspaces = [{TRUSTED}] }},
    {{ operation = "UpdateTaskInstances", workspaces = [{TRUSTED}] }},
    {{ operation = "UpdateNodeRunMode", workspaces = [{TRUSTED}] }},
]

# Events of other workspaces are audited and never acted on.
[trust]
workspaces = [{TRUSTED}]

[dispatch]
connect_timeout = "1s"
attempt_timeout = "2s"

# A demonstration beside a running daemon leaves it its port.
[monitoring]
listen = "off"

[log]
format = "text"

[service]
stop_timeout = "5s"
"#
    )
}

/// The path as TOML text: JSON escapes as TOML does.
fn quoted(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy()).to_string()
}
