//! Managing datasets and folders, and searching rows.

use hookyard_core::id::{BatchId, DatasetId, FolderId, ProjectId, VersionId, WorkspaceId};
use hookyard_core::model::{Columns, Dataset, Folder, VersionsKept};
use hookyard_store::{
    BatchChange, DatasetChange, Entity, FolderChange, FolderContents, NewDataset, NewFolder,
};

use crate::quotas::Counted;
use crate::sources::check_name;
use crate::{Engine, Error};

mod bulk;
mod search;
mod trash;

pub use bulk::{BULK_MAX, BatchFilter, Changed};
pub use search::{FOUND_BYTES_MAX, Found, Search};
pub use trash::{TRASH_DAYS, purged_at};

/// A caller's settings for a new dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetDraft {
    /// The project of the dataset.
    pub project: ProjectId,
    /// The name of the dataset.
    pub name: String,
    /// The folder of the dataset.
    pub folder: Option<FolderId>,
    /// The earlier versions to keep.
    pub keep: VersionsKept,
}

/// A change of a dataset's settings; `None` leaves the present value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatasetPatch {
    /// The revision to change; `None` for any.
    pub if_revision: Option<u32>,
    /// The new name, also for the dataset's source.
    pub name: Option<String>,
    /// The new folder; `Some(None)` for the top of the project.
    pub folder: Option<Option<FolderId>>,
    /// The earlier versions to keep from now on.
    pub keep: Option<VersionsKept>,
    /// How the columns are shown from now on.
    pub columns: Option<Columns>,
}

/// Checks and tidies a name that must not be empty.
pub fn check_given_name(name: &str) -> Result<String, String> {
    if name.trim().is_empty() {
        return Err("must not be blank".to_owned());
    }
    check_name(name)
}

fn check_keep(keep: &VersionsKept) -> Result<(), Error> {
    let most = VersionsKept::COUNT_MAX;
    if keep.count > most {
        let message = format!("must be 0 to {most}, not {}", keep.count);
        return Err(Error::invalid("versions.count", message));
    }
    if i64::try_from(keep.bytes).is_err() {
        let message = format!("must be 0 to {}, not {}", i64::MAX, keep.bytes);
        return Err(Error::invalid("versions.bytes", message));
    }
    Ok(())
}

/// The error for a named folder that is not there.
fn folder_at_fault(error: Error, field: &str) -> Error {
    match error {
        Error::NotFound(Entity::Folder) => {
            Error::invalid(field, "names no folder of the same project")
        }
        error => error,
    }
}

impl Engine {
    /// Makes a dataset without a source. [`Error::Invalid`] names the member of the draft at fault.
    pub async fn create_dataset(
        &self,
        workspace: WorkspaceId,
        draft: DatasetDraft,
    ) -> Result<Dataset, Error> {
        let DatasetDraft { project, name, folder, keep } = draft;
        let name = check_given_name(&name).map_err(|message| Error::invalid("name", message))?;
        check_keep(&keep)?;
        self.may_add(workspace, &[Counted::Datasets]).await?;
        let new = NewDataset { workspace, project, name, folder, keep };
        let made = self.store().create_dataset(new, self.clock().now()).await;
        made.map_err(|error| folder_at_fault(error.into(), "folder"))
    }

    /// A dataset of any project. [`Error::NotFound`] when the workspace has no such dataset.
    pub async fn dataset(&self, workspace: WorkspaceId, id: DatasetId) -> Result<Dataset, Error> {
        let found = self.store().find_dataset(workspace, id).await?;
        found.ok_or(Error::NotFound(Entity::Dataset))
    }

    /// Changes a dataset's settings, wholly or not at all. [`Error::Invalid`] names the member of
    /// the patch at fault; [`Error::Stale`] is for another revision than wanted.
    pub async fn update_dataset(
        &self,
        workspace: WorkspaceId,
        id: DatasetId,
        patch: DatasetPatch,
    ) -> Result<Dataset, Error> {
        let current = self.dataset(workspace, id).await?;
        let DatasetPatch { if_revision, name, folder, keep, columns } = patch;
        if if_revision.is_some_and(|wanted| wanted != current.revision) {
            return Err(Error::Stale { revision: current.revision });
        }
        let name = name.as_deref().map(check_given_name).transpose();
        let name = name.map_err(|message| Error::invalid("name", message))?;
        keep.as_ref().map_or(Ok(()), check_keep)?;
        let change = DatasetChange { if_revision, name, folder, keep, columns };
        if change == (DatasetChange { if_revision, ..DatasetChange::default() }) {
            return Ok(current);
        }
        let changed = self.store().update_dataset(workspace, current.project, id, change).await;
        changed.map_err(|error| folder_at_fault(error.into(), "folder"))
    }

    /// Suspends, restores or deletes batches in the given order, all or none. [`Error::NotFound`] when the
    /// dataset or a batch is not there.
    pub async fn change_batches(
        &self,
        workspace: WorkspaceId,
        dataset: DatasetId,
        changes: Vec<(BatchId, BatchChange)>,
    ) -> Result<(), Error> {
        let project = self.dataset(workspace, dataset).await?.project;
        let now = self.clock().now();
        Ok(self.store().change_batches(workspace, project, dataset, changes, now).await?)
    }

    /// Shows an earlier version again. [`Error::NotFound`] for a version that is not kept any more.
    pub async fn restore_version(
        &self,
        workspace: WorkspaceId,
        dataset: DatasetId,
        version: VersionId,
    ) -> Result<Dataset, Error> {
        let project = self.dataset(workspace, dataset).await?.project;
        let now = self.clock().now();
        self.store().restore_version(workspace, project, dataset, version, now).await?;
        self.dataset(workspace, dataset).await
    }

    /// Removes an earlier version with its rows. [`Error::NotFound`] for a version that is not kept
    /// any more; [`Error::Conflict`] for the visible version.
    pub async fn delete_version(
        &self,
        workspace: WorkspaceId,
        dataset: DatasetId,
        version: VersionId,
    ) -> Result<(), Error> {
        let project = self.dataset(workspace, dataset).await?.project;
        let there = self.store().delete_version(workspace, project, dataset, version).await?;
        if there { Ok(()) } else { Err(Error::NotFound(Entity::Version)) }
    }

    /// Makes a folder. [`Error::Invalid`] names the member at fault.
    pub async fn create_folder(&self, new: NewFolder) -> Result<Folder, Error> {
        let name =
            check_given_name(&new.name).map_err(|message| Error::invalid("name", message))?;
        let made = self.store().create_folder(NewFolder { name, ..new }, self.clock().now()).await;
        made.map_err(|error| folder_at_fault(error.into(), "parent"))
    }

    /// A folder of any project. [`Error::NotFound`] when the workspace has no such folder.
    pub async fn folder(&self, workspace: WorkspaceId, id: FolderId) -> Result<Folder, Error> {
        let found = self.store().find_folder(workspace, id).await?;
        found.ok_or(Error::NotFound(Entity::Folder))
    }

    /// Renames or moves a folder.
    pub async fn update_folder(
        &self,
        workspace: WorkspaceId,
        id: FolderId,
        change: FolderChange,
    ) -> Result<Folder, Error> {
        let project = self.folder(workspace, id).await?.project;
        let name = change.name.as_deref().map(check_given_name).transpose();
        let name = name.map_err(|message| Error::invalid("name", message))?;
        let change = FolderChange { name, ..change };
        let now = self.clock().now();
        let changed = self.store().update_folder(workspace, project, id, change, now).await;
        changed.map_err(|error| folder_at_fault(error.into(), "parent"))
    }

    /// Removes a folder. [`Error::NotFound`] when there is none.
    pub async fn delete_folder(
        &self,
        workspace: WorkspaceId,
        id: FolderId,
        contents: FolderContents,
    ) -> Result<(), Error> {
        let project = self.folder(workspace, id).await?.project;
        let there = self.store().delete_folder(workspace, project, id, contents).await?;
        if there { Ok(()) } else { Err(Error::NotFound(Entity::Folder)) }
    }
}
