//! `/v1/datasets/{id}/versions`: a dataset's rows before replacements.

use hookyard_core::model::{Dataset, Version as CoreVersion};

use crate::App;
use crate::problem::Problem;

pub(super) async fn versions(app: &App, dataset: &Dataset) -> Result<Vec<CoreVersion>, Problem> {
    let Dataset { id, workspace, project, .. } = *dataset;
    let reads = app.engine.of(workspace);
    Ok(reads.versions(project, id).await?)
}
