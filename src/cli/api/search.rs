//! `openeventd api search`: finds operations by words of their names and parameters.
//!
//! A word is compared with the words of a name (`RerunTaskInstances` has three), then with the name as a whole,
//! then with the parameters; plurals are alike. Every word has to be found somewhere.

use std::io::Write as _;

use super::find::{all, version};
use super::list::{summary, table};
use crate::cli::terminal::{stdout, write_list};
use crate::cli::{Exit, Failure};
use crate::escape::Escaped;
use crate::operation::{ApiVersion, Operation};

/// What `openeventd api search` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Words that all have to be found, in any order
    #[arg(value_name = "WORD", required = true)]
    words: Vec<String>,
    /// Only in this API version
    #[arg(long, value_name = "VERSION", value_parser = version)]
    api_version: Option<ApiVersion>,
    /// Show so many at most
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50,
          value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// No operation has the words.
#[derive(Debug, thiserror::Error)]
#[error("no operation has `{}` in its name or parameters: try fewer words", Escaped(.0))]
struct NothingFound(String);

/// Finds operations.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let words: Vec<String> =
        arguments.words.iter().flat_map(|word| word.split_whitespace()).map(singular).collect();
    let mut found: Vec<(u32, &'static Operation)> = all()
        .filter(|operation| arguments.api_version.is_none_or(|version| operation.version == version))
        .filter_map(|operation| Some((rank(operation, &words)?, operation)))
        .collect();
    if found.is_empty() {
        return Err(Failure::new(Exit::NoInput, NothingFound(arguments.words.join(" "))));
    }
    // The best first; of equals the shorter name, and the newer version, are more likely meant.
    found.sort_by_key(|(rank, operation)| {
        (*rank, operation.name.len(), operation.name, std::cmp::Reverse(operation.version))
    });
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
    found.truncate(usize::from(arguments.limit));
    let operations = found.iter().map(|(_, operation)| *operation);
    let mut out = stdout();
    if arguments.json {
        for operation in operations {
            writeln!(out, "{}", summary(operation))?;
        }
    } else {
        write_list(&mut out, &table(operations), found.len(), total, "")?;
    }
    Ok(Exit::Success)
}

/// How far `operation` is from the words, less is nearer; `None` if one of them is nowhere in it.
fn rank(operation: &Operation, words: &[String]) -> Option<u32> {
    let name = operation.name.to_lowercase();
    let parts = parts(operation.name);
    words.iter().try_fold(0, |sum: u32, word| Some(sum + rank_of_word(operation, &name, &parts, word)?))
}

fn rank_of_word(operation: &Operation, name: &str, parts: &[String], word: &str) -> Option<u32> {
    let params = || operation.params.iter().map(|param| param.name.to_lowercase());
    if singular(name) == word {
        Some(0)
    } else if parts.iter().any(|part| part == word) {
        Some(1)
    } else if parts.iter().any(|part| part.starts_with(word)) {
        Some(2)
    } else if name.contains(word) {
        Some(4)
    } else if params().any(|param| singular(&param) == word) {
        Some(16)
    } else if params().any(|param| param.contains(word)) {
        Some(32)
    } else {
        None
    }
}

/// The words of a name, which begin with capitals: `GetDISyncTask` is get, di, sync, task.
fn parts(name: &str) -> Vec<String> {
    let characters: Vec<char> = name.chars().collect();
    let is_upper = |at: usize| characters.get(at).is_some_and(char::is_ascii_uppercase);
    let is_lower = |at: usize| characters.get(at).is_some_and(char::is_ascii_lowercase);
    let mut parts: Vec<String> = Vec::new();
    for (at, character) in characters.iter().enumerate() {
        let begins = is_upper(at) && (at == 0 || !is_upper(at - 1) || is_lower(at + 1));
        match parts.last_mut() {
            Some(part) if !begins => part.push(character.to_ascii_lowercase()),
            _ => parts.push(character.to_ascii_lowercase().to_string()),
        }
    }
    parts.iter().map(|part| singular(part)).collect()
}

/// In lower case and without the `s` of a plural.
fn singular(word: &str) -> String {
    let word = word.to_lowercase();
    match word.strip_suffix('s') {
        Some(shorter) if shorter.len() > 2 && !shorter.ends_with('s') => shorter.to_owned(),
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_their_capitals() {
        for (name, expected) in [
            ("RerunTaskInstances", &["rerun", "task", "instance"][..]),
            ("GetDISyncTask", &["get", "di", "sync", "task"]),
            ("StopDIJob", &["stop", "di", "job"]),
            ("GetMetaDBInfo", &["get", "meta", "db", "info"]),
            ("DsgQueryDefaultTemplates", &["dsg", "query", "default", "template"]),
            ("GetTaskAccess", &["get", "task", "access"]),
        ] {
            assert_eq!(parts(name), expected, "{name}");
        }
    }

    #[test]
    fn a_name_is_nearer_than_a_parameter_and_every_word_counts() {
        let of = |name: &str, words: &[&str]| {
            let operation = all().find(|operation| operation.name == name).expect(name);
            rank(operation, &words.iter().map(|word| singular(word)).collect::<Vec<_>>())
        };
        assert_eq!(of("RerunTaskInstances", &["reruntaskinstances"]), Some(0));
        assert_eq!(of("RerunTaskInstances", &["rerun", "Instance"]), Some(2));
        assert_eq!(of("RerunTaskInstances", &["untask"]), Some(4));
        assert_eq!(of("RerunTaskInstances", &["comments"]), Some(16));
        assert_eq!(of("RerunTaskInstances", &["rerun", "baseline"]), None);
    }
}
