//! The UltraCart REST v2 webhook API and OAuth2 under `/rest/v2` (docs/spec/ultracart.md).
//!
//! One file per operation. `client` tells the generations of SDKs apart, `webhook` and `attempts` are the
//! wire models, `change` and `query` read requests.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, delete, get, post};
use hookyard_core::id::RequestId;
use http::{HeaderName, HeaderValue};

use crate::App;
use crate::turned::Turned;

mod answer;
mod attempts;
mod auth;
mod body;
mod categories;
mod change;
mod client;
mod dates;
mod delete_by_url;
mod delete_webhook;
mod error;
mod insert;
mod list;
mod log;
mod log_summaries;
mod oauth;
mod paging;
mod path;
mod query;
mod reflow;
#[cfg(test)]
mod tests;
mod update;
mod webhook;

use error::{ApiError, Fault};

/// The API's base path, equal to the path of the vendor's own base URL. Every SDK keeps the path when
/// pointed at another host.
pub(crate) const BASE_PATH: &str = "/rest/v2";

/// The header with the id of the exchange, on every answer.
const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-ultracart-request-id");

/// Every route, below [`BASE_PATH`].
pub(crate) fn routes() -> Vec<(&'static str, MethodRouter<App>)> {
    let webhooks = [
        ("/webhook/webhooks", get(list::handle).post(insert::handle).delete(delete_by_url::handle)),
        ("/webhook/webhooks/{webhook_oid}", delete(delete_webhook::handle).put(update::handle)),
        ("/webhook/webhooks/{webhook_oid}/logs", get(log_summaries::handle)),
        ("/webhook/webhooks/{webhook_oid}/logs/{*request_id}", get(log::handle)),
        ("/webhook/webhooks/{webhook_oid}/reflow/{event_name}", post(reflow::handle)),
        ("/webhook/webhook_event_categories", get(categories::handle)),
    ];
    webhooks.into_iter().chain(oauth::routes()).collect()
}

pub(crate) fn router(app: &App) -> Router<App> {
    let mut router = Router::new();
    for (path, methods) in routes() {
        let path = format!("{BASE_PATH}{path}");
        // A slash at the end leads to the same place; the wildcard takes it in by itself.
        if !path.contains('*') {
            router = router.route(&format!("{path}/"), methods.clone());
        }
        router = router.route(&path, methods);
    }
    for rest in ["", "/", "/{*rest}"] {
        let nothing = any(|| async { ApiError::no_route() });
        router = router.route(&format!("{BASE_PATH}{rest}"), nothing);
    }
    router
        .method_not_allowed_fallback(|| async { ApiError::wrong_method() })
        .layer(middleware::from_fn_with_state(app.clone(), identify))
}

/// Whether a path belongs to this API.
pub(crate) fn is_below(path: &str) -> bool {
    let rest = path.strip_prefix(BASE_PATH);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The answer to a request of this API that was refused before its handler.
pub(crate) fn turned_away(path: &str, turned: &Turned) -> Response {
    let rest = path.strip_prefix(BASE_PATH).unwrap_or_default().trim_end_matches('/');
    if oauth::is_called_by_applications(rest) {
        oauth::OAuthError::turned_away(turned).into_response()
    } else {
        ApiError::turned_away(turned).into_response()
    }
}

/// Gives every answer of the API an id, and logs internal faults beside the id.
async fn identify(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let id = app.request_id();
    if let Some(Fault(error)) = response.extensions().get() {
        tracing::error!(request_id = id.as_str(), %error, "an ultracart request failed");
    }
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID_HEADER, value);
    }
    response
}

impl App {
    /// A new id for an HTTP exchange.
    fn request_id(&self) -> RequestId {
        RequestId::new(self.engine.entropy().as_ref(), self.engine.clock().now())
    }
}
