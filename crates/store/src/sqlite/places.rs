//! Where rows with high offsets are.

use hookyard_core::id::VersionId;
use rusqlite::{Connection, OptionalExtension, params};

use super::failed;
use super::rows::{signed, unsigned};
use crate::StoreError;
pub(super) use crate::places::Places;
use crate::places::STEP;

/// Counts visible rows in the index alone: a separate index has the suspended rows.
pub(super) const SKIP: &str = "SELECT id FROM rows INDEXED BY rows_by_dataset \
    WHERE version_id = ?1 AND id > ?2 AND NOT EXISTS (SELECT 1 FROM rows AS hidden \
    INDEXED BY rows_suspended WHERE hidden.version_id = ?1 AND hidden.id = rows.id \
    AND hidden.suspended = 1) ORDER BY id LIMIT 1 OFFSET ?3";

impl Places {
    /// The number after which the rows from `offset` on begin; `None` when the dataset has fewer rows.
    pub(super) fn find(
        &self,
        conn: &Connection,
        version: VersionId,
        edits: u64,
        offset: u64,
    ) -> Result<Option<u64>, StoreError> {
        let (mut at, mut after) = self.nearest(version, edits, offset);
        let mut skip = conn.prepare_cached(SKIP).map_err(failed)?;
        while at < offset {
            let step = STEP.min(offset - at);
            let row = params![signed(version.0), signed(after), signed(step - 1)];
            let found = skip.query_row(row, |row| unsigned(row, 0)).optional().map_err(failed)?;
            let Some(found) = found else { return Ok(None) };
            (at, after) = (at + step, found);
            if step == STEP {
                self.remember(version, edits, at, after);
            }
        }
        Ok(Some(after))
    }
}
