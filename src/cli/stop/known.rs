//! Whether a rule and an operation that a person names are there.

use crate::cli::{Exit, Failure};
use crate::diagnostic::nearest;
use crate::escape::Escaped;
use crate::operation::{self, ApiVersion};
use crate::store::Reader;
use crate::store::stop::Stop;

#[derive(Debug, thiserror::Error)]
#[error("nothing was stopped: {what} `{}` is not known{}; --even-if-unknown stops it all the same", Escaped(.name), meant(.nearest.as_deref()))]
struct Unknown {
    what: &'static str,
    name: String,
    nearest: Option<String>,
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(", did you mean `{}`?", Escaped(name))).unwrap_or_default()
}

/// Refuses a rule or an operation that is not known.
pub(super) async fn refuse_unknown(reader: &mut Reader, stop: &Stop) -> Result<(), Failure> {
    if let Some(operation) = &stop.operation {
        let known = || [ApiVersion::V2024, ApiVersion::V2020].into_iter().flat_map(operation::names);
        refuse("operation", operation, known)?;
    }
    if let Some(rule) = &stop.rule {
        let names = reader.rule_names().await?;
        refuse("rule", rule, || names.iter().map(String::as_str))?;
    }
    Ok(())
}

fn refuse<'a, I>(what: &'static str, name: &str, known: impl Fn() -> I) -> Result<(), Failure>
where
    I: Iterator<Item = &'a str>,
{
    if known().any(|one| one == name) {
        return Ok(());
    }
    let nearest = nearest(name, known()).map(str::to_owned);
    Err(Failure::new(Exit::NoInput, Unknown { what, name: name.to_owned(), nearest }))
}
