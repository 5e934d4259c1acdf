//! The trash: datasets outside of all lists, until somebody restores a dataset or its time is over.

use hookyard_core::id::{DatasetId, FolderId, ProjectId, WorkspaceId};
use hookyard_core::model::Dataset;
use hookyard_store::{Actor, Entity, StoreError};
use jiff::{SignedDuration, Timestamp};

use crate::{Engine, Error};

/// Days in the trash before Hookyard removes a dataset for good: the retention of Mammoth, whose
/// clients tell people so. People notice a mistake within a month, the time between two reports.
pub const TRASH_DAYS: i64 = 30;

/// Datasets per transaction of [`Engine::purge_trash`]. A dataset has up to a hundred versions, each
/// with some rows to delete at once: some tens of milliseconds in all.
const PURGED_AT_ONCE: usize = 10;

/// When Hookyard removes a dataset for good, by the moment when the dataset went to the trash.
pub fn purged_at(trashed: Timestamp) -> Timestamp {
    trashed.checked_add(SignedDuration::from_hours(24 * TRASH_DAYS)).unwrap_or(Timestamp::MAX)
}

impl Engine {
    /// Puts datasets in the trash. Returns the project's datasets of the list. Sources and endpoints go
    /// on filling the datasets.
    pub async fn trash_datasets(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        ids: Vec<DatasetId>,
    ) -> Result<Vec<Dataset>, Error> {
        let now = self.clock().now();
        Ok(self.store().trash_datasets(workspace, project, ids, now).await?)
    }

    /// Takes datasets out of the trash. Returns the project's datasets of the list. Each dataset returns
    /// to its folder; the store makes missing folders again.
    pub async fn restore_datasets(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        ids: Vec<DatasetId>,
    ) -> Result<Vec<Dataset>, Error> {
        let now = self.clock().now();
        Ok(self.store().restore_datasets(workspace, project, ids, now).await?)
    }

    /// Puts the datasets of a folder and of all folders inside in the trash, and removes the folders.
    /// [`Error::NotFound`] without such a folder.
    pub async fn trash_folder(
        &self,
        workspace: WorkspaceId,
        id: FolderId,
    ) -> Result<Vec<Dataset>, Error> {
        let project = self.folder(workspace, id).await?.project;
        let now = self.clock().now();
        let trashed = self.store().trash_folder(workspace, project, id, now).await?;
        trashed.ok_or(Error::NotFound(Entity::Folder))
    }

    /// Removes some datasets after [`TRASH_DAYS`] in the trash, of all workspaces. Returns the number of
    /// removed datasets, and whether more may be due.
    pub(crate) async fn purge_trash(&self, now: Timestamp) -> Result<(u64, bool), StoreError> {
        let age = SignedDuration::from_hours(24 * TRASH_DAYS);
        let Ok(until) = now.checked_sub(age) else { return Ok((0, false)) };
        let purge = self.store().purge_trash(until, PURGED_AT_ONCE);
        let purged = Actor::system(now).scope(purge).await?;
        Ok((purged as u64, purged == PURGED_AT_ONCE))
    }
}
