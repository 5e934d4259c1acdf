//! `POST /webhook/webhooks/{webhookOid}/reflow/{eventName}`
//!
//! The body is not looked at: it is empty, or `{}`, with any content type
//! (docs/spec/ultracart.md#trap-17).

use axum::extract::State;
use axum::response::Response;
use hookyard_core::model::{Header, Scope};
use hookyard_engine::deliver::request_headers;
use hookyard_engine::endpoints::Reflowed;
use serde::Serialize;

use super::answer;
use super::auth::Caller;
use super::client::ReflowForm;
use super::error::{ApiError, Subject};
use super::path::{PathTexts, webhook_oid};
use crate::App;

#[derive(Serialize)]
struct WebhookReflow<'a> {
    event_name: &'a str,
    queued: bool,
}

/// The answer until SDK 4.0.241: the request of the first delivery.
#[derive(Serialize)]
struct WebhookSampleRequest<'a> {
    request: String,
    request_headers: Vec<Header>,
    request_id: String,
    uri: &'a str,
}

/// Both answers, for clients that read one answer and ignore the other.
#[derive(Serialize)]
struct BothAnswers<'a> {
    reflow: WebhookReflow<'a>,
    webhook_sample_request: WebhookSampleRequest<'a>,
    success: bool,
    metadata: Metadata,
}

#[derive(Serialize)]
struct Metadata {
    payload_name: &'static str,
}

pub(super) async fn handle(
    State(app): State<App>,
    caller: Caller,
    PathTexts((oid, event_name)): PathTexts<(String, String)>,
) -> Result<Response, ApiError> {
    let workspace = caller.may(Scope::WebhookWrite)?;
    let id = webhook_oid(&app, workspace, &oid, "reflowed").await?;
    let failed = |error| ApiError::from_engine(error, Subject::webhook("reflowed"));
    let reflowed = app.engine.reflow_endpoint(workspace, id, "eventName", &event_name).await;
    let reflowed = reflowed.map_err(failed)?;
    let reflow = WebhookReflow { event_name: &event_name, queued: reflowed.queued };
    let form = caller.client.reflow_form();
    if form == ReflowForm::New {
        return Ok(answer::one("reflow", &reflow));
    }
    let webhook_sample_request = sample(&app, &reflowed).await.map_err(failed)?;
    if form == ReflowForm::Old {
        return Ok(answer::one("webhook_sample_request", &webhook_sample_request));
    }
    let metadata = Metadata { payload_name: "reflow" };
    Ok(answer::json(&BothAnswers { reflow, webhook_sample_request, success: true, metadata }))
}

async fn sample<'a>(
    app: &App,
    reflowed: &'a Reflowed,
) -> Result<WebhookSampleRequest<'a>, hookyard_engine::Error> {
    let settings = &reflowed.endpoint.settings;
    let request_id = app.request_id();
    Ok(WebhookSampleRequest {
        request: app.engine.reflow_sample(reflowed).await?,
        request_headers: request_headers(settings, &app.settings.user_agent, &request_id),
        request_id: request_id.to_string(),
        uri: &settings.url,
    })
}
