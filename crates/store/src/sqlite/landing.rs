//! Events that land in datasets.

use hookyard_core::id::{DatasetId, EndpointId, Seq, WorkspaceId};
use hookyard_core::model::Mode;
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::pack::Stored;
use super::rows::signed;
use super::tx::Tx;
use super::{failed, versions};
use crate::{Entity, StoreError};

/// Adds a row for each event that did not land by this endpoint before. Returns the number of rows. Fails
/// before the first write when the dataset is absent, so the job may be part of a group.
pub(super) fn land(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    dataset: DatasetId,
    endpoint: EndpointId,
    rows: Vec<(Seq, Stored)>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let own = "SELECT EXISTS (SELECT 1 FROM datasets WHERE id = ?1 AND workspace_id = ?2)";
    if !exists(tx.conn, own, i64::from(dataset.0), workspace.0)? {
        return Err(StoreError::NotFound(Entity::Dataset));
    }
    let known = "SELECT EXISTS (SELECT 1 FROM landed WHERE seq = ?1 AND endpoint_id = ?2)";
    let insert = "INSERT INTO landed (seq, endpoint_id) VALUES (?1, ?2)";
    let mut landed = 0;
    for (seq, cell) in rows {
        if exists(tx.conn, known, signed(seq.0), endpoint.0)? {
            continue;
        }
        versions::add_row(tx, dataset, Mode::Combine, cell, now)?;
        let row = params![signed(seq.0), endpoint.0];
        tx.conn.prepare_cached(insert).and_then(|mut sql| sql.execute(row)).map_err(failed)?;
        landed += 1;
    }
    Ok(landed)
}

fn exists(conn: &Connection, sql: &str, first: i64, second: i32) -> Result<bool, StoreError> {
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    statement.query_row(params![first, second], |row| row.get(0)).map_err(failed)
}

/// Forgets a part of the landed events that left the journal, since nobody can send such an event again.
/// Returns the number forgotten.
pub(super) fn forget(conn: &Connection, limit: i64) -> Result<u64, StoreError> {
    let sql = "DELETE FROM landed WHERE (seq, endpoint_id) IN (SELECT seq, endpoint_id FROM landed \
               WHERE seq < (SELECT min(seq) FROM journal) ORDER BY seq LIMIT ?1)";
    let mut delete = conn.prepare_cached(sql).map_err(failed)?;
    Ok(delete.execute([limit]).map_err(failed)? as u64)
}
