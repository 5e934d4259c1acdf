//! The check of everything in a file, and the way on after a loss.

use std::path::Path;
use std::sync::Arc;

use hookyard_core::id::WorkspaceId;
use rusqlite::{Connection, params};
use serde_json::json;

use super::acknowledged::{self, Numbers, Said};
use super::rows::signed;
use super::{Options, SqliteStore, audit, checkpoint, connect, failed, migrate, readers, recover};
use super::{serving, tenant_rows};
use crate::check::{FINDINGS_MAX, Looking, Report};
use crate::sealed::SEALED;
use crate::vault::Vault;
use crate::{Actor, Loss, StoreError};

mod accounts;
mod counters;
mod records;

impl SqliteStore {
    /// Checks everything in a file that nobody works on. The check only reads.
    pub fn check(path: &Path, key: &[u8; 32], looking: Looking<'_>) -> Result<Report, StoreError> {
        let mut report = Report::default();
        let has_log = serving::has_log(path);
        let conn = readers::open(path)?;
        migrate::refuse_other_format(&conn)?;
        if !has_log && serving::is_unfinished(&conn)? && acknowledged::read(path)? == Said::Nothing
        {
            tracing::warn!(
                "the database is a copy of one that was being served: whether it lacks what was in \
                 the write-ahead log cannot be told"
            );
        }
        looking("database", 0)?;
        structure(&conn, &mut report)?;
        looking("secrets", 0)?;
        let vault = Vault::new(key);
        secrets(&conn, &vault, &mut report);
        looking("acknowledged", 0)?;
        report.loss = loss(path, &conn, &mut report)?;
        records::look(&conn, &mut report, looking)?;
        counters::look(&conn, &mut report, looking)?;
        accounts::look(&conn, &vault, &mut report, looking)?;
        Ok(report)
    }

    /// Goes on without the lost records of a file, if any: new numbers begin after the acknowledged numbers,
    /// so no number stands for two things. Every workspace's audit log reports the loss. Nobody may work on
    /// the file. The call can be repeated after a crash.
    pub fn accept_loss(options: &Options, actor: Arc<Actor>) -> Result<Option<Loss>, StoreError> {
        let Options { path, key, .. } = options;
        let mut conn = connect(path)?;
        migrate::migrate(&mut conn)?;
        let (memory, mut state) = recover::recover(&conn, &Vault::new(key))?;
        let held = Numbers::before(state.ids, acknowledged::last_change(&conn)?);
        let Said::Acknowledged(known) = acknowledged::read(path)? else { return Ok(None) };
        let Some(loss) = held.lack(known) else { return Ok(None) };
        let next = held.or_higher(known);
        Actor::lend(Some(actor), || record(&mut conn, &loss, next))?;
        state.ids.seq = next.events() + 1;
        state.ids.attempt = next.attempts() + 1;
        state.ids.row = next.rows() + 1;
        checkpoint::checkpoint(&mut conn, &memory, &mut state)?;
        Ok(Some(loss))
    }
}

fn record(conn: &mut Connection, loss: &Loss, next: Numbers) -> Result<(), StoreError> {
    let tx = conn.transaction().map_err(failed)?;
    tx.execute("UPDATE row_numbers SET last = max(last, ?1)", [signed(next.rows())])
        .map_err(failed)?;
    let sql = "UPDATE sqlite_sequence SET seq = max(seq, ?1) WHERE name = 'audit'";
    let changes = signed(next.changes());
    if tx.execute(sql, [changes]).map_err(failed)? == 0 {
        let sql = "INSERT INTO sqlite_sequence (name, seq) VALUES ('audit', ?1)";
        tx.execute(sql, params![changes]).map_err(failed)?;
    }
    let detail = json!({ "missing": loss });
    let workspaces: Vec<WorkspaceId> =
        tenant_rows::workspaces(&tx)?.into_iter().map(|workspace| workspace.id).collect();
    for workspace in workspaces {
        audit::note(&tx, workspace, "store.accept_loss", "", &detail)?;
    }
    tx.commit().map_err(failed)
}

/// SQLite's own findings in the file.
fn structure(conn: &Connection, report: &mut Report) -> Result<(), StoreError> {
    let sql = format!("PRAGMA integrity_check({FINDINGS_MAX})");
    let mut statement = conn.prepare(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    loop {
        match rows.next().and_then(|row| row.map(|row| row.get::<_, String>(0)).transpose()) {
            Ok(None) => return Ok(()),
            Ok(Some(line)) if line == "ok" => {}
            Ok(Some(line)) => report.find("database", None, line),
            Err(error) => {
                report.find("database", None, error.to_string());
                return Ok(());
            }
        }
    }
}

/// Opens every secret.
fn secrets(conn: &Connection, vault: &Vault, report: &mut Report) {
    for sealed in &SEALED {
        let part = format!("{}.{}", sealed.table, sealed.column);
        let values = match sealed.values(conn) {
            Ok(values) => values,
            Err(error) => {
                report.find(&part, None, error.to_string());
                continue;
            }
        };
        for (id, value) in values {
            match vault.open(&(sealed.place)(id), &value) {
                Ok(_) => report.secrets += 1,
                Err(error) => {
                    report.find(&part, u64::try_from(id).ok(), error.to_string());
                }
            }
        }
    }
}

/// Derived state can be rebuilt, and the store ends at the known end.
fn loss(path: &Path, conn: &Connection, report: &mut Report) -> Result<Option<Loss>, StoreError> {
    match acknowledged::read(path)? {
        Said::Nothing => {}
        Said::Damaged => report.find(
            "hookyard.db-acknowledged",
            None,
            "it cannot be read, so a loss would go unnoticed; the next start writes it anew",
        ),
        Said::Acknowledged(known) => {
            let held = recover::next_numbers_of(conn)
                .and_then(|next| Ok(Numbers::before(next, acknowledged::last_change(conn)?)));
            match held {
                Ok(held) => return Ok(held.lack(known)),
                Err(error) => report.find("database", None, error.to_string()),
            }
        }
    }
    Ok(None)
}
