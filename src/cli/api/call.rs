//! `openeventd api call`: one signed call, made once.
//!
//! What cannot be sent is refused before anything leaves, and before credentials are looked at. Nothing is
//! repeated but what went by a wrong clock: what a repetition does is said where the outcome is not known.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::counted::Counted;
use super::find::{the_only, version};
use super::outcome::{self, Called};
use super::{dry_run, params, target};
use crate::cli::{Exit, Failure};
use crate::clock::now_ms;
use crate::config::Environment;
use crate::openapi::call::Client;
use crate::openapi::credential::Credentials;
use crate::openapi::error::{CallError, Class};
use crate::openapi::rate::Slot;
use crate::openapi::response::Response;
use crate::openapi::sign::Scheme;
use crate::openapi::{Account, Call, Secrets, endpoint};
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
    #[arg(long, value_name = "v1|acs3", value_parser = scheme)]
    pub(super) signature: Option<Scheme>,
    /// Show the exact request, and send nothing; needs no credentials
    #[arg(long)]
    pub(super) dry_run: bool,
    /// One JSON object with the response and what is known about it
    #[arg(long)]
    json: bool,
}

/// The schemes as `--signature` takes them.
fn scheme(text: &str) -> Result<Scheme, String> {
    Scheme::from_text(text).ok_or_else(|| "expected v1 or acs3".to_owned())
}

/// Makes the call, or shows it.
pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let operation =
        the_only(&arguments.name, arguments.api_version).map_err(|error| Failure::new(Exit::Usage, error))?;
    let params = params::read(operation, &arguments.words, arguments.params.as_deref())
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    let environment = Environment::of_process();
    let target = target::target(config, arguments, &environment)?;
    warn_of_guess(arguments)?;

    let token = client_token(operation, &params);
    let call = Call { operation, params: &params, client_token: token.as_deref() };
    let nonce = format!("{:032x}", fastrand::u128(..));
    let client = Client::new(&target.settings).map_err(|error| Failure::new(Exit::Usage, error))?;
    let account = target.account(&environment);
    let prepared = client
        .prepare(&account, &call, &nonce, now_ms())
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    if arguments.dry_run {
        return dry_run::show(&prepared, &account, arguments.json);
    }
    let known = (target.is_configured, target.is_at_home);
    let sender = Sender { client, account, secrets: target.secrets, config, environment: &environment };
    let called = crate::cli::wait_for(sender.make(&call, known))?;
    outcome::tell(&called, &call, arguments.json)
}

/// What sends the call.
struct Sender<'a> {
    client: Client,
    account: Account,
    secrets: Secrets,
    config: &'a Path,
    environment: &'a Environment,
}

impl Sender<'_> {
    /// Makes the call, counted in the account's quota if that is known.
    async fn make(&self, call: &Call<'_>, known: (bool, bool)) -> Result<Called, Failure> {
        let credentials = self.account.credentials.get(now_ms()).await;
        let credentials = credentials.map_err(|error| Failure::new(Exit::Permission, error))?;
        let begin = || Counted::begin(self.config, self.environment, &self.account, call, known);
        let mut counted = begin().await?;
        let mut started = Instant::now();
        let mut result = self.send(&credentials, call).await;
        if matches!(&result, Err(error) if error.class() == (Class::Clock { corrected: false })) {
            // Nothing was executed, and from now on the endpoint's clock is known. It is one more call.
            counted.end(&result).await?;
            counted = begin().await?;
            started = Instant::now();
            result = self.send(&credentials, call).await;
        }
        let latency = started.elapsed();
        let uncounted = counted.why_not();
        counted.end(&result).await?;
        Ok(Called { endpoint: self.account.endpoint.clone(), latency, result, uncounted })
    }

    async fn send(&self, credentials: &Credentials, call: &Call<'_>) -> Result<Response, CallError> {
        let nonce = format!("{:032x}", fastrand::u128(..));
        let slot = Slot::unlimited();
        self.client.call(&self.account, credentials, call, &self.secrets, &nonce, now_ms(), slot).await
    }
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
