//! Tables of the documentation are complete: what the code can say, the documents explain.

use std::fs;
use std::path::Path;
use std::process::Command;

use openeventd::event::Flags;
use openeventd::monitoring::alarms::{ALARMS, Ends};

use super::{audit, document, documents};

/// The text of every source file.
fn sources(directory: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(directory).expect("the directory is listed") {
        let path = entry.expect("the entry is read").path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).expect("it is text"));
        }
    }
    text
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What stands between each `before` and the next `after`.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    let mut found: Vec<_> =
        text.split(before).skip(1).filter_map(|rest| Some(rest.split_once(after)?.0)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The part of `text` below the heading that is `title`.
fn section<'a>(text: &'a str, title: &str) -> &'a str {
    let below = text.split_once(&format!("\n{title}\n")).unwrap_or_else(|| panic!("no section {title}")).1;
    let level = title.split(' ').next().expect("a heading");
    below.split_once(&format!("\n{level} ")).map_or(below, |(section, _)| section)
}

/// The words that stand as `` `word` `` first in the rows of the table whose first column is `title`, sorted.
fn table<'a>(section: &'a str, title: &str) -> Vec<&'a str> {
    let head = format!("| {title} |");
    let rows =
        section.lines().skip_while(|line| !line.starts_with(&head)).take_while(|line| line.starts_with('|'));
    let mut words: Vec<&str> =
        rows.filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(word, _)| word).collect();
    words.sort_unstable();
    words
}

#[test]
fn every_alarm_is_explained() {
    let sources = sources(&root().join("src"));
    let mut ids = between(&sources, " id = \"", "\"");
    ids.extend(between(&sources, "(id = \"", "\""));
    ids.sort_unstable();
    ids.dedup();
    let operations = document("docs/operations.md");
    let alarms = section(&operations, "## Alarms");
    assert_eq!(table(alarms, "id"), ids);
    let counted: Vec<&str> = ALARMS.iter().map(|(id, _)| *id).collect();
    assert_eq!(counted, ids, "each is counted");
    for (id, ends) in ALARMS {
        let says_so = alarms.contains(&format!("| `{id}` | ends. "));
        assert_eq!(says_so, ends == Ends::WhenOver, "{id}");
    }
}

#[test]
fn the_rules_for_prometheus_ask_for_metrics_that_exist() {
    let operations = document("docs/operations.md");
    let text = section(&operations, "## Metrics and health");
    let known = table(text, "metric");
    let rules = between(text, "```yaml file openeventd.rules.yaml\n", "```");
    let words = rules[0].split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let asked: Vec<&str> = words.filter(|word| word.starts_with("openeventd_")).collect();
    assert!(asked.len() >= 9, "{asked:?}");
    for metric in asked {
        assert!(known.contains(&metric), "{metric}");
    }
}

#[test]
fn every_kind_of_kafka_fault_is_explained() {
    let source = fs::read_to_string(root().join("src/kafka/fault.rs")).expect("it is text");
    let declared = between(&source, "pub enum FaultKind {", "\n}");
    let kinds = declared[0].lines().filter_map(|line| line.trim().strip_suffix(','));
    let mut kinds: Vec<&str> = kinds.filter(|kind| !kind.starts_with('/')).collect();
    kinds.sort_unstable();
    let operations = document("docs/operations.md");
    assert_eq!(table(section(&operations, "## Alarms"), "kind"), kinds);
}

#[test]
fn every_class_of_a_call_is_explained() {
    let source = fs::read_to_string(root().join("src/openapi/error.rs")).expect("it is text");
    let mut classes: Vec<&str> = between(&source, "Class::", ",")
        .into_iter()
        .filter_map(|arm| arm.split_once("=> \"")?.1.strip_suffix('"'))
        .collect();
    classes.push("success");
    classes.sort_unstable();
    assert!(classes.len() >= 12, "{classes:?}");
    let audit = document("docs/audit.md");
    assert_eq!(table(section(&audit, "### `attempts`"), "class"), classes);
}

#[test]
fn every_flag_and_every_reason_of_quarantine_is_explained() {
    let sources: String = sources(&root().join("src/event")).split_whitespace().collect();
    let reasons = between(&sources, "DecodeError::new(\"", "\"");
    assert!(reasons.len() >= 9, "{reasons:?}");
    let audit = document("docs/audit.md");
    let flags: Vec<&str> = Flags::from_bits(u32::MAX).words().collect();
    for word in flags.into_iter().chain(reasons) {
        assert!(audit.contains(&format!("`{word}`")), "{word}");
    }
}

#[test]
fn every_exit_code_is_explained() {
    let source = fs::read_to_string(root().join("src/cli/exit.rs")).expect("it is text");
    let declared = between(&source, "pub enum Exit {", "\n}");
    let codes: Vec<&str> = between(declared[0], " = ", ",");
    let operations = document("docs/operations.md");
    assert_eq!(table(section(&operations, "## Exit codes"), "code"), codes);
}

#[test]
fn every_view_and_column_is_explained() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("audit.db");
    audit::write(&path);
    let ask = |query: &str| {
        let output = Command::new("sqlite3").arg("-readonly").arg(&path).arg(query).output();
        String::from_utf8(output.expect("sqlite3 is installed").stdout).expect("the output is UTF-8")
    };
    let text = document("docs/audit.md");
    let views = ask("SELECT name FROM sqlite_schema WHERE type = 'view'");
    assert!(views.lines().count() >= 11, "{views}");
    for view in views.lines() {
        let columns = ask(&format!("SELECT name FROM pragma_table_info('{view}')"));
        let mut columns: Vec<_> = columns.lines().collect();
        columns.sort_unstable();
        assert_eq!(table(section(&text, &format!("### `{view}`")), "column"), columns, "{view}");
    }
}

#[test]
fn every_word_that_the_database_checks_is_explained() {
    let schema = fs::read_to_string(root().join("migrations/0001_audit.sql")).expect("it is text");
    let text = document("docs/audit.md");
    let lists: Vec<&str> = between(&schema, " IN ('", ")");
    assert!(lists.len() >= 8, "{lists:?}");
    for word in lists.iter().flat_map(|list| list.split(',')) {
        let word = word.trim().trim_matches('\'');
        assert!(text.contains(&format!("`{word}`")), "{word}");
    }
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    for (path, text) in documents() {
        let folder = root().join(&path).parent().expect("it lies somewhere").to_owned();
        for target in between(&text, "](", ")") {
            let file = target.split('#').next().expect("there is a first part");
            assert!(
                target.starts_with("http") || file.is_empty() || folder.join(file).exists(),
                "{path}: {target}"
            );
        }
    }
}
