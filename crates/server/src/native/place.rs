//! The project of a new thing.

use hookyard_core::id::ProjectId;
use hookyard_engine::Error;
use hookyard_store::Entity;

use super::caller::Reach;
use crate::App;
use crate::problem::{Code, Problem};

/// The project named by a request, which must exist within reach. Without a name: the only project within
/// reach, or the workspace's first project.
pub(super) async fn project(
    app: &App,
    reach: Reach,
    named: Option<i32>,
) -> Result<ProjectId, Problem> {
    let reads = app.engine.of(reach.workspace);
    let Some(named) = reach.narrow(named.map(ProjectId))? else {
        let projects = reads.projects().await?;
        let first = projects.first().map(|project| project.id);
        return first.ok_or_else(|| Error::NotFound(Entity::Project).into());
    };
    if reads.has_project(named).await? {
        return Ok(named);
    }
    let detail = format!("the workspace has no project {named}");
    Err(Problem::of_field(Code::InvalidValue, "project", detail))
}
