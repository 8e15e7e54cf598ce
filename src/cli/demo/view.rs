//! The live view: one line for each thing that the audit tells, paced so that a person can follow.
//!
//! The times are those of the audit, so that the pace of the lines cannot lie about them.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use anstyle::Style;

use crate::cli::instant::age;
use crate::cli::terminal::{self, BAD, DIM, GOOD, NAME, TITLE, WARNING, padded, styled};
use crate::clock::now_ms;
use crate::demo::Stage;
use crate::escape::Escaped;
use crate::store::follow::{
    NewAttempt, NewDecision, NewDuplicates, NewEvent, NewParking, NewQuarantined, NewVerdict, News,
};

/// Between two lines that come at the same time.
const LINE_EVERY: Duration = Duration::from_millis(90);

/// Widths of the columns.
const NUMBER: usize = 5;
const WHAT: usize = 27;
const WHOM: usize = 26;

/// Before what belongs to the line above.
const INDENT: usize = 9 + NUMBER;

/// Prints what happens, with the time since the beginning.
pub(super) struct View {
    begun_ms: i64,
}

/// One thing that the audit tells.
enum Told<'a> {
    Event(&'a NewEvent),
    Quarantined(&'a NewQuarantined),
    Known(&'a NewDuplicates),
    Attempt(&'a NewAttempt),
    Parking(&'a NewParking),
    Verdict(&'a NewVerdict),
}

impl Told<'_> {
    /// When it was, milliseconds since 1970.
    fn at_ms(&self) -> i64 {
        match self {
            Told::Event(event) => event.accepted_ms,
            Told::Quarantined(record) => record.quarantined_at,
            Told::Known(batch) => batch.accepted_at,
            Told::Attempt(attempt) => attempt.finished_at.unwrap_or_default(),
            Told::Parking(parking) => parking.since,
            Told::Verdict(verdict) => verdict.verified_at,
        }
    }
}

impl View {
    pub(super) fn begin() -> Self {
        View { begun_ms: now_ms() }
    }

    /// How long it goes on, seconds.
    pub(super) fn elapsed_s(&self) -> f64 {
        self.since_s(now_ms())
    }

    /// What is about to be seen.
    pub(super) fn introduce(directory: &Path, stage: &Stage) -> io::Result<()> {
        let title = "DataWorks events in, rules, signed API calls out: all on this machine";
        print(&styled(TITLE, title))?;
        print("")?;
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
            print(&format!("  {}{text}", padded(NAME, what, 10)))?;
        }
        print("")?;
        print("Waiting for the consumer group: a broker gives it 3 s to gather its members.")?;
        print("")
    }

    /// Tells the news, in their order.
    pub(super) async fn tell(&self, news: &News) -> io::Result<()> {
        let mut all: Vec<Told<'_>> = Vec::new();
        all.extend(news.events.iter().map(Told::Event));
        all.extend(news.quarantined.iter().map(Told::Quarantined));
        all.extend(news.duplicates.iter().map(Told::Known));
        all.extend(news.attempts.iter().map(Told::Attempt));
        all.extend(news.parkings.iter().map(Told::Parking));
        all.extend(news.verdicts.iter().map(Told::Verdict));
        all.sort_by_key(Told::at_ms);
        for told in &all {
            self.line(told).await?;
        }
        Ok(())
    }

    async fn line(&self, told: &Told<'_>) -> io::Result<()> {
        let stamp = styled(DIM, &format!("{:5.1} s", self.since_s(told.at_ms())));
        let (number, text) = match told {
            Told::Event(event) => (Some(event.seq), event_text(event)),
            Told::Quarantined(record) => {
                let what = padded(WARNING, "quarantined", WHAT);
                (None, format!("{what}{}", Escaped(&format!("kept whole: {}", record.message))))
            }
            Told::Known(batch) => {
                let what = padded(WARNING, "known already", WHAT);
                let events = if batch.duplicates == 1 { "event" } else { "events" };
                (None, format!("{what}{} {events} came again: nothing is planned twice", batch.duplicates))
            }
            Told::Attempt(attempt) => {
                let operation = padded(Style::new(), &attempt.operation, WHAT);
                (Some(attempt.event), format!("{operation}{}", attempt_text(attempt)))
            }
            Told::Parking(parking) => {
                (None, format!("{}{}", padded(WARNING, "parked", WHAT), parking_text(parking)))
            }
            Told::Verdict(verdict) => {
                let operation = padded(Style::new(), &verdict.operation, WHAT);
                (Some(verdict.event), format!("{operation}{}", verdict_text(verdict)))
            }
        };
        let number = number.map_or_else(String::new, |number| format!("#{number}"));
        tokio::time::sleep(LINE_EVERY).await;
        print(&format!("{stamp}  {}{text}", padded(DIM, &number, NUMBER)))?;
        if let Told::Event(event) = told {
            for decision in &event.decisions {
                tokio::time::sleep(LINE_EVERY).await;
                let rule = padded(NAME, &decision.rule, WHAT);
                print(&format!("{:INDENT$}{rule}{}", "", decision_text(decision, event)))?;
            }
        }
        Ok(())
    }

    fn since_s(&self, at_ms: i64) -> f64 {
        let since = u64::try_from(at_ms.saturating_sub(self.begun_ms)).unwrap_or(0);
        Duration::from_millis(since).as_secs_f64()
    }
}

/// Prints one line, at once.
pub(super) fn print(line: &str) -> io::Result<()> {
    let mut stdout = terminal::stdout();
    writeln!(stdout, "{}", line.trim_end())?;
    stdout.flush()
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
    // Nothing is filled up behind the last text of a line.
    let whom_width = if status.is_empty() { 0 } else { WHOM };
    if event.decisions.is_empty() {
        return format!(
            "{}{}{}",
            padded(DIM, code, WHAT),
            padded(DIM, &whom, whom_width),
            styled(DIM, status)
        );
    }
    let status_style = if status == "Failure" { BAD } else { Style::new() };
    let whom = padded(TITLE, &whom, whom_width);
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
        ("failed", ..) => {
            let message = decision.message.as_deref().unwrap_or_default();
            styled(BAD, &format!("failed: {}", Escaped(message)))
        }
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
        ("due_again", "lost") => (WARNING, "no response; safe to repeat, sent again soon".to_owned()),
        ("due_again", _) => (WARNING, format!("{code}: safe to repeat, sent again soon")),
        ("unresolved", _) => {
            (BAD, "no response; it may have run, so it is not repeated: unresolved".to_owned())
        }
        ("dead", _) => (BAD, format!("{code}: dead, no repetition can help")),
        (outcome, _) => (WARNING, format!("{outcome} {code}")),
    };
    format!("{} {}", styled(style, &status), styled(style, &Escaped(&text).to_string()))
}

fn parking_text(parking: &NewParking) -> String {
    let whom = match (&parking.operation, parking.workspace) {
        (Some(operation), Some(workspace)) => format!("{operation} in workspace {workspace}"),
        (Some(operation), None) => operation.clone(),
        (None, _) => format!("all calls of account {}", parking.account),
    };
    let pause = match parking.until - parking.since {
        ..1_000 => "less than a second".to_owned(),
        pause_ms => age(pause_ms),
    };
    format!("{whom}: {}, nothing is tried for {pause}", parking.reason)
}

fn verdict_text(verdict: &NewVerdict) -> String {
    let (style, so) = match verdict.verdict.as_str() {
        "happened" => (GOOD, "it was executed"),
        "did_not_happen" => (WARNING, "it was not executed, sent again"),
        _ => (BAD, "still unresolved"),
    };
    styled(style, &format!("looked up: {}: {so}", Escaped(&verdict.reason)))
}
