//! Reads secrets from where the settings say they are kept.
//!
//! Takes a [`SecretSource`], gives a [`SecretString`]; a file that others can read is refused. The one
//! line break that editors leave at the end is removed, nothing else.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::environment::Environment;
use super::forms::{SECRET_FORMS, SecretSource};

/// Longer contents are no secret but a mistaken file.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    /// None or several of the three forms are used.
    #[error("expected exactly one of {SECRET_FORMS}")]
    Form,
    /// A credential is named, yet the service manager passed none.
    #[error("no credential directory: CREDENTIALS_DIRECTORY is not set")]
    NoCredentialDirectory,
    /// A credential's name is a path.
    #[error("`{0}` is no name of a credential, expected a file name without `/`")]
    CredentialName(String),
    /// The path is relative, so it would depend on where the daemon was started.
    #[error("`{0}` is a relative path, expected an absolute one")]
    RelativePath(String),
    /// The file cannot be read.
    #[error("cannot read {}: {reason}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason; it holds nothing of the file.
        reason: io::Error,
    },
    /// It is a directory, a device or the like.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Others can read or change the file.
    #[error("{} has mode {mode:04o}: others can read or change the secret", .path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is far too large.
    #[error("{} is over {SECRET_BYTES_MAX} bytes, which no secret is", .0.display())]
    TooLarge(PathBuf),
    /// The file is not UTF-8.
    #[error("{} is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// There is nothing in it.
    #[error("{0} is empty")]
    Empty(String),
    /// The variable does not exist.
    #[error("the environment variable {0} is not set")]
    NoVariable(String),
}

impl SecretError {
    /// How to mend it.
    pub(super) fn help(&self) -> String {
        match self {
            SecretError::NoCredentialDirectory => {
                "run under systemd with LoadCredential=, or name a file: { file = \"/path\" }".into()
            }
            SecretError::OpenToOthers { path, .. } => format!("run `chmod 0600 {}`", path.display()),
            SecretError::Read { path, .. } if path.starts_with("/run/credentials") => {
                "add LoadCredential=NAME:/path to the unit".into()
            }
            SecretError::Form | SecretError::CredentialName(_) | SecretError::RelativePath(_) => {
                String::new()
            }
            SecretError::Read { .. } | SecretError::NotAFile(_) => {
                "create the file, owned by the daemon's user, with mode 0600".into()
            }
            SecretError::TooLarge(_) | SecretError::NotText(_) | SecretError::Empty(_) => {
                "write the secret alone into it, as one line of text".into()
            }
            SecretError::NoVariable(_) => "set it in the daemon's environment".into(),
        }
    }
}

/// Reads the secret that `source` names.
pub(super) fn read(source: &SecretSource, environment: &Environment) -> Result<SecretString, SecretError> {
    match (&source.credential, &source.file, &source.env) {
        (Some(name), None, None) => read_credential(name, environment),
        (None, Some(path), None) => read_file(path),
        (None, None, Some(name)) => {
            let value = environment.get(name).ok_or_else(|| SecretError::NoVariable(name.clone()))?;
            Ok(SecretString::from(value))
        }
        _ => Err(SecretError::Form),
    }
}

/// The file in which `source` keeps the secret, if it is one and can be named.
pub(super) fn path(source: &SecretSource, environment: &Environment) -> Option<PathBuf> {
    match (&source.credential, &source.file) {
        (Some(name), None) => credential_path(name, environment).ok(),
        (None, Some(path)) => Some(PathBuf::from(path)),
        _ => None,
    }
}

/// Where `source` keeps the secret, as people are told.
pub(super) fn place(source: &SecretSource, environment: &Environment) -> String {
    match (path(source, environment), &source.env) {
        (Some(path), _) => path.display().to_string(),
        (None, Some(name)) => format!("the variable {name}"),
        (None, None) => "no place".to_owned(),
    }
}

fn credential_path(name: &str, environment: &Environment) -> Result<PathBuf, SecretError> {
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return Err(SecretError::CredentialName(name.to_owned()));
    }
    let directory = environment.get("CREDENTIALS_DIRECTORY").ok_or(SecretError::NoCredentialDirectory)?;
    Ok(Path::new(directory).join(name))
}

fn read_credential(name: &str, environment: &Environment) -> Result<SecretString, SecretError> {
    // The service manager owns this directory and decides about its permissions.
    let path = credential_path(name, environment)?;
    let file = open(&path)?;
    read_text(file, &path)
}

fn read_file(path: &str) -> Result<SecretString, SecretError> {
    let path_checked = Path::new(path);
    if path_checked.is_relative() {
        return Err(SecretError::RelativePath(path.to_owned()));
    }
    // Opening a pipe would wait for its writer, so what it is gets checked first; the permissions are
    // checked on what was opened, so that nobody swaps the file in between.
    let kind = fs::metadata(path_checked)
        .map_err(|reason| SecretError::Read { path: path_checked.to_owned(), reason })?;
    if !kind.is_file() {
        return Err(SecretError::NotAFile(path_checked.to_owned()));
    }
    let file = open(path_checked)?;
    let metadata =
        file.metadata().map_err(|reason| SecretError::Read { path: path_checked.to_owned(), reason })?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o027 != 0 {
        return Err(SecretError::OpenToOthers { path: path_checked.to_owned(), mode });
    }
    read_text(file, path_checked)
}

fn open(path: &Path) -> Result<File, SecretError> {
    File::open(path).map_err(|reason| SecretError::Read { path: path.to_owned(), reason })
}

fn read_text(file: File, path: &Path) -> Result<SecretString, SecretError> {
    let mut bytes = Vec::new();
    file.take(SECRET_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|reason| SecretError::Read { path: path.to_owned(), reason })?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > SECRET_BYTES_MAX) {
        return Err(SecretError::TooLarge(path.to_owned()));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| SecretError::NotText(path.to_owned()))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.trim().is_empty() {
        return Err(SecretError::Empty(path.display().to_string()));
    }
    Ok(SecretString::from(text))
}
