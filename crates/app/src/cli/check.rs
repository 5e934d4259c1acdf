//! `check`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use hookyard_core::clock::{Clock, SystemClock};
use hookyard_core::entropy::SystemEntropy;
use hookyard_store::check::{Accounts, Report};
use hookyard_store::postgres::PostgresStore;
use hookyard_store::sqlite::{Options, SqliteStore};
use hookyard_store::{Actor, StoreError};
use tokio::task::spawn_blocking;

use super::output;
use crate::config::Check;
use crate::data::DataDir;
use crate::telemetry;

/// The exit codes of the command; scripts rely on the codes.
const DAMAGED: u8 = 1;
const NO_ANSWER: u8 = 2;

/// Looks at everything, or goes on after a loss.
pub(crate) async fn run(command: Check) -> ExitCode {
    match answer(command).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(DAMAGED),
        Err(error) => {
            output::note(&format!("error: {}", telemetry::reasons(&error)));
            ExitCode::from(NO_ANSWER)
        }
    }
}

/// Whether all is whole.
async fn answer(command: Check) -> Result<bool> {
    let Check { common, accept_loss, json } = command;
    let _flush = telemetry::start(&common).context("cannot start the log")?;
    if let Some(url) = &common.database {
        if accept_loss {
            bail!(
                "--accept-loss is for data directories: PostgreSQL itself refuses to start without its log"
            );
        }
        let key = common.key.read()?;
        let report = PostgresStore::check(url, &key, &mut tell).await;
        return tell_all(&report.context("the database cannot be checked")?, json);
    }
    let data = DataDir::existing(&common.data)?;
    let _lock = data.lock()?;
    let key = data.present_key(&common.key)?;
    let path = data.database();
    if accept_loss {
        let options = Options { path, key, entropy: Arc::new(SystemEntropy) };
        let actor = Actor::command(SystemClock::new().now());
        let loss = spawn_blocking(move || SqliteStore::accept_loss(&options, actor)).await?;
        let loss = loss.context("the loss is not accepted")?;
        output::line(&match (loss, json) {
            (loss, true) => serde_json::json!({ "accepted": loss }).to_string(),
            (None, false) => "nothing is missing".to_owned(),
            (Some(loss), false) => format!(
                "accepted: {loss}\n\
                 new numbers begin after those that were acknowledged; the audit log has an entry"
            ),
        })?;
        return Ok(true);
    }
    let report = spawn_blocking(move || SqliteStore::check(&path, &key, &mut tell)).await?;
    tell_all(&report.context("the data cannot be checked")?, json)
}

/// Prints the report; whether all is whole.
fn tell_all(report: &Report, json: bool) -> Result<bool> {
    let text = if json { serde_json::to_string(report)? } else { as_text(report) };
    output::line(&text)?;
    Ok(report.is_whole())
}

/// Reports progress on the standard error output.
fn tell(part: &'static str, records: u64) -> Result<(), StoreError> {
    if records == 0 {
        tracing::info!(part, "checking");
    } else {
        tracing::info!(part, records, "checked");
    }
    Ok(())
}

fn as_text(report: &Report) -> String {
    let mut lines = Vec::new();
    if let Some(loss) = &report.loss {
        lines.push(format!("missing: {loss}"));
    }
    for finding in &report.findings {
        let number = finding.number.map(|number| format!(" {number}")).unwrap_or_default();
        lines.push(format!("{}{number}: {}", finding.part, finding.problem));
    }
    if report.more_findings > 0 {
        lines.push(format!("and {} more problems", report.more_findings));
    }
    let Accounts { matched, finished, queued, discarded, missing } = report.accounts;
    lines.push(format!(
        "of {matched} deliveries of events, {finished} are finished, {queued} are queued, {discarded} have \
         no attempt left, {missing} are missing"
    ));
    lines.push(match report.is_whole() {
        true => "whole".to_owned(),
        false => "damaged".to_owned(),
    });
    lines.join("\n")
}
