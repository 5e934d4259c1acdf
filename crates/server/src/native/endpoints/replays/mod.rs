//! `/v1/endpoints/{id}/replays`: sending history again.

mod cancel;
mod get;
mod list;
mod pause;
mod recover;
mod resume;
mod shape;
mod start;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(in crate::native) use shape::samples;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![
        list::list_replays,
        start::start_replay,
        get::get_replay,
        pause::pause_replay,
        resume::resume_replay,
        cancel::cancel_replay,
        recover::recover,
    ]
}
