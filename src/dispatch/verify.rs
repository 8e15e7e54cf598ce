//! Finding out what became of a call whose response was lost, and reading beforehand what that needs.
//!
//! By the recipes of [`recipe`]: reads before the call, stored with its attempt; the same reads afterwards,
//! and the operation log where there is one. Each read is one call, paid for like any other. What the
//! readings do not settle stays unresolved: it is read again a few times, and then left to a person.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;

use super::attempt::{evidence, send};
use super::judge::{lift, paid, park};
use super::{Lane, Shared};
use crate::diagnostic::chain;
use crate::duration::whole_ms;
use crate::monitoring::metrics::OTHER;
use crate::openapi::Call;
use crate::openapi::error::{CallError, Class};
use crate::openapi::rate::Slot;
use crate::operation::recipe::{
    self, Finding, Findings, Judgement, Looked, Read, Recipe, SETTLES_AFTER_MS, Verdict,
};
use crate::operation::{self, Access, ApiVersion, Operation, RepeatEffect};
use crate::store::StoreError;
use crate::store::outbox::Claimed;
use crate::store::outbox::lookup::{Asked, Due, Leave, Lookups, Purpose, ToVerify, Verified};
use crate::store::parking::{Park, ParkReason};
use crate::store::retries::Work;

/// All reads before a call together; what is not read by then is not known.
const BEFORE_MAX: Duration = Duration::from_secs(10);

/// When an outcome is looked up, counted from the end of the attempt. An effect may show at once; that
/// nothing was done shows only when the endpoint cannot be at work on it any more.
const LOOKS_AFTER_MS: [i64; 4] = [5_000, SETTLES_AFTER_MS + 5_000, 300_000, 1_800_000];

/// Outcomes looked up in one step.
const STEP_MAX: usize = 8;

/// With nothing known to be looked up, the next look.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What the reads before a call came to.
pub(super) enum Before {
    /// The call may be sent.
    Ready(Slot),
    /// A person stopped it meanwhile.
    Stopped,
    /// The database refuses; nothing is sent without it.
    Unkept,
}

/// How calls of `operation` that were lost are looked up, if they are.
pub(super) fn recipe_of(shared: &Shared, operation: &Operation) -> Option<&'static Recipe> {
    let duplicates = matches!(operation.repeat_effect, RepeatEffect::Duplicates | RepeatEffect::Unknown);
    (duplicates && shared.settings.lookups == Lookups::On).then(|| recipe::of(operation)).flatten()
}

/// When the outcome of an attempt that ended at `ended_ms` is looked up next; `None` is left to a person.
pub(super) fn next_look_ms(ended_ms: i64, now_ms: i64) -> Option<i64> {
    LOOKS_AFTER_MS.into_iter().map(|after| ended_ms.saturating_add(after)).find(|at| *at > now_ms)
}

/// Reads what a later look-up needs, and keeps it with the attempt.
pub(super) async fn before(
    shared: &Shared,
    lane: &Lane,
    claimed: &Claimed,
    operation: &Operation,
    params: &Map<String, Value>,
    slot: Slot,
) -> Before {
    let Some(recipe) = recipe_of(shared, operation) else { return Before::Ready(slot) };
    let reads = recipe.reads(params);
    if reads.is_empty() {
        return Before::Ready(slot);
    }
    // Nobody holds one slot while waiting for another: five that do could wait for each other.
    slot.give_back();
    let mut found = Findings::default();
    let of = (claimed.attempt, claimed.rule.as_str());
    let all = read_all(shared, lane, recipe, (&reads, Purpose::Before), of, &mut found);
    // What was read in time counts.
    let _in_time = tokio::time::timeout(BEFORE_MAX, all).await;
    let kept = (!found.is_empty()).then(|| found.to_json());
    match shared.writer.keep_before(claimed.attempt, kept).await {
        Ok(Leave::Given) => Before::Ready(lane.limiter.acquire(operation.access).await),
        Ok(Leave::Stopped) => Before::Stopped,
        Err(error) => {
            tracing::warn!(action = %claimed.id, error = %chain(&error), "what was read before a call was not kept");
            Before::Unkept
        }
    }
}

/// Looks up lost calls of one account until `stop` turns true: all that are due, or only those that a person
/// asked for where that is switched off.
///
/// # Errors
/// The database refuses for good.
pub(super) async fn run(
    shared: Arc<Shared>,
    lane: Arc<Lane>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let due = match shared.settings.lookups {
        Lookups::On => Due::All,
        Lookups::Off => Due::Asked,
    };
    while !*stop.borrow() {
        // What a stop cuts off is looked up after the next start.
        let stepped = tokio::select! {
            stepped = step(&shared, &lane, due) => stepped,
            _ = stop.changed() => break,
        };
        let found = match stepped {
            Ok(found) => {
                shared.writer.retries().over(Work::Verify, &lane.account.name);
                found
            }
            Err(error) if error.is_passing() => {
                shared.writer.retries().failed(Work::Verify, &lane.account.name, &error);
                0
            }
            Err(error) => return Err(error),
        };
        if found == 0 {
            tokio::select! {
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                _ = stop.changed() => {}
            }
        }
    }
    Ok(())
}

/// Looks up some of what is due; gives how many that were.
///
/// # Errors
/// A commit failed; what was not written down is looked up again.
pub(super) async fn step(shared: &Shared, lane: &Lane, due: Due) -> Result<usize, StoreError> {
    let now_ms = (shared.now_ms)();
    let again_at_ms = now_ms.saturating_add(whole_ms(shared.settings.lease));
    let wanted = (due, STEP_MAX);
    let due = shared.writer.to_verify(lane.account.name.clone(), wanted, again_at_ms, now_ms).await?;
    let count = due.len();
    for action in due {
        verify(shared, lane, action).await?;
    }
    Ok(count)
}

async fn verify(shared: &Shared, lane: &Lane, lost: ToVerify) -> Result<(), StoreError> {
    let judged = look(shared, lane, &lost).await;
    let now_ms = (shared.now_ms)();
    // What cannot be told today cannot be told tomorrow where there is no way; nor by itself if that is off.
    let again = judged
        .as_ref()
        .filter(|_| shared.settings.lookups == Lookups::On)
        .and(next_look_ms(lost.finished_at_ms, now_ms));
    let no_way = || Judgement {
        verdict: Verdict::Ambiguous,
        reason: "there is no way to look this call up".to_owned(),
    };
    let Judgement { verdict, reason } = judged.unwrap_or_else(no_way);
    let kept = (verdict, reason.clone());
    let verified = shared.writer.verified((lost.action, lost.attempt), kept, again, now_ms).await?;
    shared.metrics.verified(called(&lost).map_or(OTHER, |operation| operation.name), verdict.as_str());
    tracing::info!(
        action = %lost.id,
        rule = %lost.rule,
        operation = %lost.operation,
        verdict = verdict.as_str(),
        reason = %reason,
        superseded = matches!(verified, Verified::Superseded).then_some("superseded"),
        "verify"
    );
    if verified == Verified::Applied {
        shared.changed.notify_waiters();
    }
    Ok(())
}

/// The operation that was called, if the catalogue still has it.
fn called(lost: &ToVerify) -> Option<&'static Operation> {
    operation::find(&lost.operation, ApiVersion::from_text(&lost.version)?)
}

/// Reads what a lost call may have done, and judges it.
async fn look(shared: &Shared, lane: &Lane, lost: &ToVerify) -> Option<Judgement> {
    let recipe = recipe::of(called(lost)?)?;
    let params: Map<String, Value> = serde_json::from_str(&lost.params).ok()?;
    let reads = recipe.reads(&params);
    if reads.is_empty() {
        return None;
    }
    let looked_at_ms = (shared.now_ms)();
    let of = (lost.attempt, lost.rule.as_str());
    let before = lost.read_before.as_deref().map(Findings::from_json);
    let mut after = Findings::default();
    let unmade = read_all(shared, lane, recipe, (&reads, Purpose::After), of, &mut after).await;
    let judge = |log: Option<&Findings>| {
        let looked = Looked {
            reads: &reads,
            before: before.as_ref(),
            after: &after,
            log,
            sent_at_ms: lost.started_at_ms,
            looked_at_ms,
        };
        let judged = patient(recipe.judge(&looked), looked_at_ms.saturating_sub(lost.finished_at_ms));
        explained(judged, unmade)
    };
    let judged = judge(None);
    let log_reads = recipe.log_reads(&reads, lost.started_at_ms);
    if judged.verdict == Verdict::Happened || log_reads.is_empty() {
        return Some(judged);
    }
    let mut log = Findings::default();
    read_all(shared, lane, recipe, (&log_reads, Purpose::Log), of, &mut log).await;
    Some(judge(Some(&log)))
}

/// That nothing was done is believed only when the endpoint has had its time after the attempt's end.
fn patient(judged: Judgement, since_end_ms: i64) -> Judgement {
    if judged.verdict == Verdict::DidNotHappen && since_end_ms < SETTLES_AFTER_MS {
        return Judgement { verdict: Verdict::Ambiguous, reason: format!("{}, so far", judged.reason) };
    }
    judged
}

/// What was not read for our own reasons is told, so that nobody looks for them at the endpoint.
fn explained(judged: Judgement, unmade: usize) -> Judgement {
    if unmade == 0 {
        return judged;
    }
    let reason = format!(
        "{}; {unmade} reads were not made, since the account is parked or has no calls left",
        judged.reason
    );
    Judgement { reason, ..judged }
}

/// Makes `reads` and gathers what they say; gives how many were not made.
async fn read_all(
    shared: &Shared,
    lane: &Lane,
    recipe: &Recipe,
    (reads, purpose): (&[Read], Purpose),
    of: (i64, &str),
    found: &mut Findings,
) -> usize {
    let mut unmade = 0;
    for read in reads {
        match read_one(shared, lane, recipe, (read, purpose), of).await {
            Ok(Reading::Says(finding)) => found.insert(read, finding),
            Ok(Reading::SaysNothing) => {}
            Ok(Reading::NotMade) => unmade += 1,
            Err(error) => {
                tracing::warn!(error = %chain(&error), subject = %read.subject, "a look-up was not kept");
            }
        }
    }
    unmade
}

/// What came of a read.
enum Reading {
    Says(Finding),
    /// It failed, or its response does not say what matters.
    SaysNothing,
    /// Nothing may be spent on it now.
    NotMade,
}

/// Makes one read.
async fn read_one(
    shared: &Shared,
    lane: &Lane,
    recipe: &Recipe,
    (read, purpose): (&Read, Purpose),
    (attempt, rule): (i64, &str),
) -> Result<Reading, StoreError> {
    let slot = lane.limiter.acquire(Access::Read).await;
    let asked = Asked {
        attempt,
        purpose,
        subject: read.subject.clone(),
        operation: read.operation.name,
        version: read.operation.version.as_str(),
        params: Value::Object(read.params.clone()).to_string(),
        rule: rule.to_owned(),
    };
    let wanted = lane.wanted(&shared.settings, 1);
    let Some(begun) = shared.writer.begin_lookup(asked, wanted, (shared.now_ms)()).await? else {
        slot.give_back();
        return Ok(Reading::NotMade);
    };
    let call = Call { operation: read.operation, params: &read.params, client_token: None };
    let result = send(shared, &lane.account, &call, slot).await.result;
    let finding = result.as_ref().ok().filter(|response| !response.truncated).and_then(|response| {
        let body: Value = serde_json::from_str(&response.body).ok()?;
        recipe.finding(read, &body)
    });
    let class = result.as_ref().map(drop).map_err(CallError::class);
    let came_to = (class.map_or_else(Class::as_str, |()| "success"), paid(class));
    let kept = finding.clone().map(|finding| {
        let mut one = Findings::default();
        one.insert(read, finding);
        one.to_json()
    });
    let evidence = evidence(&lane.account, &result);
    let now_ms = (shared.now_ms)();
    let broken = shared.watch.breakers.note(&lane.account.endpoint, class, fastrand::f64());
    let parked = park(class, lane.account.budget.calendar, now_ms, fastrand::f64())
        .or(broken.map(|pause| (ParkReason::Endpoint, pause)));
    let message = || result.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let parked = parked.map(|(reason, pause)| Park { reason, message: message(), pause });
    shared.writer.end_lookup(begun, came_to, evidence, kept, (parked, lift(class)), now_ms).await?;
    shared.metrics.looked_up(read.operation.name, purpose.as_str(), came_to.0);
    Ok(finding.map_or(Reading::SaysNothing, Reading::Says))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_looked_up_a_few_times_and_then_left_to_a_person() {
        assert_eq!(next_look_ms(1_000, 1_000), Some(6_000));
        assert_eq!(next_look_ms(1_000, 6_000), Some(66_000));
        assert_eq!(next_look_ms(1_000, 70_000), Some(301_000));
        assert_eq!(next_look_ms(1_000, 301_000), Some(1_801_000));
        assert_eq!(next_look_ms(1_000, 1_801_000), None);
    }

    #[test]
    fn that_nothing_was_done_is_not_believed_at_once() {
        let judged = |verdict| Judgement { verdict, reason: "as before".into() };
        assert_eq!(patient(judged(Verdict::DidNotHappen), 59_999).verdict, Verdict::Ambiguous);
        assert_eq!(patient(judged(Verdict::DidNotHappen), 60_000).verdict, Verdict::DidNotHappen);
        assert_eq!(patient(judged(Verdict::Happened), 0).verdict, Verdict::Happened);
    }
}
