//! Log lines.

use std::io::{self, IsTerminal, stderr};

use hookyard_core::clock::{Clock, SystemClock};
use serde_json::json;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::Common;
use crate::flags::values::LogFormat;

mod writer;

pub(crate) use writer::Flush;
use writer::LogWriter;

/// Sends log lines to the standard error output, from here on. Called once; the last lines are
/// written when the answer is dropped.
pub(crate) fn start(common: &Common) -> io::Result<Flush> {
    let json = common.log_format == LogFormat::Json;
    let (writer, flush) = LogWriter::start(stderr(), json)?;
    let level = common.log_level;
    // Lines of libraries are for debugging, except warnings.
    let others = if level >= LevelFilter::DEBUG { level } else { level.min(LevelFilter::WARN) };
    let filter = Targets::new().with_default(others).with_target("hookyard", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = lines.with_ansi(stderr().is_terminal());
    let lines = match common.log_format {
        LogFormat::Human => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    if json {
        // Readers of this log do not expect the standard library's own text.
        std::panic::set_hook(Box::new(
            |panic| tracing::error!(%panic, "a fault of hookyard's own"),
        ));
    }
    Ok(flush)
}

/// A separate line in the form of the log.
pub(crate) fn json_line(level: &str, message: &str) -> String {
    let timestamp = SystemClock::new().now().to_string();
    json!({"timestamp": timestamp, "level": level, "message": message}).to_string()
}

/// The reasons of an error, from the outermost to the innermost. A reason already in the text is not
/// repeated: many errors include their cause.
pub(crate) fn reasons(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for reason in error.chain().map(ToString::to_string) {
        if text.contains(&reason) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&reason);
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn a_reason_is_said_once() {
        let said = |error: anyhow::Error| reasons(&error);
        let twice = Err::<(), _>(anyhow!("no room")).context("the store failed: no room");
        let error = twice.context("cannot open the data").unwrap_err();
        assert_eq!(said(error), "cannot open the data: the store failed: no room");
        let plain = Err::<(), _>(anyhow!("c")).context("b").context("a").unwrap_err();
        assert_eq!(said(plain), "a: b: c");
    }

    #[test]
    fn a_line_is_an_object() {
        let line = json_line("ERROR", "two\nlines \"quoted\"");
        assert!(!line.contains('\n'));
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&read["level"], &read["message"]),
            (&json!("ERROR"), &json!("two\nlines \"quoted\""))
        );
    }
}
