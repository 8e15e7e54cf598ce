//! Lines that somebody types on the terminal, shown or not.
//!
//! For what is not shown the terminal is told so, and told back whatever ends the asking: the line, the end of
//! the input, Ctrl-C, or a signal from elsewhere. So the shell behind us always shows again what is typed. What
//! was typed is wiped from memory when it is dropped.

use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::thread;

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use secrecy::zeroize::Zeroizing;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::InitError;

/// No terminal gives a longer line.
const LINE_BYTES_MAX: usize = 4096;

/// A line without its end, or `None` at the end of the input.
type Line = io::Result<Option<Zeroizing<String>>>;

/// The terminal's keyboard. From here on signals end the asking, and no longer the process.
pub(super) struct Keyboard {
    runtime: Runtime,
    signals: [Signal; 4],
}

impl Keyboard {
    /// Takes over the signals.
    pub(super) fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let signals = {
            let _entered = runtime.enter();
            [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
                signal(SignalKind::quit())?,
            ]
        };
        Ok(Keyboard { runtime, signals })
    }

    /// The next line; `None` at the end of the input.
    ///
    /// # Errors
    /// A signal came instead, or the terminal failed.
    pub(super) fn line(&mut self) -> Result<Option<Zeroizing<String>>, InitError> {
        let (sender, typed) = oneshot::channel();
        // Reading cannot be called off. After a signal it is left behind, and ends with the process.
        let reading = thread::Builder::new().name("keyboard".into()).spawn(move || {
            let _nobody_waits_any_more = sender.send(read_line());
        });
        reading.map_err(InitError::Terminal)?;
        let signals = &mut self.signals;
        let signalled = poll_fn(|context| {
            if signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        let typed = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = signalled => Err(InitError::Interrupted),
                typed = typed => Ok(typed),
            }
        })?;
        typed.map_err(|_| InitError::Unanswered)?.map_err(InitError::Terminal)
    }

    /// Puts a question by `ask`; the line that answers it is not shown.
    ///
    /// # Errors
    /// As with [`Keyboard::line`], or the question could not be put.
    pub(super) fn hidden_line(
        &mut self,
        ask: impl FnOnce() -> Result<(), InitError>,
    ) -> Result<Option<Zeroizing<String>>, InitError> {
        let hidden = Hidden::new().map_err(InitError::Terminal)?;
        ask()?;
        let typed = self.line();
        drop(hidden);
        typed
    }
}

/// While this lives, the terminal shows nothing of what is typed but the end of the line.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        // Ctrl-Z would give the terminal to the shell as it is now.
        hidden.special_codes[SpecialCodeIndex::VSUSP] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
        Ok(Hidden { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Err(error) = tcsetattr(io::stdin(), OptionalActions::Now, &self.before) {
            tracing::warn!(%error, "cannot make the terminal show again what is typed; `stty echo` does");
        }
    }
}

/// Reads past the buffer of the standard library, which would keep what was typed.
fn read_line() -> Line {
    // As large as it can get, so that no smaller buffer with the beginning is left behind.
    let mut line = Zeroizing::new(Vec::with_capacity(2 * LINE_BYTES_MAX));
    let mut part = Zeroizing::new([0; LINE_BYTES_MAX]);
    while line.last() != Some(&b'\n') {
        let length = rustix::io::retry_on_intr(|| rustix::io::read(io::stdin(), part.as_mut_slice()))?;
        if length == 0 {
            break;
        }
        line.extend_from_slice(part.get(..length).unwrap_or_default());
        if line.len() > LINE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"));
        }
    }
    if line.is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(&line)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "what was typed is not UTF-8 text"))?;
    Ok(Some(Zeroizing::new(text.trim_end_matches(['\n', '\r']).to_owned())))
}
