//! Reads the text format of metrics as strictly as its specification is: whatever is not exactly right
//! ends the test. Asks over plain TCP, one request a connection, as any scraper could.

#![expect(clippy::panic, clippy::expect_used, reason = "a page that is not right has failed its test")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No answer takes longer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The header, names in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Asks for `path`.
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n"))
}

/// Sends `request` as it is, and reads until the server closes the connection.
pub(crate) fn ask(address: SocketAddr, request: &str) -> Answer {
    let mut connection = TcpStream::connect(address).expect("somebody listens");
    connection.set_read_timeout(Some(ANSWER_TIME_MAX)).expect("a limit");
    connection.write_all(request.as_bytes()).expect("it takes the request");
    let mut text = String::new();
    connection.read_to_string(&mut text).expect("it answers and closes");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP: {text}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// A page of metrics.
#[derive(Debug)]
pub(crate) struct Exposition {
    /// By name and labels, the labels in the order of their names.
    series: BTreeMap<(String, Labels), f64>,
}

type Labels = BTreeMap<String, String>;

/// What the lines of one family said so far.
#[derive(Debug, Default)]
struct Family {
    name: String,
    kind: String,
}

/// Scrapes and reads the page of a server.
pub(crate) fn scrape(address: SocketAddr) -> Exposition {
    let answer = get(address, "/metrics");
    assert_eq!(answer.status, 200, "{answer:?}");
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(answer.head.contains(kind), "{}", answer.head);
    Exposition::read(&answer.body)
}

impl Exposition {
    pub(crate) fn read(text: &str) -> Self {
        let lines = text.strip_suffix("# EOF\n").unwrap_or_else(|| panic!("no end: {text}"));
        let (mut families, mut family) = (BTreeSet::new(), Family::default());
        let mut series = BTreeMap::new();
        for line in lines.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a name and a text");
                assert!(is_name(name) && help.len() > 3, "{line}");
                assert!(families.insert(name.to_owned()), "{name} is described twice");
                family = Family { name: name.to_owned(), kind: String::new() };
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a name and a type");
                assert_eq!((name, &*family.kind), (&*family.name, ""), "TYPE comes once, after HELP: {line}");
                assert!(["counter", "gauge", "histogram", "info"].contains(&kind), "{line}");
                kind.clone_into(&mut family.kind);
            } else if let Some(rest) = line.strip_prefix("# UNIT ") {
                let (name, unit) = rest.split_once(' ').expect("a name and a unit");
                assert_eq!(name, family.name, "{line}");
                assert!(name.ends_with(&format!("_{unit}")), "the name ends with its unit: {line}");
            } else {
                let (name, labels, value) = sample(line);
                family.admits(&name, &labels, value, line);
                assert!(series.insert((name, labels), value).is_none(), "a series comes twice: {line}");
            }
        }
        let page = Exposition { series };
        page.check_histograms();
        page
    }

    /// The value of one series.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.series.get(&(name.to_owned(), labels)).copied()
    }

    /// The sum over all series of this name whose labels hold `labels`.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |own: &Labels| {
            labels.iter().all(|(name, value)| own.get(*name).is_some_and(|known| known == value))
        };
        self.series
            .iter()
            .filter(|((known, own), _)| known == name && fits(own))
            .map(|(_, value)| value)
            .sum()
    }

    /// The names of all series; of a histogram its own.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        let is_histogram = |base: &str| self.series.keys().any(|(name, _)| *name == format!("{base}_bucket"));
        let parts = ["_bucket", "_sum", "_count"];
        let own = |name: &'_ str| parts.iter().find_map(|part| name.strip_suffix(part)).map(str::len);
        self.series
            .keys()
            .map(|(name, _)| match own(name).and_then(|length| name.get(..length)) {
                Some(base) if is_histogram(base) => base,
                _ => name.as_str(),
            })
            .collect()
    }

    /// Each bucket holds those before it, and the last holds all.
    fn check_histograms(&self) {
        let mut before: BTreeMap<(&str, Labels), (f64, f64)> = BTreeMap::new();
        let mut buckets: Vec<(&str, Labels, f64, f64)> = Vec::new();
        for ((name, labels), value) in &self.series {
            let Some(base) = name.strip_suffix("_bucket") else { continue };
            let mut others = labels.clone();
            let le = others.remove("le").expect("a bucket has a bound");
            let le = if le == "+Inf" { f64::INFINITY } else { le.parse().expect("a bound is a number") };
            buckets.push((base, others, le, *value));
        }
        buckets.sort_by(|a, b| a.2.total_cmp(&b.2));
        for (base, others, le, value) in buckets {
            let last = before.entry((base, others)).or_insert((f64::NEG_INFINITY, 0.0));
            assert!(le > last.0 && value >= last.1, "{base}: the buckets do not grow");
            *last = (le, value);
        }
        for ((base, others), (le, value)) in before {
            assert!(le.is_infinite(), "{base} has no last bucket");
            let count = self.series.get(&(format!("{base}_count"), others));
            assert_eq!(count, Some(&value), "{base}: the last bucket holds all");
        }
    }
}

impl Family {
    /// Whether a sample belongs to this family and its type.
    fn admits(&self, name: &str, labels: &Labels, value: f64, line: &str) {
        let suffix = name.strip_prefix(self.name.as_str());
        let suffix = suffix.unwrap_or_else(|| panic!("not of the family {}: {line}", self.name));
        let fits = match self.kind.as_str() {
            "counter" => suffix == "_total" && value >= 0.0,
            "gauge" => suffix.is_empty(),
            "info" => suffix == "_info" && (value - 1.0).abs() < f64::EPSILON,
            "histogram" => match suffix {
                "_bucket" => labels.contains_key("le"),
                "_sum" | "_count" => true,
                _ => false,
            },
            other => panic!("a sample of the type {other:?}: {line}"),
        };
        assert!(fits, "no sample of a {}: {line}", self.kind);
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// `name{label="value",...} number`
fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no sample: {line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            assert!(is_name(label), "{line}");
            let (value, after) = quoted(after, line);
            assert!(labels.insert(label.to_owned(), value).is_none(), "a label comes twice: {line}");
            if let Some(after) = after.strip_prefix(',') {
                rest = after;
            } else {
                rest = after.strip_prefix('}').unwrap_or_else(|| panic!("no end of labels: {line}"));
                break;
            }
        }
    }
    let number = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no value: {line}"));
    (name.to_owned(), labels, number.parse().unwrap_or_else(|_| panic!("no number: {line}")))
}

/// The text up to the closing quote, and what follows it.
fn quoted<'a>(text: &'a str, line: &str) -> (String, &'a str) {
    let (mut value, mut characters) = (String::new(), text.char_indices());
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, text.get(at + 1..).unwrap_or_default()),
            '\\' => match characters.next().map(|(_, escaped)| escaped) {
                Some('n') => value.push('\n'),
                Some(escaped @ ('\\' | '"')) => value.push(escaped),
                other => panic!("{other:?} cannot be escaped: {line}"),
            },
            other => value.push(other),
        }
    }
    panic!("no closing quote: {line}")
}
