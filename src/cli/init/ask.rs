//! Questions on the terminal: asked on standard error, answered by lines of standard input.
//!
//! A wrong answer is asked for again. An empty line takes the default, which stands in brackets.

use std::io::{self, BufRead as _, Write as _};

use clap::ValueEnum;
use secrecy::SecretString;

use super::answers::{Password, name_of};
use super::{InitError, absolute};

/// Says what follows.
pub(super) fn introduce() -> Result<(), InitError> {
    let text =
        "A few questions. Enter takes what stands in brackets; nothing is written before the last answer.\n";
    io::stderr().lock().write_all(text.as_bytes()).map_err(InitError::Terminal)
}

/// A text that must not be empty, unless there is a default.
pub(super) fn text(question: &str, default: Option<&str>) -> Result<String, InitError> {
    loop {
        let prompt =
            default.map_or_else(|| format!("{question}: "), |default| format!("{question} [{default}]: "));
        match (optional_after(&prompt)?, default) {
            (Some(answer), _) => return Ok(answer),
            (None, Some(default)) => return Ok(default.to_owned()),
            (None, None) => {}
        }
    }
}

/// A list with at least one entry.
pub(super) fn list(question: &str) -> Result<Vec<String>, InitError> {
    loop {
        let answer = text(question, None)?;
        let entries: Vec<String> =
            answer.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect();
        if !entries.is_empty() {
            return Ok(entries);
        }
    }
}

/// A text, or nothing.
pub(super) fn optional(question: &str) -> Result<Option<String>, InitError> {
    optional_after(&format!("{question}: "))
}

/// One of the values that a flag takes as well.
pub(super) fn choice<T: ValueEnum>(question: &str, default: &T) -> Result<T, InitError> {
    let names: Vec<String> = T::value_variants().iter().map(name_of).collect();
    let question = format!("{question} ({})", names.join(", "));
    loop {
        if let Ok(value) = T::from_str(&text(&question, Some(&name_of(default)))?, true) {
            return Ok(value);
        }
    }
}

/// The password of `user`, typed without being shown, or where it is kept.
pub(super) fn password(user: &str) -> Result<Password, InitError> {
    let prompt = format!("Password of {user} (not shown; Enter if it is kept elsewhere): ");
    let typed = SecretString::from(rpassword::prompt_password(prompt).map_err(InitError::Terminal)?);
    if !secrecy::ExposeSecret::expose_secret(&typed).is_empty() {
        return Ok(Password::Typed(typed));
    }
    loop {
        let answer = text("Where it is kept: file:/path, env:VARIABLE or credential:NAME", None)?;
        match answer.split_once(':') {
            Some(("file", path)) if !path.is_empty() => return Ok(Password::File(absolute(path.as_ref())?)),
            Some(("env", name)) if !name.is_empty() => return Ok(Password::Env(name.to_owned())),
            Some(("credential", name)) if !name.is_empty() => {
                return Ok(Password::Credential(name.to_owned()));
            }
            _ => {}
        }
    }
}

fn optional_after(prompt: &str) -> Result<Option<String>, InitError> {
    let mut stderr = io::stderr().lock();
    stderr.write_all(prompt.as_bytes()).and_then(|()| stderr.flush()).map_err(InitError::Terminal)?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line).map_err(InitError::Terminal)? == 0 {
        return Err(InitError::Unanswered);
    }
    let answer = line.trim();
    Ok((!answer.is_empty()).then(|| answer.to_owned()))
}
