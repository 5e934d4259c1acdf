//! Writing log lines without a wait for any task.
//!
//! A logging task only appends to a buffer; one thread writes the buffer out, many lines at a time. A slow
//! or stuck reader of the log must not slow the server: when the buffer is full, lines are lost, and the
//! log tells the number of lost lines.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::json_line;

/// The most bytes in wait: some 8,000 lines, so that a pause of a tenth of a second in the log reader of a
/// busy server loses nothing.
const BUFFER_BYTES_MAX: usize = 1 << 20;

/// How long the end of the process waits for the last lines.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// Where log lines go. Clones are the same place.
#[derive(Clone, Default)]
pub(crate) struct LogWriter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    lost: u64,
    closing: bool,
    /// Whether the thread is done with everything.
    done: bool,
}

/// Writes the rest of the buffer out when dropped.
pub(crate) struct Flush(LogWriter);

impl LogWriter {
    /// Starts the thread that writes to `out`. With `json`, the log's lines are objects, and so is the line
    /// about lost lines.
    pub(crate) fn start(out: impl Write + Send + 'static, json: bool) -> io::Result<(Self, Flush)> {
        let writer = Self::default();
        let shared = Arc::clone(&writer.0);
        thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_to(out, json))?;
        Ok((writer.clone(), Flush(writer)))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut out: impl Write, json: bool) {
        // This buffer and the buffer in the state take turns, so that neither is allocated again.
        let mut lines = Vec::new();
        let mut state = self.state();
        loop {
            while state.waiting.is_empty() && !state.closing {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.waiting.is_empty() {
                break;
            }
            mem::swap(&mut state.waiting, &mut lines);
            let lost = mem::take(&mut state.lost);
            drop(state);
            // An unwritable log is no reason to stop serving.
            let _ = out.write_all(&lines);
            if lost > 0 {
                let said = format!("{lost} log lines were lost: their reader is too slow");
                let _ = match json {
                    true => writeln!(out, "{}", json_line("WARN", &said)),
                    false => writeln!(out, "{said}"),
                };
            }
            lines.clear();
            state = self.state();
        }
        state.done = true;
        drop(state);
        self.changed.notify_all();
    }
}

/// One call of `write` writes one line.
impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        if state.waiting.len() + line.len() > BUFFER_BYTES_MAX {
            state.lost += 1;
            return Ok(line.len());
        }
        let idle = state.waiting.is_empty();
        state.waiting.extend_from_slice(line);
        drop(state);
        if idle {
            self.0.changed.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let shared = &self.0.0;
        let mut state = shared.state();
        state.closing = true;
        shared.changed.notify_all();
        // The wait for a stuck reader ends here.
        let _ = shared.changed.wait_timeout_while(state, FLUSH_MAX, |state| !state.done);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Hands out what is written; each write waits until it is taken.
    struct Slow(mpsc::SyncSender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_come_out_in_order_and_the_last_ones_too() {
        let (sender, receiver) = mpsc::sync_channel(1000);
        let (mut writer, flush) = LogWriter::start(Slow(sender), false).unwrap();
        for number in 0..100 {
            writer.write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        drop(flush);
        let text = String::from_utf8(receiver.try_iter().flatten().collect()).unwrap();
        let expected: String = (0..100).map(|number| format!("line {number}\n")).collect();
        assert_eq!(text, expected);
    }

    #[test]
    fn a_stuck_reader_costs_lines_and_no_time() {
        let (sender, receiver) = mpsc::sync_channel(0);
        let (mut writer, flush) = LogWriter::start(Slow(sender), false).unwrap();
        let line = [b'x'; 1 << 10];
        let kept = BUFFER_BYTES_MAX / line.len();
        for _ in 0..3 * kept {
            writer.write_all(&line).unwrap();
        }
        let reader = thread::spawn(move || receiver.iter().flatten().collect::<Vec<u8>>());
        drop(flush);
        drop(writer);
        let text = String::from_utf8(reader.join().unwrap()).unwrap();
        // The notes about lost lines come besides.
        let kept = text.matches('x').count();
        assert!(kept <= 2 * BUFFER_BYTES_MAX, "{kept}");
        assert!(text.contains(" log lines were lost"), "{}", text.replace('x', ""));
    }
}
