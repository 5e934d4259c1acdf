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

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;

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
        .routes(routes!(secret::rotate_key))
        .routes(routes!(secret::get_source_secret))
        .routes(routes!(secret::rotate_source_secret))
        .routes(routes!(
            verification::get_verification,
            verification::set_verification,
            verification::delete_verification
        ))
        .routes(routes!(verification::add_verification_secret))
        .routes(routes!(verification::get_learnt_secret))
        .routes(routes!(doctor::ask_doctor))
}
