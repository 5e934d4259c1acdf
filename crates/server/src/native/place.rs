//! The project that something new shall be in.

use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_engine::Error;
use hookyard_store::Entity;

use crate::App;
use crate::problem::{Code, Problem};

/// The project that a body names, which must be there; the workspace's first when it names none.
pub(super) async fn project(
    app: &App,
    workspace: WorkspaceId,
    named: Option<i32>,
) -> Result<ProjectId, Problem> {
    let store = app.engine.store();
    let Some(named) = named.map(ProjectId) else {
        let projects = store.projects(workspace).await.map_err(Error::from)?;
        let first = projects.first().map(|project| project.id);
        return first.ok_or_else(|| Error::NotFound(Entity::Project).into());
    };
    if store.has_project(workspace, named).await.map_err(Error::from)? {
        return Ok(named);
    }
    let detail = format!("the workspace has no project {named}");
    Err(Problem::of_field(Code::InvalidValue, "project", detail))
}
