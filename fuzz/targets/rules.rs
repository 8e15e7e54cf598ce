//! A rule file or a file of tests, as it may stand in the rule directory: right, or refused with a place for every
//! problem.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use openeventd::diagnostic::{Diagnostic, Severity};
use openeventd::rule::outline::outlines;
use openeventd::rule::parse::{KnownAccount, Surroundings, parse};
use openeventd::rule::{Policy, RuleFile};
use openeventd::rule_test;

fuzz_target!(|text: &str| {
    let file = || vec![RuleFile { path: "fuzzed.toml".to_owned(), text: text.to_owned() }];
    let accounts = [KnownAccount::named("main")];
    let surroundings = Surroundings { accounts: &accounts, policy: &Policy::default() };
    match parse(file(), &surroundings) {
        Ok((rules, warnings)) => {
            check(&warnings, text);
            assert!(outlines(&file()).is_ok_and(|outlines| outlines.len() == rules.rules.len()));
        }
        Err(problems) => {
            assert!(problems.iter().any(|problem| problem.severity == Severity::Error));
            check(&problems, text);
        }
    }
    let mut read = |_: &str| Err("no file".to_owned());
    if let Err(problems) = rule_test::parse::parse(&file(), Some(&BTreeSet::new()), &mut read) {
        check(&problems, text);
    }
});

fn check(problems: &[Diagnostic], text: &str) {
    let lines = text.lines().count().max(1) + 1;
    for problem in problems {
        assert!(!problem.to_string().is_empty());
        assert!(!problem.message.is_empty());
        if let Some(place) = &problem.place {
            assert!(place.line <= lines, "a problem is in the text: {problem}");
        }
    }
}
