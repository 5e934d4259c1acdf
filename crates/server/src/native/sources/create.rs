//! `POST /v1/sources`: make a source.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::provider::Fault;

use super::change::NewSource;
use super::check_republish;
use super::shape::Source;
use super::verification::check_url_known;
use crate::native::call::{Call, Data, Within, Write};
use crate::native::input::Nothing;
use crate::native::sent::JsonBody;
use crate::native::{paths, place};
use crate::problem::{Code, Problem};
use crate::public;

/// Make a source
///
/// Makes the source and its dataset. No member is required.
#[utoipa::path(
    post,
    path = paths::SOURCES,
    tag = "sources",
    responses(
        (status = 201, description = "The source", body = Source, headers(
            ("location" = String, description = "Its path"),
        )),
    ),
)]
pub(super) async fn create_source(
    call: Call<Within<Write<Data>>, (), Nothing, JsonBody<NewSource>>,
) -> Result<Response, Problem> {
    let Call { app, caller: reach, headers, body: JsonBody(new), .. } = call;
    let (project, draft) = new.draft()?;
    if let Some(verification) = &draft.options.verification {
        let refused = |Fault { member, message }| {
            Problem::of_field(Code::InvalidValue, &format!("verification.{member}"), message)
        };
        verification.check().map_err(refused)?;
        check_url_known(&app, verification, "verification.")?;
    }
    check_republish(reach, draft.options.republish.as_ref())?;
    let project = place::project(&app, reach, project.map(|project| project.0)).await?;
    let source = app.engine.create_source(reach.workspace, project, draft).await?;
    let base = public::url(&app.settings, &headers);
    let location = [(header::LOCATION, app.link(&paths::SOURCE.of([&source.id])))];
    Ok((StatusCode::CREATED, location, Json(Source::new(&source, base.as_deref()))).into_response())
}
