//! Why a decision came to what it did, in one sentence, wherever that is told: by `audit`, `why` and `explain`.

use std::time::Duration;

use crate::action::HeldReason;
use crate::cli::instant::age;
use crate::cli::outbox::show::meaning;
use crate::duration::whole_ms;
use crate::store::look::rows::{Row, Value};
use crate::store::look::story::Story;

/// Why a decision of a story came to what it did; `max_event_age_ms` is that of its rule, if it is known.
pub(in crate::cli) fn of_decision(
    story: &Story,
    decision: &Row,
    max_event_age_ms: Option<i64>,
) -> Option<String> {
    if let Some(message) = decision.text("message") {
        return Some(message.to_owned());
    }
    if decision.text("outcome") == Some("untrusted") {
        return Some(untrusted(story.event.integer("workspace"), story.event.text("account")));
    }
    let action = story.actions.iter().find(|action| is_of(action, decision))?;
    of_action(action, Some(decision), max_event_age_ms)
}

/// Why an action stands where it does, and where to go on from there; `decision` is the one that planned it.
pub(in crate::cli) fn of_action(
    action: &Row,
    decision: Option<&Row>,
    max_event_age_ms: Option<i64>,
) -> Option<String> {
    let told = match action.text("state").unwrap_or_default() {
        "held" => {
            let reason = action.text("held_reason").and_then(HeldReason::from_text)?;
            held(reason, decision.and_then(age_ms), max_event_age_ms)
        }
        "observed" => return Some("its rule observes: nothing was sent, and nothing will be".to_owned()),
        "dead" => "DataWorks refused it, or its attempts were used up".to_owned(),
        "unresolved" => "it was sent, and it is not known whether it was executed".to_owned(),
        _ => return None,
    };
    let number = action.integer("number").unwrap_or_default();
    Some(format!("{told}; what can be done: `openeventd outbox show {number}`"))
}

/// Why a call is held.
pub(in crate::cli) fn held(reason: HeldReason, age_ms: Option<i64>, max_event_age_ms: Option<i64>) -> String {
    let told = meaning(reason);
    let Some(age_ms) = age_ms.filter(|_| reason == HeldReason::Stale) else { return told.to_owned() };
    let limit = max_event_age_ms.map(|limit| format!(", at most {}", age(limit))).unwrap_or_default();
    format!("{told} ({}{limit})", age(age_ms))
}

/// Why nothing may be done about an event.
pub(in crate::cli) fn untrusted(workspace: Option<i64>, account: Option<&str>) -> String {
    let not_told = "not told";
    let workspace = workspace.map_or_else(|| not_told.to_owned(), |workspace| workspace.to_string());
    let account = account.unwrap_or(not_told);
    format!("[trust] does not name its workspace ({workspace}) or its account ({account}): nothing is called")
}

/// Whether `decision` planned `action`.
pub(super) fn is_of(action: &Row, decision: &Row) -> bool {
    decision.text("action").is_some_and(|id| action.text("id") == Some(id))
}

fn age_ms(decision: &Row) -> Option<i64> {
    match decision.get("age_seconds") {
        Value::Real(seconds) => Duration::try_from_secs_f64(*seconds).ok().map(whole_ms),
        _ => None,
    }
}
