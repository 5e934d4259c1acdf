//! `GET /v1/audit`: list the audit log.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::CredentialId;
use hookyard_store::AuditQuery;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::shape::{Entry, NUMBER_MAX};
use crate::native::call::{Admin, Call};
use crate::native::page::{Page, PageSize};
use crate::native::{input, paths};
use crate::problem::Problem;

/// How many entries of a page, each below a few kilobytes.
const PAGE: PageSize = PageSize { default: 100, max: 1_000 };

/// Selects the entries to list; all conditions must hold.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Made at or after the given moment.
    #[param(nullable = false)]
    #[serde(default, deserialize_with = "input::moment")]
    from: Option<Timestamp>,
    /// Made before the given moment.
    #[param(nullable = false)]
    #[serde(default, deserialize_with = "input::moment")]
    until: Option<Timestamp>,
    /// Made with the credential of the given number.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    credential: Option<u32>,
    /// The action, such as `endpoint.update`; with a dot at the end, as in `endpoint.`, all actions of
    /// the kind.
    #[param(nullable = false)]
    action: Option<String>,
    /// Done to the thing with the given number or name.
    #[param(nullable = false)]
    subject: Option<String>,
    /// With a lower number than the given one.
    #[param(nullable = false, minimum = 0, maximum = 9007199254740992_i64)]
    before: Option<u64>,
    /// The most entries of the page; 100 unless said.
    #[param(nullable = false, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// A page of the audit log, the newest first.
#[derive(Serialize, ToSchema)]
struct AuditPage<'a> {
    entries: Vec<Entry<'a>>,
    /// The path and query of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List the audit log
///
/// A page of the changes in the workspace, with their actors, the newest first.
#[utoipa::path(
    get,
    path = paths::AUDIT,
    tag = "audit",
    responses((status = 200, description = "A page of the log", body = AuditPage)),
)]
pub(super) async fn list_audit(call: Call<Admin, (), Params>) -> Result<Response, Problem> {
    let Call { app, caller: workspace, query: params, .. } = call;
    let limit = PAGE.limit(params.limit)?;
    let credential = input::number_of("credential", params.credential)?;
    let query = AuditQuery {
        after: None,
        before: input::at_most("before", params.before, NUMBER_MAX)?,
        from: params.from,
        until: params.until,
        credential: credential.map(CredentialId),
        action: params.action.clone(),
        subject: params.subject.clone(),
        newest_first: true,
        limit: limit.get(),
    };
    let page = Page::from(app.engine.of(workspace).audit(query).await?);
    let entries = page.entries.iter().map(Entry::new).collect::<Result<_, _>>()?;
    let next = page.next(&app.link(&paths::AUDIT), |last| Params {
        before: Some(last.id),
        limit: Some(limit.get()),
        ..params
    });
    Ok(Json(AuditPage { entries, next }).into_response())
}
