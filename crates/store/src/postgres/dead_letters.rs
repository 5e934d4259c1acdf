//! Dead letters.

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, RequestId, Seq, WorkspaceId};
use hookyard_core::model::NewAttempt;
use serde_json::json;
use tokio_postgres::Row;

use super::columns::{Columns, count, signed};
use super::database::Conn;
use super::{PostgresStore, audit, journal_rows, nodes, queue_rows, requeue};
use crate::retention::ROW_OVERHEAD;
use crate::{
    DEAD_LETTERS_MAX, DeadLetter, DeadLetterQuery, DeadLetterStore, DeadLetters, Entity,
    StoreError, SurplusAge,
};

#[async_trait]
impl DeadLetterStore for PostgresStore {
    async fn dead_letters(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        query: DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let conn = self.db.get().await?;
        self.own_endpoint(&conn, workspace, endpoint).await?;
        let sql = "SELECT d.seq, d.type_id, d.parked_ms, d.request_id, j.event_id \
             FROM dead_letters d LEFT JOIN journal j ON j.seq = d.seq \
             WHERE d.endpoint_id = $1 AND d.seq > $2 ORDER BY d.seq LIMIT $3";
        let after = query.after.map_or(0, |seq| signed(seq.0));
        let rows = conn.query(sql, &[&endpoint.0, &after, &count(query.limit)]).await?;
        rows.iter().map(letter).collect()
    }

    async fn redeliver_dead_letters(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        which: DeadLetters,
    ) -> Result<u64, StoreError> {
        let tx = self.db.begin().await?;
        self.own_endpoint(&tx, workspace, endpoint).await?;
        journal_rows::lock(&tx).await?;
        let queue = queue_rows::locked(&tx, endpoint).await?;
        let queue = queue.ok_or(StoreError::NotFound(Entity::Endpoint))?;
        let mut seqs = delete(&tx, endpoint, which).await?;
        if seqs.is_empty() {
            return Ok(0);
        }
        seqs.sort_unstable();
        requeue::queue_again(&tx, endpoint, &queue, None, &seqs).await?;
        note(&tx, workspace, "dead_letter.redeliver", endpoint, which, seqs.len()).await?;
        nodes::tell_owner(&tx, self.node, endpoint).await?;
        tx.commit().await?;
        self.ready.mark([endpoint]);
        Ok(seqs.len() as u64)
    }

    async fn drop_dead_letters(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        which: DeadLetters,
    ) -> Result<u64, StoreError> {
        let tx = self.db.begin().await?;
        self.own_endpoint(&tx, workspace, endpoint).await?;
        let dropped = delete(&tx, endpoint, which).await?;
        if !dropped.is_empty() {
            note(&tx, workspace, "dead_letter.drop", endpoint, which, dropped.len()).await?;
        }
        tx.commit().await?;
        Ok(dropped.len() as u64)
    }
}

/// Notes a change of dead letters in the audit log.
async fn note(
    tx: &Conn,
    workspace: WorkspaceId,
    action: &str,
    endpoint: EndpointId,
    which: DeadLetters,
    count: usize,
) -> Result<(), StoreError> {
    let seq = match which {
        DeadLetters::All => None,
        DeadLetters::One(seq) => Some(seq),
    };
    audit::note(tx, workspace, action, endpoint, &json!({ "count": count, "seq": seq })).await
}

fn letter(row: &Row) -> Result<DeadLetter, StoreError> {
    let request_id = RequestId::parse(&row.text(3)?)
        .ok_or_else(|| StoreError::internal("a stored request id is damaged"))?;
    Ok(DeadLetter {
        seq: Seq(row.unsigned(0)?),
        event_type: EventTypeId(row.get_as(1)?),
        parked_at: row.moment(2)?,
        request_id,
        event_id: row.text_if(4)?,
    })
}

/// Makes dead letters of an attempt's events; how many the endpoint has then. The endpoint's queue
/// is locked by the caller's transaction.
pub(super) async fn park(
    tx: &Conn,
    endpoint: EndpointId,
    attempt: &NewAttempt,
) -> Result<u64, StoreError> {
    let sql = "INSERT INTO dead_letters (endpoint_id, seq, type_id, parked_ms, request_id, bytes) \
               SELECT $1, j.seq, j.type_id, $3, $4, octet_length(j.event_id) \
               + octet_length(j.source) + octet_length(j.attributes) + octet_length(j.object) + $5::int8 \
               FROM unnest($2::int8[]) n JOIN journal j ON j.seq = n \
               ON CONFLICT (endpoint_id, seq) DO UPDATE SET parked_ms = excluded.parked_ms, \
               request_id = excluded.request_id";
    let seqs: Vec<i64> = attempt.events.iter().map(|seq| signed(seq.0)).collect();
    let at = attempt.started_at.as_millisecond();
    let overhead = signed(ROW_OVERHEAD);
    let request_id = attempt.request_id.as_str();
    tx.execute(sql, &[&endpoint.0, &seqs, &at, &request_id, &overhead]).await?;
    let sql = "DELETE FROM dead_letters WHERE endpoint_id = $1 AND seq IN (SELECT seq \
               FROM dead_letters WHERE endpoint_id = $1 ORDER BY parked_ms DESC, seq DESC OFFSET $2) \
               RETURNING seq";
    for row in tx.query(sql, &[&endpoint.0, &signed(DEAD_LETTERS_MAX)]).await? {
        let seq = row.unsigned(0)?;
        tracing::warn!(%endpoint, seq, "the oldest dead letter made room for a new one");
    }
    recount(tx, endpoint).await
}

/// Writes an endpoint's number of dead letters, after any change of the letters.
async fn recount(tx: &Conn, endpoint: EndpointId) -> Result<u64, StoreError> {
    let sql = "UPDATE queues SET dead_letters = (SELECT count(*) FROM dead_letters d \
               WHERE d.endpoint_id = $1) WHERE endpoint_id = $1 RETURNING dead_letters";
    tx.opt(sql, &[&endpoint.0]).await?.map_or(Ok(0), |row| row.unsigned(0))
}

/// Deletes letters and returns the letters' events.
async fn delete(
    tx: &Conn,
    endpoint: EndpointId,
    which: DeadLetters,
) -> Result<Vec<u64>, StoreError> {
    // A parking transaction waits until the count is written, and vice versa.
    tx.query("SELECT FROM queues WHERE endpoint_id = $1 FOR UPDATE", &[&endpoint.0]).await?;
    let (from, until) = match which {
        DeadLetters::All => (0, i64::MAX),
        DeadLetters::One(seq) => (signed(seq.0), signed(seq.0)),
    };
    let sql = "DELETE FROM dead_letters WHERE endpoint_id = $1 AND seq BETWEEN $2 AND $3 \
               RETURNING seq";
    let rows = tx.query(sql, &[&endpoint.0, &from, &until]).await?;
    recount(tx, endpoint).await?;
    rows.iter().map(|row| row.unsigned(0)).collect()
}

/// Drops surplus dead letters, the oldest first and at most `limit`. Returns the number dropped; `surplus`
/// has the rest.
pub(super) async fn drop_surplus(
    tx: &Conn,
    surplus: &mut SurplusAge,
    limit: u64,
) -> Result<u64, StoreError> {
    let sql = "SELECT endpoint_id, seq, parked_ms, bytes FROM dead_letters \
               ORDER BY parked_ms, endpoint_id, seq LIMIT $1";
    let rows = tx.query(sql, &[&signed(limit)]).await?;
    let mut more = rows.len() as u64 == limit;
    let mut letters: Vec<(EndpointId, Seq)> = Vec::new();
    for row in &rows {
        let parked_at = row.moment(2)?;
        if !surplus.takes(parked_at, row.unsigned(3)?) {
            more = false;
            break;
        }
        letters.push((EndpointId(row.get_as(0)?), Seq(row.unsigned(1)?)));
    }
    // In one order, so that two nodes with simultaneous sweeps do not deadlock.
    letters.sort_unstable();
    for (endpoint, seq) in &letters {
        delete(tx, *endpoint, DeadLetters::One(*seq)).await?;
    }
    if !more {
        *surplus = SurplusAge::default();
    }
    Ok(letters.len() as u64)
}
