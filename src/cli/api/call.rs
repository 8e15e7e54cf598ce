//! `openeventd api call`: one signed call, made once.
//!
//! What cannot be sent is refused before anything leaves, and before credentials are looked at. Nothing is
//! repeated: what a repetition does is said where the outcome is not known.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::ValueEnum;

use super::find::{the_only, version};
use super::outcome::{self, Called};
use super::target::{self, Target};
use super::{dry_run, params};
use crate::cli::{Exit, Failure};
use crate::clock::now_ms;
use crate::config::Environment;
use crate::openapi::call::Client;
use crate::openapi::{Call, endpoint, request};
use crate::operation::{ApiVersion, Operation};

/// What `openeventd api call` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The operation, spelled as in the catalogue
    #[arg(value_name = "OPERATION")]
    name: String,
    /// Parameters, as in Comment=text or Id=5; lists and objects as JSON
    #[arg(value_name = "NAME=VALUE")]
    words: Vec<String>,
    /// More parameters as one JSON object; - for standard input
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,
    /// The API version; needed if both have the operation
    #[arg(long, value_name = "VERSION", value_parser = version)]
    api_version: Option<ApiVersion>,
    /// Where it goes: a base URL with https, or with http on this machine
    #[arg(long, value_name = "URL")]
    pub(super) endpoint: Option<String>,
    /// The account of the configuration that signs
    #[arg(long, value_name = "NAME")]
    pub(super) account: Option<String>,
    /// The region whose endpoint is called, as in cn-shanghai
    #[arg(long, value_name = "REGION")]
    pub(super) region: Option<String>,
    /// How it is signed: v1 is HMAC-SHA1 in the parameters, acs3 is HMAC-SHA256 in the headers
    #[arg(long, value_name = "v1|acs3", hide_possible_values = true)]
    signature: Option<Signature>,
    /// Show the exact request, and send nothing; needs no credentials
    #[arg(long)]
    pub(super) dry_run: bool,
    /// One JSON object with the response and what is known about it
    #[arg(long)]
    json: bool,
}

/// How a call is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Signature {
    V1,
    Acs3,
}

/// The signature is not there yet.
#[derive(Debug, thiserror::Error)]
#[error("--signature acs3 comes in a moment: use v1 until then")]
struct NotYet;

/// Makes the call, or shows it.
pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let wrong = |error| Failure::new(Exit::Usage, error);
    let operation =
        the_only(&arguments.name, arguments.api_version).map_err(|error| Failure::new(Exit::Usage, error))?;
    let params = params::read(operation, &arguments.words, arguments.params.as_deref())
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    let environment = Environment::of_process();
    let target = target::target(config, arguments, &environment)?;
    // The one place that knows of only one signature.
    if arguments.signature == Some(Signature::Acs3) {
        return Err(wrong(Box::new(NotYet)));
    }
    warn_of_guess(arguments)?;

    let token = client_token(operation, &params);
    let call = Call { operation, params: &params, client_token: token.as_deref() };
    let nonce = format!("{:032x}", fastrand::u128(..));
    let prepared = request::prepare(&target.endpoint, &call, &nonce, now_ms())
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    if arguments.dry_run {
        return dry_run::show(&prepared, &target.endpoint, arguments.json);
    }
    let called = crate::cli::wait_for(make(target, &environment, &call, &nonce))?;
    outcome::tell(&called, &call, arguments.json)
}

/// Makes the call: whatever is to be counted is counted before and after it.
async fn make(
    target: Target,
    environment: &Environment,
    call: &Call<'_>,
    nonce: &str,
) -> Result<Called, Failure> {
    let client = Client::new(&target.settings).map_err(|error| Failure::new(Exit::Usage, error))?;
    let secrets = target.secrets.clone();
    let account = target.account(environment)?;

    let started = Instant::now();
    let result = client.call(&account, call, &secrets, nonce, now_ms()).await;
    let latency = started.elapsed();

    Ok(Called { endpoint: account.endpoint, latency, result })
}

/// A fresh token for an operation that has one, unless it is given.
fn client_token(
    operation: &Operation,
    params: &serde_json::Map<String, serde_json::Value>,
) -> Option<String> {
    let name = operation.client_token?;
    let is_given = params.get(name).is_some_and(|value| !value.is_null());
    (!is_given).then(|| format!("{:032x}", fastrand::u128(..)))
}

/// The host of a region that the table does not have follows a pattern, and may not exist.
fn warn_of_guess(arguments: &Arguments) -> Result<(), Failure> {
    use std::io::Write as _;
    let Some(region) = &arguments.region else { return Ok(()) };
    if arguments.endpoint.is_none() && !endpoint::is_known(region) {
        let nearest = endpoint::nearest_region(region);
        let meant = nearest.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        writeln!(
            std::io::stderr().lock(),
            "openeventd: `{region}` is no region that we know of, its endpoint is a guess{meant}"
        )?;
    }
    Ok(())
}
