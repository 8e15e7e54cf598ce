//! How the program ends: the exit codes, and the error that is printed before one.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::config::LoadError;
use crate::diagnostic::{Diagnostic, chain};
use crate::store::StoreError;

/// The exit codes: those of sysexits.h, and that of Ctrl-C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All went well.
    Success = 0,
    /// The arguments are wrong.
    Usage = 64,
    /// Data that was given is bad.
    Data = 65,
    /// An input does not exist or cannot be read.
    NoInput = 66,
    /// A service that is needed cannot be used.
    Unavailable = 69,
    /// A bug of ours.
    Internal = 70,
    /// A file cannot be created.
    CannotCreate = 73,
    /// Reading or writing failed.
    Io = 74,
    /// A failure that passes: trying again can help.
    Temporary = 75,
    /// Something is not permitted.
    Permission = 77,
    /// The configuration or the rules are wrong: a restart cannot help.
    Config = 78,
    /// A signal ended a dialogue; what shells show for Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a subcommand ended early, and with which exit code.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    what: What,
}

#[derive(Debug)]
enum What {
    /// An error with its chain of causes.
    Error(Box<dyn Error + Send + Sync>),
    /// Problems in files that a person wrote.
    Problems(Vec<Diagnostic>),
    /// The output could not be written.
    Output(io::Error),
    /// What clap says: the help text, the version, or a wrong argument.
    Arguments(clap::Error),
}

impl Failure {
    /// Ends with `exit` because of `error`.
    pub fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Failure { exit, what: What::Error(error.into()) }
    }

    /// Ends because files that a person wrote are wrong.
    pub fn of_problems(problems: Vec<Diagnostic>) -> Self {
        Failure { exit: Exit::Config, what: What::Problems(problems) }
    }

    /// Ends because data that a person gave is wrong.
    pub(super) fn of_data(problems: Vec<Diagnostic>) -> Self {
        Failure { exit: Exit::Data, what: What::Problems(problems) }
    }

    /// Ends because of the arguments, be it that help was asked for.
    pub(super) fn of_arguments(error: clap::Error) -> Self {
        let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
        Failure { exit, what: What::Arguments(error) }
    }

    /// Prints the error with all its causes, once, and gives the exit code.
    #[must_use]
    pub fn report(self) -> Exit {
        let printed = match &self.what {
            What::Error(error) => print_chain(error.as_ref()),
            What::Problems(problems) => print_problems(problems),
            What::Output(_) if self.exit == Exit::Success => return Exit::Success,
            What::Output(error) => print_chain(error),
            What::Arguments(error) => error.print(),
        };
        match printed {
            Err(_) if self.exit == Exit::Success => Exit::Io,
            // Even if nobody could be told, the code says what happened.
            Ok(()) | Err(_) => self.exit,
        }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Invalid(problems) => Failure::of_problems(problems),
            other => Failure::new(Exit::Config, other),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::new(of_store(&error), error)
    }
}

/// How a command ends that the database refuses.
pub(super) fn of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::Foreign { .. } | StoreError::Newer { .. } => Exit::Config,
        StoreError::Missing { .. } | StoreError::NotADatabase { .. } => Exit::NoInput,
        StoreError::Damaged { .. } => Exit::Io,
        StoreError::Question { .. } | StoreError::TooLarge => Exit::Data,
        StoreError::Open { .. } => Exit::CannotCreate,
        StoreError::NotPermitted { .. }
        | StoreError::NotReadable { .. }
        | StoreError::NotReadableThere { .. } => Exit::Permission,
        StoreError::NotAQuestion { .. } => Exit::Usage,
        StoreError::InUse { .. }
        | StoreError::DiskFull
        | StoreError::Older { .. }
        | StoreError::Undone
        | StoreError::Busy { .. }
        | StoreError::TooLong { .. } => Exit::Temporary,
        StoreError::Migrate { .. }
        | StoreError::Sql { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Closed => Exit::Internal,
    }
}

/// Writing to standard output failed. A reader that has seen enough (`head`, a pager) is no failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let exit = if error.kind() == io::ErrorKind::BrokenPipe { Exit::Success } else { Exit::Io };
        Failure { exit, what: What::Output(error) }
    }
}

fn print_chain(error: &(dyn Error + 'static)) -> io::Result<()> {
    writeln!(io::stderr().lock(), "openeventd: {}", chain(error))
}

/// Prints problems to standard error, one paragraph each.
pub(super) fn print_problems(problems: &[Diagnostic]) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    for problem in problems {
        writeln!(stderr, "{problem}")?;
    }
    Ok(())
}
