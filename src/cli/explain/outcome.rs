//! What came of a rule that fired, as the audit has it, or what would come of it, as planning says.
//!
//! For a stored event and the rules of its day this is what was decided then. Otherwise planning itself is asked, with
//! the settings of today; only `max_calls` is left out, since the calls of the hour before are not known.

use std::collections::HashMap;

use anstyle::Style;

use super::input::{Given, Input};
use super::rules::{From, OfRules};
use crate::action::plan::{PlanContext, plan};
use crate::action::{Decision, DecisionOutcome, EventIdentity, PlanState, PlannedState};
use crate::cli::audit::line::came_to;
use crate::cli::audit::reason;
use crate::cli::terminal::{BAD, DIM, NAME, WARNING};
use crate::event::Event;
use crate::rule::explain::Nearness;
use crate::rule::{Firing, RuleIndex, RuleSet};
use crate::store::look::rows::Row;
use crate::store::look::story::Story;

/// What came of one rule, or would.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// Whether it did, or only would.
    pub(super) tense: Tense,
    pub(super) style: Style,
    /// The action's state with its reason, else what was decided.
    pub(super) told: String,
    /// Why, if there is more to say.
    pub(super) why: Option<String>,
}

/// Whether something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tense {
    Did,
    Would,
}

/// What came of each rule.
pub(super) struct Outcomes(HashMap<String, Outcome>);

impl Outcomes {
    /// Of the rules that `fired`.
    pub(super) fn of(
        input: &Input,
        rules: &OfRules,
        event: &Event<'_>,
        fired: &[Nearness],
        now_ms: i64,
    ) -> Outcomes {
        match (&input.given, &rules.from) {
            (Given::Stored { story, .. }, From::ThatDay) => Outcomes::decided(story, &rules.rules),
            (given, _) => {
                let accepted_at_ms = match given {
                    Given::Stored { accepted, .. } => accepted.accepted_at_ms,
                    Given::Record { .. } => now_ms,
                };
                let kafka_ms = input.record().timestamp_ms;
                Outcomes::planned(rules, event, fired, accepted_at_ms, kafka_ms)
            }
        }
    }

    fn decided(story: &Story, rules: &RuleSet) -> Self {
        let outcome = |decision: &Row| {
            let (style, told) = came_to(decision);
            let rule = decision.text("rule").unwrap_or_default();
            let why = reason::of_decision(story, decision, max_event_age_ms(rules, rule));
            (rule.to_owned(), Outcome { tense: Tense::Did, style, told, why })
        };
        Outcomes(story.decisions.iter().map(outcome).collect())
    }

    fn planned(
        rules: &OfRules,
        event: &Event<'_>,
        fired: &[Nearness],
        accepted_at_ms: i64,
        kafka_ms: Option<i64>,
    ) -> Self {
        let From::Directory { settings: Some(settings), .. } = &rules.from else {
            return Outcomes(HashMap::new());
        };
        let of_firing = |firing: Firing| -> Vec<RuleIndex> {
            fired.iter().filter(|near| near.firing == firing).map(|near| near.rule).collect()
        };
        let context = PlanContext {
            accepted_at_ms,
            policy: &settings.policy,
            trust: &settings.trust,
            default_account: settings.default_account(),
        };
        // It only makes the ids of actions, which nobody sees.
        let identity = EventIdentity::Named { source: "", id: "", event_type: "" };
        let (matched, failed) = (of_firing(Firing::Yes), of_firing(Firing::Failed));
        let state = &mut PlanState::default();
        let decisions = plan(event, &identity, kafka_ms, &matched, &failed, &rules.rules, &context, state);
        let would = |decision: Decision| would(decision, event, &rules.rules);
        Outcomes(decisions.into_iter().map(would).collect())
    }

    /// What came of the rule `name`.
    pub(super) fn of_rule(&self, name: &str) -> Option<Outcome> {
        self.0.get(name).cloned()
    }
}

fn max_event_age_ms(rules: &RuleSet, name: &str) -> Option<i64> {
    rules.rules.iter().find(|rule| rule.name == name).map(|rule| rule.max_event_age_ms)
}

fn would(decision: Decision, event: &Event<'_>, rules: &RuleSet) -> (String, Outcome) {
    let (style, told, why) = match (decision.outcome, decision.action.map(|action| action.state)) {
        (DecisionOutcome::Failed(why), _) => (BAD, "failed".to_owned(), Some(why)),
        (_, Some(PlannedState::Held(held))) => {
            let limit_ms = max_event_age_ms(rules, &decision.rule);
            let why = reason::held(held, Some(decision.age_ms), limit_ms);
            (WARNING, format!("held ({})", held.as_str()), Some(why))
        }
        (_, Some(PlannedState::Planned)) => (NAME, "planned".to_owned(), None),
        (_, Some(PlannedState::Observed)) => (DIM, "observed".to_owned(), None),
        (outcome @ DecisionOutcome::Untrusted, None) => {
            let why = reason::untrusted(event.workspace, event.account.as_deref());
            (WARNING, outcome.as_str().to_owned(), Some(why))
        }
        (outcome, None) => (DIM, outcome.as_str().to_owned(), None),
    };
    (decision.rule, Outcome { tense: Tense::Would, style, told, why })
}
