//! `openeventd credentials`: which credentials each account has, from where, and until when. Never a secret.
//!
//! It gets them as the daemon would, so it asks the services that give them; DataWorks itself is not called.

use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::instant::age;
use super::terminal::{self, BAD, Columns, DIM, GOOD, NAME, TITLE, styled};
use super::{Exit, Failure, progress};
use crate::clock::now_ms;
use crate::config::{self, Environment, LoadError};
use crate::diagnostic::{chain, nearest};
use crate::openapi::credential::{CredentialError, Fault, Source, Told};

const EXAMPLES: &str = "\
Examples:
  openeventd credentials
  openeventd credentials --account main --json | jq .expires_at

Exit codes:
   0  every account has credentials
  69  a service that gives them cannot be used
  77  a service refused
  78  the settings are wrong: the configuration, a variable or a profile";

/// What `openeventd credentials` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// Only this account
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// One JSON object a line, for each account
    #[arg(long)]
    pub json: bool,
}

/// Why there is nothing to look at.
#[derive(Debug, thiserror::Error)]
#[error("no account `{name}` is configured{help}")]
struct UnknownAccount {
    name: String,
    help: String,
}

impl UnknownAccount {
    fn new(name: &str, known: &[String]) -> Self {
        let help = match nearest(name, known.iter().map(String::as_str)) {
            Some(meant) => format!("; did you mean `{meant}`?"),
            None if known.is_empty() => String::new(),
            None => format!(": expected one of {}", known.join(", ")),
        };
        UnknownAccount { name: name.to_owned(), help }
    }
}

/// An account's credentials, got or not.
struct Looked {
    /// `None` for the default chain, where no account is configured.
    account: Option<String>,
    told: Told,
    error: Option<CredentialError>,
}

/// A source, and the account whose it is.
type Named = (Option<String>, Arc<Source>);

/// Runs the subcommand.
pub fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let sources = sources(config, arguments)?;
    super::wait_for(look(sources, arguments))
}

/// The sources to look at, by account.
fn sources(config: &Path, arguments: &Arguments) -> Result<Vec<Named>, Failure> {
    let environment = Environment::of_process();
    let accounts = match config::load(config, &environment) {
        Ok((loaded, _warnings)) => loaded.accounts,
        Err(LoadError::Read { source, .. })
            if source.kind() == ErrorKind::NotFound && arguments.account.is_none() =>
        {
            let note = format!("no configuration {}: this is the default chain", config.display());
            writeln!(io::stderr().lock(), "openeventd: {note}")?;
            return Ok(vec![(None, Arc::new(config::default_chain(&environment)))]);
        }
        Err(error) => return Err(error.into()),
    };
    let names: Vec<String> = accounts.iter().map(|account| account.name.clone()).collect();
    let wanted = |name: &String| arguments.account.as_ref().is_none_or(|wanted| wanted == name);
    let sources: Vec<_> = accounts
        .into_iter()
        .filter(|account| wanted(&account.name))
        .map(|account| (Some(account.name), account.credentials))
        .collect();
    match &arguments.account {
        Some(name) if sources.is_empty() => Err(Failure::new(Exit::Usage, UnknownAccount::new(name, &names))),
        _ => Ok(sources),
    }
}

async fn look(sources: Vec<Named>, arguments: &Arguments) -> Result<Exit, Failure> {
    let mut looked = Vec::new();
    for (account, source) in sources {
        let got = progress::shown("getting credentials", source.get(now_ms())).await;
        looked.push(Looked { account, told: source.told(), error: got.err() });
    }
    let mut stdout = terminal::stdout();
    if looked.is_empty() && !arguments.json {
        writeln!(stdout, "no account is configured: nothing signs calls")?;
    }
    for (at, one) in looked.iter().enumerate() {
        if arguments.json {
            writeln!(stdout, "{}", one.as_json())?;
        } else {
            let gap = if at == 0 { "" } else { "\n" };
            write!(stdout, "{gap}{}", one.as_text(now_ms()))?;
        }
    }
    stdout.flush()?;
    Ok(exit(&looked))
}

/// What a person has to mend comes first.
fn exit(looked: &[Looked]) -> Exit {
    let has = |fault| looked.iter().filter_map(|one| one.error.as_ref()).any(|error| error.fault() == fault);
    let faults = [
        (Fault::Settings, Exit::Config),
        (Fault::Refused, Exit::Permission),
        (Fault::Unavailable, Exit::Unavailable),
    ];
    faults.into_iter().find(|(fault, _)| has(*fault)).map_or(Exit::Success, |(_, exit)| exit)
}

impl Looked {
    fn as_text(&self, now_ms: i64) -> String {
        let title = match &self.account {
            Some(name) => format!("account {}", styled(NAME, name)),
            None => styled(TITLE, "default chain"),
        };
        let mut rows = Columns::new();
        let mut row = |name: &str, text: &str| rows.row([(DIM, name), (anstyle::Style::new(), text)]);
        let told = &self.told;
        let verdict = match &self.error {
            None => styled(GOOD, "has credentials"),
            Some(_) => styled(BAD, "has no credentials"),
        };
        // Where no step of the chain gave any, the steps say why.
        if let Some(error) = self.error.as_ref().filter(|error| error.tried().is_empty()) {
            row("why", &chain(error));
        }
        for (name, text) in [("source", told.source), ("from", told.from.as_str())] {
            if !text.is_empty() {
                row(name, text);
            }
        }
        if let Some(role) = &told.role {
            row("role", role);
        }
        if let Some(id) = &told.access_key_id {
            row("access key", id);
            row("until", &until(told.expires_at_ms, now_ms));
        }
        for tried in &told.tried {
            row("not", &format!("{}: {}", tried.step, tried.why));
        }
        format!("{title} {verdict}\n{}", rows.lines(2))
    }

    fn as_json(&self) -> Value {
        let told = &self.told;
        let fault = |fault| match fault {
            Fault::Settings => "settings",
            Fault::Refused => "refused",
            Fault::Unavailable => "unavailable",
        };
        let tried = told
            .tried
            .iter()
            .map(|tried| json!({ "step": tried.step, "why": tried.why, "fault": tried.fault.map(fault) }));
        json!({
            "account": self.account,
            "source": Some(told.source).filter(|source| !source.is_empty()),
            "from": Some(&told.from).filter(|from| !from.is_empty()),
            "role": told.role,
            "access_key_id": told.access_key_id,
            "expires_at": told.expires_at_ms.map(instant),
            "error": self.error.as_ref().map(|error| chain(error)),
            "fault": self.error.as_ref().map(|error| fault(error.fault())),
            "tried": tried.collect::<Vec<_>>(),
        })
    }
}

fn instant(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.to_string())
}

fn until(expires_at_ms: Option<i64>, now_ms: i64) -> String {
    match expires_at_ms {
        None => "no end is known".to_owned(),
        Some(end_ms) if end_ms <= now_ms => format!("{}, {} ago", instant(end_ms), age(now_ms - end_ms)),
        Some(end_ms) => format!("{}, in {}", instant(end_ms), age(end_ms - now_ms)),
    }
}
