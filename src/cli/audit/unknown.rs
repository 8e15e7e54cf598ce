//! Names that nothing has, where nothing was found: a misspelt one is told from one that nothing has happened to.

use crate::cli::Failure;
use crate::diagnostic::nearest;
use crate::event::catalogue;
use crate::rule::outline::outlines;
use crate::store::Reader;

/// What is to be added where nothing was found for a rule or a code of such names.
pub(super) async fn told(
    reader: &mut Reader,
    rule: Option<&str>,
    code: Option<&str>,
) -> Result<String, Failure> {
    let mut told = String::new();
    if let Some(rule) = rule {
        let kept = reader.running_rules().await?;
        let known = kept.and_then(|kept| outlines(&kept.files).ok()).unwrap_or_default();
        let known: Vec<&str> = known.keys().map(String::as_str).collect();
        told += &unless_known("no rule in force is called", rule, &known);
    }
    if let Some(code) = code {
        let known: Vec<&str> = catalogue::all().map(|row| row.code).collect();
        told += &unless_known("no event of the catalogue has the code", code, &known);
    }
    Ok(told)
}

fn unless_known(lead: &str, name: &str, known: &[&str]) -> String {
    if known.contains(&name) {
        return String::new();
    }
    let meant = nearest(name, known.iter().copied())
        .map(|near| format!(" (did you mean `{near}`?)"))
        .unwrap_or_default();
    format!("; {lead} `{name}`{meant}")
}
