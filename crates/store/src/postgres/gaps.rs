//! When endpoints were disabled, as ranges of journal numbers.

use hookyard_core::id::EndpointId;

use super::columns::{Columns, signed};
use super::database::Conn;
use super::journal_rows;
use crate::StoreError;
use crate::gaps::{GAPS_MAX, Gap};

/// Notes that an endpoint is disabled from the next event on, or enabled again.
pub(super) async fn note(
    tx: &Conn,
    endpoint: EndpointId,
    was_disabled: bool,
    is_disabled: bool,
) -> Result<(), StoreError> {
    if was_disabled == is_disabled {
        return Ok(());
    }
    // The number of the next event is known only while nobody appends.
    journal_rows::lock(tx).await?;
    if was_disabled {
        let sql = "UPDATE endpoint_gaps SET until_seq = (SELECT seq + 1 FROM sequencer) \
                   WHERE endpoint_id = $1 AND until_seq IS NULL";
        tx.execute(sql, &[&endpoint.0]).await?;
        // The change itself has raised the version.
        let sql = "UPDATE endpoints SET enabled_version = (SELECT version FROM workspaces w \
                   WHERE w.id = workspace_id) WHERE id = $1";
        tx.execute(sql, &[&endpoint.0]).await?;
        return Ok(());
    }
    let known = "SELECT count(*) FROM endpoint_gaps WHERE endpoint_id = $1";
    let known: i64 = tx.one(known, &[&endpoint.0]).await?.get_as(0)?;
    let sql = match known < GAPS_MAX {
        true => {
            "INSERT INTO endpoint_gaps (endpoint_id, first_seq) SELECT $1, seq + 1 FROM sequencer \
             ON CONFLICT (endpoint_id, first_seq) DO UPDATE SET until_seq = NULL"
        }
        false => {
            "UPDATE endpoint_gaps SET until_seq = NULL WHERE endpoint_id = $1 AND first_seq = \
             (SELECT max(first_seq) FROM endpoint_gaps WHERE endpoint_id = $1)"
        }
    };
    tx.execute(sql, &[&endpoint.0]).await?;
    Ok(())
}

/// The ranges of an enabled endpoint, oldest first.
pub(super) async fn closed(conn: &Conn, endpoint: EndpointId) -> Result<Vec<Gap>, StoreError> {
    let sql = "SELECT first_seq, until_seq FROM endpoint_gaps WHERE endpoint_id = $1 \
               AND until_seq IS NOT NULL ORDER BY first_seq";
    let rows = conn.query(sql, &[&endpoint.0]).await?;
    let rows = rows.iter().map(|row| Ok((row.unsigned(0)?, row.unsigned(1)?)));
    Ok(crate::gaps::closed(&rows.collect::<Result<Vec<_>, StoreError>>()?))
}

/// Forgets a range, or only the examined part of a range prolonged meanwhile. Returns whether the range was
/// there.
pub(super) async fn forget(tx: &Conn, endpoint: EndpointId, gap: Gap) -> Result<bool, StoreError> {
    let (first, until) = (signed(gap.first), signed(gap.until));
    let whole = "DELETE FROM endpoint_gaps WHERE endpoint_id = $1 AND first_seq = $2 \
                 AND until_seq = $3";
    let begun = "UPDATE endpoint_gaps SET first_seq = $3 WHERE endpoint_id = $1 AND first_seq = $2 \
                 AND until_seq > $3";
    let forgot = tx.execute(whole, &[&endpoint.0, &first, &until]).await?;
    Ok(forgot > 0 || tx.execute(begun, &[&endpoint.0, &first, &until]).await? > 0)
}
