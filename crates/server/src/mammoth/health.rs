//! Liveness, checked by Mammoth's clients before they have a credential.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};

use crate::App;

/// Answers whether the store takes work, without a credential.
pub(super) async fn health(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let healthy = app.readiness.ask().await.is_ok();
    let (status, word, database) = match healthy {
        true => (StatusCode::OK, "healthy", "operational"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy", "down"),
    };
    let uptime = app.engine.clock().now().duration_since(app.started).as_secs().max(0);
    let answer = json!({
        "status": word,
        "uptime_in_seconds": uptime,
        "details": {"database": {"status": database}},
        "version": env!("CARGO_PKG_VERSION"),
    });
    (status, Json(answer))
}
