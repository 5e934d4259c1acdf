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
        .fallback(not_found);
    Router::new()
        .nest("/workspaces", workspaces().fallback(not_found))
        .route("/workspaces/", only(get(places::workspaces)))
        .nest("/api/v2", prefixed)
        .route("/api/v2/", any(not_found))
}

/// The routes below `/workspaces`.
fn workspaces() -> Router<App> {
    const PROJECT: &str = "/{workspace_id}/projects/{project_id}";
    let projects = [("/{workspace_id}/projects".to_owned(), get(places::projects))];
    let of_a_project = [
        ("/webhooks", get(webhooks::list).post(webhooks::create)),
        (
            "/webhooks/{webhook_id}",
            get(webhooks::get).patch(webhooks::patch).delete(webhooks::delete),
        ),
        ("/datasets", get(datasets::list)),
        ("/datasets/{dataset_id}", get(datasets::get).delete(datasets::delete)),
        ("/datasets/{dataset_id}/data", get(datasets::data)),
        ("/datasets/{dataset_id}/batches", get(datasets::batches)),
        ("/datasets/{dataset_id}/batches/{batch_id}", get(datasets::batch)),
    ]
    .map(|(path, methods)| (format!("{PROJECT}{path}"), methods));
    projects
        .into_iter()
        .chain(of_a_project)
        .fold(Router::new(), |router, (path, methods)| {
            let methods = only(methods);
            router.route(&path, methods.clone()).route(&format!("{path}/"), methods)
        })
        .route("/", only(get(places::workspaces)))
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
