//! `openeventd quota`: what accounts have spent of their calls, who spent it, and what is left.
//!
//! The settings say what an account may spend and where its days begin, the database what it has spent. Neither
//! needs a secret, so that whoever may query the audit can ask. The provider has no interface that tells what
//! it has counted: all of this is our own count.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::Path;

use super::database::DatabaseArguments;
use super::{Exit, Failure, progress, terminal};
use crate::clock::now_ms;
use crate::config::{self, AccountBudget, Environment, LoadError};
use crate::diagnostic::nearest;
use crate::escape::Escaped;
use crate::quota::Calendar;
use crate::store::Reader;
use crate::store::look::quota::{Asked, Spent};

// What the figures come to.
mod figures;

// What a person sees.
mod screen;

const EXAMPLES: &str = "\
Examples:
  openeventd quota
  openeventd quota --account main --json | jq '.accounts[0].day'";

/// What `openeventd quota` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// Only this account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseArguments,
}

#[derive(Debug, thiserror::Error)]
#[error("there is no account `{}`, neither in the settings nor in the audit database{}", Escaped(.name), meant(.nearest.as_deref()))]
struct UnknownAccount {
    name: String,
    nearest: Option<String>,
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// One account in one region.
#[derive(Debug)]
struct Account {
    asked: Asked,
    calendar: Calendar,
    /// What it may spend, if the settings say so.
    may_spend: Option<AccountBudget>,
    spent: Spent,
    called: Called,
}

/// Where the calls of an account are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Called {
    /// In this region.
    Here,
    /// By the settings, in another one by now.
    Elsewhere,
}

/// Runs the subcommand.
pub fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    super::wait_for(look(config, arguments))
}

async fn look(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let budgets = budgets(config, &arguments.database)?;
    let mut reader = arguments.database.reader(config).await?;
    let now_ms = now_ms();
    let looking = accounts(&mut reader, budgets, arguments.account.as_deref(), now_ms);
    let accounts = progress::shown("looking at what was spent", looking).await;
    reader.close().await?;
    let accounts = accounts?;
    let figures: Vec<_> = accounts.iter().map(|account| figures::of(account, now_ms)).collect();
    let text =
        if arguments.json { figures::as_json(&figures, now_ms) } else { screen::as_text(&figures, now_ms) };
    let mut out = terminal::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Exit::Success)
}

/// What accounts may spend. Who names a database need not have settings: a copy is looked at anywhere.
fn budgets(config: &Path, database: &DatabaseArguments) -> Result<Vec<AccountBudget>, Failure> {
    match config::budgets(config, &Environment::of_process()) {
        Err(LoadError::Read { source, .. })
            if database.database.is_some() && source.kind() == io::ErrorKind::NotFound =>
        {
            let file = config.display();
            writeln!(io::stderr(), "there are no settings in {file}: what accounts may spend is not known")?;
            Ok(Vec::new())
        }
        budgets => Ok(budgets?),
    }
}

/// The accounts of the settings, then those that only the database knows.
async fn accounts(
    reader: &mut Reader,
    budgets: Vec<AccountBudget>,
    wanted: Option<&str>,
    now_ms: i64,
) -> Result<Vec<Account>, Failure> {
    let is_wanted = |name: &str| wanted.is_none_or(|wanted| wanted == name);
    let known = reader.spending_accounts().await?;
    let configured: BTreeSet<(String, String)> =
        budgets.iter().map(|budget| (budget.account.clone(), budget.region.clone())).collect();
    let others = known.into_iter().filter(|one| !configured.contains(one));
    let all: Vec<_> = budgets
        .into_iter()
        .map(|budget| (budget.account.clone(), budget.region.clone(), Some(budget)))
        .chain(others.map(|(account, region)| (account, region, None)))
        .collect();
    if let Some(name) = wanted.filter(|name| !all.iter().any(|(account, ..)| account == name)) {
        let nearest = nearest(name, all.iter().map(|(account, ..)| account.as_str())).map(str::to_owned);
        return Err(Failure::new(Exit::NoInput, UnknownAccount { name: name.to_owned(), nearest }));
    }
    let mut accounts = Vec::new();
    for (account, region, may_spend) in all.into_iter().filter(|(account, ..)| is_wanted(account)) {
        let calendar = may_spend.as_ref().map(|budget| budget.budget.calendar).unwrap_or_default();
        let asked = Asked { account, region, day: calendar.day(now_ms), month: calendar.month(now_ms) };
        let is_elsewhere =
            may_spend.is_none() && configured.iter().any(|(configured, _)| *configured == asked.account);
        let called = if is_elsewhere { Called::Elsewhere } else { Called::Here };
        let spent = reader.spent(&asked, now_ms).await?;
        accounts.push(Account { asked, calendar, may_spend, spent, called });
    }
    Ok(accounts)
}
