//! `rule test`.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use hookyard_engine::rules::{self, Explanation, RULE_BYTES_MAX};

use super::output;
use crate::config::RuleTest;

/// The largest event to read; the matcher accepts none larger.
const EVENT_BYTES_MAX: usize = 256 << 20;

/// The name of the standard input.
const STDIN: &str = "-";

/// The exit codes of the command; scripts rely on the codes.
const NO_MATCH: u8 = 1;
const NO_ANSWER: u8 = 2;

/// Prints `match`, or the failed conditions with the reasons.
pub(crate) fn test(command: &RuleTest) -> ExitCode {
    match answer(command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(NO_MATCH),
        Err(error) => {
            // The output may have no reader; the exit code tells the same.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(NO_ANSWER)
        }
    }
}

fn answer(command: &RuleTest) -> Result<bool> {
    let RuleTest { rule, event } = command;
    if [rule, event].iter().all(|path| path.as_os_str() == STDIN) {
        bail!("the rule and the event cannot both come from the standard input: name a file");
    }
    let explanation = explain(rule, event)?;
    output::line(&explanation.to_string())?;
    Ok(explanation.matched())
}

fn explain(rule: &Path, event: &Path) -> Result<Explanation> {
    let text = read(rule, RULE_BYTES_MAX).context("the rule")?;
    let text = String::from_utf8(text).context("the rule is not UTF-8")?;
    let parsed = rules::parse(&text).map_err(|reason| anyhow!(reason)).context("the rule")?;
    let event = read(event, EVENT_BYTES_MAX).context("the event")?;
    // The error's text includes the cause.
    rules::explain(&parsed, &event).map_err(|error| anyhow!(error.to_string()))
}

/// A whole file, or the standard input, of at most `max` bytes.
fn read(path: &Path, max: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let done = match path.as_os_str() == STDIN {
        true => std::io::stdin().lock().take(limit).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
    };
    done.with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() > max {
        bail!("{} has more than the {max} bytes that are accepted", path.display());
    }
    Ok(bytes)
}
