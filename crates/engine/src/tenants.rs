//! Workspaces and projects.

use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::{Project, Workspace};
use hookyard_core::readable::{UNREADABLE, is_readable};
use hookyard_store::Entity;

use crate::{Engine, Error};

/// The longest name of a credential, a workspace or a project, in characters.
pub const NAME_CHARS_MAX: usize = 100;

/// Checks a name for people: a single short line.
pub fn check_name(field: &str, name: &str) -> Result<(), Error> {
    if name.chars().count() > NAME_CHARS_MAX {
        let message = format!("must have at most {NAME_CHARS_MAX} characters");
        return Err(Error::invalid(field, message));
    }
    if !is_readable(name) {
        return Err(Error::invalid(field, UNREADABLE));
    }
    Ok(())
}

/// Checks the name of a workspace or a project; the name must not be empty.
pub fn check_full_name(field: &str, name: &str) -> Result<(), Error> {
    if name.trim().is_empty() {
        return Err(Error::invalid(field, "must not be empty"));
    }
    check_name(field, name)
}

impl Engine {
    /// A workspace. [`Error::NotFound`] when there is none.
    pub async fn workspace(&self, id: WorkspaceId) -> Result<Workspace, Error> {
        self.store.workspace(id).await?.ok_or(Error::NotFound(Entity::Workspace))
    }

    /// Gives a workspace another name.
    pub async fn rename_workspace(
        &self,
        id: WorkspaceId,
        name: String,
    ) -> Result<Workspace, Error> {
        check_full_name("name", &name)?;
        Ok(self.store.rename_workspace(id, name).await?)
    }

    /// A project. [`Error::NotFound`] when the workspace has no such project.
    pub async fn project(&self, workspace: WorkspaceId, id: ProjectId) -> Result<Project, Error> {
        let projects = self.store.projects(workspace).await?;
        let found = projects.into_iter().find(|project| project.id == id);
        found.ok_or(Error::NotFound(Entity::Project))
    }

    /// Adds a project, with the wanted number, else a free number.
    pub async fn create_project(
        &self,
        workspace: WorkspaceId,
        id: Option<ProjectId>,
        name: String,
    ) -> Result<Project, Error> {
        check_full_name("name", &name)?;
        Ok(self.store.create_project(workspace, id, name).await?)
    }

    /// Gives a project another name.
    pub async fn rename_project(
        &self,
        workspace: WorkspaceId,
        id: ProjectId,
        name: String,
    ) -> Result<Project, Error> {
        check_full_name("name", &name)?;
        Ok(self.store.rename_project(workspace, id, name).await?)
    }

    /// Removes an empty project, but never the only project.
    pub async fn delete_project(&self, workspace: WorkspaceId, id: ProjectId) -> Result<(), Error> {
        Ok(self.store.delete_project(workspace, id).await?)
    }
}
