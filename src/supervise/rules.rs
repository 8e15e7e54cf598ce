//! Which rules are in force: those of the directory, or the last that were right.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Parts, SuperviseError};
use crate::clock::now_ms;
use crate::diagnostic::Diagnostic;
use crate::monitoring::board::RulesInForce;
use crate::rule::RuleSet;
use crate::store::accept::Deciding;
use crate::store::daemon::RulesCondition;
use crate::store::{Store, StoreError, Writer};

/// The rules of the directory, or those that were last in force.
pub(super) async fn first(parts: &Parts, store: &Store) -> Result<(RuleSet, RulesCondition), SuperviseError> {
    let problems = match (parts.read_rules)() {
        Ok((rules, _warnings)) => return Ok((rules, RulesCondition::Current)),
        Err(problems) => problems,
    };
    let Some(files) = store.last_rules().await? else { return Err(SuperviseError::NoRules(problems)) };
    match (parts.parse_rules)(files) {
        Ok((rules, _warnings)) => {
            log_problems(&problems);
            tracing::error!(
                id = "rules_degraded",
                rule_set = %rules.hash,
                "the rule directory has errors: running with the last good rule set"
            );
            Ok((rules, RulesCondition::Degraded))
        }
        Err(_) => Err(SuperviseError::NoRules(problems)),
    }
}

/// The rules in force, as the board shows them.
pub(super) fn in_force(deciding: &Deciding, condition: RulesCondition) -> RulesInForce {
    RulesInForce {
        row: deciding.rule_set,
        hash: deciding.rules.hash.clone(),
        count: deciding.rules.rules.len(),
        condition,
    }
}

pub(super) fn log_problems(problems: &[Diagnostic]) {
    for problem in problems {
        let line = problem.place.as_ref().map(|place| place.line);
        tracing::error!(
            id = "rules_invalid",
            file = %problem.file,
            line,
            key = %problem.key,
            help = %problem.help,
            "{}",
            problem.message
        );
    }
}

/// What batches are decided by from now on; the rule set is kept first.
pub(super) async fn deciding(
    parts: &Parts,
    rules: RuleSet,
    configuration: i64,
    writer: &Writer,
) -> Result<Deciding, StoreError> {
    let rule_set = writer.remember_rules(&rules, now_ms()).await?;
    let default_account = match parts.accounts.as_slice() {
        [only] => Some(only.name.clone()),
        _ => None,
    };
    let regions: HashMap<String, String> =
        parts.accounts.iter().map(|account| (account.name.clone(), account.region.clone())).collect();
    Ok(Deciding {
        rules: Arc::new(rules),
        rule_set,
        configuration,
        policy: parts.policy.clone(),
        trust: parts.trust.clone(),
        default_account,
        regions,
    })
}
