//! `openeventd rules diff`: what a rule directory has that the rules in force have not, and the other way.
//!
//! Both are compared as they are written, so the directory need not be right, and no secret is read.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::database::DatabaseArguments;
use crate::cli::{Exit, Failure, rule_files, terminal};
use crate::config::{self, Environment};
use crate::rule::outline::{self, Outline, Part};
use crate::store::StoreError;
use crate::store::look::rules::KeptRules;

// What a person sees.
mod shown;

// What a program sees.
mod object;

pub(super) const EXAMPLES: &str = "\
Examples:
  openeventd rules diff
  openeventd rules diff --rules ./rules.d --database copy.db
  openeventd rules diff --json | jq '.changed[].name'";

/// What `openeventd rules diff` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The rule directory, instead of the one that the configuration names
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseArguments,
}

#[derive(Debug, thiserror::Error)]
#[error("no rule set was ever in force in {}: the daemon keeps one when it starts", .0.display())]
pub(super) struct NoRules(pub(super) PathBuf);

/// Two rule sets side by side.
struct Comparison {
    running: KeptRules,
    directory: PathBuf,
    hash: String,
    /// Rules of the directory alone, by name.
    added: Vec<Outline>,
    /// Rules in force alone, by name.
    removed: Vec<Outline>,
    /// Rules of both that differ, by name.
    changed: Vec<Change>,
    unchanged: usize,
}

/// A rule of both sets that is not the same, or not in the same file.
struct Change {
    was: Outline,
    is: Outline,
    /// Empty if it was only moved to another file.
    parts: Vec<Part>,
}

impl Change {
    fn is_moved(&self) -> bool {
        self.was.path != self.is.path
    }
}

impl Comparison {
    fn is_same(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    /// Tells the rules of both apart.
    fn compare(&mut self, before: BTreeMap<String, Outline>, mut now: BTreeMap<String, Outline>) {
        for (name, was) in before {
            let Some(is) = now.remove(&name) else {
                self.removed.push(was);
                continue;
            };
            let parts = was.differences(&is);
            if parts.is_empty() && was.path == is.path {
                self.unchanged += 1;
            } else {
                self.changed.push(Change { was, is, parts });
            }
        }
        self.added.extend(now.into_values());
    }

    /// Whether the files differ in what belongs to no rule.
    fn differs_outside(&self) -> bool {
        self.is_same() && self.running.hash != self.hash
    }
}

/// Runs the subcommand.
pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let directory = match &arguments.rules {
        Some(directory) => rule_files::existing(directory)?.to_owned(),
        None => config::rules_directory(config, &Environment::of_process())?,
    };
    let files = rule_files::read(&directory).map_err(|error| Failure::new(Exit::Config, error))?;
    let now = outline::outlines(&files).map_err(Failure::of_problems)?;
    let running = crate::cli::wait_for(running(config, &arguments.database))?;
    let before = outline::outlines(&running.files)
        .map_err(|_| StoreError::Corrupt { place: "rule_set.files", found: running.hash.clone() })?;
    let mut compared = Comparison {
        running,
        directory,
        hash: outline::hash(&files),
        added: Vec::new(),
        removed: Vec::new(),
        changed: Vec::new(),
        unchanged: 0,
    };
    compared.compare(before, now);
    let text = if arguments.json { object::of(&compared) } else { shown::as_text(&compared) };
    let mut out = terminal::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(if compared.is_same() { Exit::Success } else { Exit::Data })
}

async fn running(config: &Path, database: &DatabaseArguments) -> Result<KeptRules, Failure> {
    let mut reader = database.reader(config).await?;
    let running = reader.running_rules().await?;
    let path = reader.path.clone();
    reader.close().await?;
    running.ok_or_else(|| Failure::new(Exit::NoInput, NoRules(path)))
}
