//! Reading all entries of a queue.

use hookyard_core::id::EndpointId;
use rusqlite::Connection;

use super::rows::{signed, unsigned};
use super::{codec, failed};
use crate::StoreError;
use crate::backlog::Backlog;

/// Entries from a place on, in order.
pub(super) type Entries<'a> = &'a mut dyn FnMut(u64, &[u64]) -> Result<(), StoreError>;

/// Gives the entries of a queue as a start rebuilds the queue: those of the chunks, then those that no chunk
/// has. The answer is the first place that is missing, if one is.
pub(super) fn entries(
    conn: &Connection,
    id: EndpointId,
    queue: &Backlog,
    each: Entries<'_>,
) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT first, seqs FROM queue_chunks WHERE endpoint_id = ?1 \
               AND first + count > ?2 ORDER BY first";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let (unsaved_at, unsaved) = queue.unsaved();
    let mut next = queue.cursor();
    let mut rows = statement.query((id.0, signed(next))).map_err(failed)?;
    while next < unsaved_at
        && let Some(row) = rows.next().map_err(failed)?
    {
        let first = unsigned(row, 0).map_err(failed)?;
        let seqs = row.get_ref(1).map_err(failed)?;
        let Ok(seqs) = codec::decode(seqs.as_blob().map_err(|error| failed(error.into()))?) else {
            break;
        };
        let gone = usize::try_from(next.saturating_sub(first)).unwrap_or(usize::MAX);
        let seqs = seqs.get(gone..).unwrap_or_default();
        if first > next || next + seqs.len() as u64 > unsaved_at {
            break;
        }
        each(next, seqs)?;
        next += seqs.len() as u64;
    }
    each(unsaved_at, &unsaved)?;
    Ok((next != unsaved_at).then_some(next))
}
