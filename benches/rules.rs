//! Ten thousand rules beside ten, of each kind of condition; one of them matches: `cargo bench --bench rules`.
//!
//! What the payload's parsing costs is measured too, since a rule that looks into the payload has to wait for it. Building
//! is measured without the TOML around it, and the memory of a rule as what the process grows by.

#![expect(clippy::expect_used, reason = "a benchmark that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "what criterion does not measure is printed")]

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use openeventd::event::decode::{Limits, decode};
use openeventd::event::json::Node;
use openeventd::record::Record;
use openeventd::rule::index::Index;
use openeventd::rule::parse::{Surroundings, parse};
use openeventd::rule::pattern::Pattern;
use openeventd::rule::{Policy, RuleFile, RuleSet};

#[path = "throughput/events.rs"]
mod events;

const FEW: usize = 10;
const MANY: usize = 10_000;
const NODE: usize = 700_005_183_000;

/// A kind of condition, and the pattern of rule `n`.
type Kind = (&'static str, fn(usize) -> String);

/// What rule `n` looks for; the event has node 700005183001 and the text `word-00001-Tail`, so that rule 1 matches.
const KINDS: [Kind; 10] = [
    ("exact facts", |n| format!(r#"{{"code": ["instance-status-changes"], "node": [{}]}}"#, NODE + n)),
    ("exact values of the payload", |n| format!(r#"{{"data": {{"nodeId": [{}]}}}}"#, NODE + n)),
    ("prefix", |n| format!(r#"{{"data": {{"text": [{{"prefix": "{}"}}]}}}}"#, word(n))),
    ("suffix", |n| format!(r#"{{"data": {{"text": [{{"suffix": "{n:05}-Tail"}}]}}}}"#)),
    ("numeric", |n| format!(r#"{{"node": [{{"numeric": [">=", {}, "<", {}]}}]}}"#, NODE + n, NODE + n + 1)),
    ("contains", |n| format!(r#"{{"data": {{"text": [{{"contains": "{}"}}]}}}}"#, word(n))),
    ("wildcard", |n| format!(r#"{{"data": {{"text": [{{"wildcard": "*{n:05}-*"}}]}}}}"#)),
    ("equals-ignore-case", |n| {
        format!(r#"{{"data": {{"text": [{{"equals-ignore-case": "{}-TAIL"}}]}}}}"#, word(n))
    }),
    ("anything-but", |n| {
        let other = if n == 1 { "x" } else { "word-00001-Tail" };
        format!(r#"{{"data": {{"text": [{{"anything-but": ["{other}", "y{n}"]}}]}}}}"#)
    }),
    ("one shared field", |n| {
        format!(
            r#"{{"code": ["instance-status-changes"], "kind": ["regular"], "data": {{"text": [{{"prefix": "{}"}}], "dagType": [0]}}}}"#,
            word(n)
        )
    }),
];

/// A word that no other number's word begins with.
fn word(number: usize) -> String {
    format!("word-{number:05}")
}

fn rules(count: usize, pattern: fn(usize) -> String) -> RuleSet {
    let file = |first: usize| {
        let mut text = String::new();
        for number in first..count.min(first + 1_000) {
            let _ = write!(text, "[[rule]]\nname = \"rule-{number}\"\nmatch = '''{}'''\n", pattern(number));
        }
        RuleFile { path: format!("bench-{first:05}.toml"), text }
    };
    let policy = Policy::default();
    let surroundings = Surroundings { accounts: &[], policy: &policy };
    let files = (0..count).step_by(1_000).map(file).collect();
    parse(files, &surroundings).expect("the rules are right").0
}

fn matching(criterion: &mut Criterion) {
    let payload = String::from_utf8(events::payload(1)).expect("text");
    let payload = payload.replacen("\"dagId\"", "\"text\":\"word-00001-Tail\",\"note\":\"a.b\",\"dagId\"", 1);
    let record = Record::of_payload(payload.as_bytes());
    let event = decode(&record, &Limits::default()).expect("an event");
    assert!(matches!(event.data, Cow::Borrowed(_)), "the payload is as it was sent");
    let mut group = criterion.benchmark_group("one event");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    group.bench_function("parsing its payload", |bench| {
        bench.iter(|| Node::parse(black_box(&event.data)).expect("JSON"));
    });
    for (name, pattern) in KINDS {
        for count in [FEW, MANY] {
            let rules = rules(count, pattern);
            let (mut matched, mut failed) = (Vec::new(), Vec::new());
            group.bench_function(format!("{name}, {count} rules"), |bench| {
                bench.iter(|| {
                    matched.clear();
                    failed.clear();
                    rules.matches(black_box(&event), &mut matched, &mut failed);
                    assert_eq!(matched.len(), 1, "{name}");
                });
            });
        }
    }
    group.finish();
}

/// Bytes of this process in memory.
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/statm").expect("the process is there");
    let pages: usize = text.split(' ').nth(1).expect("a number").parse().expect("a number");
    pages * 4096
}

fn building(criterion: &mut Criterion) {
    let wanted = |kind: &&Kind| ["exact facts", "prefix", "numeric"].contains(&kind.0);
    let kinds: Vec<Kind> = KINDS.iter().filter(wanted).copied().collect();
    let texts: Vec<String> = (0..MANY).zip(kinds.iter().cycle()).map(|(n, kind)| kind.1(n)).collect();
    let compile = || -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::parse_json(text, None).expect("a pattern")).collect()
    };
    let before = resident();
    let patterns = compile();
    let index = Index::build(patterns.iter());
    println!("exact, prefix and numeric: {} bytes a rule", (resident() - before) / MANY);
    drop(black_box(index));
    let mut group = criterion.benchmark_group("ten thousand rules of exact, prefix and numeric conditions");
    group.sample_size(20);
    group.bench_function("compile", |bench| bench.iter(compile));
    group.bench_function("index", |bench| bench.iter(|| Index::build(black_box(&patterns).iter())));
    group.finish();
}

criterion_group!(benches, building, matching);
criterion_main!(benches);
