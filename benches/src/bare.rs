//! The yardstick: an axum server that reads each body and answers.

use anyhow::Result;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use bytes::Bytes;

/// Serves until it is killed, after it has printed its address.
#[expect(clippy::print_stdout, reason = "tells the benchmark where it listens")]
pub(crate) async fn serve() -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let read = |body: Bytes| async move {
        assert!(!body.is_empty());
        StatusCode::ACCEPTED
    };
    axum::serve(listener, Router::new().route("/", post(read))).await?;
    Ok(())
}
