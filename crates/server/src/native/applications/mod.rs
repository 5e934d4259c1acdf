//! `/v1/applications`: programs that people let in by OAuth2, and what they were granted.

mod change;
mod create;
mod grants;
mod list;
mod one;
mod shape;

use hookyard_core::id::ApplicationId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::input;
use crate::App;
use crate::problem::{Code, Problem};

pub(super) use shape::samples;

/// Where applications are listed and registered.
const APPLICATIONS: &str = "/v1/applications";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_applications, create::create_application))
        .routes(routes!(one::get_application, one::update_application, one::delete_application))
        .routes(routes!(grants::list_grants))
        .routes(routes!(grants::revoke_grant))
}

/// The application that a path names. What is no number names none.
fn application_id(text: &str) -> Result<ApplicationId, Problem> {
    input::number(text).ok_or_else(|| Problem::new(Code::NotFound, "no such application"))
}
