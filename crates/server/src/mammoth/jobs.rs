//! Jobs: the promise of a 202, and the path where clients ask for the outcome (docs/spec/mammoth.md#jobs).
//!
//! All work is done by the time of the answer, so a job is a record, always with the status of a success.

use axum::Json;
use hookyard_core::id::JobId;
use hookyard_core::model::{Credential, Job, Scope};
use hookyard_store::NewJob;
use http::StatusCode;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::call::{Call, Place, require};
use super::error::ApiError;

/// The most jobs in one call.
const IDS_MAX: usize = 100;

/// Records the finished work, and answers 202 with the number of the job.
pub(super) async fn accepted(
    call: &Call,
    place: Place,
    operation: &str,
    response: Value,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let job = record(call, place, operation, response).await?;
    let answer = json!({"status_code": 202, "job_id": job.id, "failure_reason": null});
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// Records what was done, and answers 202 with the whole job, as the operations about the trash do.
pub(super) async fn tracked(
    call: &Call,
    place: Place,
    operation: &str,
    response: Value,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let job = record(call, place, operation, response).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"job": shape(&job)}))))
}

async fn record(
    call: &Call,
    place: Place,
    operation: &str,
    response: Value,
) -> Result<Job, ApiError> {
    let new = NewJob {
        operation: operation.to_owned(),
        path: call.path().to_owned(),
        response: response.to_string(),
        project: place.project,
    };
    Ok(call.app.engine.add_job(place.workspace, new).await?)
}

/// Reads one job.
pub(super) async fn job(call: Call) -> Result<Json<Value>, ApiError> {
    let credential = credential(&call).await?;
    let id = JobId(call.id("job_id", 1)?);
    let found = find(&call, &credential, id).await?;
    Ok(Json(json!({"job": shape(&found.ok_or_else(ApiError::not_found)?)})))
}

/// Reads the jobs of a list; missing jobs are left out.
pub(super) async fn jobs(call: Call) -> Result<Json<Value>, ApiError> {
    let credential = credential(&call).await?;
    let mut query = call.query();
    let ids = query.id_list("job_ids", IDS_MAX);
    if ids.is_none() {
        query.missing("job_ids");
    }
    call.checked(query)?;
    let mut found = Vec::new();
    for id in ids.unwrap_or_default().into_iter().filter_map(|id| i32::try_from(id).ok()) {
        found.extend(find(&call, &credential, JobId(id)).await?);
    }
    Ok(Json(json!({"jobs": found.iter().map(shape).collect::<Vec<_>>()})))
}

/// A job visible to the credential; a project's credential sees the jobs of the project.
async fn find(call: &Call, credential: &Credential, id: JobId) -> Result<Option<Job>, ApiError> {
    let found = call.app.engine.of(credential.workspace).job(id).await?;
    let seen = |job: &Job| match job.project {
        Some(project) => credential.opens(project),
        None => credential.project.is_none(),
    };
    Ok(found.filter(seen))
}

/// The caller's credential. These paths have no workspace, so clients send the workspace as a header.
async fn credential(call: &Call) -> Result<Credential, ApiError> {
    let credential = call.credential().await?;
    let named =
        call.headers().get("x-workspace-id").map(|value| value.to_str().unwrap_or_default());
    if named.is_some_and(|named| named.trim() != credential.workspace.to_string()) {
        return Err(ApiError::forbidden());
    }
    require(&credential, Scope::DataRead)?;
    Ok(credential)
}

fn shape(job: &Job) -> Value {
    let Job { id, created_at, operation, path, response, project: _ } = job;
    json!({
        "id": id,
        "status": "success",
        "response": serde_json::from_str::<&RawValue>(response).ok(),
        "created_at": created_at,
        "last_updated_at": created_at,
        "path": path,
        "operation": operation,
    })
}
