//! Errors in the form of OAuth2 (RFC 6749, section 5.2; RFC 8628, section 3.5).

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use hookyard_engine::Error;
use hookyard_engine::oauth::ExchangeError;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::super::answer;
use super::super::error::{ERROR_HEADER, Fault, header_line};
use super::form::Unread;
use super::unstored::unstored;
use crate::turned::Turned;

/// An answer with an error.
#[derive(Debug)]
pub(in super::super) struct OAuthError {
    status: StatusCode,
    error: &'static str,
    description: String,
    retry_after: Option<u64>,
    fault: Option<Fault>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: &'a str,
}

impl OAuthError {
    fn new(status: StatusCode, error: &'static str, description: impl Into<String>) -> Self {
        Self { status, error, description: description.into(), retry_after: None, fault: None }
    }

    /// An unintelligible request.
    pub(super) fn invalid(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    /// A missing parameter.
    pub(super) fn missing(name: &str) -> Self {
        Self::invalid(format!("{name} is missing"))
    }

    /// An unsupported grant type.
    pub(super) fn unsupported_grant(asked: &str) -> Self {
        let description = format!(
            "grant_type must be authorization_code, refresh_token or device_code, not {asked}"
        );
        Self::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", description)
    }

    /// A caller with too many failures, who may try again after the given seconds.
    pub(super) fn too_many(seconds: u64) -> Self {
        let description = format!("too many failures: try again in {seconds} seconds");
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "slow_down", description);
        Self { retry_after: Some(seconds), ..error }
    }

    /// A caller with too many begun devices, who may begin another device after the given seconds.
    pub(super) fn too_many_devices(seconds: u64) -> Self {
        let description = format!(
            "too many devices from this address wait already: try again in {seconds} seconds"
        );
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "slow_down", description);
        Self { retry_after: Some(seconds), ..error }
    }

    /// A request refused before its handler.
    pub(in super::super) fn turned_away(turned: &Turned) -> Self {
        let error = match turned {
            Turned::Rate(_) | Turned::Connections => "slow_down",
            Turned::Full => "temporarily_unavailable",
            Turned::Uri(_)
            | Turned::Headers(_)
            | Turned::Stalled
            | Turned::Host
            | Turned::TransferCoding => "invalid_request",
        };
        let retry_after = turned.retry_after();
        Self { retry_after, ..Self::new(turned.status(), error, turned.to_string()) }
    }

    /// A body that is no form, or too large.
    pub(super) fn unread(unread: Unread) -> Self {
        Self::new(unread.status, "invalid_request", unread.message)
    }

    fn from_engine(error: Error) -> Self {
        match error {
            Error::Internal(error) => {
                let description = "the server failed; its log says why";
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                let fault = Some(Fault(Arc::new(error)));
                Self { fault, ..Self::new(status, "server_error", description) }
            }
            other => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let error = Self::new(status, "temporarily_unavailable", other.to_string());
                Self { retry_after: Some(1), ..error }
            }
        }
    }
}

impl From<ExchangeError> for OAuthError {
    fn from(error: ExchangeError) -> Self {
        let (status, name) = match error {
            ExchangeError::Engine(error) => return Self::from_engine(error),
            ExchangeError::UnknownClient => (StatusCode::BAD_REQUEST, "invalid_client"),
            // As on every other route (docs/spec/ultracart.md#refusals).
            ExchangeError::Disabled => (StatusCode::GONE, "unauthorized_client"),
            ExchangeError::NotForDevices => (StatusCode::BAD_REQUEST, "unauthorized_client"),
            ExchangeError::Useless(_) => (StatusCode::BAD_REQUEST, "invalid_grant"),
            ExchangeError::Scopes => (StatusCode::BAD_REQUEST, "invalid_scope"),
            ExchangeError::Pending => (StatusCode::BAD_REQUEST, "authorization_pending"),
            ExchangeError::TooSoon => (StatusCode::BAD_REQUEST, "slow_down"),
            ExchangeError::Denied => (StatusCode::BAD_REQUEST, "access_denied"),
            ExchangeError::Expired => (StatusCode::BAD_REQUEST, "expired_token"),
        };
        Self::new(status, name, error.to_string())
    }
}

impl From<Error> for OAuthError {
    fn from(error: Error) -> Self {
        Self::from_engine(error)
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let Self { status, error, description, retry_after, fault } = self;
        let mut response = answer::json(&Body { error, error_description: &description });
        *response.status_mut() = status;
        if let Some(fault) = fault {
            response.extensions_mut().insert(fault);
        }
        let headers = response.headers_mut();
        headers.insert(ERROR_HEADER, header_line(&description));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        unstored(response)
    }
}
