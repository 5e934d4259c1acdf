//! The Mammoth webhooks API, bare and under `/api/v2` (docs/spec/mammoth.md).
//!
//! Upstream mounts its routes without a prefix and a gateway adds one, so both forms are served by
//! the same handlers, with and without a trailing slash, and nothing redirects
//! (docs/spec/mammoth.md#clients).

use axum::Router;
use axum::routing::{MethodRouter, any, get, patch, post};

use crate::App;

mod body;
mod browse;
pub(crate) mod call;
mod datasets;
pub(crate) mod error;
mod fields;
mod folders;
mod health;
mod jobs;
mod listing;
mod places;
mod query;
mod resources;
#[cfg(test)]
pub(crate) mod tests;
mod trash;
mod webhooks;

pub(crate) use body::read as read_body;
use error::ApiError;

/// Where workspaces are.
const WORKSPACES: &str = "/workspaces";

pub(crate) fn router() -> Router<App> {
    let workspaces = || below_workspaces().into_iter().fold(Router::new(), spelled);
    let jobs = || outside_workspaces().into_iter().fold(Router::new(), spelled);
    let prefixed = Router::new()
        .nest(WORKSPACES, workspaces())
        .route("/workspaces/", only(get(places::workspaces)))
        .merge(jobs())
        .fallback(not_found);
    Router::new()
        .nest(WORKSPACES, workspaces().fallback(not_found))
        .route("/workspaces/", only(get(places::workspaces)))
        .merge(jobs())
        .nest("/api/v2", prefixed)
        .route("/api/v2/", any(not_found))
}

/// Whether a path is of this API.
pub(crate) fn is_below(path: &str) -> bool {
    ["/workspaces", "/jobs", "/health", "/browse", "/api/v2"].into_iter().any(|prefix| {
        let rest = path.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Every route, in the bare form.
#[cfg(test)]
pub(crate) fn routes() -> Vec<String> {
    let below = |(path, _): (String, _)| format!("{WORKSPACES}{}", path.trim_end_matches('/'));
    let jobs = outside_workspaces().into_iter().map(|(path, _)| path);
    below_workspaces().into_iter().map(below).chain(jobs).collect()
}

/// Paths with methods and handlers.
type Routes = Vec<(String, MethodRouter<App>)>;

/// Adds a path with and without a final slash.
fn spelled(router: Router<App>, (path, methods): (String, MethodRouter<App>)) -> Router<App> {
    let methods = only(methods);
    let router = router.route(&path, methods.clone());
    if path == "/" { router } else { router.route(&format!("{path}/"), methods) }
}

/// The routes below `/workspaces`, and itself.
fn below_workspaces() -> Routes {
    const PROJECT: &str = "/{workspace_id}/projects/{project_id}";
    let places = [
        ("/".to_owned(), get(places::workspaces)),
        ("/current".to_owned(), get(places::current)),
        ("/{workspace_id}".to_owned(), get(places::workspace)),
        ("/{workspace_id}/projects".to_owned(), get(places::projects).post(places::create_project)),
        (PROJECT.to_owned(), patch(places::patch_project)),
        ("/{workspace_id}/resources".to_owned(), get(resources::search)),
        ("/{workspace_id}/browse".to_owned(), get(browse::projects)),
    ];
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
        ("/datasets/search", get(datasets::search)),
        ("/datasets/{dataset_id}/data", get(datasets::data)),
        ("/datasets/{dataset_id}/dataviews", get(datasets::dataviews)),
        ("/datasets/{dataset_id}/trash", post(trash::trash_dataset)),
        ("/datasets/{dataset_id}/restore", post(trash::restore_dataset)),
        (
            "/datasets/{dataset_id}/batches",
            get(datasets::batches).patch(datasets::patch_batches).delete(datasets::delete_batches),
        ),
        (
            "/datasets/{dataset_id}/batches/{batch_id}",
            get(datasets::batch).delete(datasets::delete_batch),
        ),
        ("/datasets/{dataset_id}/batches/{batch_id}/data", get(datasets::batch_data)),
    ];
    let folders = [
        (
            "/folders",
            get(folders::list)
                .post(folders::create)
                .patch(folders::move_many)
                .delete(folders::delete_many),
        ),
        ("/folders/{folder_id}", get(folders::get).patch(folders::rename).delete(folders::delete)),
        ("/folders/{folder_id}/browse", get(browse::folder)),
        ("/folders/{folder_id}/trash", post(trash::trash_folder)),
    ];
    let trash =
        [("/trash", get(trash::list).post(trash::add)), ("/trash/restore", post(trash::restore))];
    let resources = [
        ("/resources", get(resources::list)),
        ("/browse", get(browse::project)),
        ("/resources/bulk", post(resources::bulk)),
        ("/resources/ancestors", get(resources::ancestors)),
        ("/resources/{resource_type}/{object_id}", get(resources::get)),
    ];
    let of_a_project =
        webhooks.into_iter().chain(datasets).chain(folders).chain(trash).chain(resources);
    let of_a_project = of_a_project.map(|(path, methods)| (format!("{PROJECT}{path}"), methods));
    places.into_iter().chain(of_a_project).collect()
}

/// The routes of jobs, of health and of the tree's top, all outside workspaces.
fn outside_workspaces() -> Routes {
    vec![
        ("/browse".to_owned(), get(browse::workspaces)),
        ("/health".to_owned(), get(health::health)),
        ("/jobs".to_owned(), get(jobs::jobs)),
        ("/jobs/{job_id}".to_owned(), get(jobs::job)),
    ]
}

/// The methods, with an answer to all other methods; axum adds the `Allow` header.
fn only(methods: MethodRouter<App>) -> MethodRouter<App> {
    methods.fallback(method_not_allowed)
}

async fn method_not_allowed() -> ApiError {
    ApiError::method_not_allowed()
}

/// Answers paths without a route. A nested router's fallback does not see the bare prefix with a slash, so
/// the bare prefix has a route of its own.
pub(crate) async fn not_found() -> ApiError {
    ApiError::not_found()
}
