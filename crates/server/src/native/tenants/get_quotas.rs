//! `GET /v1/workspace/quotas`: get the workspace's quotas.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_engine::quotas::Standing;
use serde::Serialize;
use utoipa::ToSchema;

use crate::native::call::{Admin, Call};
use crate::native::paths;
use crate::problem::Problem;

/// How much of something the workspace may have, and has.
#[derive(Serialize, ToSchema)]
#[schema(as = Quota)]
struct QuotaBody {
    /// How much it may have or, by the hour, take; absent for any amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    /// How much it has; by the hour what came lately to this server, absent while there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<u64>,
}

/// What the workspace may have and take. Whoever runs the installation sets it.
#[derive(Serialize, ToSchema)]
struct Quotas {
    /// Endpoints.
    endpoints: QuotaBody,
    /// Event types.
    event_types: QuotaBody,
    /// Sources.
    sources: QuotaBody,
    /// Datasets, those of sources among them.
    datasets: QuotaBody,
    /// Events that are published, deliveries that are received and rows that are added, in an hour.
    events_hour: QuotaBody,
    /// Bytes of their bodies, in an hour.
    bytes_hour: QuotaBody,
    /// Bytes of the rows of its datasets, earlier versions included.
    stored_bytes: QuotaBody,
    /// Bytes of its events that the journal keeps.
    journal_bytes: QuotaBody,
}

impl From<Standing> for Quotas {
    fn from(standing: Standing) -> Self {
        let Standing { quotas, usage, events_hour, bytes_hour } = standing;
        let body = |limit, used| QuotaBody { limit, used };
        Self {
            endpoints: body(quotas.endpoints, Some(usage.endpoints)),
            event_types: body(quotas.event_types, Some(usage.event_types)),
            sources: body(quotas.sources, Some(usage.sources)),
            datasets: body(quotas.datasets, Some(usage.datasets)),
            events_hour: body(quotas.events_hour, events_hour),
            bytes_hour: body(quotas.bytes_hour, bytes_hour),
            stored_bytes: body(quotas.stored_bytes, Some(usage.stored_bytes)),
            journal_bytes: body(quotas.journal_bytes, Some(usage.journal_bytes)),
        }
    }
}

/// Get the workspace's quotas
///
/// What it may have and take, and how much of that is used.
#[utoipa::path(
    get,
    path = paths::QUOTAS,
    tag = "workspace",
    responses((status = 200, description = "The quotas", body = Quotas)),
)]
pub(super) async fn get_quotas(call: Call<Admin>) -> Result<Response, Problem> {
    let Call { app, caller: workspace, .. } = call;
    let standing = app.engine.quota_standing(workspace).await?;
    Ok(Json(Quotas::from(standing)).into_response())
}
