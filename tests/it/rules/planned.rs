//! Planning: the belts, in their order, and what they leave behind.

use openeventd::action::plan::{PlanContext, Trust, plan};
use openeventd::action::{
    ActionId, Decision, DecisionOutcome, EventIdentity, HeldReason, PlanState, PlannedState,
};
use openeventd::event::Event;
use openeventd::rule::policy::Allow;
use openeventd::rule::{Policy, RuleIndex, RuleSet};
use serde_json::json;

use super::event_of::{DATA, PUBLISHED_MS, failed_instance, matches, rule_set};

const HOUR_MS: i64 = 3_600_000;
const IDENTITY: EventIdentity<'static> =
    EventIdentity::Named { source: "acs.dataworks", id: "1", event_type: "t" };

struct Planner {
    rules: RuleSet,
    policy: Policy,
    trust: Trust,
    state: PlanState,
    accepted_at_ms: i64,
}

impl Planner {
    fn of(rule: &str) -> Self {
        let all = Allow { operation: "RerunTaskInstances".into(), workspaces: vec![], rules: String::new() };
        Planner {
            rules: rule_set(rule),
            policy: Policy { allow: vec![all] },
            trust: Trust::default(),
            state: PlanState::default(),
            accepted_at_ms: PUBLISHED_MS + 1000,
        }
    }

    fn all(&mut self, event: &Event<'_>, kafka_ms: Option<i64>) -> Vec<Decision> {
        let (matched, failed) = matches(&self.rules, event);
        let context = PlanContext {
            accepted_at_ms: self.accepted_at_ms,
            policy: &self.policy,
            trust: &self.trust,
            default_account: Some("main"),
        };
        plan(event, &IDENTITY, kafka_ms, &matched, &failed, &self.rules, &context, &mut self.state)
    }

    fn one(&mut self) -> Decision {
        let mut decisions = self.all(&failed_instance(DATA), Some(PUBLISHED_MS + 500));
        assert_eq!(decisions.len(), 1);
        decisions.remove(0)
    }

    fn state(&mut self) -> PlannedState {
        self.one().action.expect("an action").state
    }
}

fn rerun(keys: &str) -> String {
    format!(
        "[[rule]]\nname = \"rerun\"\n{keys}\nmatch = {{ status = \"Failure\" }}\n[[rule.steps]]\n\
         operation = \"RerunTaskInstances\"\nparams = {{ Ids = [\"{{{{ instance }}}}\"], Comment = \"by {{{{ rule }}}}\" }}\n\
         in_order_by = \"{{{{ instance }}}}\"\n"
    )
}

#[test]
fn a_live_rule_plans_its_call() {
    let decision = Planner::of(&rerun("mode = \"live\"")).one();
    assert_eq!(decision.outcome, DecisionOutcome::Planned);
    assert_eq!(
        (decision.rule_path.as_str(), decision.age_ms, decision.calls_in_hour),
        ("test.toml", 1000, 0)
    );
    let action = decision.action.expect("an action");
    assert_eq!(action.state, PlannedState::Planned);
    assert_eq!(action.id, ActionId::of(&IDENTITY, "rerun", 0));
    assert_eq!(action.account, "main");
    assert_eq!(json!(action.params), json!({"Ids": [73_910_042_265_i64], "Comment": "by rerun"}));
    assert_eq!(action.in_order_by.as_deref(), Some("73910042265"));
    assert_eq!(action.expires_at_ms, Some(PUBLISHED_MS + HOUR_MS / 2));
}

#[test]
fn a_rule_is_born_in_observe() {
    assert_eq!(Planner::of(&rerun("")).state(), PlannedState::Observed);
}

#[test]
fn each_belt_holds_for_its_reason_and_the_first_one_speaks() {
    let mut planner = Planner::of(&rerun("mode = \"approve\""));
    planner.accepted_at_ms += 2 * HOUR_MS;
    assert_eq!(planner.state(), PlannedState::Held(HeldReason::Approve));

    let mut planner = Planner::of(&rerun("mode = \"live\""));
    planner.accepted_at_ms = PUBLISHED_MS + HOUR_MS + 1;
    planner.policy = Policy::default();
    assert_eq!(planner.state(), PlannedState::Held(HeldReason::Stale));
    planner.accepted_at_ms = PUBLISHED_MS + HOUR_MS;
    assert_eq!(planner.state(), PlannedState::Held(HeldReason::Policy));

    let mut planner = Planner::of(&rerun("mode = \"live\"\nmax_calls = 1"));
    planner.accepted_at_ms = PUBLISHED_MS + HOUR_MS / 2;
    assert_eq!(planner.state(), PlannedState::Held(HeldReason::Expired));
    planner.accepted_at_ms -= 1;
    assert_eq!(planner.state(), PlannedState::Planned);
    assert_eq!(planner.state(), PlannedState::Held(HeldReason::MaxCalls));
}

#[test]
fn a_policy_may_depend_on_the_workspace() {
    let mut planner = Planner::of(&rerun("mode = \"live\""));
    planner.policy.allow[0].workspaces = vec![1];
    assert_eq!(planner.state(), PlannedState::Held(HeldReason::Policy));
    planner.policy.allow[0].workspaces = vec![1, 96384];
    assert_eq!(planner.state(), PlannedState::Planned);
}

#[test]
fn a_read_never_expires() {
    let mut planner = Planner::of(
        "[[rule]]\nname = \"look\"\nmode = \"live\"\nexpires = \"1s\"\nmatch = { status = \"Failure\" }\n\
         [[rule.steps]]\noperation = \"GetTaskInstance\"\nparams = { Id = \"{{ instance }}\" }\n",
    );
    planner.policy = Policy::default();
    planner.accepted_at_ms = PUBLISHED_MS + HOUR_MS / 2;
    let action = planner.one().action.expect("an action");
    assert_eq!((action.state, action.expires_at_ms), (PlannedState::Planned, None));
}

#[test]
fn calls_of_a_discarded_batch_do_not_count_and_those_of_a_committed_one_do_for_an_hour() {
    let mut planner = Planner::of(&rerun("mode = \"live\"\nmax_calls = 2"));
    assert_eq!([planner.state(), planner.state()], [PlannedState::Planned; 2]);
    assert_eq!(planner.state(), PlannedState::Held(HeldReason::MaxCalls));
    planner.state.discard();
    assert_eq!(planner.one().calls_in_hour, 0);
    planner.state.commit();
    assert_eq!(planner.one().calls_in_hour, 1);
    let held = planner.one();
    assert_eq!(held.calls_in_hour, 2);
    planner.state.commit();

    planner.state.restore("rerun", vec![planner.accepted_at_ms; 2]);
    assert_eq!(planner.state(), PlannedState::Held(HeldReason::MaxCalls));
}

#[test]
fn events_from_elsewhere_are_recorded_and_never_acted_on() {
    for (accounts, workspaces, trusted) in [
        (vec![], vec![], true),
        (vec!["1460982254730185"], vec![96384], true),
        (vec!["1"], vec![], false),
        (vec![], vec![1], false),
    ] {
        let mut planner = Planner::of(&rerun("mode = \"live\""));
        planner.trust = Trust {
            accounts: accounts.iter().map(ToString::to_string).collect(),
            workspaces: workspaces.clone(),
        };
        let decision = planner.one();
        assert_eq!(decision.outcome == DecisionOutcome::Planned, trusted, "{accounts:?} {workspaces:?}");
        assert_eq!(decision.action.is_some(), trusted);
        assert_eq!(planner.state.calls_in_hour("rerun", planner.accepted_at_ms), u32::from(trusted));
    }
    let mut unnamed = failed_instance(DATA);
    unnamed.workspace = None;
    assert!(!Trust { accounts: vec![], workspaces: vec![96384] }.trusts(&unnamed));
}

#[test]
fn an_events_age_counts_from_the_earlier_receipt_and_never_from_its_own_time() {
    for (kafka_ms, published_ms, age_ms) in [
        (Some(PUBLISHED_MS - 5000), Some(PUBLISHED_MS), 6000),
        (Some(PUBLISHED_MS + 400), Some(PUBLISHED_MS), 1000),
        (Some(PUBLISHED_MS + 400), None, 600),
        (None, None, 0),
        (Some(PUBLISHED_MS + 3000), None, -2000),
    ] {
        let mut event = failed_instance(DATA);
        event.published_ms = published_ms;
        let mut planner = Planner::of(&rerun("mode = \"live\""));
        let decision = planner.all(&event, kafka_ms).remove(0);
        assert_eq!(decision.age_ms, age_ms);
        let expires = decision.action.and_then(|action| action.expires_at_ms).expect("a write expires");
        assert!(expires <= planner.accepted_at_ms + HOUR_MS / 2, "a clock ahead buys no time");
    }
}

#[test]
fn one_rule_that_fails_stops_no_other() {
    let both = format!(
        "{}[[rule]]\nname = \"typed\"\nmode = \"live\"\nmatch = {{ status = \"Failure\" }}\n[[rule.steps]]\n\
         operation = \"GetTaskInstance\"\nparams = {{ Id = \"{{{{ data.long }}}}\" }}\n\
         [[rule]]\nname = \"recorded\"\nmatch = {{ status = \"Failure\" }}\n",
        rerun("mode = \"live\"").replace("{{ instance }}\"\n", "{{ data.absent }}\"\n")
    );
    let decisions = Planner::of(&both).all(&failed_instance(DATA), None);
    let outcomes: Vec<&DecisionOutcome> = decisions.iter().map(|decision| &decision.outcome).collect();
    let failed = |reason: &str| DecisionOutcome::Failed(reason.to_owned());
    assert_eq!(
        outcomes,
        [
            &failed("steps[0].in_order_by: the event has no `data.absent`; `| default(...)` gives one"),
            &failed("steps[0].params.Id: expected an integer, the event gave text"),
            &DecisionOutcome::Recorded,
        ]
    );
    assert!(decisions.iter().all(|decision| decision.action.is_none()));
}

#[test]
fn a_rule_that_could_not_be_evaluated_is_a_decision() {
    let mut planner = Planner::of(&rerun("mode = \"live\""));
    let context = PlanContext {
        accepted_at_ms: planner.accepted_at_ms,
        policy: &planner.policy,
        trust: &planner.trust,
        default_account: None,
    };
    let event = failed_instance(DATA);
    let failed = [RuleIndex(0)];
    let decisions = plan(&event, &IDENTITY, None, &[], &failed, &planner.rules, &context, &mut planner.state);
    assert_eq!(decisions[0].outcome.as_str(), "failed");
    assert_eq!(decisions[0].action, None);
}
