//! `/v1/sources/{id}/verification`: how deliveries to a source are proved.

mod add_secret;
mod delete;
mod get;
mod get_learnt;
mod set;
mod shape;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(super) use set::{NewVerification, check_url_known};
pub(in crate::native) use shape::samples;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![
        get::get_verification,
        set::set_verification,
        delete::delete_verification,
        add_secret::add_verification_secret,
        get_learnt::get_learnt_secret,
    ]
}
