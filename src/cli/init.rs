//! `openeventd init`: writes a configuration and a first rule that `openeventd check` accepts.
//!
//! Takes flags, and asks on a terminal for what they leave open; without a terminal, what is missing is an
//! error that names all of it. Nothing is overwritten, and after an error nothing of what was begun is left. The
//! password is typed without being shown, or named by where it is kept; it is never an argument.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::exit::print_problems;
use super::shell::quoted;
use super::{CONFIG_DEFAULT, Exit, Failure, check};
use crate::config::Environment;
use crate::diagnostic::{Diagnostic, Severity};

// What is asked, and what the flags say.
mod answers;

// Questions on the terminal.
mod ask;

// What is typed there.
mod keyboard;

// The texts of the files.
mod text;

// Files that are all written, or none.
mod files;

use answers::{Answers, Password};
use files::Files;

/// What `openeventd init` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// Where openeventd.toml, rules.d and secrets go; made if it does not exist
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Kafka's servers, host:port; several with commas
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    bootstrap_servers: Vec<String>,
    /// The topics that carry the events; several with commas
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    topic: Vec<String>,
    /// The consumer group of the daemon; ApsaraMQ wants it created in its console first [default: openeventd]
    #[arg(long, value_name = "GROUP")]
    group_id: Option<String>,
    /// How the connection is protected; by default with TLS and a user
    #[arg(long, value_name = "PROTOCOL")]
    security_protocol: Option<Protocol>,
    /// How the password is proven [default: plain]
    #[arg(long, value_name = "MECHANISM")]
    sasl_mechanism: Option<Mechanism>,
    /// The Kafka user
    #[arg(long, value_name = "USER")]
    username: Option<String>,
    /// The password is kept in this file, of mode 0600
    #[arg(long, value_name = "FILE", group = "password")]
    password_file: Option<PathBuf>,
    /// The password is kept in this variable of the daemon's environment
    #[arg(long, value_name = "VARIABLE", group = "password")]
    password_env: Option<String>,
    /// The password is kept in this systemd credential
    #[arg(long, value_name = "NAME", group = "password")]
    password_credential: Option<String>,
    /// The authorities to trust, a PEM file [default: those of the system]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Whether certificates must name the servers; those of ApsaraMQ and DataWorks name none [default: https]
    #[arg(long, value_name = "HOW")]
    endpoint_identification: Option<Identification>,
    /// The audit database [default: audit.db beside the configuration; the service's own below /etc]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
}

/// The setting that names where the password is.
const PASSWORD: &str = "kafka.password";

const EXAMPLES: &str = "\
Examples:
  openeventd init                            ask, and write into this directory
  openeventd init --dir /etc/openeventd --bootstrap-servers broker-1.example.com:9093 \\
      --topic dataworks-openevent --username alice --password-credential kafka-password \\
      --ca-file /etc/openeventd/ca.pem --endpoint-identification none

It writes openeventd.toml and rules.d/first.toml, with a rule that observes, and
secrets/kafka-password if the password was typed. It overwrites nothing.";

/// How the connection is protected, as the configuration names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Protocol {
    /// TLS and a user: DataWorks and ApsaraMQ
    SaslSsl,
    /// TLS without a user
    Ssl,
    /// A user without TLS: own clusters only
    SaslPlaintext,
    /// Neither: own clusters only
    Plaintext,
}

/// How the password is proven, as the configuration names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mechanism {
    /// PLAIN
    #[value(name = "plain")]
    Plain,
    /// SCRAM-SHA-256
    #[value(name = "scram-sha-256")]
    ScramSha256,
    /// SCRAM-SHA-512
    #[value(name = "scram-sha-512")]
    ScramSha512,
}

/// Whether certificates must name the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Identification {
    /// They must
    Https,
    /// They need not; the authority is verified in any case
    None,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
enum InitError {
    /// Files that are there already.
    #[error("{list} exists already and is not overwritten; move it away, or choose another --dir", list = list(.0))]
    Exists(Vec<PathBuf>),
    /// The directory cannot be found or made.
    #[error("cannot make or find the directory {}", .path.display())]
    Directory { path: PathBuf, source: io::Error },
    /// A file cannot be written.
    #[error("cannot write {}", .path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A path cannot stand in the configuration.
    #[error("{} is not UTF-8 text, so it cannot stand in the configuration", .0.display())]
    NotText(PathBuf),
    /// What the flags leave open, without a terminal.
    #[error("standard input is no terminal, so nothing can be asked; missing: {}", .0.join(", "))]
    Missing(Vec<&'static str>),
    /// A flag that has no use with the protocol.
    #[error("{flag} has no use with --security-protocol {protocol}; remove it, or use sasl_ssl")]
    NoUse { flag: &'static str, protocol: String },
    /// The terminal gave no answer.
    #[error("the questions were not answered to their end")]
    Unanswered,
    /// Ctrl-C, or another signal that ends programs.
    #[error("interrupted; nothing was written")]
    Interrupted,
    /// The terminal failed.
    #[error("cannot ask on the terminal")]
    Terminal(#[source] io::Error),
}

impl From<InitError> for Failure {
    fn from(error: InitError) -> Self {
        let exit = match &error {
            InitError::Exists(_) | InitError::Directory { .. } | InitError::Write { .. } => {
                Exit::CannotCreate
            }
            InitError::NotText(_)
            | InitError::Missing(_)
            | InitError::NoUse { .. }
            | InitError::Unanswered => Exit::Usage,
            InitError::Interrupted => Exit::Interrupted,
            InitError::Terminal(_) => Exit::Io,
        };
        Failure::new(exit, error)
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let target = arguments.dir.join("openeventd.toml");
    let (rule, secret) =
        (arguments.dir.join("rules.d/first.toml"), arguments.dir.join("secrets/kafka-password"));
    // Before anything is asked, so that nobody answers in vain.
    let there: Vec<PathBuf> = [&target, &rule, &secret]
        .into_iter()
        .filter(|path| path.symlink_metadata().is_ok())
        .cloned()
        .collect();
    if !there.is_empty() {
        return Err(InitError::Exists(there).into());
    }
    let answers = answers::gather(arguments)?;
    let mut files = Files::default();
    files.directory(&arguments.dir, 0o755)?;
    let root = absolute(&arguments.dir)?;
    if let Some(Password::Typed(password)) = answers.password() {
        files.directory(&arguments.dir.join("secrets"), 0o700)?;
        files.secret(&secret, password)?;
    }
    let rules = arguments.dir.join("rules.d");
    files.directory(&rules, 0o755)?;
    files.file(&rule, text::RULE, 0o640)?;
    files.file(&target, &text::configuration(&answers, &root)?, 0o640)?;
    accept(&target, &answers, files)
}

/// Checks what was written, with the rules that were there before; keeps it if all is right, or would be where
/// its secret is.
fn accept(target: &Path, answers: &Answers, files: Files) -> Result<Exit, Failure> {
    // The settings of this environment are those of whoever runs this, not of the file.
    let checked = check::examine(target, &Environment::of_process().without_settings())?;
    let is_wrong = |problem: &Diagnostic| problem.severity == Severity::Error;
    let mut errors: Vec<_> = checked.problems.iter().filter(|problem| is_wrong(problem)).cloned().collect();
    let elsewhere = matches!(answers.password(), Some(Password::Env(_) | Password::Credential(_)));
    let waits_for_secret = elsewhere && errors.iter().any(|problem| problem.key == PASSWORD);
    if waits_for_secret {
        errors.retain(|problem| problem.key != PASSWORD);
    }
    if !errors.is_empty() {
        print_problems(&errors).map_err(|error| Failure::new(Exit::Io, error))?;
        drop(files);
        writeln!(io::stderr().lock(), "openeventd: nothing was written")
            .map_err(|error| Failure::new(Exit::Io, error))?;
        return Ok(Exit::Config);
    }
    let mut out = String::new();
    for path in files.keep() {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "wrote {}", path.display());
    }
    if waits_for_secret {
        out.push_str(
            "check: the password is not here; it must be where you said when openeventd runs. By hand, a \
             credential is found through CREDENTIALS_DIRECTORY=DIRECTORY before the command\n",
        );
    } else {
        let _ = writeln!(out, "check: {}", checked.summary());
    }
    out.push_str(&next_steps(target));
    io::stdout().lock().write_all(out.as_bytes())?;
    Ok(Exit::Success)
}

/// The two commands that come next.
fn next_steps(target: &Path) -> String {
    let config = if target == Path::new(CONFIG_DEFAULT) {
        String::new()
    } else {
        let name = target.strip_prefix(".").unwrap_or(target);
        format!(" --config {}", quoted(&name.display().to_string()))
    };
    format!(
        "\nNext, look at your own events; this joins no group and changes nothing:\n  openeventd tail{config} --from 1h\n\
         Then let the daemon run; its first rule observes, so nothing is called:\n  openeventd run{config}\n"
    )
}

/// `path` from the root, without following links.
fn absolute(path: &Path) -> Result<PathBuf, InitError> {
    std::path::absolute(path).map_err(|source| InitError::Directory { path: path.to_owned(), source })
}
