//! A call by hand counts in the quota of its account, and takes one of the daemon's slots.
//!
//! The account has to be one of the configuration: what an access key belongs to is not told anywhere. The
//! debit is in the audit database before the call leaves. A running daemon keeps a slot free for it; without
//! one, the command keeps its distance to whatever was called within the last seconds.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::cli::acting::who;
use crate::cli::{Exit, Failure, progress};
use crate::clock::now_ms;
use crate::config::{self, Environment};
use crate::openapi::error::{CallError, Class};
use crate::openapi::response::Response;
use crate::openapi::{Account, Call};
use crate::quota::Exhausted;
use crate::store::StoreError;
use crate::store::operator::Operator;
use crate::store::operator::outside::{Asked, Ended, Turn};
use crate::store::spending::Paid;

/// How long a turn is waited for: longer than any queue of slots.
const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks whether it is our turn.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A call that is counted, or said not to be.
pub(super) enum Counted {
    /// And why not.
    Not(&'static str),
    As {
        operator: Box<Operator>,
        id: i64,
    },
}

/// Why a call is not made.
#[derive(Debug, thiserror::Error)]
enum NotMade {
    /// The budget is spent.
    #[error(
        "the quota of account `{account}` has nothing left this {span}: `openeventd quota` shows who spent it"
    )]
    Spent { account: String, span: &'static str },
    /// No slot came free.
    #[error("no turn to call within {} s: the account's calls a second are all taken, try again", PATIENCE.as_secs())]
    NoTurn,
}

impl Counted {
    /// Counts the call and waits for its turn.
    ///
    /// # Errors
    /// Nothing is left, there is no turn, or the database cannot be written: then nothing is called.
    pub(super) async fn begin(
        config: &Path,
        environment: &Environment,
        account: &Account,
        call: &Call<'_>,
        (is_configured, is_at_home): (bool, bool),
    ) -> Result<Self, Failure> {
        let path = match config::database(config, environment) {
            Ok(path) if is_configured && path.exists() => path,
            _ => {
                return Ok(Counted::Not(if is_configured {
                    "there is no audit database yet"
                } else {
                    "it names no account of a configuration"
                }));
            }
        };
        let mut operator = Operator::open(&path).await?;
        let asked = Asked {
            account: &account.name,
            region: &account.region,
            operation: call.operation,
            who: &who(environment, &path),
            budget: account.budget,
        };
        let id = match operator.ask_outside(&asked, now_ms()).await? {
            Ok(id) => id,
            Err(exhausted) => {
                operator.close().await?;
                let span = match exhausted {
                    Exhausted::Day => "day",
                    Exhausted::Month => "month",
                };
                return Err(Failure::new(
                    Exit::Temporary,
                    NotMade::Spent { account: account.name.clone(), span },
                ));
            }
        };
        let turn =
            progress::shown("waiting for a turn to call", turn(&mut operator, id, (account, is_at_home)))
                .await?;
        let mut counted = Counted::As { operator: Box::new(operator), id };
        if turn == Turn::NotYet {
            counted.give_up().await?;
            return Err(Failure::new(Exit::Temporary, NotMade::NoTurn));
        }
        Ok(counted)
    }

    /// Why it is not counted, if it is not.
    pub(super) fn why_not(&self) -> Option<&'static str> {
        match self {
            Counted::Not(why) => Some(why),
            Counted::As { .. } => None,
        }
    }

    /// Writes down what came of the call.
    pub(super) async fn end(self, result: &Result<Response, CallError>) -> Result<(), Failure> {
        let Counted::As { mut operator, id } = self else { return Ok(()) };
        let class = result.as_ref().map(drop).map_err(CallError::class);
        let response = match result {
            Ok(response) => Some(response),
            Err(error) => error.response(),
        };
        let refusal = result.as_ref().err().and_then(CallError::refusal);
        let ended = Ended {
            class: class.map_or_else(Class::as_str, |()| "success"),
            http_status: response.map(|response| response.http_status),
            request_id: response.and_then(|response| response.request_id.clone()),
            error_code: refusal.map(|refusal| refusal.code.clone()),
            paid: crate::dispatch::judge::paid(class),
        };
        operator.end_outside(id, &ended, now_ms()).await?;
        operator.close().await?;
        Ok(())
    }

    async fn give_up(&mut self) -> Result<(), StoreError> {
        let Counted::As { operator, id } = self else { return Ok(()) };
        let ended = Ended { class: Class::Unsendable.as_str(), paid: Paid::NotSent, ..Ended::default() };
        operator.end_outside(*id, &ended, now_ms()).await
    }
}

async fn turn(
    operator: &mut Operator,
    id: i64,
    (account, is_at_home): (&Account, bool),
) -> Result<Turn, StoreError> {
    let until = Instant::now() + PATIENCE;
    let rate = account.budget.rate();
    loop {
        let turn = operator.turn_outside(id, (rate, is_at_home), now_ms()).await?;
        if turn == Turn::Now || Instant::now() >= until {
            return Ok(turn);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
