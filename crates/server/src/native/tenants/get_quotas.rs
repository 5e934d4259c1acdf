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
    /// The most that the workspace may hold or, for hourly quotas, take in an hour; absent without a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    /// The amount held. For hourly quotas: the recent arrivals at this server, absent without a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<u64>,
}

/// The limits of the workspace, set by the operator of the installation.
#[derive(Serialize, ToSchema)]
struct Quotas {
    /// Endpoints.
    endpoints: QuotaBody,
    /// Event types.
    event_types: QuotaBody,
    /// Sources.
    sources: QuotaBody,
    /// Datasets, including the datasets of sources.
    datasets: QuotaBody,
    /// Published events, received deliveries and added rows, in an hour.
    events_hour: QuotaBody,
    /// Bytes of the bodies of events, deliveries and rows, in an hour.
    bytes_hour: QuotaBody,
    /// Bytes of the rows of the workspace's datasets, earlier versions included.
    stored_bytes: QuotaBody,
    /// Bytes of the workspace's events in the journal.
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
/// Answers the limits of the workspace and the amounts used.
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
