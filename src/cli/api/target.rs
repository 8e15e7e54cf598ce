//! Where a call goes and who signs it: by the arguments, the configuration and the environment.
//!
//! An endpoint or a region that is given wins. The account that is named, or the only one of a readable
//! configuration if nothing else is given, brings its own and signs; otherwise the environment signs. Credentials
//! are looked at last, so that whatever else is wrong is known without any.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::call::Arguments;
use crate::cli::{Exit, Failure};
use crate::config::{self, Environment, LoadError};
use crate::diagnostic::nearest;
use crate::openapi::endpoint::{self, EndpointError, Network};
use crate::openapi::sign::Scheme;
use crate::openapi::{Account, Secrets, Settings};
use crate::quota::{Budget, Edition, Table};

/// What a response may have here: a person asked for it, and it is kept nowhere.
const BODY_BYTES_MAX: usize = 16 << 20;

const ACCESS_KEY_ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";

/// Where a call goes, before it is known who signs it.
#[derive(Debug)]
pub(super) struct Target {
    /// Scheme, host and port.
    pub(super) endpoint: String,
    pub(super) settings: Settings,
    /// What must not be seen in a response.
    pub(super) secrets: Secrets,
    /// Whether the account is one of the configuration, whose quota is known.
    pub(super) is_configured: bool,
    /// Whether it is called in its own region, in which a running daemon gives turns.
    pub(super) is_at_home: bool,
    region: String,
    signature: Scheme,
    /// The account of the configuration that signs; without one, the default chain does.
    account: Option<Account>,
}

/// Why it is not known where a call goes, or who signs it.
#[derive(Debug, thiserror::Error)]
pub(super) enum TargetError {
    /// An endpoint or region that was given is unusable.
    #[error("the call cannot go there")]
    Endpoint(#[source] EndpointError),
    /// Nothing says where to.
    #[error(
        "where does the call go? give --region REGION (as in cn-shanghai), --endpoint URL, or --account NAME of \
         a configuration"
    )]
    Nowhere,
    /// Nothing says where to, and the configuration is of no help.
    #[error(
        "where does the call go? give --region REGION (as in cn-shanghai), --endpoint URL, or --account NAME of \
         a configuration that can be read"
    )]
    NowhereConfigured(#[source] LoadError),
    /// The configuration has several accounts.
    #[error("which account? add --account with one of {0}")]
    Several(String),
    /// The configuration has no such account.
    #[error("no account `{name}` is configured{hint}")]
    NoAccount { name: String, hint: String },
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        Failure::new(Exit::Usage, error)
    }
}

/// Where the call goes.
pub(super) fn target(
    file: &Path,
    arguments: &Arguments,
    environment: &Environment,
) -> Result<Target, Failure> {
    if arguments.account.is_some() {
        return configured(file, arguments, environment);
    }
    if let Some(endpoint) = given_endpoint(arguments)? {
        let region = arguments.region.clone().unwrap_or_default();
        return Ok(Target {
            endpoint,
            settings: settings(),
            secrets: Secrets::default(),
            is_configured: false,
            is_at_home: false,
            region,
            signature: arguments.signature.unwrap_or(Scheme::V1),
            account: None,
        });
    }
    if environment.get(ACCESS_KEY_ID).is_some() {
        return Err(TargetError::Nowhere.into());
    }
    configured(file, arguments, environment)
}

/// Where the call of a configured account goes.
fn configured(file: &Path, arguments: &Arguments, environment: &Environment) -> Result<Target, Failure> {
    let wanted = arguments.account.as_deref();
    let failed = |error: LoadError| match wanted {
        Some(_) => Failure::from(error),
        None => TargetError::NowhereConfigured(error).into(),
    };
    let given = given_endpoint(arguments)?;
    // What is only shown needs no keys, so they need not be readable.
    if arguments.dry_run {
        let destinations = config::destinations(file, environment).map_err(failed)?;
        let chosen = choose(destinations, |destination| &destination.account, wanted)?;
        return Ok(Target {
            endpoint: given.unwrap_or(chosen.endpoint),
            settings: settings(),
            secrets: Secrets::default(),
            is_configured: true,
            is_at_home: true,
            region: chosen.region,
            signature: arguments.signature.unwrap_or(chosen.signature),
            account: None,
        });
    }
    let (config, _) = config::load(file, environment).map_err(failed)?;
    let chosen = choose(config.accounts, |account| &account.name, wanted)?;
    Ok(Target {
        endpoint: given.unwrap_or_else(|| chosen.endpoint.clone()),
        settings: Settings { body_bytes_max: BODY_BYTES_MAX, ..config.openapi },
        secrets: config.secrets,
        is_configured: true,
        is_at_home: arguments.region.as_ref().is_none_or(|region| *region == chosen.region),
        signature: arguments.signature.unwrap_or(chosen.signature),
        region: arguments.region.clone().unwrap_or_else(|| chosen.region.clone()),
        account: Some(chosen),
    })
}

impl Target {
    /// The account that signs: the configured one, else whom the default chain of this environment finds.
    pub(super) fn account(&self, environment: &Environment) -> Account {
        let account = self.account.clone().unwrap_or_else(|| Account {
            name: "default".to_owned(),
            endpoint: String::new(),
            region: String::new(),
            budget: Budget::of(Table::default(), Edition::Basic),
            signature: self.signature,
            credentials: Arc::new(config::default_chain(environment)),
            api_version: None,
        });
        let (endpoint, region) = (self.endpoint.clone(), self.region.clone());
        Account { endpoint, region, signature: self.signature, ..account }
    }
}

/// The base URL that the arguments name, if they name one.
fn given_endpoint(arguments: &Arguments) -> Result<Option<String>, TargetError> {
    let given = match (&arguments.endpoint, &arguments.region) {
        (Some(url), _) => endpoint::explicit(url),
        (None, Some(region)) => endpoint::of_region(region, Network::Public),
        (None, None) => return Ok(None),
    };
    given.map(Some).map_err(TargetError::Endpoint)
}

/// The account that is wanted by its name, else the only one.
fn choose<T>(
    mut accounts: Vec<T>,
    name_of: impl Fn(&T) -> &str,
    wanted: Option<&str>,
) -> Result<T, TargetError> {
    let names: Vec<&str> = accounts.iter().map(&name_of).collect();
    let name = match (wanted, names.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => only,
        (None, []) => return Err(TargetError::Nowhere),
        (None, several) => return Err(TargetError::Several(several.join(", "))),
    };
    if let Some(at) = names.iter().position(|known| *known == name) {
        return Ok(accounts.swap_remove(at));
    }
    let hint = match nearest(name, names.iter().copied()) {
        Some(meant) => format!(": did you mean `{meant}`?"),
        None if names.is_empty() => String::new(),
        None => format!(": the configured accounts are {}", names.join(", ")),
    };
    Err(TargetError::NoAccount { name: name.to_owned(), hint })
}

/// How calls are made that no configuration says anything about: as one without `[dispatch]` would.
fn settings() -> Settings {
    Settings {
        timeout: Duration::from_secs(30),
        connect_timeout: Duration::from_secs(5),
        body_bytes_max: BODY_BYTES_MAX,
        proxy: None,
    }
}
