//! A sign of life on the terminal for what takes longer than two seconds.
//!
//! It goes to standard error, only if that is a terminal, and is gone before the result is printed.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Nothing is shown for what is done within this.
const SHOWN_AFTER: Duration = Duration::from_secs(2);

/// How often the sign moves.
const TICK: Duration = Duration::from_millis(200);

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
