use async_trait::async_trait;
use hookyard_core::id::{FolderId, ProjectId, WorkspaceId};
use hookyard_core::model::Folder;
use jiff::Timestamp;

use crate::StoreError;

/// The most folders of a project: they are listed whole, to find which are within which.
pub const FOLDERS_MAX: usize = 1_000;

/// How deep folders can be within each other.
pub const FOLDER_DEPTH_MAX: usize = 16;

/// A folder on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFolder {
    /// The workspace that owns it.
    pub workspace: WorkspaceId,
    /// The project that it is in.
    pub project: ProjectId,
    /// Its name.
    pub name: String,
    /// The folder that it is in; `None` at the top of the project.
    pub parent: Option<FolderId>,
}

/// A change of a folder; `None` leaves what is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FolderChange {
    /// The new name.
    pub name: Option<String>,
    /// The new place; `Some(None)` for the top of the project.
    pub parent: Option<Option<FolderId>>,
}

/// What becomes of what is in a folder that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderContents {
    /// It moves to where the folder was.
    Move,
    /// It goes too: folders, and datasets with their rows and sources.
    Delete,
}

/// Folders: where people look for datasets. They change nothing of what is in them.
#[async_trait]
pub trait FolderStore: Send + Sync {
    /// Makes a folder. [`StoreError::NotFound`] when there is no such project, or no such folder to
    /// put it in; [`StoreError::Conflict`] when the project has [`FOLDERS_MAX`] folders, or it would
    /// be deeper than [`FOLDER_DEPTH_MAX`].
    async fn create_folder(&self, new: NewFolder, now: Timestamp) -> Result<Folder, StoreError>;

    /// A project's folders, numbers ascending.
    async fn folders(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Vec<Folder>, StoreError>;

    /// A folder of whichever project; `None` when the workspace has no such one.
    async fn find_folder(
        &self,
        workspace: WorkspaceId,
        id: FolderId,
    ) -> Result<Option<Folder>, StoreError>;

    /// Renames or moves a folder. [`StoreError::NotFound`] when it or its new place is not there;
    /// [`StoreError::Conflict`] when it would be within itself, or too deep.
    async fn update_folder(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: FolderId,
        change: FolderChange,
        now: Timestamp,
    ) -> Result<Folder, StoreError>;

    /// Removes a folder. `false` when there is none.
    async fn delete_folder(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: FolderId,
        contents: FolderContents,
    ) -> Result<bool, StoreError>;
}
