//! The differences of two rule sets as JSON.

use serde::Serialize;

use super::{Change, Comparison};
use crate::cli::instant::Utc;
use crate::rule::outline::{Outline, Part};
use crate::store::look::rules::Standing;

/// The names are those of the JSON.
#[derive(Serialize)]
struct Object<'a> {
    same: bool,
    running: Running<'a>,
    directory: Directory<'a>,
    added: Vec<Place<'a>>,
    removed: Vec<Place<'a>>,
    changed: Vec<Changed<'a>>,
    moved: Vec<Changed<'a>>,
    unchanged: usize,
    differs_outside_of_rules: bool,
}

#[derive(Serialize)]
struct Running<'a> {
    hash: &'a str,
    in_force: bool,
    loaded_at: Utc,
}

#[derive(Serialize)]
struct Directory<'a> {
    path: String,
    hash: &'a str,
}

#[derive(Serialize)]
struct Place<'a> {
    name: &'a str,
    path: &'a str,
    line: usize,
}

#[derive(Serialize)]
struct Changed<'a> {
    name: &'a str,
    path: &'a str,
    line: usize,
    path_before: &'a str,
    parts: Vec<&'static str>,
    before: &'a str,
    after: &'a str,
}

/// One line of JSON.
pub(super) fn of(compared: &Comparison) -> String {
    let (moved, changed): (Vec<&Change>, Vec<&Change>) =
        compared.changed.iter().partition(|change| change.parts.is_empty());
    let running = &compared.running;
    let object = Object {
        same: compared.is_same(),
        running: Running {
            hash: &running.hash,
            in_force: running.standing == Standing::InForce,
            loaded_at: Utc(running.loaded_at_ms),
        },
        directory: Directory { path: compared.directory.display().to_string(), hash: &compared.hash },
        added: compared.added.iter().map(place).collect(),
        removed: compared.removed.iter().map(place).collect(),
        changed: changed.into_iter().map(as_changed).collect(),
        moved: moved.into_iter().map(as_changed).collect(),
        unchanged: compared.unchanged,
        differs_outside_of_rules: compared.differs_outside(),
    };
    // Only a map whose keys are no text could fail here.
    let mut line = serde_json::to_string(&object).unwrap_or_default();
    line.push('\n');
    line
}

fn place(rule: &Outline) -> Place<'_> {
    Place { name: &rule.name, path: &rule.path, line: rule.line }
}

fn as_changed(Change { was, is, parts }: &Change) -> Changed<'_> {
    Changed {
        name: &is.name,
        path: &is.path,
        line: is.line,
        path_before: &was.path,
        parts: parts.iter().copied().map(Part::as_str).collect(),
        before: &was.text,
        after: &is.text,
    }
}
