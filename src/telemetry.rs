//! Logs for operators, on standard error or into a file.
//!
//! Text with colours on a terminal, text without elsewhere, with the priority prefix of the journal
//! where standard error is the journal, or one JSON object a line. Text from events may hold control
//! characters: they are escaped, so that no event can forge a line or drive a terminal. The variable
//! `RUST_LOG` overrides the level, also by module.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{self, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How operators see what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The form of a line.
    pub format: Format,
    /// Lines below this level are not written.
    pub level: Level,
}

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text; with colours on a terminal, with priorities for the journal.
    Auto,
    /// Text, plain.
    Text,
    /// One JSON object a line.
    Json,
}

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something failed that a person must mend.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What was decided and done.
    Info,
    /// Why.
    Debug,
    /// Everything.
    Trace,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `RUST_LOG` is wrong.
    #[error("RUST_LOG=`{text}` is no filter, expected for instance `info,openeventd::kafka=debug`")]
    Filter {
        /// Its value.
        text: String,
        /// The reason.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Logging was set up before.
    #[error("logging was set up twice")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Where the lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Terminal,
    Journal,
    Other,
}

/// Starts logging for the whole process; `filter` is the text of `RUST_LOG`, if it is set.
pub fn start(settings: &Settings, filter: Option<&str>) -> Result<(), TelemetryError> {
    let output = if io::stderr().is_terminal() {
        Output::Terminal
    } else if std::env::var_os("JOURNAL_STREAM").is_some() {
        Output::Journal
    } else {
        Output::Other
    };
    let filter = env_filter(settings.level, filter)?;
    subscriber(settings.format, output, filter, io::stderr).try_init().map_err(TelemetryError::Twice)
}

/// Starts logging for the whole process into `file`, plain, for a program that shows something else.
pub fn start_in_file(settings: &Settings, filter: Option<&str>, file: File) -> Result<(), TelemetryError> {
    let filter = env_filter(settings.level, filter)?;
    subscriber(settings.format, Output::Other, filter, Arc::new(file))
        .try_init()
        .map_err(TelemetryError::Twice)
}

fn env_filter(level: Level, filter: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    let default = match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    let text = filter.unwrap_or(default);
    EnvFilter::try_new(text).map_err(|source| TelemetryError::Filter { text: text.to_owned(), source })
}

fn subscriber<W>(
    format: Format,
    output: Output,
    filter: EnvFilter,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match (format, output) {
        (Format::Json, _) => Box::new(builder.json().flatten_event(true).finish()),
        (Format::Auto, Output::Journal) => Box::new(
            builder
                .with_ansi(false)
                .fmt_fields(fields())
                .event_format(Prioritised(format::format().without_time().with_level(false)))
                .finish(),
        ),
        (Format::Auto | Format::Text, _) => {
            let colours = format == Format::Auto && output == Output::Terminal;
            Box::new(builder.with_ansi(colours).fmt_fields(fields()).finish())
        }
    }
}

/// Writes fields with their control characters escaped.
fn fields() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    format::debug_fn(|writer, field, value| {
        let mut escaped = Escaping(writer);
        if field.name() == "message" {
            write!(escaped, "{value:?}")
        } else {
            write!(escaped, "{field}={value:?}")
        }
    })
    .delimited(" ")
}

/// Escapes what text from events could do to a terminal or a line.
struct Escaping<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        crate::escape::write(self.0, text)
    }
}

/// Puts the journal's priority before each line.
struct Prioritised<F>(F);

impl<S, N, F> FormatEvent<S, N> for Prioritised<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            tracing::Level::ERROR => 3,
            tracing::Level::WARN => 4,
            tracing::Level::INFO => 6,
            tracing::Level::DEBUG | tracing::Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no test panics while it writes").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: Format, output: Output, log: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let filter = env_filter(Level::Info, None).expect("the level is a filter");
        let subscriber = subscriber(format, output, filter, move || writer.clone());
        tracing::subscriber::with_default(subscriber, log);
        let bytes = buffer.0.lock().expect("no test panics while it writes").clone();
        String::from_utf8(bytes).expect("lines are UTF-8")
    }

    #[test]
    fn text_of_an_event_cannot_forge_a_line_or_drive_a_terminal() {
        let hostile = "a\n<3>forged \u{1b}[2Jcleared \u{9b}31m \u{202e}turned";
        for (format, output) in [
            (Format::Auto, Output::Other),
            (Format::Auto, Output::Journal),
            (Format::Text, Output::Terminal),
            (Format::Json, Output::Other),
        ] {
            let line = written(format, output, || {
                tracing::info!(event_id = %hostile, name = hostile, "matched {hostile}");
            });
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            assert!(line.ends_with('\n') && !line.contains('\u{1b}'), "{line}");
            assert!(line.contains("forged"), "{line}");
        }
    }

    #[test]
    fn the_journal_gets_a_priority_and_a_terminal_gets_none() {
        let warn = || tracing::warn!(event_id = "e1", "late");
        assert!(written(Format::Auto, Output::Journal, warn).starts_with("<4>"));
        let text = written(Format::Auto, Output::Other, warn);
        assert!(text.contains("WARN") && text.contains("late event_id=\"e1\""), "{text}");
    }

    #[test]
    fn json_is_one_object_a_line_with_the_fields_at_the_top() {
        let line = written(Format::Json, Output::Terminal, || tracing::info!(event_id = "e1", "matched"));
        let object: serde_json::Value = serde_json::from_str(&line).expect("the line is JSON");
        assert_eq!((&object["event_id"], &object["message"]), (&"e1".into(), &"matched".into()));
    }

    #[test]
    fn lines_below_the_level_are_not_written() {
        assert_eq!(written(Format::Text, Output::Other, || tracing::debug!("detail")), "");
    }

    #[test]
    fn a_wrong_filter_is_refused() {
        let error = env_filter(Level::Info, Some("openeventd=loud")).expect_err("loud is no level");
        assert!(error.to_string().contains("openeventd=loud"));
    }
}
