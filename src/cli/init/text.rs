//! The texts of the files that `openeventd init` writes.

use std::fmt::Write as _;
use std::path::Path;

use super::answers::{Answers, Password, name_of};
use super::{Identification, InitError, Mechanism, Protocol};

/// The first rule.
pub(super) const RULE: &str = r#"#:schema file:///usr/share/doc/openeventd/schema/rules.schema.json
# Your first rule: an instance of the daily schedule failed, so run it again.
#
# It observes: what it would call is decided and recorded, and nothing is sent.
#   1. `openeventd tail` shows the events that it would fire for, and after -> its name.
#   2. `openeventd run` records what it would call, with all parameters, as `observed`.
#   3. When that is right: add an [account.main] and the [policy] to the configuration (both stand there,
#      commented out), and set mode = "approve", where a person releases each call, or mode = "live".
# `openeventd check` finds mistakes; the rule language is described in docs/rules.md.
[[rule]]
name = "rerun-failed"
mode = "observe"
# More calls than this in an hour are held for a person.
max_calls = 20
# dagType 0 is the daily schedule: manual runs, tests and backfills are left alone.
match = { code = "instance-status-changes", status = "Failure", data = { dagType = 0 } }

[[rule.steps]]
operation = "RerunTaskInstances"
params = { Ids = ["{{ instance }}"], Comment = "rerun by {{ rule }}" }
# Calls for the same instance are made one after the other.
in_order_by = "{{ instance }}"
"#;

/// What follows the settings: what rules need before they may call anything.
const ACCOUNT: &str = r#"
# Rules that call something need an account; without one they observe. To add it, remove the `#`.
# - The access key belongs to a RAM user that may do what the rules call and nothing else: RAM console,
#   Identities > Users. Its secret is shown once, when the key is made. `openeventd policy ram` prints what it
#   needs. With credentials = "default" the default chain of Alibaba Cloud's SDKs signs instead, without a key.
# - The edition stands on the overview page of the DataWorks console; it decides how many calls are allowed.
#[account.main]
#region = "cn-shanghai"
#edition = "enterprise"
#access_key_id = "LTAI-example"
"#;

/// The writes that the first rule needs.
const POLICY: &str = r#"
# The writes that rules may call, once you have seen what they would do.
#[policy]
#allow = [{ operation = "RerunTaskInstances" }]
"#;

/// The configuration for `answers`, to lie in the directory `root`.
///
/// # Errors
/// A path is not UTF-8.
pub(super) fn configuration(answers: &Answers, root: &Path) -> Result<String, InitError> {
    let mut text = String::from(
        "#:schema file:///usr/share/doc/openeventd/schema/config.schema.json\n\
         # Written by `openeventd init`. Every setting, with its default, is explained in the repository's\n\
         # config/openeventd.toml; `openeventd check` finds mistakes.\n\n[kafka]\n",
    );
    let mut line = |line: String| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{line}");
    };
    line(format!("bootstrap_servers = {}", list(&answers.servers)));
    line(format!("topics = {}", list(&answers.topics)));
    line("# The consumer group of `openeventd run`; `openeventd tail` joins none.".into());
    line(format!("group_id = {}", value(&answers.group_id)));
    if answers.protocol != Protocol::SaslSsl {
        line(format!("security_protocol = {}", value(answers.protocol.name())));
    }
    if let Some(user) = &answers.user {
        line(format!("username = {}", value(&user.name)));
        if user.mechanism != Mechanism::Plain {
            line(format!("sasl_mechanism = {}", value(&name_of(&user.mechanism))));
        }
        line(format!("password = {}", kept(&user.password, root)?));
    }
    if let Some(path) = &answers.ca_file {
        // Beside the configuration its name is enough.
        let path = path.strip_prefix(root).unwrap_or(path);
        line(format!("ssl_ca_location = {}", path_value(path)?));
    }
    if answers.identification == Identification::None {
        line(
            "# The certificates name no host; that they come from the authority is verified all the same."
                .into(),
        );
        line("ssl_endpoint_identification = \"none\"".into());
    }
    if let Some(path) = &answers.database {
        line("\n[store]\n# The audit: every event, decision, call and response. Relative paths are beside this file.".into());
        line(format!("path = {}", path_value(path)?));
    }
    text.push_str(ACCOUNT);
    let secret = if answers.database.is_some() {
        format!("{{ file = {} }}", path_value(&root.join("secrets/access-key-secret"))?)
    } else {
        "{ credential = \"access-key-secret\" }".to_owned()
    };
    let _ = writeln!(text, "#access_key_secret = {secret}");
    text.push_str(POLICY);
    Ok(text)
}

/// Where the password is, as the configuration names it.
fn kept(password: &Password, root: &Path) -> Result<String, InitError> {
    Ok(match password {
        Password::Typed(_) => format!("{{ file = {} }}", path_value(&root.join("secrets/kafka-password"))?),
        Password::File(path) => format!("{{ file = {} }}", path_value(path)?),
        Password::Env(name) => format!("{{ env = {} }}", value(name)),
        Password::Credential(name) => format!("{{ credential = {} }}", value(name)),
    })
}

fn path_value(path: &Path) -> Result<String, InitError> {
    path.to_str().map(value).ok_or_else(|| InitError::NotText(path.to_owned()))
}

fn list(texts: &[String]) -> String {
    let values: Vec<String> = texts.iter().map(|text| value(text)).collect();
    format!("[{}]", values.join(", "))
}

/// `text` as a TOML value.
fn value(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_as_it_was_written() {
        for text in [
            "",
            "plain",
            "with \"quotes\"",
            r"back\slash",
            "both \\ and \"",
            "o'neill",
            "补数据",
            "a\nb\u{7f}\t",
            "'''\"\"\"",
        ] {
            let written = format!("key = {}\n", value(text));
            let read: toml::Table = written.parse().expect(&written);
            assert_eq!(read.get("key").and_then(toml::Value::as_str), Some(text), "{written}");
        }
    }
}
