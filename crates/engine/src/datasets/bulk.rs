//! Many batches changed at once, by a filter and not by number.

use hookyard_core::id::WorkspaceId;
use hookyard_core::model::{BatchState, Dataset};
use hookyard_store::{BATCHES_CHANGED_MAX, BatchChange, BatchQuery, Entity, StoreError};
use jiff::Timestamp;

use crate::{Engine, Error};

/// The most batches changed by a call: a second or two of work, in transactions of
/// [`BATCHES_CHANGED_MAX`], with room for other work in between.
pub const BULK_MAX: usize = 10_000;

/// Pages that a call reads again because somebody else removed a batch of the page meanwhile.
const TRIES_MAX: usize = 10;

/// Which batches of the visible version to change; all conditions must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchFilter {
    /// Batches in the state.
    pub state: Option<BatchState>,
    /// Batches accepted at or after the moment.
    pub from: Option<Timestamp>,
    /// Batches accepted before the moment.
    pub until: Option<Timestamp>,
}

/// The outcome of a change by a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// The number of changed batches.
    pub count: usize,
    /// Whether more batches follow; the same call again goes on with the next batches.
    pub more: bool,
}

impl Engine {
    /// Suspends, restores or deletes the batches selected by a filter, the oldest first, up to
    /// [`BULK_MAX`]. Batches already in the wanted state are passed over, so the same call again
    /// goes on after the last changed batch, also after a crash: each transaction is whole.
    /// [`Error::NotFound`] when there is no such dataset.
    pub async fn change_matching(
        &self,
        workspace: WorkspaceId,
        dataset: &Dataset,
        filter: BatchFilter,
        change: BatchChange,
    ) -> Result<Changed, Error> {
        let Dataset { id, project, .. } = *dataset;
        let BatchFilter { from, until, .. } = filter;
        let Some(state) = state_to_change(filter.state, change) else {
            return Ok(Changed { count: 0, more: false });
        };
        let mut changed = Changed { count: 0, more: false };
        let mut tries = 0;
        loop {
            // A changed batch is not selected any more, so each page is the first page.
            let limit = BATCHES_CHANGED_MAX.min(BULK_MAX - changed.count);
            let query = BatchQuery {
                state,
                after: None,
                from,
                until,
                newest_first: false,
                offset: 0,
                limit: limit + 1,
            };
            let page = self.store().batches(workspace, project, id, query).await?;
            changed.more = page.len() > limit;
            if limit == 0 || page.is_empty() {
                return Ok(changed);
            }
            let changes: Vec<_> = page.iter().take(limit).map(|it| (it.id, change)).collect();
            let count = changes.len();
            let now = self.clock().now();
            match self.store().change_batches(workspace, project, id, changes, now).await {
                Ok(()) => changed.count += count,
                Err(StoreError::NotFound(Entity::Batch)) if tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error.into()),
            }
            if !changed.more {
                return Ok(changed);
            }
        }
    }
}

/// The state of the batches to change; `None` when the change applies to no batch.
fn state_to_change(asked: Option<BatchState>, change: BatchChange) -> Option<Option<BatchState>> {
    let wanted = match change {
        BatchChange::Suspend => BatchState::Active,
        BatchChange::Restore => BatchState::Suspended,
        BatchChange::Delete => return Some(asked),
    };
    asked.is_none_or(|asked| asked == wanted).then_some(Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_wanted_already_is_passed_over() {
        let (active, suspended) = (Some(BatchState::Active), Some(BatchState::Suspended));
        for (asked, change, expected) in [
            (None, BatchChange::Suspend, Some(active)),
            (suspended, BatchChange::Suspend, None),
            (None, BatchChange::Restore, Some(suspended)),
            (active, BatchChange::Restore, None),
            (None, BatchChange::Delete, Some(None)),
            (suspended, BatchChange::Delete, Some(suspended)),
        ] {
            assert_eq!(state_to_change(asked, change), expected, "{asked:?} {change:?}");
        }
    }
}
