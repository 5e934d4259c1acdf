use std::collections::HashMap;

use async_trait::async_trait;
use hookyard_core::id::{FolderId, ProjectId, WorkspaceId};
use hookyard_core::model::Folder;
use jiff::Timestamp;

use crate::{Entity, StoreError};

/// The most folders of a project: finding a folder's place lists all folders.
pub const FOLDERS_MAX: usize = 1_000;

/// The deepest nesting of folders.
pub const FOLDER_DEPTH_MAX: usize = 16;

/// A folder on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFolder {
    /// The owning workspace.
    pub workspace: WorkspaceId,
    /// The folder's project.
    pub project: ProjectId,
    /// The folder's name.
    pub name: String,
    /// The parent folder; `None` at the top of the project.
    pub parent: Option<FolderId>,
}

/// A change of a folder; `None` leaves a value unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FolderChange {
    /// The new name.
    pub name: Option<String>,
    /// The new place; `Some(None)` for the top of the project.
    pub parent: Option<Option<FolderId>>,
}

/// The fate of a removed folder's contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderContents {
    /// The contents move to the removed folder's parent.
    Move,
    /// The contents go too: folders, and datasets with their rows and sources. Datasets in the trash stay in
    /// the trash.
    Delete,
}

/// Folders: where people look for datasets. Folders change nothing of their contents.
#[async_trait]
pub trait FolderStore: Send + Sync {
    /// Makes a folder. [`StoreError::NotFound`] when the project or the parent folder is absent;
    /// [`StoreError::Conflict`] when the project has [`FOLDERS_MAX`] folders, or the folder would be deeper
    /// than [`FOLDER_DEPTH_MAX`].
    async fn create_folder(&self, new: NewFolder, now: Timestamp) -> Result<Folder, StoreError>;

    /// A project's folders, numbers ascending.
    async fn folders(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Vec<Folder>, StoreError>;

    /// A folder of any project; `None` when the workspace has no such folder.
    async fn find_folder(
        &self,
        workspace: WorkspaceId,
        id: FolderId,
    ) -> Result<Option<Folder>, StoreError>;

    /// Renames or moves a folder. [`StoreError::NotFound`] when the folder or its new place is absent;
    /// [`StoreError::Conflict`] when the folder would be within itself, or too deep.
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

/// The nesting of a project's folders.
pub(crate) struct Tree<'a> {
    folders: HashMap<FolderId, &'a Folder>,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(folders: &'a [Folder]) -> Self {
        Self { folders: folders.iter().map(|folder| (folder.id, folder)).collect() }
    }

    /// A folder and its ancestors, from the inside.
    fn chain(&self, id: FolderId) -> impl Iterator<Item = FolderId> {
        let up = |id: &FolderId| self.folders.get(id)?.parent;
        std::iter::successors(Some(id), up).take(FOLDER_DEPTH_MAX + 1)
    }

    /// Whether a folder is the other folder or within the other.
    pub(crate) fn within(&self, id: FolderId, other: FolderId) -> bool {
        self.chain(id).any(|step| step == other)
    }

    /// The number of levels of a folder with its descendants.
    pub(crate) fn height(&self, id: FolderId) -> usize {
        let own = self.chain(id).count();
        let deepest = self.folders.keys().filter(|other| self.within(**other, id));
        deepest.map(|other| self.chain(*other).count() + 1 - own).max().unwrap_or(1)
    }

    /// The names of a folder and its ancestors, from the outside.
    pub(crate) fn names(&self, id: Option<FolderId>) -> Vec<String> {
        let chain = id.into_iter().flat_map(|id| self.chain(id));
        let folders = chain.filter_map(|id| self.folders.get(&id));
        let mut names: Vec<_> = folders.map(|folder| folder.name.clone()).collect();
        names.reverse();
        names
    }

    /// Follows names from the top of the project: the last existing folder, and the remaining names. Among
    /// several folders of the same name the oldest is taken.
    pub(crate) fn follow<'n>(&self, names: &'n [String]) -> (Option<FolderId>, &'n [String]) {
        let mut at = None;
        for (place, name) in names.iter().enumerate() {
            let inside = self.folders.values().filter(|folder| folder.parent == at);
            let named = inside.filter(|folder| folder.name == *name).map(|folder| folder.id);
            match named.min() {
                Some(id) => at = Some(id),
                None => return (at, names.get(place..).unwrap_or_default()),
            }
        }
        (at, &[])
    }

    /// Refuses an absent parent, and a parent too deep for so many levels.
    pub(crate) fn place(&self, parent: Option<FolderId>, levels: usize) -> Result<(), StoreError> {
        let Some(parent) = parent else { return Ok(()) };
        if !self.folders.contains_key(&parent) {
            return Err(StoreError::NotFound(Entity::Folder));
        }
        if self.chain(parent).count() + levels > FOLDER_DEPTH_MAX {
            let message = format!("folders can be {FOLDER_DEPTH_MAX} deep at most");
            return Err(StoreError::Conflict(message));
        }
        Ok(())
    }
}
