//! Questions on the terminal: asked on standard error, answered by lines of standard input.
//!
//! A wrong answer is asked for again. An empty line takes the default, which stands in brackets. A signal ends
//! the asking.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::ValueEnum;
use secrecy::SecretString;

use super::answers::{Password, name_of};
use super::keyboard::Keyboard;
use super::{InitError, absolute};

/// Says what follows.
pub(super) fn introduce() -> Result<(), InitError> {
    say("A few questions. Enter takes what stands in brackets; nothing is written before the last answer.
")
}

/// A text that must not be empty, unless there is a default.
pub(super) fn text(
    keyboard: &mut Keyboard,
    question: &str,
    default: Option<&str>,
) -> Result<String, InitError> {
    loop {
        let prompt =
            default.map_or_else(|| format!("{question}: "), |default| format!("{question} [{default}]: "));
        match (optional_after(keyboard, &prompt)?, default) {
            (Some(answer), _) => return Ok(answer),
            (None, Some(default)) => return Ok(default.to_owned()),
            (None, None) => say("  it is needed\n")?,
        }
    }
}

/// A list with at least one entry, each of which `fits`; `expected` says what would.
pub(super) fn list(
    keyboard: &mut Keyboard,
    question: &str,
    fits: impl Fn(&str) -> bool,
    expected: &str,
) -> Result<Vec<String>, InitError> {
    loop {
        let answer = text(keyboard, question, None)?;
        let entries: Vec<String> =
            answer.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect();
        match entries.iter().find(|entry| !fits(entry)) {
            Some(wrong) => say(&format!("  `{wrong}` does not fit, expected {expected}\n"))?,
            None if entries.is_empty() => {}
            None => return Ok(entries),
        }
    }
}

/// A file that is there, or nothing.
pub(super) fn file(keyboard: &mut Keyboard, question: &str) -> Result<Option<PathBuf>, InitError> {
    loop {
        match optional_after(keyboard, &format!("{question}: "))?.map(PathBuf::from) {
            Some(path) if !path.is_file() => say(&format!("  there is no file {}\n", path.display()))?,
            answer => return Ok(answer),
        }
    }
}

/// One of the values that a flag takes as well.
pub(super) fn choice<T: ValueEnum>(
    keyboard: &mut Keyboard,
    question: &str,
    default: &T,
) -> Result<T, InitError> {
    let names: Vec<String> = T::value_variants().iter().map(name_of).collect();
    let question = format!("{question} ({})", names.join(", "));
    loop {
        let answer = text(keyboard, &question, Some(&name_of(default)))?;
        match T::from_str(&answer, true) {
            Ok(value) => return Ok(value),
            Err(_) => say(&format!("  `{answer}` is none of them\n"))?,
        }
    }
}

/// The password of `user`, typed without being shown, or where it is kept.
pub(super) fn password(keyboard: &mut Keyboard, user: &str) -> Result<Password, InitError> {
    let prompt = format!("Password of {user} (not shown; Enter if it is kept elsewhere): ");
    let typed = keyboard.hidden_line(|| say(&prompt))?.ok_or(InitError::Unanswered)?;
    if !typed.is_empty() {
        return Ok(Password::Typed(SecretString::from(typed.as_str())));
    }
    loop {
        let answer = text(keyboard, "Where it is kept: file:/path, env:VARIABLE or credential:NAME", None)?;
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

fn say(text: &str) -> Result<(), InitError> {
    let mut stderr = io::stderr().lock();
    stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()).map_err(InitError::Terminal)
}

fn optional_after(keyboard: &mut Keyboard, prompt: &str) -> Result<Option<String>, InitError> {
    say(prompt)?;
    let line = keyboard.line()?.ok_or(InitError::Unanswered)?;
    let answer = line.trim();
    Ok((!answer.is_empty()).then(|| answer.to_owned()))
}
