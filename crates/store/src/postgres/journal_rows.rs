//! Reading events of the journal, and the lock of those who add to it.

use hookyard_core::id::{EventTypeId, Seq, WorkspaceId};
use hookyard_core::model::Event;
use tokio_postgres::Row;

use super::columns::Columns;
use super::database::Conn;
use crate::{StoreError, checksum, transfer};

/// The columns for [`event`], of the table `j`.
pub(super) const COLUMNS: &str = "j.seq, j.workspace_id, j.type_id, j.accepted_ms, j.event_id, \
                                  j.source, j.attributes, j.object, cardinality(j.matched), \
                                  j.checksum";

/// Takes the right to give out numbers and to add to queues, until the transaction's end.
pub(super) const LOCK: &str = "SELECT pg_advisory_xact_lock(29818711113986049)";

/// Entries in one chunk of a queue.
pub(super) const CHUNK_ENTRIES: i64 = transfer::shape::CHUNK_ENTRIES as i64;

/// The same, as places in an array are counted.
pub(super) const CHUNK_SIZE: i32 = transfer::shape::CHUNK_ENTRIES as i32;

/// Makes the transaction the only appender to the journal and the queues, until the end.
pub(super) async fn lock(tx: &Conn) -> Result<(), StoreError> {
    tx.query(LOCK, &[]).await.map(drop)
}

/// The number of the newest event.
pub(super) async fn newest(conn: &Conn) -> Result<u64, StoreError> {
    conn.one("SELECT seq FROM sequencer", &[]).await?.unsigned(0)
}

/// An event from the [`COLUMNS`], beginning with the column `at`, as written or `damaged`.
pub(super) fn event(row: &Row, at: usize) -> Result<Event, StoreError> {
    let (seq, workspace) = (row.unsigned(at)?, WorkspaceId(row.get_as(at + 1)?));
    let values = || {
        let event = Event {
            seq: Seq(seq),
            workspace,
            event_type: EventTypeId(row.get_as(at + 2)?),
            accepted_at: row.moment(at + 3)?,
            id: row.text(at + 4)?,
            source: row.text(at + 5)?,
            attributes: row.text(at + 6)?,
            object: row.json(at + 7)?,
            matched: row.small(at + 8)?,
            damaged: false,
        };
        Ok::<_, StoreError>((event, row.get_as::<Option<i32>>(at + 9)?))
    };
    Ok(match values() {
        Ok((event, checksum)) => checksum::checked_event(event, checksum),
        // The row is here, so only the contents can be at fault.
        Err(_) => checksum::damaged_event(seq, workspace, EventTypeId(0)),
    })
}
