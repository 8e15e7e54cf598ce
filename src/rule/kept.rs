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

/// An account of rules that name none.
const UNNAMED: &str = "main";

/// Parses `files`, which were right once; first with the accounts of today, then with those that they name.
///
/// # Errors
/// Every problem of every file: this version refuses what an earlier one took.
pub fn parse_kept(files: Vec<RuleFile>, accounts: &[KnownAccount]) -> Parsed {
    let (mut named, mut operations) = (BTreeSet::new(), BTreeSet::new());
    for file in &files {
        mentioned(&file.text, &mut named, &mut operations);
    }
    let allow = |operation| Allow { operation, workspaces: Vec::new(), rules: String::new() };
    let policy = Policy { allow: operations.into_iter().map(allow).collect() };
    if let Ok(parsed) = parse(files.clone(), &Surroundings { accounts, policy: &policy }) {
        return Ok(parsed);
    }
    if named.is_empty() {
        named.insert(UNNAMED.to_owned());
    }
    // Which version a step meant says nothing about its pattern.
    let api_version = Some(ApiVersion::V2024);
    let accounts: Vec<KnownAccount> =
        named.into_iter().map(|name| KnownAccount { name, api_version }).collect();
    parse(files, &Surroundings { accounts: &accounts, policy: &policy })
}

/// The accounts and operations that the steps of a file name.
fn mentioned(text: &str, accounts: &mut BTreeSet<String>, operations: &mut BTreeSet<String>) {
    let (document, _) = DeTable::parse_recoverable(text);
    let steps = tables(document.get_ref(), "rule").flat_map(|rule| tables(rule, "steps"));
    for step in steps {
        let word = |key| Some(step.get(key)?.get_ref().as_str()?.to_owned());
        accounts.extend(word("account"));
        operations.extend(word("operation"));
    }
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
