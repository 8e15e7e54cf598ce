//! What commands that change something share: who acts, why, and whether they agree to what they were shown.
//!
//! Nothing is changed without consent: an answer on a terminal, or `--yes`. Who acts is the person who logged
//! in, not the user that sudo made of them; where the kernel keeps no login, sudo's word counts for root and
//! for the service's own user only. Whoever may write the database could write any name into it, so the name
//! is a record among honest people, and no proof.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{Uid, User, geteuid, getuid};

use super::terminal::{WARNING, counted, styled};
use super::{Exit, Failure};
use crate::config::Environment;

/// Rows that one command changes at most: it holds the write lock for as long.
pub const ROWS_MAX: usize = 10_000;

/// A longer reason is an essay.
const REASON_CHARACTERS_MAX: usize = 500;

/// What the kernel says where nobody logged in.
const NO_LOGIN: u32 = u32::MAX;

/// The user who is nobody's account but the system's own.
const ROOT: u32 = 0;

/// The first number of people's accounts; those of services lie below.
const PERSON_MIN: u32 = 1000;

/// Arguments of every command that changes something.
#[derive(Debug, Clone, clap::Args)]
pub struct ActingArguments {
    /// Why; kept with your name in the audit (view `operator_actions`)
    #[arg(long, value_name = "TEXT", value_parser = reason, required_unless_present = "dry_run")]
    pub reason: Option<String>,
    /// Do it without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Only show what would happen
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
}

/// What a person makes of what they were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// It is to be done.
    Given,
    /// It is not.
    Declined,
}

/// Why nothing is done.
#[derive(Debug, thiserror::Error)]
#[error("nothing was done: there is no terminal to ask on, give --yes to agree beforehand")]
struct NobodyToAsk;

pub(super) fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("expected some words: they are what a colleague reads later".into()),
        text if text.chars().count() > REASON_CHARACTERS_MAX => {
            Err(format!("expected at most {REASON_CHARACTERS_MAX} characters"))
        }
        text => Ok(text.to_owned()),
    }
}

impl ActingArguments {
    /// Asks whether to go on, unless that was said beforehand.
    ///
    /// # Errors
    /// There is nobody to ask.
    pub fn consent(&self, question: &str) -> Result<Consent, Failure> {
        if self.yes {
            return Ok(Consent::Given);
        }
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Err(Failure::new(Exit::Usage, NobodyToAsk));
        }
        write!(io::stderr().lock(), "{question} [y/N] ")?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(Consent::Given),
            _ => Ok(Consent::Declined),
        }
    }
}

/// What the process knows of who started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Started {
    login: Option<u32>,
    sudo: Option<u32>,
    real: u32,
    effective: u32,
    /// Whose the database is.
    owner: Option<u32>,
}

/// The person who acts on `database`, as in `alice` or `alice (as openeventd)`.
#[must_use]
pub fn who(environment: &Environment, database: &Path) -> String {
    // Not every kernel keeps it, and a container may hide it.
    let login = std::fs::read_to_string("/proc/self/loginuid").ok();
    let number = |text: &str| text.trim().parse().ok();
    let started = Started {
        login: login.as_deref().and_then(number),
        sudo: environment.get("SUDO_UID").and_then(number),
        real: getuid().as_raw(),
        effective: geteuid().as_raw(),
        owner: std::fs::metadata(database).ok().map(|file| file.uid()),
    };
    named(started, |id| User::from_uid(Uid::from_raw(id)).ok().flatten().map(|user| user.name))
}

fn named(started: Started, name_of: impl Fn(u32) -> Option<String>) -> String {
    let Started { login, sudo, real, effective, owner } = started;
    // Anybody can set the variable. sudo makes real and effective user one and the same: root, or the service
    // whose database it is. Who is still an ordinary person did not come by sudo, whatever the variable says.
    let became_another = real == effective && (real == ROOT || (real < PERSON_MIN && owner == Some(real)));
    let sudo = sudo.filter(|_| became_another);
    let person = login.filter(|id| *id != NO_LOGIN).or(sudo).unwrap_or(real);
    let name = |id: u32| name_of(id).unwrap_or_else(|| format!("uid:{id}"));
    if person == effective { name(person) } else { format!("{} (as {})", name(person), name(effective)) }
}

/// Says how many of a preview's `all` rows were left out after `shown_max`.
pub(super) fn write_cut(
    out: &mut impl io::Write,
    all: usize,
    shown_max: usize,
    noun: &str,
) -> io::Result<()> {
    match all.saturating_sub(shown_max) {
        0 => Ok(()),
        more => writeln!(out, "  and {} more", counted(more, noun)),
    }
}

/// Says how many of `total` rows that match were left for another turn after `chosen`.
pub(super) fn write_beyond(
    out: &mut impl io::Write,
    total: i64,
    chosen: usize,
    noun: &str,
) -> io::Result<()> {
    match usize::try_from(total).unwrap_or(usize::MAX).saturating_sub(chosen) {
        0 => Ok(()),
        beyond => {
            let told = format!("{} more match: they need another turn", counted(beyond, noun));
            writeln!(out, "{}", styled(WARNING, &told))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(id: u32) -> Option<String> {
        match id {
            0 => Some("root".into()),
            990 => Some("openeventd".into()),
            1000 => Some("alice".into()),
            1001 => Some("bob".into()),
            _ => None,
        }
    }

    #[test]
    fn the_person_who_logged_in_acts_whoever_they_have_become() {
        let cases = [
            ("at a terminal", (Some(1000), None, 1000, 1000), "alice"),
            ("by sudo", (Some(1000), Some(1000), 0, 0), "alice (as root)"),
            ("by sudo -u", (Some(1000), Some(1000), 990, 990), "alice (as openeventd)"),
            ("by su, then sudo", (Some(1000), Some(0), 990, 990), "alice (as openeventd)"),
            ("in a container by sudo", (Some(NO_LOGIN), Some(1000), 0, 0), "alice (as root)"),
            ("in a container by sudo -u", (None, Some(1000), 990, 990), "alice (as openeventd)"),
            ("in a container", (Some(NO_LOGIN), None, 0, 0), "root"),
            ("without login records", (None, None, 1000, 1000), "alice"),
            ("a name that is not theirs", (None, Some(1001), 1000, 1000), "alice"),
            ("root's name", (Some(NO_LOGIN), Some(0), 1000, 1000), "alice"),
            ("a name that is not theirs, setuid", (None, Some(1001), 1000, 0), "alice (as root)"),
            ("another service than the database's", (None, Some(1001), 33, 33), "uid:33"),
            ("setuid", (None, None, 1000, 990), "alice (as openeventd)"),
            ("no name", (None, Some(4242), 0, 0), "uid:4242 (as root)"),
        ];
        for (case, (login, sudo, real, effective), expected) in cases {
            let started = Started { login, sudo, real, effective, owner: Some(990) };
            assert_eq!(named(started, name_of), expected, "{case}");
        }
    }

    #[test]
    fn a_person_who_owns_the_database_cannot_act_as_another() {
        for sudo in [0, 990, 1001] {
            let mut started =
                Started { login: None, sudo: Some(sudo), real: 1000, effective: 1000, owner: Some(1000) };
            assert_eq!(named(started, name_of), "alice");
            started.owner = None;
            assert_eq!(named(started, name_of), "alice");
        }
    }
}
