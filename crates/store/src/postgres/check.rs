//! Looking at everything that a database holds, beside running servers.
//!
//! One transaction reads everything, so that the report is of one moment, and changes nothing. The reads are
//! pages. Meanwhile PostgreSQL keeps deleted rows for the transaction, and retention drops no partition.

use std::time::Duration;

use hookyard_core::model::Secret;

use super::columns::{Columns, Param};
use super::database::{Conn, Database};
use super::{PROOF_PLACE, PostgresStore, arriving, migrate};
use crate::StoreError;
use crate::check::{Looking, Report};
use crate::sealed::{SEALED, Sealed};
use crate::vault::Vault;

mod accounts;
mod counters;
mod records;

/// How long one statement may take: a page takes milliseconds, and the longest look of all, the dead letters
/// of every endpoint, seconds.
const PATIENCE: Duration = Duration::from_secs(600);

/// Sealed values of one page: a megabyte at most.
const SECRETS: i64 = 1_000;

impl PostgresStore {
    /// Looks at everything in a database, which servers may use meanwhile. Nothing is changed.
    pub async fn check(
        url: &Secret,
        key: &[u8; 32],
        looking: Looking<'_>,
    ) -> Result<Report, StoreError> {
        let database = Database::new(url.expose())?;
        let conn = database.snapshot().await?.within(PATIENCE);
        // The caller's words on its progress may take their time.
        conn.batch("SET LOCAL idle_in_transaction_session_timeout = 0").await?;
        migrate::refuse_other_format(&conn).await?;
        arriving::refuse_half_moved(&conn).await?;
        let vault = Vault::new(key);
        let mut report = Report::default();
        looking("secrets", 0)?;
        secrets(&conn, &vault, &mut report).await?;
        let held = records::look(&conn, &mut report, looking).await?;
        counters::look(&conn, held, &mut report, looking).await?;
        accounts::look(&conn, &mut report, looking).await?;
        conn.commit().await?;
        database.close();
        Ok(report)
    }
}

/// Opens every secret.
async fn secrets(conn: &Conn, vault: &Vault, report: &mut Report) -> Result<(), StoreError> {
    let proof = conn.one("SELECT key_proof FROM installation", &[]).await?;
    if let Some(sealed) = proof.get_as::<Option<&[u8]>>(0)?
        && let Err(error) = vault.open(PROOF_PLACE, sealed)
    {
        report.find("installation.key_proof", None, error.to_string());
    }
    for Sealed { table, column, place } in &SEALED {
        let part = format!("{table}.{column}");
        let sql = format!(
            "SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL AND id > $1 \
             ORDER BY id LIMIT $2"
        );
        let mut last = i32::MIN;
        loop {
            let values: [Param<'_>; 2] = [&last, &SECRETS];
            let rows = conn.query(&sql, &values).await?;
            for row in &rows {
                last = row.get_as(0)?;
                match vault.open(&place(last), row.get_as(1)?) {
                    Ok(_) => report.secrets += 1,
                    Err(error) => report.find(&part, u64::try_from(last).ok(), error.to_string()),
                }
            }
            if rows.is_empty() {
                break;
            }
        }
    }
    Ok(())
}
