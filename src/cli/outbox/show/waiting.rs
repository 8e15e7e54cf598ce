//! What an action waits for, when it runs or is looked up, and what keeps it from that.

use anstyle::Style;
use serde_json::{Map, Value};

use super::{objects, text};
use crate::cli::instant::{age, ms_of};
use crate::cli::stop::words;
use crate::cli::terminal::{BAD, Columns, DIM, WARNING};
use crate::store::stop::Stop;

/// Adds what is known of that.
pub(super) fn rows(fields: &mut Columns, story: &Map<String, Value>, now_ms: i64) {
    for row in objects(story, "stops") {
        let narrowed = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        let stop = Stop {
            rule: narrowed("rule"),
            workspace: row.get("workspace").and_then(Value::as_i64),
            operation: narrowed("operation"),
        };
        let (who, why) = (text(row, "who"), text(row, "reason"));
        let told = format!("{} by {who}: {why}", words::in_words(&stop));
        fields.row([(DIM, "stopped"), (BAD, &told)]);
    }
    let waits_for = text(story, "waits_for");
    if !waits_for.is_empty() {
        fields.row([(DIM, "waits for"), (Style::new(), &format!("{waits_for}: {}", meaning(&waits_for)))]);
    }
    let verify_at = text(story, "verify_at");
    if let Some(ahead_ms) = ms_of(&verify_at).map(|ms| ms - now_ms) {
        let told = match ahead_ms {
            ..=0 => "by the daemon, as soon as it gets to it".to_owned(),
            ahead_ms => format!("by the daemon at {verify_at}, in {}", age(ahead_ms)),
        };
        fields.row([(DIM, "looked up"), (Style::new(), &told)]);
    }
    let held_at = text(story, "will_be_held_at");
    if !held_at.is_empty() {
        let in_time = ms_of(&held_at).map_or_else(String::new, |ms| format!(", in {}", age(ms - now_ms)));
        let told = format!("its time is over before it can run: at {held_at}{in_time}, it is held (expired)");
        fields.row([(DIM, "then"), (WARNING, &told)]);
    }
}

/// What a word of `waits_for` means.
fn meaning(waits_for: &str) -> &'static str {
    match waits_for {
        "turn" => "a free slot once it is due",
        "retry" => "its next attempt",
        "order" => "an earlier action of its in_order_by key",
        "forbidden" => "the account may not call this operation for this workspace; one call will find out",
        "credentials" => "the account's key is refused; one call will find out",
        "clock" => "the time of the account's calls is refused; one call will find out",
        "endpoint" => "the endpoint fails; one call will find out",
        "day_spent" | "day_refused" => "the account's calls of the day are used up (`openeventd quota`)",
        "month_spent" | "month_refused" => {
            "the account's calls of the month are used up (`openeventd quota`)"
        }
        _ => "calls are parked",
    }
}
