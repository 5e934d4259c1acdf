//! `/v1/audit`: who changed what.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use hookyard_core::id::{CredentialId, WorkspaceId};
use hookyard_core::model::Scope;
use hookyard_engine::Error;
use hookyard_store::{AuditEntry, AuditQuery, Seen, SharedStore, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{caller, input};
use crate::App;
use crate::problem::{Code, Problem};

/// The audit log.
const AUDIT: &str = "/v1/audit";

/// Entries of a page that does not say.
const LIMIT_DEFAULT: usize = 100;

/// The most entries of a page, each below a few kilobytes.
const LIMIT_MAX: usize = 1_000;

/// Entries that an export reads at a time.
const EXPORT_PAGE: usize = 1_000;

/// The most of a journal number that is read as JSON by everyone.
const NUMBER_MAX: u64 = 1 << 53;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_audit)).routes(routes!(export_audit))
}

/// Which entries to list; all conditions must hold.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Params {
    /// Made at or after this moment.
    #[param(nullable = false)]
    #[serde(default, deserialize_with = "input::moment")]
    from: Option<Timestamp>,
    /// Made before this moment.
    #[param(nullable = false)]
    #[serde(default, deserialize_with = "input::moment")]
    until: Option<Timestamp>,
    /// Made with the credential of this number.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    credential: Option<u32>,
    /// This action, such as `endpoint.update`; with a dot at its end, as in `endpoint.`, all of the
    /// kind.
    #[param(nullable = false)]
    action: Option<String>,
    /// Done to the thing with this number or name.
    #[param(nullable = false)]
    subject: Option<String>,
    /// With a lower number than this.
    #[param(nullable = false, minimum = 0, maximum = 9007199254740992_i64)]
    before: Option<u64>,
    /// The most entries of the page; 100 unless said.
    #[param(nullable = false, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Which entries to export; all conditions must hold.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExportParams {
    /// Made at or after this moment.
    #[param(nullable = false)]
    #[serde(default, deserialize_with = "input::moment")]
    from: Option<Timestamp>,
    /// Made before this moment.
    #[param(nullable = false)]
    #[serde(default, deserialize_with = "input::moment")]
    until: Option<Timestamp>,
    /// With a higher number than this.
    #[param(nullable = false, minimum = 0, maximum = 9007199254740992_i64)]
    after: Option<u64>,
}

/// One change that someone made.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
struct Entry<'a> {
    /// Its number; a later entry has a higher one.
    id: u64,
    /// When the request or command began that made it.
    at: Timestamp,
    /// Who: a `request` to an API, a `command` of whoever runs the installation, or the `system`.
    actor: &'static str,
    /// The number of the request's credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<i32>,
    /// The name that the credential had.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    credential_name: &'a str,
    /// The address that the request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// The request's `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// What was done, such as `endpoint.update`.
    action: &'a str,
    /// The number or name of what it was done to.
    subject: &'a str,
    /// What more there is to say: names of settings that changed, never their values where these can
    /// be secrets.
    #[schema(value_type = Object)]
    detail: &'a RawValue,
}

/// A page of the audit log, the newest first.
#[derive(Serialize, ToSchema)]
struct AuditPage<'a> {
    entries: Vec<Entry<'a>>,
    /// The path and query of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<'a> Entry<'a> {
    fn new(entry: &'a AuditEntry) -> Result<Self, Error> {
        let detail = serde_json::from_str(&entry.detail);
        Ok(Self {
            id: entry.id,
            at: entry.at,
            actor: entry.actor.as_str(),
            credential: entry.credential.map(|id| id.0),
            credential_name: &entry.credential_name,
            address: entry.address.map(|address| address.to_string()),
            request_id: entry.request_id.as_deref(),
            action: &entry.action,
            subject: &entry.subject,
            detail: detail
                .map_err(|error| Error::Internal(StoreError::Internal(Box::new(error))))?,
        })
    }
}

/// List the audit log
///
/// A page of who changed what in the workspace, the newest first.
#[utoipa::path(
    get,
    path = AUDIT,
    tag = "audit",
    params(Params),
    responses((status = 200, description = "A page of the log", body = AuditPage)),
    security(("simple_key" = ["admin"])),
)]
async fn list_audit(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::Admin).await?;
    let params: Params = input::query(raw.as_deref())?;
    let limit = input::limit(params.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
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
        limit,
    };
    let found = app.engine.store().audit(workspace, query).await.map_err(Error::from)?;
    let last = found.entries.last().filter(|_| found.more);
    let page = AuditPage {
        entries: found.entries.iter().map(Entry::new).collect::<Result<_, _>>()?,
        next: last.map(|last| next(&params, last, limit)),
    };
    Ok(Json(page).into_response())
}

fn next(params: &Params, last: &AuditEntry, limit: usize) -> String {
    let pairs = [
        ("from", params.from.map(|at| at.to_string())),
        ("until", params.until.map(|at| at.to_string())),
        ("credential", params.credential.map(|id| id.to_string())),
        ("action", params.action.clone()),
        ("subject", params.subject.clone()),
        ("before", Some(last.id.to_string())),
        ("limit", Some(limit.to_string())),
    ];
    input::next_page(AUDIT, &pairs)
}

/// Export the audit log
///
/// The whole log of the workspace as NDJSON, one entry a line, the oldest first. To go on later, ask
/// for what is `after` the last number.
#[utoipa::path(
    get,
    path = "/v1/audit/export",
    tag = "audit",
    params(ExportParams),
    responses(
        (status = 200, description = "Entries, one a line", body = String,
         content_type = "application/x-ndjson"),
    ),
    security(("simple_key" = ["admin"])),
)]
async fn export_audit(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::Admin).await?;
    let params: ExportParams = input::query(raw.as_deref())?;
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
    let store = std::sync::Arc::clone(app.engine.store());
    let lines = stream::try_unfold(Some(query), move |query| {
        let store = std::sync::Arc::clone(&store);
        async move {
            let Some(query) = query else { return Ok(None) };
            lines(&store, workspace, query).await.map(Some)
        }
    });
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, Body::from_stream(lines)).into_response())
}

/// An entry of the audit log as an export has it: one line of JSON, without its end.
pub fn audit_line(entry: &AuditEntry) -> Result<String, Error> {
    serde_json::to_string(&Entry::new(entry)?)
        .map_err(|error| Error::Internal(StoreError::Internal(Box::new(error))))
}

/// The next lines of an export, and what to ask for after them.
async fn lines(
    store: &SharedStore,
    workspace: WorkspaceId,
    query: AuditQuery,
) -> Result<(Bytes, Option<AuditQuery>), Error> {
    let page = store.audit(workspace, query.clone()).await?;
    let mut text = String::new();
    for entry in &page.entries {
        text.push_str(&audit_line(entry)?);
        text.push('\n');
    }
    let after = page.entries.last().filter(|_| page.more).map(|last| last.id);
    let rest = after.map(|after| AuditQuery { after: Some(after), ..query });
    Ok((text.into(), rest))
}
