//! The figures that are read when somebody asks: what the board holds, as gauges.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Unit;

use super::Board;
use super::board::{Condition, Observed, Quota, ReloadOutcome, Verdict};
use crate::clock::now_ms;
use crate::store::daemon::{Intake, RulesCondition};

/// Reads the board at each scrape.
#[derive(Debug)]
pub(super) struct Figures(pub(super) Arc<Board>);

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut out = Out(encoder);
        let (condition, observed) = (self.0.condition(), self.0.observed());
        out.info("build", "The program", [("version", env!("CARGO_PKG_VERSION"))])?;
        self.condition(&mut out, &condition)?;
        self.alarms(&mut out)?;
        intake(&mut out, &observed)?;
        waiting(&mut out, &observed)?;
        spending(&mut out, &observed)?;
        storage(&mut out, &observed)
    }
}

impl Figures {
    fn condition(&self, out: &mut Out<'_>, condition: &Condition) -> fmt::Result {
        let is_ready = matches!(self.0.readiness(), Verdict::Yes(_));
        let is_degraded = condition.rules.condition == RulesCondition::Degraded;
        out.info(
            "rule_set",
            "The rules in force, by the hash of their content",
            [("hash", &*condition.rules.hash)],
        )?;
        out.gauge("rules", "Rules in force", None, i64::try_from(condition.rules.count).unwrap_or(i64::MAX))?;
        let help = "1 if the rule directory has errors and earlier rules are in force";
        out.gauge("rules_degraded", help, None, i64::from(is_degraded))?;
        out.gauge("ready", "What /readyz says", None, i64::from(is_ready))?;
        out.gauge(
            "start_time",
            "When the daemon started",
            Some(&Unit::Seconds),
            seconds(condition.started_at_ms),
        )?;
        if let Some(reload) = condition.reload {
            let help = "When the rules were reloaded last, with success or without";
            out.gauge("reload_timestamp", help, Some(&Unit::Seconds), seconds(reload.at_ms))?;
            let is_done = reload.outcome == ReloadOutcome::Done;
            out.gauge(
                "reload_success",
                "Whether the last reload put its rules in force",
                None,
                i64::from(is_done),
            )?;
        }
        Ok(())
    }

    fn alarms(&self, out: &mut Out<'_>) -> fmt::Result {
        let mut family =
            out.0.encode_descriptor("alarms", "Alarms raised, by id.", None, MetricType::Counter)?;
        for (id, times) in self.0.alarms.raised() {
            ConstCounter::new(times).encode(family.encode_family(&[("id", id)])?)?;
        }
        let on = self.0.alarms.on().map(|(id, on)| ([("id", id)], i64::try_from(on).unwrap_or(i64::MAX)));
        out.gauges("alarm_active", "How often an alarm that ends is on, by id", on)
    }
}

fn intake(out: &mut Out<'_>, observed: &Observed) -> fmt::Result {
    let states = Intake::ALL.map(|state| ([("state", state.as_str())], i64::from(state == observed.intake)));
    out.gauges("intake", "1 for the state of the intake", states)?;
    let assigned = i64::try_from(observed.assigned).unwrap_or(i64::MAX);
    out.gauge("partitions_assigned", "Partitions that are ours", None, assigned)?;
    let unknown = i64::try_from(observed.lag_unknown()).unwrap_or(i64::MAX);
    let help = "Partitions that are ours and have no lag_records, since their end is not known";
    out.gauge("lag_unknown_partitions", help, None, unknown)?;
    let numbers: Vec<String> = observed.partitions.iter().map(|one| one.partition.to_string()).collect();
    let lags = observed.partitions.iter().zip(&numbers).filter_map(|(one, number)| {
        one.lag.map(|lag| ([("topic", one.topic.as_str()), ("partition", number.as_str())], lag))
    });
    out.gauges("lag_records", "Records between the committed offset and the end of the partition", lags)
}

fn waiting(out: &mut Out<'_>, observed: &Observed) -> fmt::Result {
    let Some(backlog) = &observed.backlog else { return Ok(()) };
    let held_in_all = backlog.held.iter().map(|(_, count)| count).sum();
    let states = [
        ("planned", backlog.planned),
        ("waiting", backlog.waiting),
        ("in_flight", backlog.in_flight),
        ("held", held_in_all),
        ("unresolved", backlog.unresolved),
        ("dead", backlog.dead),
    ];
    let by_state = states.map(|(state, count)| ([("state", state)], count));
    out.gauges("actions", "Actions that are not finished, or need a person, by state", by_state)?;
    let by_reason = backlog.held.iter().map(|(reason, count)| ([("reason", reason.as_str())], *count));
    out.gauges("actions_held", "Held actions, by reason", by_reason)?;
    let overdue_ms = backlog.first_due_at_ms.map_or(0, |due| now_ms().saturating_sub(due).max(0));
    let help = "How long the planned action that is due first has been due; 0 if none is";
    out.gauge("oldest_due", help, Some(&Unit::Seconds), seconds(overdue_ms))?;
    out.gauge(
        "quarantined_records",
        "Quarantined records that were not replayed",
        None,
        backlog.quarantined,
    )?;
    out.gauge("gaps", "Ranges of offsets that were never seen", None, backlog.gaps)
}

/// What keeps calls from being made, and what they have spent. Accounts are those of the settings.
fn spending(out: &mut Out<'_>, observed: &Observed) -> fmt::Result {
    if let Some(backlog) = &observed.backlog {
        out.gauge("stops", "Stops in force that people made", None, backlog.stops)?;
        let parked = backlog.parked.iter().map(|(account, reason, count)| {
            ([("account", account.as_str()), ("reason", reason.as_str())], *count)
        });
        out.gauges("parked", "Why calls of an account are not tried for a while, by reason", parked)?;
    }
    let mut of_accounts = |name, help, figure: fn(&Quota) -> Option<i64>| {
        let labels = |quota: &Quota| [("account", quota.account.clone()), ("region", quota.region.clone())];
        let values = observed.quotas.iter().filter_map(|quota| Some((labels(quota), figure(quota)?)));
        out.gauges(name, help, values)
    };
    of_accounts("quota_sent", "Calls sent in the present day of the quota", |quota| Some(quota.day_sent))?;
    of_accounts("quota_limit", "Calls that may be sent in that day, where there is a limit", |quota| {
        quota.day_limit.map(count)
    })?;
    of_accounts(
        "quota_succeeded_month",
        "Calls that succeeded in the present month of the quota",
        |quota| Some(quota.month_succeeded),
    )?;
    of_accounts(
        "quota_limit_month",
        "Calls that may succeed in that month, where there is a limit",
        |quota| quota.month_limit.map(count),
    )
}

fn storage(out: &mut Out<'_>, observed: &Observed) -> fmt::Result {
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    for (name, help, size) in [
        ("database", "The database file", observed.database_bytes),
        ("wal", "The write-ahead log of the database", Some(observed.wal_bytes)),
        ("disk_free", "Free for us on the disk of the database", observed.disk_free_bytes),
    ] {
        if let Some(size) = size {
            out.gauge(name, help, Some(&Unit::Bytes), bytes(size))?;
        }
    }
    Ok(())
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Writes one metric after the other.
struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn info<const N: usize>(&mut self, name: &str, help: &str, labels: [(&str, &str); N]) -> fmt::Result {
        let encoder = self.0.encode_descriptor(name, &sentence(help), None, MetricType::Info)?;
        Info::new(labels.to_vec()).encode(encoder)
    }

    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        value: impl EncodeGaugeValue + Copy,
    ) -> fmt::Result {
        self.0.encode_descriptor(name, &sentence(help), unit, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn gauges<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (L, i64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, &sentence(help), None, MetricType::Gauge)?;
        for (labels, value) in values {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// As the registry writes the texts of what it holds itself.
fn sentence(help: &str) -> String {
    format!("{help}.")
}

fn seconds(ms: i64) -> f64 {
    std::time::Duration::from_millis(u64::try_from(ms).unwrap_or_default()).as_secs_f64()
}
