//! From the texts of the file to typed settings: accounts, secrets of rules, policy and trust.

use std::collections::BTreeMap;

use super::environment::Environment;
use super::fields::{choice, required, required_secret, secret};
use super::forms::{KeyId, SecretSource};
use super::raw;
use super::report::{Report, join};
use crate::action::plan::Trust;
use crate::diagnostic::nearest;
use crate::openapi::credential::Credentials;
use crate::openapi::{self, Account, endpoint};
use crate::operation::{self, ApiVersion};
use crate::quota::{Budget, Calendar, Edition, Percent, Table};
use crate::rule::policy::{Allow, Policy};

/// The accounts in order of name.
pub(super) fn accounts(
    tables: &BTreeMap<String, raw::Account>,
    environment: &Environment,
    report: &mut Report<'_>,
) -> Vec<Account> {
    let accounts: Vec<Account> =
        tables.iter().map(|(name, table)| account(name, table, environment, report)).collect();
    for (at, one) in accounts.iter().enumerate() {
        let same = |other: &&Account| {
            !one.region.is_empty()
                && other.region == one.region
                && other.credentials.access_key_id == one.credentials.access_key_id
        };
        if let Some(twin) = accounts.iter().take(at).find(same) {
            let message = format!(
                "the same key and region as in account.{}: each would spend the whole quota",
                twin.name
            );
            report.error(&join("account", &one.name), message, "name one of the two in the rules of both");
        }
    }
    accounts
}

fn account(name: &str, raw: &raw::Account, environment: &Environment, report: &mut Report<'_>) -> Account {
    let path = join("account", name);
    check_name(report, &path, name);
    let at = |key: &str| join(&path, key);
    let region = required(report, &at("region"), &raw.region, r#""cn-shanghai""#);
    if !region.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        report.error(&at("region"), format!("`{region}` is no region, expected an id like cn-shanghai"), "");
    }
    if raw.endpoint.is_some() && raw.vpc {
        report.error(&at("vpc"), "has no use beside endpoint", "remove one of the two");
    }
    let access_key_id = match &raw.access_key_id {
        Some(KeyId::Plain(id)) => required(report, &at("access_key_id"), id, r#""LTAI...""#),
        Some(KeyId::Kept(source)) => {
            use secrecy::ExposeSecret as _;
            secret(report, &at("access_key_id"), source, environment).expose_secret().to_owned()
        }
        None => required(report, &at("access_key_id"), "", r#""LTAI...""#),
    };
    let key_path = at("access_key_secret");
    let access_key_secret = required_secret(report, &key_path, raw.access_key_secret.as_ref(), environment);
    let security_token =
        raw.security_token.as_ref().map(|token| secret(report, &at("security_token"), token, environment));
    Account {
        name: name.to_owned(),
        endpoint: endpoint(&path, &region, raw, report),
        region,
        budget: budget(&path, raw, report),
        credentials: Credentials { access_key_id, access_key_secret, security_token },
    }
}

/// What the account may spend.
fn budget(path: &str, raw: &raw::Account, report: &mut Report<'_>) -> Budget {
    let at = |key: &str| join(path, key);
    let edition = choice(report, &at("edition"), &raw.edition, Edition::Basic, &Edition::NAMED);
    let table = choice(report, &at("quota_table"), &raw.quota_table, Table::default(), &Table::NAMED);
    let calendar = raw.quota_offset.parse().unwrap_or_else(|error: crate::quota::calendar::OffsetError| {
        report.error(&at("quota_offset"), error.to_string(), "");
        Calendar::default()
    });
    Budget {
        allowance: table.of(edition),
        calendar,
        others_share: share(report, &at("others_share"), &raw.others_share),
        verdict_share: share(report, &at("verdict_share"), &raw.verdict_share),
        calls_per_day_max: raw.calls_per_day_max,
        calls_per_month_max: raw.calls_per_month_max,
    }
}

/// A part of the quota: with all of it given away nothing could be called.
fn share(report: &mut Report<'_>, path: &str, text: &str) -> Percent {
    let number = text.strip_suffix('%').and_then(|number| number.parse::<u8>().ok());
    if let Some(number) = number.filter(|number| *number <= 95) {
        Percent::new(number)
    } else {
        report.error(path, format!("`{text}` is no share, expected `0%` to `95%`"), "");
        Percent::default()
    }
}

/// The base URL of the account's calls.
fn endpoint(path: &str, region: &str, raw: &raw::Account, report: &mut Report<'_>) -> String {
    let network = if raw.vpc { endpoint::Network::Vpc } else { endpoint::Network::Public };
    let (key, found) = match &raw.endpoint {
        Some(url) => ("endpoint", endpoint::explicit(url)),
        None if region.is_empty() => return String::new(),
        None => ("region", endpoint::of_region(region, network)),
    };
    if raw.endpoint.is_none() && !endpoint::is_known(region) {
        let nearest = endpoint::nearest_region(region).map(|near| format!("did you mean `{near}`?"));
        let message = format!("`{region}` is no region that we know of, its endpoint is a guess");
        report.warning(&join(path, "region"), message, nearest.unwrap_or_default());
    }
    found.unwrap_or_else(|error| {
        report.error(&join(path, key), error.to_string(), "");
        String::new()
    })
}

/// The secrets that rules may name.
pub(super) fn secrets(
    tables: &BTreeMap<String, SecretSource>,
    environment: &Environment,
    report: &mut Report<'_>,
) -> openapi::Secrets {
    let mut by_name = BTreeMap::new();
    for (name, source) in tables {
        let path = join("secrets", name);
        check_name(report, &path, name);
        by_name.insert(name.clone(), secret(report, &path, source, environment));
    }
    openapi::Secrets { by_name }
}

/// The write operations that rules may call.
pub(super) fn policy(raw: &raw::Policy, report: &mut Report<'_>) -> Policy {
    for (at, allow) in raw.allow.iter().enumerate() {
        check_operation(report, &format!("policy.allow[{at}].operation"), &allow.operation);
        if allow.rules.starts_with('/') || allow.rules.split('/').any(|part| part == "..") {
            let message = format!("`{}` is not below the rule directory", allow.rules);
            report.error(
                &format!("policy.allow[{at}].rules"),
                message,
                "write a directory such as `team-a/`",
            );
        }
    }
    let allow = raw.allow.iter().map(|allow| Allow {
        operation: allow.operation.clone(),
        workspaces: allow.workspaces.clone(),
        rules: allow.rules.clone(),
    });
    Policy { allow: allow.collect() }
}

fn check_operation(report: &mut Report<'_>, path: &str, name: &str) {
    let known = || [ApiVersion::V2024, ApiVersion::V2020].into_iter().flat_map(operation::names);
    if name.is_empty() {
        report.error(path, "missing, each entry allows one operation", "");
    } else if !known().any(|operation| operation == name) {
        let help = nearest(name, known()).map(|operation| format!("did you mean `{operation}`?"));
        let message = format!("`{name}` is no operation of either API version");
        report.error(path, message, help.unwrap_or_default());
    }
}

/// Whose events are acted on.
pub(super) fn trust(raw: &raw::Trust) -> Trust {
    Trust { accounts: raw.accounts.clone(), workspaces: raw.workspaces.clone() }
}

/// Refuses what is no base URL, or holds a password.
pub(super) fn check_url(report: &mut Report<'_>, path: &str, url: &str) {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
        report.error(path, "expected a URL that begins with https:// or http://", "");
        return;
    };
    if rest.contains('@') {
        let message = "a secret is never written into the settings: this URL has a user";
        report.error(path, message, "use an address that needs no password");
    } else if rest.trim_end_matches('/').contains(|c: char| "/?# ".contains(c)) {
        report.error(path, "expected scheme, host and port only", "remove what follows the host");
    }
}

/// Variables of the environment cannot name upper case, so no name has any.
fn check_name(report: &mut Report<'_>, path: &str, name: &str) {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if name.is_empty() || name.contains("__") || !name.chars().all(fits) {
        let message = format!("`{name}` is no name, expected lower-case letters, digits, `-` and single `_`");
        report.error(path, message, "");
    }
}
