//! A queue's row: reading, locking and forgiving.

use hookyard_core::id::EndpointId;
use tokio_postgres::Row;

use super::columns::{Columns, from_json, small, to_json};
use super::database::Conn;
use crate::StoreError;
use crate::backlog::{Backlog, Failing, Position};

/// The columns for [`backlog`], of the table `q`. The place of the next entry is the end of the last chunk.
pub(super) const POSITION: &str = "greatest(q.cursor, (SELECT c.first + cardinality(c.seqs) \
     FROM queue_chunks c WHERE c.endpoint_id = q.endpoint_id ORDER BY c.first DESC LIMIT 1)), \
     q.cursor, q.failures, q.retry_ms, q.since_ms, q.again, q.done, q.held, q.dead_letters";

/// A queue from the [`POSITION`] columns, beginning with the column `at`.
pub(super) fn backlog(row: &Row, at: usize) -> Result<Backlog, StoreError> {
    let done: Vec<i64> = row.get_as(at + 6)?;
    let mut backlog = Backlog::stored(Position {
        next: row.unsigned(at)?,
        cursor: row.unsigned(at + 1)?,
        failing: Failing {
            failures: row.small(at + 2)?,
            retry_at: row.moment_if(at + 3)?,
            since: row.moment_if(at + 4)?,
        },
        again: from_json(&row.text(at + 5)?)?,
        done: done.into_iter().map(i64::cast_unsigned).collect(),
        held: from_json(&row.text(at + 7)?)?,
    });
    backlog.dead_letters = row.unsigned(at + 8)?;
    Ok(backlog)
}

/// An endpoint's queue, locked against changes until the transaction ends; `None` when the endpoint is gone.
pub(super) async fn locked(tx: &Conn, endpoint: EndpointId) -> Result<Option<Backlog>, StoreError> {
    let sql = format!("SELECT {POSITION} FROM queues q WHERE q.endpoint_id = $1 FOR UPDATE");
    tx.opt(&sql, &[&endpoint.0]).await?.map(|row| backlog(&row, 0)).transpose()
}

/// Forgets an endpoint's failures.
pub(super) async fn forgive(tx: &Conn, endpoint: EndpointId) -> Result<(), StoreError> {
    let Some(mut queue) = locked(tx, endpoint).await? else { return Ok(()) };
    queue.forgive();
    let sql = "UPDATE queues SET failures = $2, retry_ms = NULL, since_ms = NULL, held = $3 \
               WHERE endpoint_id = $1";
    let failures = small(queue.failing().failures);
    tx.execute(sql, &[&endpoint.0, &failures, &to_json(queue.held())?]).await.map(drop)
}
