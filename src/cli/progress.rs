//! A sign of life on the terminal for what takes longer than two seconds.
//!
//! It goes to standard error, only if that is a terminal, and is gone before the result is printed.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Nothing is shown for what is done within this.
const SHOWN_AFTER: Duration = Duration::from_secs(2);

/// How often the sign moves.
const TICK: Duration = Duration::from_millis(200);

/// A sign of life with how much of the whole is done, for what is worked off part by part.
#[derive(Debug)]
pub struct Sign {
    doing: String,
    whole: u64,
    begun: Instant,
    bar: Option<ProgressBar>,
}

impl Sign {
    /// Begins to do something of `whole` parts.
    #[must_use]
    pub fn of(doing: &str, whole: u64) -> Self {
        Sign { doing: doing.to_owned(), whole, begun: Instant::now(), bar: None }
    }

    /// So many parts are done.
    pub fn done(&mut self, parts: u64) {
        if self.bar.is_none() && self.begun.elapsed() >= SHOWN_AFTER && io::stderr().is_terminal() {
            let bar = ProgressBar::new(self.whole).with_message(self.doing.clone());
            if let Ok(style) = ProgressStyle::with_template("{msg}: {pos} of {len} ({percent}%, {eta} left)")
            {
                bar.set_style(style);
            }
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(parts);
        }
    }
}

impl Drop for Sign {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Waits for `future`, and says what is being waited for once that takes long.
pub async fn shown<T>(doing: &str, future: impl Future<Output = T>) -> T {
    tokio::pin!(future);
    tokio::select! {
        done = &mut future => return done,
        () = tokio::time::sleep(SHOWN_AFTER) => {}
    }
    if !io::stderr().is_terminal() {
        return future.await;
    }
    let sign = ProgressBar::new_spinner().with_message(doing.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        sign.set_style(style);
    }
    sign.enable_steady_tick(TICK);
    let done = future.await;
    sign.finish_and_clear();
    done
}
