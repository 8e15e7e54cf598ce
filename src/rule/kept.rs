//! Rule sets that were in force once, parsed again for whoever looks back.
//!
//! What they refer to may be gone by now: accounts that were renamed, permissions that were taken away. Neither says
//! anything about their patterns. So each account and each operation that the rules name counts as there and permitted;
//! what such a set would do today cannot be planned with it.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::operation::ApiVersion;
use crate::rule::parse::{KnownAccount, Parsed, Surroundings, parse};
use crate::rule::policy::Allow;
use crate::rule::{Policy, RuleFile};

/// The account of steps that name none, where none is configured.
pub(crate) const UNNAMED: &str = "main";

/// Parses `files`, which were right once; first with the accounts of today, then with those that they name.
///
/// # Errors
/// Every problem of every file: this version refuses what an earlier one took.
pub fn parse_kept(files: Vec<RuleFile>, accounts: &[KnownAccount]) -> Parsed {
    let (named, policy) = mentioned(&files);
    if let Ok(parsed) = parse(files.clone(), &Surroundings { accounts, policy: &policy }) {
        return Ok(parsed);
    }
    // Which version a step meant says nothing about its pattern.
    let api_version = Some(ApiVersion::V2024);
    let accounts: Vec<KnownAccount> =
        named.into_iter().map(|name| KnownAccount { name, api_version }).collect();
    parse(files, &Surroundings { accounts: &accounts, policy: &policy })
}

/// The accounts that steps name, or one if none does, and a policy that permits every operation that they name.
pub(crate) fn mentioned(files: &[RuleFile]) -> (BTreeSet<String>, Policy) {
    let (mut accounts, mut operations) = (BTreeSet::new(), BTreeSet::new());
    for file in files {
        let (document, _) = DeTable::parse_recoverable(&file.text);
        for step in tables(document.get_ref(), "rule").flat_map(|rule| tables(rule, "steps")) {
            let word = |key| Some(step.get(key)?.get_ref().as_str()?.to_owned());
            accounts.extend(word("account"));
            operations.extend(word("operation"));
        }
    }
    if accounts.is_empty() {
        accounts.insert(UNNAMED.to_owned());
    }
    let allow = |operation| Allow { operation, workspaces: Vec::new(), rules: String::new() };
    (accounts, Policy { allow: operations.into_iter().map(allow).collect() })
}

/// The tables of the list under `key`.
fn tables<'t, 'd>(table: &'t DeTable<'d>, key: &str) -> impl Iterator<Item = &'t DeTable<'d>> {
    let list = match table.get(key).map(Spanned::get_ref) {
        Some(DeValue::Array(list)) => Some(list.iter()),
        _ => None,
    };
    list.into_iter().flatten().filter_map(|entry| entry.get_ref().as_table())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_whose_accounts_and_permissions_are_gone_are_understood() {
        let text = "[[rule]]\nname = \"a\"\nmode = \"live\"\nmatch = { code = \"commit-file\" }\n\
            [[rule.steps]]\noperation = \"RerunTaskInstances\"\naccount = \"gone\"\nparams = { Ids = [1] }\n\
            [[rule]]\nname = \"b\"\nmode = \"live\"\nmatch = { code = \"commit-file\" }\n\
            [[rule.steps]]\noperation = \"GetNode\"\nparams = { Id = \"1\" }\n";
        let files = vec![RuleFile { path: "a.toml".into(), text: text.into() }];
        for accounts in [&[][..], &[KnownAccount::named("main")], &[KnownAccount::named("gone")]] {
            let (rules, _) = parse_kept(files.clone(), accounts).expect("they were right once");
            assert_eq!(rules.rules.len(), 2);
        }
        let broken = vec![RuleFile { path: "a.toml".into(), text: "[[rule]]\nname = 1".into() }];
        assert!(parse_kept(broken, &[]).is_err());
    }
}
