//! `/v1/sources`: inbound URLs.

mod change;
mod create;
mod delete;
mod deliveries;
mod doctor;
mod get;
mod list;
mod rejections;
mod secret;
mod shape;
mod update;
mod verification;

use hookyard_core::model::Republish;
use utoipa_axum::router::OpenApiRouter;

use super::caller::Reach;
use super::operation::operations;
use crate::App;
use crate::problem::Problem;

/// Events belong to the whole workspace, so callers with the reach of one project cannot let a source
/// publish events.
fn check_republish(reach: Reach, republish: Option<&Republish>) -> Result<(), Problem> {
    republish.map_or(Ok(()), |_| reach.must_be_whole())
}

/// Examples of the folder's schemas, by name.
pub(super) fn samples() -> Vec<(&'static str, serde_json::Value)> {
    [shape::samples(), secret::samples(), verification::samples(), doctor::samples()].concat()
}

pub(super) fn router() -> OpenApiRouter<App> {
    operations![
        list::list_sources,
        create::create_source,
        get::get_source,
        update::update_source,
        delete::delete_source,
        doctor::ask_doctor,
    ]
    .merge(deliveries::router())
    .merge(rejections::router())
    .merge(secret::router())
    .merge(verification::router())
}
