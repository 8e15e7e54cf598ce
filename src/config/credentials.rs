//! Where each account's credentials come from: the keys of its table, or the default chain.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::environment::Environment;
use super::fields::{choice, required, secret as read_secret};
use super::forms::{KeyId, SecretSource};
use super::raw;
use super::report::{Report, join};
use super::secret;
use crate::openapi::credential::{Ambient, Configured, Credentials, Files, Role, Source, VARIABLE_PREFIX};

/// The two ways, as the help of a missing key says them.
const WAYS: &str = r#"name the key: access_key_id = "LTAI...", access_key_secret = { credential = "NAME" }; or let the default chain find one: credentials = "default""#;

/// The longest name of a session.
const SESSION_NAME_BYTES_MAX: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Configured,
    Default,
}

/// The source of the account `name`, and a text that two accounts share only if they sign alike.
pub(super) fn source(
    name: &str,
    raw: &raw::Account,
    environment: &Environment,
    proxy: Option<&str>,
    report: &mut Report<'_>,
) -> (Source, String) {
    let path = join("account", name);
    let kind = choice(
        report,
        &join(&path, "credentials"),
        &raw.credentials,
        Kind::Configured,
        &[("configured", Kind::Configured), ("default", Kind::Default)],
    );
    let role = role(&path, raw, report);
    let ambient = Ambient { proxy: proxy.map(str::to_owned), ..ambient(environment) };
    let as_role = role.as_ref().map_or_else(String::new, |role| format!(" as {}", role.arn));
    if kind == Kind::Default {
        refuse_keys(&path, raw, report);
        return (Source::default_chain(name, role, ambient), format!("the default chain{as_role}"));
    }
    let configured = configured(&path, raw, environment, report);
    let signs = format!("{}{as_role}", configured.first.access_key_id);
    (Source::configured(name, configured, role, ambient), signs)
}

/// The default chain of this environment, for whoever has no configuration.
#[must_use]
pub fn default_chain(environment: &Environment) -> Source {
    Source::default_chain("default", None, ambient(environment))
}

fn ambient(environment: &Environment) -> Ambient {
    let variables = environment.starting_with(VARIABLE_PREFIX);
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ambient::new(variables, environment.get("HOME").map(PathBuf::from))
}

fn refuse_keys(path: &str, raw: &raw::Account, report: &mut Report<'_>) {
    for (key, is_given) in [
        ("access_key_id", raw.access_key_id.is_some()),
        ("access_key_secret", raw.access_key_secret.is_some()),
        ("security_token", raw.security_token.is_some()),
    ] {
        if is_given {
            let help = "remove one of the two";
            report.error(&join(path, key), r#"has no use beside credentials = "default""#, help);
        }
    }
}

/// The keys of the table, now and whenever their files change.
fn configured(
    path: &str,
    raw: &raw::Account,
    environment: &Environment,
    report: &mut Report<'_>,
) -> Configured {
    let at = |key: &str| join(path, key);
    let kept: Vec<(&'static str, &SecretSource)> = [
        ("access_key_id", raw.access_key_id.as_ref().and_then(kept)),
        ("access_key_secret", raw.access_key_secret.as_ref()),
        ("security_token", raw.security_token.as_ref()),
    ]
    .into_iter()
    .filter_map(|(key, source)| Some((key, source?)))
    .collect();
    // Before they are read, so that nothing written meanwhile is missed.
    let files = Files::look(kept.iter().filter_map(|(_, source)| secret::path(source, environment)));
    let from = kept
        .iter()
        .map(|(key, source)| format!("{key} in {}", secret::place(source, environment)))
        .collect::<Vec<_>>()
        .join(", ");
    let access_key_id = match &raw.access_key_id {
        Some(KeyId::Plain(id)) => required(report, &at("access_key_id"), id, r#""LTAI...""#),
        Some(KeyId::Kept(source)) => {
            read_secret(report, &at("access_key_id"), source, environment).expose_secret().to_owned()
        }
        None => {
            report.error(&at("access_key_id"), "missing, this setting is required", WAYS);
            String::new()
        }
    };
    let access_key_secret = if let Some(source) = &raw.access_key_secret {
        read_secret(report, &at("access_key_secret"), source, environment)
    } else {
        report.error(&at("access_key_secret"), "missing, this secret is required", WAYS);
        SecretString::from("")
    };
    let security_token = raw
        .security_token
        .as_ref()
        .map(|token| read_secret(report, &at("security_token"), token, environment));
    Configured {
        from: if from.is_empty() { path.to_owned() } else { from },
        files,
        first: Credentials { access_key_id, access_key_secret, security_token, expires_at_ms: None },
        read: reader(raw, environment),
    }
}

fn kept(id: &KeyId) -> Option<&SecretSource> {
    match id {
        KeyId::Plain(_) => None,
        KeyId::Kept(source) => Some(source),
    }
}

/// Reads the keys again, by the same rules.
fn reader(
    raw: &raw::Account,
    environment: &Environment,
) -> Box<dyn Fn() -> Result<Credentials, String> + Send + Sync> {
    let (raw, environment) = (raw.clone(), environment.clone());
    Box::new(move || {
        let read = |key: &str, source: &SecretSource| {
            secret::read(source, &environment).map_err(|error| format!("{key}: {error}"))
        };
        let missing = |key: &str| format!("{key} is missing");
        Ok(Credentials {
            access_key_id: match &raw.access_key_id {
                Some(KeyId::Plain(id)) => id.trim().to_owned(),
                Some(KeyId::Kept(source)) => read("access_key_id", source)?.expose_secret().to_owned(),
                None => return Err(missing("access_key_id")),
            },
            access_key_secret: match &raw.access_key_secret {
                Some(source) => read("access_key_secret", source)?,
                None => return Err(missing("access_key_secret")),
            },
            security_token: raw
                .security_token
                .as_ref()
                .map(|source| read("security_token", source))
                .transpose()?,
            expires_at_ms: None,
        })
    })
}

/// The role to assume.
fn role(path: &str, raw: &raw::Account, report: &mut Report<'_>) -> Option<Role> {
    let at = |key: &str| join(path, key);
    let Some(arn) = &raw.role_arn else {
        for (key, given) in [("role_session_name", &raw.role_session_name), ("external_id", &raw.external_id)]
        {
            if given.is_some() {
                report.error(&at(key), "has no use without role_arn", "add role_arn, or remove it");
            }
        }
        return None;
    };
    if !(arn.starts_with("acs:ram::") && arn.contains(":role/")) {
        let message = format!("`{arn}` is no role, expected acs:ram::ACCOUNT:role/NAME");
        report.error(&at("role_arn"), message, "the RAM console shows it as ARN");
    }
    let mut role = Role::new(arn);
    if let Some(name) = &raw.role_session_name {
        let fits = |c: char| c.is_ascii_alphanumeric() || ".@-_".contains(c);
        if !((2..=SESSION_NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(fits)) {
            let message = format!(
                "`{name}` is no name, expected 2 to {SESSION_NAME_BYTES_MAX} letters, digits, `.`, `@`, `-`, `_`"
            );
            report.error(&at("role_session_name"), message, "");
        }
        role.session_name.clone_from(name);
    }
    role.external_id.clone_from(&raw.external_id);
    // A machine that reaches the API inside its VPC may reach nothing else.
    role.vpc = raw.vpc;
    role.region = raw.vpc.then(|| raw.region.clone());
    Some(role)
}
