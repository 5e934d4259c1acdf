//! The receive path through the real router over the real store.

use serde_json::{Value, json};

use crate::mammoth::tests::{Api, assert_refused, url};

mod browsers;
mod inputs;
mod paths;
mod proofs;
mod providers;
mod receiving;

/// A webhook that keeps every row, and the path to deliver to it.
async fn combining(api: &Api) -> (Value, String) {
    let webhook = api.create(json!({"mode": "combine"})).await;
    let target = url(&webhook);
    (webhook, target)
}
