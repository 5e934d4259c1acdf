//! The key and the secret of a source.

mod end_previous_key;
mod end_previous_secret;
mod get;
mod rotate;
mod rotate_key;
mod shape;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(in crate::native) use shape::samples;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![
        rotate_key::rotate_key,
        end_previous_key::end_previous_key,
        end_previous_secret::end_previous_secret,
        get::get_source_secret,
        rotate::rotate_source_secret,
    ]
}
