//! The pure core of the intake, one event of one kilobyte at a time: `cargo bench --bench core`.
//!
//! The ceiling of decoding is `serde_json` skipping over the same bytes once; matching is measured beside
//! decoding, with 10 to 10,000 rules of which one matches.

#![expect(clippy::expect_used, reason = "a benchmark that cannot go on ends")]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use openeventd::event::decode::{Limits, decode};
use openeventd::record::Record;
use openeventd::rule::parse::{Surroundings, parse};
use openeventd::rule::{Policy, RuleFile, RuleSet};
use serde_json::value::RawValue;

#[path = "throughput/events.rs"]
mod events;

fn rules(count: usize) -> RuleSet {
    let mut text = String::new();
    for number in 0..count {
        let node = 700_005_183_000 + number;
        let _ = write!(
            text,
            "[[rule]]\nname = \"rule-{number}\"\nmatch = {{ code = \"instance-status-changes\", node = {node} }}\n"
        );
    }
    let policy = Policy::default();
    let surroundings = Surroundings { accounts: &[], policy: &policy };
    let files = vec![RuleFile { path: "bench.toml".to_owned(), text }];
    parse(files, &surroundings).expect("the rules are right").0
}

fn core(criterion: &mut Criterion) {
    let payload = events::payload(1);
    let text = std::str::from_utf8(&payload).expect("text");
    let (record, limits) = (Record::of_payload(&payload), Limits::default());
    let mut group = criterion.benchmark_group("one event");
    group.throughput(Throughput::Elements(1));
    group.bench_function("ceiling: serde_json skips it", |bench| {
        bench.iter(|| serde_json::from_str::<&RawValue>(black_box(text)).expect("JSON"));
    });
    group.bench_function("decode", |bench| {
        bench.iter(|| decode(black_box(&record), &limits).expect("an event"));
    });
    let event = decode(&record, &limits).expect("an event");
    for count in [10, 100, 1_000, 10_000] {
        let rules = rules(count);
        let (mut matched, mut failed) = (Vec::new(), Vec::new());
        group.bench_function(format!("match against {count} rules"), |bench| {
            bench.iter(|| {
                matched.clear();
                failed.clear();
                rules.matches(black_box(&event), &mut matched, &mut failed);
                assert_eq!(matched.len(), 1);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, core);
criterion_main!(benches);
