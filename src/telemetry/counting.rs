//! Reads alarms off the log: ERROR lines with an `id` raise one, INFO lines with it end one.
//!
//! A layer beside the one that writes, so the level that operators chose for the log changes nothing.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::Context;
use tracing_subscriber::{Layer, Registry};

use crate::monitoring::alarms::{Alarms, Told};

struct Counting(Alarms);

/// A layer that raises and ends `alarms`. Lines without an `id` never reach it.
pub(super) fn layer(alarms: Alarms) -> Box<dyn Layer<Registry> + Send + Sync> {
    let may_tell = filter_fn(|metadata| {
        let is_either = *metadata.level() == Level::ERROR || *metadata.level() == Level::INFO;
        is_either && metadata.is_event() && metadata.fields().field("id").is_some()
    })
    .with_max_level_hint(LevelFilter::INFO);
    Counting(alarms).with_filter(may_tell).boxed()
}

impl<S: Subscriber> Layer<S> for Counting {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut told = Told::default();
        event.record(&mut Reading(&mut told));
        if *event.metadata().level() == Level::ERROR {
            self.0.raise(told, crate::clock::now_ms());
        } else {
            self.0.end(&told);
        }
    }
}

struct Reading<'a>(&'a mut Told);

impl Visit for Reading<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let told = match field.name() {
            "id" => &mut self.0.id,
            "kind" => &mut self.0.kind,
            "subject" => &mut self.0.subject,
            "message" => &mut self.0.message,
            "fix" => &mut self.0.fix,
            _ => return,
        };
        *told = format!("{value:?}");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // Without the quotes that `Debug` would put around it.
        self.record_debug(field, &format_args!("{value}"));
    }
}
