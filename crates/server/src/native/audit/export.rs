//! `GET /v1/audit/export`: export the audit log.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use hookyard_engine::{Error, Reads};
use hookyard_store::{AuditQuery, Seen};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use super::shape::{NUMBER_MAX, audit_line};
use crate::native::call::{Admin, Call};
use crate::native::{input, paths};
use crate::problem::{Code, Problem};

/// Entries that an export reads at a time.
const EXPORT_PAGE: usize = 1_000;

/// Selects the entries to export; all conditions must hold.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportParams {
    /// Made at or after the given moment.
    #[param(nullable = false)]
    #[serde(default, deserialize_with = "input::moment")]
    from: Option<Timestamp>,
    /// Made before the given moment.
    #[param(nullable = false)]
    #[serde(default, deserialize_with = "input::moment")]
    until: Option<Timestamp>,
    /// With a higher number than the given one.
    #[param(nullable = false, minimum = 0, maximum = 9007199254740992_i64)]
    after: Option<u64>,
}

/// Export the audit log
///
/// The whole log of the workspace as NDJSON, one entry a line, the oldest first. To go on later, set
/// `after` to the last number.
#[utoipa::path(
    get,
    path = paths::AUDIT_EXPORT,
    tag = "audit",
    responses(
        (status = 200, description = "Entries, one a line", body = String,
         content_type = "application/x-ndjson"),
    ),
)]
pub(super) async fn export_audit(call: Call<Admin, (), ExportParams>) -> Result<Response, Problem> {
    let Call { app, caller: workspace, query: params, .. } = call;
    if params.from.zip(params.until).is_some_and(|(from, until)| from > until) {
        let detail = "must not be before `from`";
        return Err(Problem::of_field(Code::InvalidValue, "until", detail));
    }
    let query = AuditQuery {
        after: input::at_most("after", params.after, NUMBER_MAX)?,
        from: params.from,
        until: params.until,
        limit: EXPORT_PAGE,
        ..AuditQuery::default()
    };
    app.engine.note_seen(workspace, Seen::AuditExport).await?;
    let reads = app.engine.of(workspace);
    let lines = stream::try_unfold(Some(query), move |query| {
        let reads = reads.clone();
        async move {
            let Some(query) = query else { return Ok(None) };
            lines(&reads, query).await.map(Some)
        }
    });
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, Body::from_stream(lines)).into_response())
}

/// The next lines of an export, and the selection of the entries after them.
async fn lines(reads: &Reads, query: AuditQuery) -> Result<(Bytes, Option<AuditQuery>), Error> {
    let page = reads.audit(query.clone()).await?;
    let mut text = String::new();
    for entry in &page.entries {
        text.push_str(&audit_line(entry)?);
        text.push('\n');
    }
    let after = page.entries.last().filter(|_| page.more).map(|last| last.id);
    let rest = after.map(|after| AuditQuery { after: Some(after), ..query });
    Ok((text.into(), rest))
}
