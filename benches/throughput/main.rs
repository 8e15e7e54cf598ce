//! The whole path against a real broker: events per second of `openeventd run`, beside its ceilings.
//!
//! `cargo bench --bench throughput` starts Kafka on loopback, fills a topic with instance-status events
//! of one kilobyte and measures, in the same run: a bare consumer that only counts, SQLite alone, a
//! careful Python script (if its packages are installed), and the daemon in several situations. Figures
//! are ratios to the ceilings of the same run; nothing is asserted.
//!
//! `EVENTS` (default 300000) and `STORED` (default 0; rows stored beforehand for the last situation).

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot go on ends; its result is what it prints"
)]

#[path = "../../tests/broker/harness/mod.rs"]
mod harness;

mod ceilings;

mod daemon;

mod endpoint;

mod events;

mod latency;

use harness::Version;

/// Partitions of the topic.
const PARTITIONS: i32 = 4;

fn main() {
    let count = setting("EVENTS", 300_000);
    let Some(cluster) = harness::own(Version::Current) else { return };
    println!("filling a topic with {count} events ...");
    harness::admin::create_topic(&cluster, "events", PARTITIONS);
    harness::admin::produce(&cluster, "events", PARTITIONS, count, events::payload);

    let consumer = ceilings::bare_consumer(&cluster, "events", count);
    println!("(a) bare consumer            {consumer:>9.0} events/s");
    let sqlite = ceilings::sqlite_alone(count);
    println!("(b) SQLite alone             {sqlite:>9.0} rows/s      {:.2} of (a)", sqlite / consumer);
    let rival = ceilings::python_script(&cluster, "events", count);
    match rival {
        Some(rival) => {
            println!("(c) careful Python script    {rival:>9.0} events/s    {:.2} of (a)", rival / consumer);
        }
        None => println!("(c) careful Python script: not measured, pip install confluent-kafka orjson"),
    }
    let show = |name: &str, measured: &daemon::Measured| {
        let beside = rival.map_or(String::new(), |rival| format!("  {:.2} of (c)", measured.rate / rival));
        println!(
            "{name:<28} {:>9.0} events/s    {:.2} of (b){beside}  {:.1} us CPU/event  {:.0} MB  first event after {} ms",
            measured.rate,
            measured.rate / sqlite,
            measured.cpu_us_per_event,
            measured.resident_mb,
            measured.first_event_ms
        );
    };
    let endpoint = endpoint::start();
    let observing =
        daemon::Setting { percent: 1, mode: "observe", ..daemon::Setting::new(&cluster, &endpoint) };
    let (measured, database) = daemon::measure(&observing, count, None);
    show("1 % matching, observe", &measured);
    let (measured, _) = daemon::measure(&observing, count, Some(&database));
    show("full replay, all duplicates", &measured);
    for percent in [1, 5] {
        let live = daemon::Setting { percent, mode: "live", ..daemon::Setting::new(&cluster, &endpoint) };
        let (measured, _) = daemon::measure(&live, count, None);
        show(&format!("{percent} % matching, live"), &measured);
    }
    let latency = latency::measure(&observing);
    println!(
        "event to call, 200 events/s      median {} ms, 99 % {} ms, worst {} ms of {} calls",
        latency.median_ms, latency.p99_ms, latency.worst_ms, latency.calls
    );
    let secured = daemon::Setting { sasl_ssl: true, ..observing };
    let (measured, _) = daemon::measure(&secured, count, None);
    show("1 % matching, SASL_SSL", &measured);
    let stored = setting("STORED", 0);
    if stored > 0 {
        let plain = daemon::Setting { sasl_ssl: false, ..secured };
        let database = daemon::fill_database(stored);
        let (measured, _) = daemon::measure(&plain, count, Some(&database));
        show(&format!("with {stored} rows stored"), &measured);
    }
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
