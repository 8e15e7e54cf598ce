//! The end of the demonstration: what it came to, where the files are, what to try.

use std::io;
use std::path::Path;

use super::view::{View, print};
use crate::cli::shell::quoted;
use crate::cli::terminal::{DIM, GOOD, NAME, TITLE, WARNING, padded, styled};
use crate::demo::files;
use crate::demo::story::Instances;
use crate::store::totals::{Count, Totals};

/// Shows the sums, the proof, and the commands.
pub(super) fn show(
    view: &View,
    directory: &Path,
    configuration: &Path,
    totals: &Totals,
    (verified, foreign): (i64, i64),
    instances: &Instances,
) -> io::Result<()> {
    let seconds = view.elapsed_s();
    print("")?;
    print(&styled(TITLE, &format!("The end, after {seconds:.1} s")))?;
    print("")?;
    let records = totals.records;
    let sum = format!(
        "{} = {} events + {} known already + {} quarantined",
        records.records, records.events, records.duplicates, records.quarantined
    );
    for (what, text) in [
        ("records", sum),
        ("decisions", listed(&totals.decisions)),
        ("actions", listed(&totals.actions)),
        ("calls", listed(&totals.attempts)),
        ("look-ups", listed(&totals.lookups)),
        ("quota", format!("{} calls counted for the account today", totals.sent)),
    ] {
        print(&format!("  {}{text}", padded(NAME, what, 11)))?;
    }
    print("")?;
    let parts = records.events + records.duplicates + records.quarantined;
    let proof = match (parts == records.records, records.gaps) {
        (true, 0) => styled(GOOD, "Nothing missing: every record went somewhere, and no offset was skipped."),
        (_, gaps) => styled(WARNING, &format!("Something is missing: {gaps} gaps.")),
    };
    print(&proof)?;
    if foreign > 0 {
        let told = format!(
            "{foreign} of the records came from elsewhere: any program of this machine reaches the mock broker."
        );
        print(&styled(WARNING, &told))?;
    }
    print(&format!("The endpoint verified the signatures of {verified} calls."))?;
    print("")?;
    print(&format!(
        "Its files are in {}: {}, rules.d, audit.db and {}.",
        directory.display(),
        files::CONFIGURATION,
        files::LOG
    ))?;
    print("Now ask the audit:")?;
    print("")?;
    print(&format!("  export OPENEVENTD_CONFIG={}", quoted(&configuration.to_string_lossy())))?;
    for (command, answer) in commands(instances) {
        print(&styled(DIM, &format!("  # {answer}")))?;
        print(&format!("  {command}"))?;
    }
    Ok(())
}

fn listed(counts: &[Count]) -> String {
    let counts: Vec<String> = counts.iter().map(|count| format!("{} {}", count.count, count.kind)).collect();
    if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
}

/// Four commands as a shell takes them, and what they answer.
fn commands(instances: &Instances) -> [(String, &'static str); 4] {
    let program = std::env::args_os()
        .next()
        .map_or_else(|| "openeventd".to_owned(), |program| program.to_string_lossy().into_owned());
    let program = quoted(&program);
    let sql =
        "select rule, operation, outcome, verdict, verdict_reason from attempts where verdict is not null";
    [
        (
            format!("{program} audit instance:{}", instances.throttled),
            "the story of an instance: rerun, though the endpoint was busy at first",
        ),
        (format!("{program} outbox list"), "what waits for a person"),
        (format!("{program} quota"), "what the account has spent, and what is parked"),
        (format!("{program} sql {}", quoted(sql)), "what was found out about calls whose response was lost"),
    ]
}
