//! `/v1/sources`: inbound URLs.

mod change;
mod create;
mod deliveries;
mod doctor;
mod list;
mod one;
mod rejections;
mod secret;
mod shape;
mod verification;

use std::sync::Arc;

use axum::http::HeaderMap;
use hookyard_core::model::{Republish, Scope, Source};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Reach;
use super::{caller, input};
use crate::App;
use crate::problem::{Code, Problem};

/// The source that a path names, for a caller who has the scope.
async fn source(
    app: &App,
    headers: &HeaderMap,
    scope: Scope,
    id: &str,
) -> Result<Arc<Source>, Problem> {
    within(app, caller::reach(app, headers, scope).await?, id).await
}

/// The source that a path names, for a caller with this reach.
async fn within(app: &App, reach: Reach, id: &str) -> Result<Arc<Source>, Problem> {
    let source = app.engine.source(reach.workspace, input::source_id(id)?).await?;
    if reach.has(source.spec.project) {
        return Ok(source);
    }
    Err(Problem::new(Code::NotFound, "no such source"))
}

/// Events are the whole workspace's: who reaches one project alone has no source publish any.
fn check_republish(reach: Reach, republish: Option<&Republish>) -> Result<(), Problem> {
    republish.map_or(Ok(()), |_| reach.must_be_whole())
}

/// Where sources are listed and made.
const SOURCES: &str = "/v1/sources";

/// Examples of the schemas of this folder, by name.
pub(super) fn samples() -> Vec<(&'static str, serde_json::Value)> {
    [shape::samples(), secret::samples(), verification::samples(), doctor::samples()].concat()
}

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_sources, create::create_source))
        .routes(routes!(one::get_source, one::update_source, one::delete_source))
        .routes(routes!(deliveries::list_deliveries))
        .routes(routes!(deliveries::get_delivery))
        .routes(routes!(rejections::list_rejections))
        .routes(routes!(rejections::get_rejection))
        .routes(routes!(secret::rotate_key))
        .routes(routes!(secret::get_source_secret))
        .routes(routes!(secret::rotate_source_secret))
        .routes(routes!(secret::end_previous_key))
        .routes(routes!(secret::end_previous_secret))
        .routes(routes!(
            verification::get_verification,
            verification::set_verification,
            verification::delete_verification
        ))
        .routes(routes!(verification::add_verification_secret))
        .routes(routes!(verification::get_learnt_secret))
        .routes(routes!(doctor::ask_doctor))
}
