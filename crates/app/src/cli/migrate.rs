//! `migrate`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hookyard_core::clock::{Clock, SystemClock};
use hookyard_core::entropy::SystemEntropy;
use hookyard_store::StoreError;
use hookyard_store::moving::{self, Moved, Progress};
use serde_json::json;

use super::output;
use crate::config::{KeySource, Migrate};
use crate::data::DataDir;
use crate::telemetry;

/// The time between two lines about one table: often enough for a person to see progress.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// Moves a data directory into a database.
pub(crate) async fn run(command: Migrate) -> Result<()> {
    let Migrate { common, url, json } = command;
    let _flush = telemetry::start(&common).context("cannot start the log")?;
    let data = DataDir::leaving(&common.data)?;
    let _lock = data.lock()?;
    let key = data.present_key(&common.key)?;
    let options = moving::Options {
        file: data.database(),
        mark: data.mark(),
        url,
        key,
        entropy: Arc::new(SystemEntropy),
    };
    let mut teller = Teller::default();
    let mut heard = |progress: Progress<'_>| {
        teller.hear(progress);
        Ok::<_, StoreError>(())
    };
    let moved = moving::run(options, &mut heard)
        .await
        .with_context(|| format!("the data in {} is not moved", common.data.display()))?;
    output::line(&if json { as_json(&moved) } else { as_text(&moved, &common.key) })?;
    Ok(())
}

/// Logs progress.
struct Teller {
    clock: SystemClock,
    said_at: Duration,
}

impl Default for Teller {
    fn default() -> Self {
        Self { clock: SystemClock::new(), said_at: Duration::ZERO }
    }
}

impl Teller {
    fn hear(&mut self, progress: Progress<'_>) {
        let now = self.clock.monotonic();
        match progress {
            Progress::Copying { table, rows, of } => {
                if rows == of || now.saturating_sub(self.said_at) >= SAY_EVERY {
                    self.said_at = now;
                    tracing::info!(table, rows, of, "copied");
                }
            }
            Progress::Comparing { table, rows } => {
                tracing::info!(table, rows, "the same on both sides");
            }
        }
    }
}

fn rows(moved: &Moved) -> u64 {
    moved.tables.iter().map(|table| table.rows).sum()
}

fn as_json(moved: &Moved) -> String {
    let table = |table: &moving::MovedTable| json!({ "table": table.name, "rows": table.rows, "checksum": table.checksum });
    let tables: Vec<_> = moved.tables.iter().map(table).collect();
    json!({ "rows": rows(moved), "before": moved.before, "tables": tables }).to_string()
}

fn as_text(moved: &Moved, key: &KeySource) -> String {
    let all = rows(moved);
    let first = match moved.before {
        true => format!("everything was moved before: {all} rows"),
        false => format!("{all} rows are moved, and counts and checksums agree on both sides"),
    };
    let key = match key {
        KeySource::Own(path) | KeySource::Named(path) => {
            format!("--encryption-key-file {}", path.display())
        }
        KeySource::Given(_) => "the same HOOKYARD_ENCRYPTION_KEY".to_owned(),
    };
    format!(
        "{first}\n\
         start the servers with --database-url and the key that the secrets are sealed with: {key}\n\
         the data directory is as it was; no server takes it any more"
    )
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_key_that_is_needed_is_named_and_never_shown() {
        let moved = Moved { tables: Vec::new(), before: false };
        let text = as_text(&moved, &KeySource::Own(PathBuf::from("data/key")));
        assert!(text.contains("--encryption-key-file data/key"), "{text}");
        let text = as_text(&moved, &KeySource::Given([0xab; 32]));
        assert!(text.contains("HOOKYARD_ENCRYPTION_KEY") && !text.contains("abab"), "{text}");
    }
}
