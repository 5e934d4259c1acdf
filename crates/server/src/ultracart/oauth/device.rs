//! `POST /oauth/device/authorize`: a device without a browser asks (RFC 8628, section 3.1).

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hookyard_engine::limits::Failures;
use hookyard_engine::oauth::{DEVICE_SECONDS, ExchangeError, POLL_SECONDS};
use http::HeaderMap;
use serde::Serialize;

use super::super::{BASE_PATH, answer};
use super::error::OAuthError;
use super::form::Form;
use super::unstored::unstored;
use super::{Begun, VERIFY};
use crate::{App, public};

#[derive(Serialize)]
struct Answer<'a> {
    device_code: &'a str,
    user_code: &'a str,
    verification_uri: &'a str,
    verification_uri_complete: String,
    expires_in: i32,
    interval: i32,
}

pub(super) async fn handle(
    State(app): State<App>,
    Extension(failures): Extension<Arc<Failures>>,
    Extension(begun): Extension<Arc<Begun>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, OAuthError> {
    failures.check(app.engine.clock().monotonic()).map_err(OAuthError::too_many)?;
    let form = Form::read(&headers, body).await.map_err(OAuthError::unread)?;
    let client_id = form.get("client_id").ok_or_else(|| OAuthError::missing("client_id"))?;
    let application = app.engine.client(client_id).await.inspect_err(|error| {
        if matches!(error, ExchangeError::UnknownClient) {
            failures.count(app.engine.clock().monotonic());
        }
    })?;
    begun.0.check(app.engine.clock().monotonic()).map_err(OAuthError::too_many_devices)?;
    let device = app.engine.begin_device(&application, form.get("scope")).await?;
    begun.0.count(app.engine.clock().monotonic());
    let place = format!("{}{BASE_PATH}{VERIFY}", origin(&app, &headers)?);
    let answer = Answer {
        device_code: &device.device_code,
        user_code: &device.user_code,
        verification_uri: &place,
        verification_uri_complete: format!("{place}?user_code={}", device.user_code),
        expires_in: DEVICE_SECONDS,
        interval: POLL_SECONDS,
    };
    Ok(unstored(answer::json(&answer)))
}

/// The URL of this server for people.
fn origin(app: &App, headers: &HeaderMap) -> Result<String, OAuthError> {
    let url = public::url(&app.settings, headers);
    url.ok_or_else(|| OAuthError::invalid("the Host header names no host"))
}
