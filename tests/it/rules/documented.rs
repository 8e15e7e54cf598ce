//! What `docs/rules.md` and the example rules say is true: its examples are run.

use std::path::Path;
use std::process::Command;

use openeventd::cli::rule_files;
use openeventd::event::json::Node;
use openeventd::rule::Mode;
use openeventd::rule::pattern::Pattern;

use super::event_of::rule_set;

fn project_file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// The fenced blocks of `language`, in order.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}");
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == opening {
            blocks.push(lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n"));
        } else if line.starts_with("```") {
            assert!(lines.by_ref().any(|line| line == "```"), "a block that does not end");
        }
    }
    blocks
}

#[test]
fn every_pattern_of_the_documentation_does_what_it_says() {
    let text = project_file("docs/rules.md");
    let mut examples = 0;
    for block in blocks(&text, "pattern") {
        let mut lines = block.lines();
        let written = lines.next().expect("a pattern");
        let pattern = Pattern::parse_json(written, None).unwrap_or_else(|error| panic!("{written}: {error}"));
        for line in lines {
            let (expected, event) = match line.trim().strip_prefix("no match") {
                Some(event) => (false, event),
                None => (true, line.trim().strip_prefix("match").expect("`match` or `no match`")),
            };
            let event = Node::parse(event.trim()).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(pattern.matches_document(event), expected, "{written}\n{line}");
            examples += 1;
        }
    }
    assert!(examples >= 90, "{examples}");
    for line in blocks(&text, "invalid").iter().flat_map(|block| block.lines()) {
        assert!(Pattern::parse_json(line, None).is_err(), "{line}");
    }
}

#[test]
fn every_rule_of_the_documentation_is_accepted() {
    let text = project_file("docs/rules.md");
    let rules = blocks(&text, "toml");
    assert!(rules.len() >= 4);
    for rule in rules {
        assert!(!rule_set(&rule).rules.is_empty(), "{rule}");
    }
}

#[test]
fn every_operator_and_field_is_documented() {
    let text = project_file("docs/rules.md");
    for name in [
        "prefix",
        "suffix",
        "contains",
        "anything-but",
        "numeric",
        "exists",
        "equals-ignore-case",
        "wildcard",
        "cidr",
        "regex",
        "not",
        "$or",
        "null",
        "instance",
        "instances",
        "node",
        "nodes",
        "file",
        "table",
        "status",
        "rows",
        "bytes",
        "workspace",
        "operator",
        "account",
        "region",
        "code",
        "kind",
        "id",
        "source",
        "type",
        "time",
        "specversion",
        "subject",
        "data",
    ] {
        assert!(text.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_example_rules_are_accepted_and_only_observe() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/rules.d");
    let files = rule_files::read(&folder).expect("the folder is read");
    let texts: Vec<&str> = files.iter().map(|file| file.text.as_str()).collect();
    let rules = rule_set(&texts.join("\n")).rules;
    for rule in &rules {
        assert_eq!(rule.mode, Mode::Observe, "{}", rule.name);
    }
    assert!(rules.len() >= 20, "{}", rules.len());
}

#[test]
fn the_example_rules_pass_their_tests_and_each_is_covered() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/openeventd.toml");
    let output = Command::new(env!("CARGO_BIN_EXE_openeventd"))
        .args(["rules", "test", "--fail-uncovered", "--config"])
        .arg(config)
        .env_clear()
        .output()
        .expect("the program runs");
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}
