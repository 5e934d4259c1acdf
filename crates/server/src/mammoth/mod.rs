//! The Mammoth webhooks API, bare and under `/api/v2` (spec/mammoth.md).
//!
//! Upstream mounts its routes without a prefix and a gateway adds one, so both forms are served by
//! the same handlers, with and without a trailing slash, and nothing redirects (section 0).

use axum::Router;
use axum::routing::{MethodRouter, any, get};

use crate::App;

mod body;
pub(crate) mod call;
mod datasets;
pub(crate) mod error;
mod fields;
mod folders;
mod jobs;
mod places;
mod query;
#[cfg(test)]
pub(crate) mod tests;
mod webhooks;

pub(crate) use body::read as read_body;
use error::ApiError;

pub(crate) fn router() -> Router<App> {
    let prefixed = Router::new()
        .nest("/workspaces", workspaces())
        .route("/workspaces/", only(get(places::workspaces)))
        .merge(jobs_routes())
        .fallback(not_found);
    Router::new()
        .nest("/workspaces", workspaces().fallback(not_found))
        .route("/workspaces/", only(get(places::workspaces)))
        .merge(jobs_routes())
        .nest("/api/v2", prefixed)
        .route("/api/v2/", any(not_found))
}

/// The routes below `/workspaces`.
fn workspaces() -> Router<App> {
    const PROJECT: &str = "/{workspace_id}/projects/{project_id}";
    let projects = [("/{workspace_id}/projects".to_owned(), get(places::projects))];
    let webhooks = [
        ("/webhooks", get(webhooks::list).post(webhooks::create)),
        (
            "/webhooks/{webhook_id}",
            get(webhooks::get).patch(webhooks::patch).delete(webhooks::delete),
        ),
    ];
    let datasets = [
        (
            "/datasets",
            get(datasets::list).patch(datasets::patch_many).delete(datasets::delete_many),
        ),
        (
            "/datasets/{dataset_id}",
            get(datasets::get).patch(datasets::patch).delete(datasets::delete),
        ),
        ("/datasets/{dataset_id}/data", get(datasets::data)),
        (
            "/datasets/{dataset_id}/batches",
            get(datasets::batches).patch(datasets::patch_batches).delete(datasets::delete_batches),
        ),
        (
            "/datasets/{dataset_id}/batches/{batch_id}",
            get(datasets::batch).delete(datasets::delete_batch),
        ),
    ];
    let folders = [
        (
            "/folders",
            get(folders::list)
                .post(folders::create)
                .patch(folders::move_many)
                .delete(folders::delete_many),
        ),
        ("/folders/{folder_id}", get(folders::get).delete(folders::delete)),
    ];
    let of_a_project = webhooks.into_iter().chain(datasets).chain(folders);
    let of_a_project = of_a_project.map(|(path, methods)| (format!("{PROJECT}{path}"), methods));
    projects
        .into_iter()
        .chain(of_a_project)
        .fold(Router::new(), |router, (path, methods)| {
            let methods = only(methods);
            router.route(&path, methods.clone()).route(&format!("{path}/"), methods)
        })
        .route("/", only(get(places::workspaces)))
}

/// The routes of jobs, which are below no workspace.
fn jobs_routes() -> Router<App> {
    let all = [("/jobs", get(jobs::jobs)), ("/jobs/{job_id}", get(jobs::job))];
    all.into_iter().fold(Router::new(), |router, (path, methods)| {
        let methods = only(methods);
        router.route(path, methods.clone()).route(&format!("{path}/"), methods)
    })
}

/// The methods with the answer to all others; axum adds the `Allow` header to it.
fn only(methods: MethodRouter<App>) -> MethodRouter<App> {
    methods.fallback(method_not_allowed)
}

async fn method_not_allowed() -> ApiError {
    ApiError::method_not_allowed()
}

/// Answers for whatever has no route. A nested router's fallback does not see the bare prefix with a
/// slash, so that is a route of its own.
pub(crate) async fn not_found() -> ApiError {
    ApiError::not_found()
}
