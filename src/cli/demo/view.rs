//! The live view: one line for each thing that the audit tells, paced so that a person can follow.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anstyle::Style;

use crate::cli::terminal::{self, BAD, DIM, GOOD, NAME, TITLE, WARNING, padded, styled};
use crate::demo::Stage;
use crate::store::follow::{NewAttempt, NewDecision, NewEvent, News};

/// Between two lines that come at the same time.
const LINE_EVERY: Duration = Duration::from_millis(40);

/// Widths of the columns.
const NUMBER: usize = 5;
const WHAT: usize = 25;
const WHOM: usize = 26;

/// Before what belongs to the line above.
const INDENT: usize = 14;

/// Prints what happens, with the time since the beginning.
pub(super) struct View {
    begun: Instant,
}

impl View {
    pub(super) fn begin() -> Self {
        View { begun: Instant::now() }
    }

    /// How long it goes on.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// What is about to be seen.
    pub(super) fn introduce(&mut self, directory: &Path, stage: &Stage) -> io::Result<()> {
        let title = "DataWorks events in, rules, signed API calls out: all on this machine";
        self.print(&styled(TITLE, title))?;
        self.print("")?;
        let rules = directory.join("rules.d").display().to_string();
        for (what, text) in [
            ("broker", format!("{}, Kafka's protocol by SASL_SSL, in this process", stage.broker())),
            (
                "endpoint",
                format!("{}, verifies every signature; busy, and not always well", stage.endpoint.url()),
            ),
            ("rules", format!("{rules}, as a user writes them")),
            ("daemon", "the same code as `openeventd run`".to_owned()),
        ] {
            self.print(&format!("  {}{text}", padded(NAME, what, 10)))?;
        }
        self.print("")?;
        self.print("Waiting for the consumer group: a broker gives it 3 s to gather its members.")?;
        self.print("")
    }

    /// Tells the news, line by line.
    pub(super) async fn tell(&mut self, news: &News) -> io::Result<()> {
        for event in &news.events {
            self.line(event.seq, &event_text(event)).await?;
            for decision in &event.decisions {
                self.pause().await;
                let rule = padded(NAME, &decision.rule, WHAT);
                self.print(&format!("{:INDENT$}{rule}{}", "", decision_text(decision, event)))?;
            }
        }
        for record in &news.quarantined {
            let text = format!("kept whole: {}", record.message);
            let line = format!("{}{}", padded(WARNING, "quarantined", WHAT), padded(Style::new(), &text, 0));
            self.plain_line(&line).await?;
        }
        for _ in 0..news.duplicates {
            let line = format!(
                "{}a record came again, by another way: nothing is planned twice",
                padded(WARNING, "known already", WHAT)
            );
            self.plain_line(&line).await?;
        }
        for attempt in &news.attempts {
            let operation = padded(Style::new(), &attempt.operation, WHAT);
            self.line(attempt.event, &format!("{operation}{}", attempt_text(attempt))).await?;
        }
        Ok(())
    }

    /// A line about the event of this number.
    async fn line(&mut self, number: i64, text: &str) -> io::Result<()> {
        let number = padded(DIM, &format!("#{number}"), NUMBER);
        self.pause().await;
        self.print(&format!("{} {number} {text}", self.stamp()))
    }

    /// A line about something that has no number.
    async fn plain_line(&mut self, text: &str) -> io::Result<()> {
        self.pause().await;
        self.print(&format!("{} {:NUMBER$} {text}", self.stamp(), ""))
    }

    async fn pause(&self) {
        tokio::time::sleep(LINE_EVERY).await;
    }

    fn stamp(&self) -> String {
        styled(DIM, &format!("{:5.1} s", self.begun.elapsed().as_secs_f64()))
    }

    /// Prints one line, at once.
    pub(super) fn print(&mut self, line: &str) -> io::Result<()> {
        let mut stdout = terminal::stdout();
        writeln!(stdout, "{}", line.trim_end())?;
        stdout.flush()
    }
}

fn event_text(event: &NewEvent) -> String {
    let code = event.code.as_deref().unwrap_or("(no code)");
    let whom = match event {
        NewEvent { instance: Some(id), .. } => format!("instance {id}"),
        NewEvent { file: Some(id), .. } => format!("file {id}"),
        NewEvent { table: Some(table), .. } => format!("table {table}"),
        NewEvent { node: Some(id), .. } => format!("node {id}"),
        NewEvent { workspace: Some(id), .. } => format!("workspace {id}"),
        _ => String::new(),
    };
    let status = event.status.as_deref().unwrap_or_default();
    if event.decisions.is_empty() {
        return format!("{}{}{}", padded(DIM, code, WHAT), padded(DIM, &whom, WHOM), styled(DIM, status));
    }
    let status_style = if status == "Failure" { BAD } else { Style::new() };
    let whom = padded(TITLE, &whom, WHOM);
    format!("{}{whom}{}", padded(TITLE, code, WHAT), styled(status_style, status))
}

fn decision_text(decision: &NewDecision, event: &NewEvent) -> String {
    let operation = decision.operation.as_deref().unwrap_or_default();
    match (decision.outcome.as_str(), decision.state.as_deref(), decision.held_reason.as_deref()) {
        ("recorded", ..) => "recorded, it has no step".to_owned(),
        ("untrusted", ..) => {
            let workspace = event.workspace.map_or_else(String::new, |id| format!(" {id}"));
            styled(WARNING, &format!("not acted on: workspace{workspace} is not trusted"))
        }
        ("failed", ..) => styled(BAD, "failed"),
        (_, Some("observed"), _) => format!("only observes: would call {operation}"),
        (_, Some("held"), Some("approve")) => {
            styled(WARNING, &format!("held until a person approves: {operation}"))
        }
        (_, Some("held"), Some("stale")) => {
            styled(WARNING, &format!("held, the event is too old: {operation}"))
        }
        (_, Some("held"), reason) => {
            styled(WARNING, &format!("held ({}): {operation}", reason.unwrap_or_default()))
        }
        _ => format!("calls {operation}"),
    }
}

fn attempt_text(attempt: &NewAttempt) -> String {
    let status = attempt.http_status.map_or_else(|| "---".to_owned(), |status| status.to_string());
    let code = attempt.error_code.as_deref().unwrap_or_default();
    let class = attempt.class.as_deref().unwrap_or_default();
    let latency = attempt.latency_ms.map_or_else(String::new, |ms| format!(" in {ms} ms"));
    let (style, text) = match (attempt.outcome.as_deref().unwrap_or_default(), class) {
        ("succeeded", _) if attempt.number > 1 => {
            (GOOD, format!("succeeded{latency}, at attempt {}", attempt.number))
        }
        ("succeeded", _) => (GOOD, format!("succeeded{latency}")),
        ("due_again", "throttled") => (WARNING, format!("{code}: not executed, sent again soon")),
        ("due_again", "lost") => {
            (WARNING, "no response; to repeat it changes nothing more: sent again".to_owned())
        }
        ("due_again", _) => (WARNING, format!("{code}: to repeat it is harmless, sent again soon")),
        ("unresolved", _) => (BAD, "no response; a second call may be a second run: unresolved".to_owned()),
        ("dead", _) => (BAD, format!("{code}: dead, no repetition can help")),
        (outcome, _) => (WARNING, format!("{outcome} {code}")),
    };
    format!("{} {}", styled(style, &status), styled(style, &crate::escape::Escaped(&text).to_string()))
}
