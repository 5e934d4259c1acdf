//! Log lines.

use std::io::{self, IsTerminal, stderr};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::Common;
use crate::config::values::LogFormat;

mod writer;

pub(crate) use writer::Flush;
use writer::LogWriter;

/// Sends log lines to the standard error output, from here on. Called once; the last lines are
/// written when the answer is dropped.
pub(crate) fn start(common: &Common) -> io::Result<Flush> {
    let (writer, flush) = LogWriter::start(stderr())?;
    let level = common.log_level;
    // What libraries say is for those who debug them, save for warnings.
    let others = if level >= LevelFilter::DEBUG { level } else { level.min(LevelFilter::WARN) };
    let filter = Targets::new().with_default(others).with_target("hookyard", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = lines.with_ansi(stderr().is_terminal());
    let lines = match common.log_format {
        LogFormat::Human => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    Ok(flush)
}
