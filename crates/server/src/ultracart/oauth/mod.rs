//! OAuth2 under `/rest/v2/oauth` (UltraCart spec 3.2): the pages that people decide on, and what
//! applications call.
//!
//! No request here has a session behind it. A page is answered with the credential typed into it, so
//! there is nothing that a browser sends by itself and another site could make use of; what comes from
//! another site's page is refused all the same.

use std::sync::Arc;

use axum::Extension;
use axum::routing::{MethodRouter, get, post};

use crate::App;

mod authorize;
mod device;
mod error;
mod failures;
mod form;
mod me;
mod page;
mod proof;
mod revoke;
#[cfg(test)]
mod tests;
mod token;
mod verify;

use failures::Failures;

/// Where a browser is sent to ask a person.
const AUTHORIZE: &str = "/oauth/authorize";

/// Where a person goes with the code that a device shows.
const VERIFY: &str = "/oauth/device";

/// The routes, below the base path of the API.
pub(super) fn routes() -> Vec<(&'static str, MethodRouter<App>)> {
    // One count of failures for all: they are ways to guess at the same secrets.
    let failures = Extension(Arc::new(Failures::default()));
    let routes = [
        (AUTHORIZE, get(authorize::show).post(authorize::decide)),
        ("/oauth/token", post(token::handle)),
        ("/oauth/revoke", post(revoke::handle)),
        ("/oauth/device/authorize", post(device::handle)),
        (VERIFY, get(verify::show).post(verify::decide)),
        ("/oauth/me", get(me::handle)),
    ];
    routes.map(|(path, methods)| (path, methods.layer(failures.clone()))).into()
}
