//! From the texts of the file to typed settings: accounts, secrets of rules, policy and trust.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::credentials;
use super::environment::Environment;
use super::fields::{choice, required, secret};
use super::forms::SecretSource;
use super::raw;
use super::report::{Report, join};
use super::resolved::{AccountBudget, Destination};
use crate::action::plan::Trust;
use crate::diagnostic::nearest;
use crate::openapi::sign::Scheme;
use crate::openapi::{self, Account, endpoint};
use crate::operation::{self, ApiVersion};
use crate::quota::{Budget, Calendar, Edition, Percent, Table};
use crate::rule::parse::KnownAccount;
use crate::rule::policy::{Allow, Policy};

/// The accounts in order of name; `proxy` is for whoever gives them credentials.
pub(super) fn accounts(
    tables: &BTreeMap<String, raw::Account>,
    environment: &Environment,
    proxy: Option<&str>,
    report: &mut Report<'_>,
) -> Vec<Account> {
    let accounts: Vec<(Account, String)> =
        tables.iter().map(|(name, table)| account(name, table, environment, proxy, report)).collect();
    for (at, (one, signs)) in accounts.iter().enumerate() {
        let same = |(other, others): &&(Account, String)| {
            !one.region.is_empty() && other.region == one.region && others == signs
        };
        if let Some((twin, _)) = accounts.iter().take(at).find(same) {
            let message = format!(
                "the same key and region as in account.{}: each would spend the whole quota",
                twin.name
            );
            report.error(&join("account", &one.name), message, "name one of the two in the rules of both");
        }
    }
    accounts.into_iter().map(|(account, _)| account).collect()
}

/// The account, and a text that tells by whom its calls are signed.
fn account(
    name: &str,
    raw: &raw::Account,
    environment: &Environment,
    proxy: Option<&str>,
    report: &mut Report<'_>,
) -> (Account, String) {
    let path = join("account", name);
    check_name(report, &path, name);
    let at = |key: &str| join(&path, key);
    let region = required(report, &at("region"), &raw.region, r#""cn-shanghai""#);
    if !region.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        report.error(&at("region"), format!("`{region}` is no region, expected an id like cn-shanghai"), "");
    }
    let signature = signature(&path, raw, report);
    if raw.endpoint.is_some() && raw.vpc {
        report.error(&at("vpc"), "has no use beside endpoint", "remove one of the two");
    }
    let (source, signs) = credentials::source(name, raw, environment, proxy, report);
    let limits = edition(&path, raw, report);
    let account = Account {
        name: name.to_owned(),
        endpoint: endpoint(&path, &region, raw, report),
        region,
        budget: budget(&path, limits, raw, report),
        signature,
        credentials: Arc::new(source),
        api_version: api_version(&path, raw, report),
    };
    (account, signs)
}

/// The API version that the account's steps mean where they name none.
fn api_version(path: &str, raw: &raw::Account, report: &mut Report<'_>) -> Option<ApiVersion> {
    let text = raw.api_version.as_deref()?;
    let found = ApiVersion::from_text(text);
    if found.is_none() {
        let message = format!("`{text}` is no API version, expected 2024-05-18 or 2020-05-18");
        report.error(&join(path, "api_version"), message, "");
    }
    found
}

/// The accounts as far as rules are concerned, in order of name; no secret is read.
pub(super) fn known(tables: &BTreeMap<String, raw::Account>, report: &mut Report<'_>) -> Vec<KnownAccount> {
    let known = |(name, raw): (&String, &raw::Account)| {
        let path = join("account", name);
        check_name(report, &path, name);
        KnownAccount { name: name.clone(), api_version: api_version(&path, raw, report) }
    };
    tables.iter().map(known).collect()
}

/// What each account may spend, in order of name; no secret is read.
pub(super) fn spendings(
    tables: &BTreeMap<String, raw::Account>,
    report: &mut Report<'_>,
) -> Vec<AccountBudget> {
    let spending = |(name, raw): (&String, &raw::Account)| {
        let path = join("account", name);
        let (edition, table) = edition(&path, raw, report);
        AccountBudget {
            account: name.clone(),
            region: required(report, &join(&path, "region"), &raw.region, r#""cn-shanghai""#),
            edition,
            table,
            budget: budget(&path, (edition, table), raw, report),
        }
    };
    tables.iter().map(spending).collect()
}

/// Which limits hold for the account.
fn edition(path: &str, raw: &raw::Account, report: &mut Report<'_>) -> (Edition, Table) {
    let edition = choice(report, &join(path, "edition"), &raw.edition, Edition::Basic, &Edition::NAMED);
    let table = choice(report, &join(path, "quota_table"), &raw.quota_table, Table::default(), &Table::NAMED);
    (edition, table)
}

/// What the account may spend.
fn budget(
    path: &str,
    (edition, table): (Edition, Table),
    raw: &raw::Account,
    report: &mut Report<'_>,
) -> Budget {
    let at = |key: &str| join(path, key);
    let calendar = raw.quota_offset.parse().unwrap_or_else(|error: crate::quota::calendar::OffsetError| {
        report.error(&at("quota_offset"), error.to_string(), "");
        Calendar::default()
    });
    for (key, most) in
        [("calls_per_day_max", raw.calls_per_day_max), ("calls_per_month_max", raw.calls_per_month_max)]
    {
        if most == Some(0) {
            let help = "to stop calls for a while use `openeventd stop-calls`";
            report.warning(&at(key), "with 0 nothing will ever be called", help);
        }
    }
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
    let within = number.filter(|number| *number <= 95);
    if within.is_none() {
        report.error(path, format!("`{text}` is no share, expected `0%` to `95%`"), "");
    }
    within.map(Percent::new).unwrap_or_default()
}

/// Where the calls of the accounts go, in order of name.
pub(super) fn destinations(
    tables: &BTreeMap<String, raw::Account>,
    report: &mut Report<'_>,
) -> Vec<Destination> {
    let mut found = Vec::new();
    for (name, table) in tables {
        let path = join("account", name);
        let region = required(report, &join(&path, "region"), &table.region, r#""cn-shanghai""#);
        let endpoint = endpoint(&path, &region, table, report);
        let signature = signature(&path, table, report);
        found.push(Destination { account: name.clone(), region, endpoint, signature });
    }
    found
}

/// How the account's calls are signed.
fn signature(path: &str, raw: &raw::Account, report: &mut Report<'_>) -> Scheme {
    let schemes = [Scheme::V1, Scheme::Acs3].map(|scheme| (scheme.as_str(), scheme));
    choice(report, &join(path, "signature"), &raw.signature, Scheme::V1, &schemes)
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
