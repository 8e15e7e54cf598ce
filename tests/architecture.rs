//! The never-list, enforced over the text of the sources.
//!
//! Each rule carries a planted violation, and the same checker has to find it: a rule that finds nothing
//! any more is found out itself. The checks read lines, not syntax; they are kept simple on purpose.

#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test that cannot go on has failed; its helpers stand outside of test functions"
)]

use std::fs;
use std::path::Path;

/// One rule.
struct Rule {
    name: &'static str,
    /// The lines (from 1) that break it in a file, given by its path and text.
    breaches: fn(&str, &str) -> Vec<usize>,
    /// A file that breaks it: path and text.
    planted: (&'static str, &'static str),
}

const PURE: [&str; 11] = [
    "diagnostic",
    "duration",
    "escape",
    "record",
    "event",
    "batch",
    "rule",
    "operation",
    "quota",
    "action",
    "rule_test",
];
const EDGES: [&str; 3] = ["kafka", "store", "openapi"];
const ABOVE: [&str; 13] = [
    "begun",
    "clock",
    "ingest",
    "dispatch",
    "judge",
    "upkeep",
    "http",
    "monitoring",
    "supervise",
    "config",
    "demo",
    "cli",
    "telemetry",
];
const LINES_MAX: usize = 400;

const RULES: [Rule; 24] = [
    Rule {
        name: "the pure core does no I/O",
        breaches: |path, text| {
            in_pure(path, text, &["std::fs", "std::net", "std::io", "std::process", "std::env", "File::open"])
        },
        planted: ("src/rule/parse.rs", "fn f() { std::fs::read(\"x\"); }"),
    },
    Rule {
        name: "the pure core has no clock",
        breaches: |path, text| {
            in_pure(path, text, &["SystemTime", "Instant::now", "Timestamp::now", "Zoned::now"])
        },
        planted: ("src/action/plan.rs", "let t = jiff::Timestamp::now();"),
    },
    Rule {
        name: "the pure core has no randomness",
        breaches: |path, text| in_pure(path, text, &["fastrand", "rand::", "RandomState"]),
        planted: ("src/action.rs", "let nonce = fastrand::u64(..);"),
    },
    Rule {
        name: "the pure core neither waits nor logs",
        breaches: |path, text| in_pure(path, text, &["async ", ".await", "tokio", "tracing"]),
        planted: ("src/event/decode.rs", "tracing::info!(\"decoded\");"),
    },
    Rule {
        name: "the pure core names no edge and nothing above it",
        breaches: |path, text| {
            if layer(path).is_some_and(|module| PURE.contains(&module)) {
                find(production(text), |line| EDGES.iter().chain(&ABOVE).any(|name| names(line, name)))
            } else {
                Vec::new()
            }
        },
        planted: ("src/rule.rs", "use crate::store::Row;"),
    },
    Rule {
        name: "no edge names another edge or what is above it",
        breaches: |path, text| {
            let Some(own) = layer(path).filter(|module| EDGES.contains(module)) else { return Vec::new() };
            find(production(text), |line| {
                EDGES.iter().chain(&ABOVE).any(|name| *name != own && names(line, name))
            })
        },
        planted: ("src/openapi/call.rs", "use crate::store::Outbox;"),
    },
    Rule {
        name: "each client library is named in its edge only",
        breaches: |path, text| {
            let own = layer(path).unwrap_or_default();
            let homes = [("rdkafka", "kafka"), ("sqlx", "store"), ("reqwest", "openapi")];
            let foreign: Vec<_> = homes.iter().filter(|(_, home)| *home != own).collect();
            if !path.starts_with("src/") {
                return Vec::new();
            }
            find(production(text), |line| {
                let uses = |library: &str| {
                    line.contains(&format!("{library}::")) || line.contains(&format!("use {library}"))
                };
                foreign.iter().any(|(library, _)| uses(library))
            })
        },
        planted: ("src/ingest.rs", "use rdkafka::consumer::BaseConsumer;"),
    },
    Rule {
        name: "the configuration goes no further than the subcommands",
        breaches: |path, text| match layer(path) {
            None | Some("config" | "cli" | "demo" | "main") => Vec::new(),
            _ => find(production(text), |line| line.contains("config::Config") || line.contains("&Config")),
        },
        planted: ("src/supervise.rs", "fn run(config: &Config) {}"),
    },
    Rule {
        name: "anyhow is for the subcommands",
        breaches: |path, text| match layer(path) {
            None | Some("cli" | "main") => Vec::new(),
            _ => find(production(text), |line| line.contains("anyhow")),
        },
        planted: ("src/store.rs", "fn open() -> anyhow::Result<()>"),
    },
    Rule {
        name: "nothing unwraps outside of tests",
        breaches: |path, text| {
            in_src(path, text, &[".unwrap()", ".expect(", "panic!(", "todo!(", "unimplemented!("])
        },
        planted: ("src/kafka.rs", "let x = text.parse().unwrap();"),
    },
    Rule {
        name: "no unsafe code",
        breaches: |path, text| in_src(path, text, &["unsafe {", "unsafe fn", "unsafe impl"]),
        planted: ("src/kafka.rs", "unsafe { call() }"),
    },
    Rule {
        name: "modules have names that say something",
        breaches: |path, _| {
            let vague = ["util", "utils", "common", "helpers", "types", "models", "manager", "misc"];
            let is_vague = |part: &str| vague.contains(&part.trim_end_matches(".rs"));
            if path.starts_with("src/") && path.split('/').any(is_vague) { vec![1] } else { Vec::new() }
        },
        planted: ("src/store/util.rs", ""),
    },
    Rule {
        name: "SQL is never put together by formatting",
        breaches: |path, text| {
            if !path.starts_with("src/") {
                return Vec::new();
            }
            let lines: Vec<&str> = production(text).lines().collect();
            let statement = |at: usize| lines.iter().skip(at).take(3).copied().collect::<String>();
            let has_sql = |text: &str| {
                let verbs = ["SELECT ", "INSERT ", "UPDATE ", "DELETE "];
                text.split(';').next().is_some_and(|first| verbs.iter().any(|verb| first.contains(verb)))
            };
            (0..lines.len())
                .filter(|at| {
                    is_code(lines[*at]) && lines[*at].contains("format!(") && has_sql(&statement(*at))
                })
                .map(|at| at + 1)
                .collect()
        },
        planted: ("src/store/audit.rs", "let sql = format!(\n    \"SELECT * FROM {table}\");"),
    },
    Rule {
        name: "settings and rules are read strictly",
        breaches: |path, text| match layer(path) {
            Some("config" | "rule") => find(production(text), |line| {
                line.contains("serde(") && (line.contains("flatten") || line.contains("untagged"))
            }),
            _ => Vec::new(),
        },
        planted: ("src/config/raw.rs", "#[serde(flatten)]\nrest: Map,"),
    },
    Rule {
        name: "wire input may grow",
        breaches: |path, text| match layer(path) {
            Some("event" | "record" | "openapi") => {
                find(production(text), |line| line.contains("deny_unknown_fields"))
            }
            _ => Vec::new(),
        },
        planted: ("src/event/decode.rs", "#[serde(deny_unknown_fields)]"),
    },
    Rule {
        name: "what holds a secret cannot be shown",
        breaches: secrets_shown,
        planted: (
            "src/openapi/credential.rs",
            "#[derive(Clone, Serialize)]\n/// Signs.\npub struct Credentials {}",
        ),
    },
    Rule {
        name: "tests do not sleep",
        breaches: |path, text| in_tests(path, text, &["thread::sleep", "time::sleep", "sleep("]),
        planted: ("tests/it/store.rs", "std::thread::sleep(Duration::from_secs(1));"),
    },
    Rule {
        name: "tests are not ignored",
        breaches: |_, text| contains_any(text, &["#[ignore"]),
        planted: ("tests/it/store.rs", "#[ignore = \"slow\"]"),
    },
    Rule {
        name: "production types have no test-only code",
        breaches: |path, text| {
            let lines: Vec<&str> = text.lines().collect();
            let after = |at: usize| lines.get(at + 1).copied().unwrap_or_default();
            (0..lines.len())
                .filter(|at| path.starts_with("src/") && lines[*at].trim() == "#[cfg(test)]")
                .filter(|at| !after(*at).starts_with("mod "))
                .map(|at| at + 1)
                .collect()
        },
        planted: ("src/store.rs", "#[cfg(test)]\npub fn reset() {}"),
    },
    Rule {
        name: "a module begins with its charter",
        breaches: |path, text| {
            if path.starts_with("src/") && !text.starts_with("//! ") { vec![1] } else { Vec::new() }
        },
        planted: ("src/store/intake.rs", "use std::fmt;"),
    },
    Rule {
        name: "a source file has at most 400 lines",
        breaches: |path, text| {
            if path.starts_with("src/") && text.lines().count() > LINES_MAX {
                vec![LINES_MAX + 1]
            } else {
                Vec::new()
            }
        },
        planted: ("src/store.rs", LONG),
    },
    Rule {
        name: "the map of the crate is in reading order, with a line for each module",
        breaches: map_out_of_order,
        planted: ("src/lib.rs", "//! Map.\n/// Events.\npub mod event;\n\npub mod rule;"),
    },
    Rule {
        name: "an alarm tells its error with all causes",
        breaches: alarms_without_cause,
        planted: ("src/ingest.rs", "fn f() {\n tracing::error!(\n id = \"x\",\n %error,\n \"gone\"\n );\n}"),
    },
    Rule {
        name: "every dependency has its reason",
        breaches: dependencies_without_reason,
        planted: ("Cargo.toml", "[dependencies]\n# Numbers.\na = \"1\"\n\nb = \"2\""),
    },
];

/// A file of 401 lines.
const LONG: &str = {
    const TEXT: [u8; LINES_MAX + 1] = [b'\n'; LINES_MAX + 1];
    match std::str::from_utf8(&TEXT) {
        Ok(text) => text,
        Err(_) => "",
    }
};

#[test]
fn the_sources_keep_every_rule() {
    let mut files = vec!["Cargo.toml".to_owned()];
    for directory in ["src", "tests"] {
        collect(Path::new(directory), &mut files);
    }
    assert!(files.len() > 20, "the sources were not found: {files:?}");
    let mut broken = Vec::new();
    // This file quotes what it forbids.
    for path in files.iter().filter(|path| *path != "tests/architecture.rs") {
        let text = fs::read_to_string(path).expect("sources are UTF-8");
        for rule in &RULES {
            broken.extend(
                (rule.breaches)(path, &text).iter().map(|line| format!("{path}:{line}: {}", rule.name)),
            );
        }
    }
    assert!(broken.is_empty(), "{} breaches:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn every_rule_finds_its_planted_violation() {
    for rule in &RULES {
        let (path, text) = rule.planted;
        assert!(!(rule.breaches)(path, text).is_empty(), "`{}` does not find its violation", rule.name);
    }
}

#[test]
fn the_rules_leave_tests_comments_and_other_layers_alone() {
    for (path, text) in [
        (
            "src/rule.rs",
            "//! Rules.\n// std::fs is not for us\n#[cfg(test)]\nmod tests { fn f() { x.unwrap() } }",
        ),
        ("src/kafka.rs", "//! Kafka.\nuse rdkafka::ClientConfig;\nuse crate::kafka::probe;"),
        ("src/cli/run.rs", "//! Runs.\nfn run(config: &Config) {}"),
    ] {
        for rule in &RULES {
            assert!((rule.breaches)(path, text).is_empty(), "`{}` is too eager about {path}", rule.name);
        }
    }
}

/// Paths of all Rust sources below `directory`, sorted.
fn collect(directory: &Path, files: &mut Vec<String>) {
    let entries = fs::read_dir(directory).expect("the sources can be listed");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("the entry can be read").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path.to_str().expect("names are UTF-8").to_owned());
        }
    }
}

/// The top-level module that the source `path` belongs to; `None` outside of `src/`.
fn layer(path: &str) -> Option<&str> {
    path.strip_prefix("src/").map(|rest| rest.split(['/', '.']).next().unwrap_or_default())
}

/// The text without its test module, which is the last item of a file.
fn production(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod ").map_or(text, |at| &text[..at])
}

fn is_code(line: &str) -> bool {
    !line.trim_start().starts_with("//")
}

/// The lines of code, from 1, for which `breaks` holds.
fn find(text: &str, breaks: impl Fn(&str) -> bool) -> Vec<usize> {
    let lines = text.lines().enumerate();
    lines.filter(|(_, line)| is_code(line) && breaks(line)).map(|(at, _)| at + 1).collect()
}

fn contains_any(text: &str, words: &[&str]) -> Vec<usize> {
    find(text, |line| words.iter().any(|word| line.contains(word)))
}

fn in_pure(path: &str, text: &str, words: &[&str]) -> Vec<usize> {
    let is_pure = layer(path).is_some_and(|module| PURE.contains(&module));
    if is_pure { contains_any(production(text), words) } else { Vec::new() }
}

fn in_src(path: &str, text: &str, words: &[&str]) -> Vec<usize> {
    // A long test module may have a file of its own.
    let is_production = path.starts_with("src/") && !path.ends_with("/tests.rs");
    if is_production { contains_any(production(text), words) } else { Vec::new() }
}

fn in_tests(path: &str, text: &str, words: &[&str]) -> Vec<usize> {
    if path.starts_with("tests/") { contains_any(text, words) } else { Vec::new() }
}

/// Whether the line names the crate's module `name`.
fn names(line: &str, name: &str) -> bool {
    line.split("crate::").skip(1).any(|rest| {
        let rest = rest.trim_start_matches('{');
        rest.strip_prefix(name)
            .is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

/// Derives and implementations that would show a type which holds secrets.
fn secrets_shown(path: &str, text: &str) -> Vec<usize> {
    const HOLDERS: [&str; 7] =
        ["Ambient", "Configured", "Credentials", "Held", "Sasl", "Secrets", "SecretString"];
    const SHOWING: [&str; 4] = ["Display", "Serialize", "AsRef", "Deref"];
    if !path.starts_with("src/") {
        return Vec::new();
    }
    let lines: Vec<&str> = production(text).lines().collect();
    let defines = |line: &str| HOLDERS.iter().any(|name| line.contains(&format!("struct {name} ")));
    let shows = |line: &str| SHOWING.iter().any(|word| line.contains(word));
    let derived = |at: usize| {
        lines[..at].iter().rev().take_while(|line| line.starts_with(['#', '/'])).any(|line| shows(line))
    };
    let implements = |line: &str| {
        let holder =
            |name: &&str| line.contains(&format!(" for {name} ")) || line.ends_with(&format!(" for {name}"));
        line.starts_with("impl") && shows(line) && HOLDERS.iter().any(holder)
    };
    (0..lines.len())
        .filter(|at| (defines(lines[*at]) && derived(*at)) || implements(lines[*at]))
        .map(|at| at + 1)
        .collect()
}

/// Errors of alarms that are logged by their own words alone, which leave the cause to their sources.
fn alarms_without_cause(path: &str, text: &str) -> Vec<usize> {
    if !path.starts_with("src/") {
        return Vec::new();
    }
    let text = production(text);
    text.match_indices("tracing::error!(")
        .filter(|(at, _)| {
            let alarm = text[*at..].split(");").next().unwrap_or_default();
            alarm.contains("id = ") && alarm.contains("%error")
        })
        .map(|(at, _)| text[..at].matches('\n').count() + 1)
        .collect()
}

/// Modules of lib.rs without a line of their own, or before one that their charter calls the next.
fn map_out_of_order(path: &str, text: &str) -> Vec<usize> {
    if path != "src/lib.rs" {
        return Vec::new();
    }
    let lines: Vec<&str> = text.lines().collect();
    let module =
        |line: &str| line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')).map(str::to_owned);
    let declared: Vec<(usize, String)> =
        lines.iter().enumerate().filter_map(|(at, line)| Some((at, module(line)?))).collect();
    let place = |name: &str| declared.iter().position(|(_, declared)| declared == name);
    let leads_back = |name: &str| {
        let charter = fs::read_to_string(format!("src/{name}.rs")).unwrap_or_default();
        let next = charter
            .split("Next: [`crate::")
            .nth(1)
            .and_then(|rest| rest.split('`').next())
            .map(str::to_owned);
        next.is_some_and(|next| place(&next) <= place(name))
    };
    declared
        .iter()
        .filter(|(at, name)| *at == 0 || !lines[at - 1].starts_with("//") || leads_back(name))
        .map(|(at, _)| at + 1)
        .collect()
}

/// Dependencies that no comment stands above, alone or with those directly below it.
fn dependencies_without_reason(path: &str, text: &str) -> Vec<usize> {
    if !path.ends_with("Cargo.toml") {
        return Vec::new();
    }
    let (mut in_dependencies, mut has_reason, mut found) = (false, false, Vec::new());
    for (at, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            in_dependencies = line.trim_matches(['[', ']']).ends_with("dependencies");
            has_reason = false;
        } else if line.trim().is_empty() {
            has_reason = false;
        } else if line.starts_with('#') {
            has_reason = true;
        } else if in_dependencies && !has_reason {
            found.push(at + 1);
        }
    }
    found
}
