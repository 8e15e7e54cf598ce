//! One attempt: check, call, judge, settle.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::judge::{Trial, judge};
use super::parked::subject;
use super::verify::{self, Before};
use super::{Lane, Shared};
use crate::action::HeldReason;
use crate::diagnostic::chain;
use crate::monitoring::metrics::{Attempted, OTHER};
use crate::openapi::credential::Credentials;
use crate::openapi::error::{CallError, Class};
use crate::openapi::rate::Slot;
use crate::openapi::response::Response;
use crate::openapi::{Account, Call};
use crate::operation::{self, ApiVersion, Operation};
use crate::store::outbox::{Change, Claimed, Evidence, Outcome, Settled, Settlement};
use crate::store::parking::{Park, ParkReason};
use crate::store::retries::Work;
use crate::store::spending::Paid;

/// Between two tries to settle what the disk did not take.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Runs a claimed attempt to its settled end. The slot rests from the end of the call, not of the settle.
pub(super) async fn run(shared: &Shared, lane: &Lane, claimed: Claimed, slot: Slot) {
    let begun_ms = (shared.now_ms)();
    let settlement = match checked(shared, &lane.account, &claimed) {
        Err(refused) => {
            slot.give_back();
            *refused
        }
        Ok((operation, params)) => match verify::before(shared, lane, &claimed, operation, &params, slot)
            .await
        {
            Before::Ready(slot) => call(shared, &lane.account, &claimed, operation, &params, slot).await,
            Before::Stopped => not_sent(&claimed, Outcome::Held(HeldReason::Stopped), "stopped by a person"),
            Before::Unkept => {
                let due_at_ms = (shared.now_ms)().saturating_add(crate::duration::whole_ms(RETRY_PAUSE));
                not_sent(&claimed, Outcome::DueAgain { due_at_ms }, "the database failed before it was sent")
            }
        },
    };
    let since_event = since_event(&claimed, &settlement, begun_ms);
    settle(shared, &claimed, settlement, since_event).await;
}

/// How long after its event an action is sent for the first time. What never left was not sent.
fn since_event(claimed: &Claimed, settlement: &Settlement, begun_ms: i64) -> Option<Duration> {
    // Refused credentials were sent and have a response; without any, nothing was.
    let had_credentials =
        settlement.class != Class::Credentials.as_str() || settlement.evidence.http_status.is_some();
    let is_sent = settlement.class != Class::Unsendable.as_str() && had_credentials;
    let is_first = claimed.earlier_sent == 0 && is_sent;
    // The brokers' clocks are not ours: what lies in the future is now.
    is_first.then(|| milliseconds(begun_ms.saturating_sub(claimed.event_at_ms)))
}

fn milliseconds(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// What the row asks for, if it may still be called.
fn checked(
    shared: &Shared,
    account: &Account,
    claimed: &Claimed,
) -> Result<(&'static Operation, Map<String, Value>), Box<Settlement>> {
    let refused = |outcome: Outcome, message: String| Box::new(not_sent(claimed, outcome, &message));
    let unsendable = |message: String| refused(Outcome::Dead, message);
    // Its instances and nodes are of that region; their numbers may mean others elsewhere.
    if let Some(other) = claimed.region.as_ref().filter(|planned| **planned != account.region) {
        let message = format!("planned for {other}, and the account's region is {} now", account.region);
        return Err(refused(Outcome::Held(HeldReason::Policy), message));
    }
    let version = ApiVersion::from_text(&claimed.version)
        .ok_or_else(|| unsendable(format!("unknown API version {}", claimed.version)))?;
    let operation = operation::find(&claimed.operation, version)
        .ok_or_else(|| unsendable(format!("unknown operation {} {}", claimed.operation, claimed.version)))?;
    if !shared.policy.allows_call(operation, &claimed.rule_path, claimed.workspace) {
        let message = format!("the [policy] no longer allows {}", operation.name);
        return Err(refused(Outcome::Held(HeldReason::Policy), message));
    }
    let params = serde_json::from_str(&claimed.params)
        .map_err(|error| unsendable(format!("stored parameters cannot be read: {error}")))?;
    Ok((operation, params))
}

/// The end of an attempt that never left.
fn not_sent(claimed: &Claimed, outcome: Outcome, message: &str) -> Settlement {
    let evidence = Evidence { error_message: Some(message.to_owned()), ..Evidence::default() };
    let ended = Settlement::of(claimed, outcome, Class::Unsendable.as_str());
    Settlement { evidence, paid: Paid::NotSent, ..ended }
}

async fn call(
    shared: &Shared,
    account: &Account,
    claimed: &Claimed,
    operation: &'static Operation,
    params: &Map<String, Value>,
    slot: Slot,
) -> Settlement {
    let token = client_token(claimed);
    let call = Call { operation, params, client_token: Some(&token) };
    let Sent { result, key } = send(shared, account, &call, slot).await;
    let now_ms = (shared.now_ms)();
    let trial = Trial {
        effect: operation.repeat_effect,
        attempt_number: u32::try_from(claimed.attempt_of_life).unwrap_or(u32::MAX),
        tries: u32::try_from(claimed.earlier_tries.saturating_add(1)).unwrap_or(u32::MAX),
        past: claimed.past,
        first_sent_ms: claimed.first_sent_at_ms,
        now_ms,
        calendar: account.budget.calendar,
    };
    let class = result.as_ref().map(drop).map_err(CallError::class);
    let judgement = judge(class, &trial, &shared.settings.retry, fastrand::f64());
    let broken = shared.watch.breakers.note(&account.endpoint, class, fastrand::f64());
    // With a renewed key the next call may be made at once.
    let park =
        judgement.park.filter(|_| key == Key::AsBefore).or(broken.map(|pause| (ParkReason::Endpoint, pause)));
    let message = || result.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let ended = Settlement::of(claimed, judgement.outcome, class.map_or_else(Class::as_str, |()| "success"));
    Settlement {
        evidence: evidence(account, &result),
        // Refused credentials were sent; without any, nothing was.
        paid: if matches!(result, Err(CallError::NoCredentials { .. })) {
            Paid::NotSent
        } else {
            judgement.paid
        },
        park: park.map(|(reason, pause)| Park { reason, message: message(), pause }),
        lift: judgement.lift,
        verify_at_ms: verify::recipe_of(shared, operation).and(verify::next_look_ms(now_ms, now_ms)),
        ..ended
    }
}

/// What became of a call, and of the key that signed it.
pub(super) struct Sent {
    pub(super) result: Result<Response, CallError>,
    key: Key,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    AsBefore,
    /// It was refused, and the account has another one by now.
    Renewed,
}

/// Signs with what the account's credentials are now, and calls. Credentials that the endpoint refuses are
/// renewed, if their source can do that.
pub(super) async fn send(shared: &Shared, account: &Account, call: &Call<'_>, slot: Slot) -> Sent {
    let source = &account.credentials;
    let credentials = match source.get((shared.now_ms)()).await {
        Ok(credentials) => credentials,
        Err(error) => {
            slot.give_back();
            let result = Err(CallError::NoCredentials { cause: chain(&error) });
            return Sent { result, key: Key::AsBefore };
        }
    };
    let nonce = format!("{:032x}", fastrand::u128(..));
    let now_ms = (shared.now_ms)();
    let (client, secrets) = (&shared.client, &shared.secrets);
    let result = client.call(account, &credentials, call, secrets, &nonce, now_ms, slot).await;
    let mut key = Key::AsBefore;
    if matches!(result, Err(CallError::Credentials { .. })) {
        source.invalidate(&credentials);
        let is_other = |now: Arc<Credentials>| now.access_key_id != credentials.access_key_id;
        if source.get((shared.now_ms)()).await.is_ok_and(is_other) {
            key = Key::Renewed;
        }
    }
    Sent { result, key }
}

/// The same token for every attempt of one life: a repetition gives the first result. Whoever has an action
/// sent again wants it done again, so another life has another token. The API takes 64 characters.
fn client_token(claimed: &Claimed) -> String {
    match claimed.requeued_after {
        0 => claimed.id.clone(),
        after => format!("{}-{after}", claimed.id),
    }
}

pub(super) fn evidence(account: &Account, result: &Result<Response, CallError>) -> Evidence {
    let (response, refusal, message) = match result {
        Ok(response) => (Some(response), None, None),
        Err(error) => (error.response(), error.refusal(), Some(error.to_string())),
    };
    Evidence {
        endpoint: Some(account.endpoint.clone()),
        http_status: response.map(|response| response.http_status),
        request_id: response.and_then(|response| response.request_id.clone()),
        error_code: refusal.map(|refusal| refusal.code.clone()).filter(|code| !code.is_empty()),
        error_message: refusal
            .map(|refusal| refusal.message.clone())
            .filter(|message| !message.is_empty())
            .or(message),
        recommend: refusal.and_then(|refusal| refusal.recommend.clone()),
        response: response.map(|response| response.body.clone()),
        response_truncated: response.is_some_and(|response| response.truncated),
        latency_ms: response.map(|response| i64::try_from(response.latency_ms).unwrap_or(i64::MAX)),
    }
}

/// Settles for as long as the disk may recover. What cannot be settled is recovered when its lease ends.
async fn settle(shared: &Shared, claimed: &Claimed, settlement: Settlement, since_event: Option<Duration>) {
    // It holds the response, and each try hands it in anew.
    let settlement = Arc::new(settlement);
    loop {
        match shared.writer.settle(Arc::clone(&settlement), (shared.now_ms)()).await {
            Ok(settled) => {
                shared.writer.retries().over(Work::Settle, &claimed.id);
                count(shared, claimed, &settlement, since_event);
                log(claimed, &settlement, settled.change);
                tell(shared, &settled);
                return;
            }
            Err(error) if error.is_passing() => {
                shared.writer.retries().failed(Work::Settle, &claimed.id, &error);
                tokio::time::sleep(RETRY_PAUSE).await;
            }
            Err(error) => {
                shared.writer.retries().over(Work::Settle, &claimed.id);
                tracing::error!(id = "settle_failed", error = %chain(&error), action = %claimed.id, "the outcome was not kept");
                return;
            }
        }
    }
}

fn count(shared: &Shared, claimed: &Claimed, settlement: &Settlement, since_event: Option<Duration>) {
    let version = ApiVersion::from_text(&claimed.version);
    let operation = version.and_then(|version| operation::find(&claimed.operation, version));
    shared.metrics.attempted(&Attempted {
        operation: operation.map_or(OTHER, |operation| operation.name),
        class: settlement.class,
        outcome: settlement.outcome.as_str(),
        latency: settlement.evidence.latency_ms.map(milliseconds),
        since_event,
    });
}

/// What parks one operation is told here; what parks an account, by the claim that finds it parked.
fn tell(shared: &Shared, settled: &Settled) {
    if let Some(parked) = settled.parked.as_ref().filter(|parked| parked.operation.is_some()) {
        shared.watch.told.begins(parked);
    }
    for lifted in settled.lifted.iter().filter(|lifted| lifted.operation.is_some()) {
        shared.watch.told.ends(&subject(lifted));
    }
}

fn log(claimed: &Claimed, settlement: &Settlement, change: Change) {
    let late = match change {
        Change::Applied => None,
        Change::Late => Some("late"),
        Change::Superseded => Some("superseded"),
    };
    let due_at_ms = match settlement.outcome {
        Outcome::DueAgain { due_at_ms } => Some(due_at_ms),
        _ => None,
    };
    tracing::info!(
        event = claimed.event,
        rule = %claimed.rule,
        action = %claimed.id,
        operation = %claimed.operation,
        attempt = claimed.attempt_number,
        class = settlement.class,
        outcome = settlement.outcome.as_str(),
        due_at_ms,
        http_status = settlement.evidence.http_status,
        request_id = settlement.evidence.request_id.as_deref(),
        error_code = settlement.evidence.error_code.as_deref(),
        late,
        "settle"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Calendar;
    use crate::store::outbox::Past;
    use crate::store::spending::{Debit, Spender};

    fn debit() -> Debit {
        Debit {
            account: "main".into(),
            region: "cn-shanghai".into(),
            days: Calendar::default().days(0),
            spender: Spender::Rule("r".into()),
        }
    }

    fn claimed(earlier_sent: i64) -> Claimed {
        Claimed {
            attempt: 9,
            action: 1,
            id: "c987920122ee4b31a5c0de1f00aa7753".into(),
            attempt_number: 3,
            attempt_of_life: 1,
            requeued_after: 0,
            event: 1,
            rule: "r".into(),
            rule_path: "r.toml".into(),
            debit: debit(),
            operation: "GetTaskInstance".into(),
            version: "2024-05-18".into(),
            params: "{}".into(),
            workspace: None,
            region: Some("cn-shanghai".into()),
            event_at_ms: 1_000,
            first_sent_at_ms: 4_000,
            earlier_tries: 0,
            earlier_sent,
            past: Past::Clear,
        }
    }

    #[test]
    fn an_action_is_sent_for_the_first_time_when_it_first_leaves() {
        let settlement = |class| Settlement::of(&claimed(0), Outcome::Succeeded, class);
        let since = |earlier_sent, class| since_event(&claimed(earlier_sent), &settlement(class), 4_000);
        assert_eq!(since(0, "credentials"), None, "there were none");
        let http_status = Some(400);
        let refused = Settlement {
            evidence: Evidence { http_status, ..Evidence::default() },
            ..settlement("credentials")
        };
        assert_eq!(since_event(&claimed(0), &refused, 4_000), Some(Duration::from_secs(3)));
        assert_eq!(since(0, "success"), Some(Duration::from_secs(3)));
        assert_eq!(since(0, "throttled"), Some(Duration::from_secs(3)));
        assert_eq!(since(0, "unsendable"), None, "what the policy refuses is not sent");
        assert_eq!(since(1, "success"), None);
    }

    #[test]
    fn each_life_of_an_action_has_a_client_token_of_its_own() {
        let first = claimed(0);
        assert_eq!(client_token(&first), first.id);
        let later = |requeued_after| client_token(&Claimed { requeued_after, ..first.clone() });
        assert_eq!(later(2), "c987920122ee4b31a5c0de1f00aa7753-2");
        assert_ne!(later(3), later(2));
        assert!(later(i64::MAX).len() <= 64, "the longest that the API takes");
    }
}
