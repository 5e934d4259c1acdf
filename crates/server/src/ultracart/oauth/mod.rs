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

pub(super) use error::OAuthError;
use failures::Failures;

/// Where a browser is sent to ask a person.
const AUTHORIZE: &str = "/oauth/authorize";

/// Where a person goes with the code that a device shows.
const VERIFY: &str = "/oauth/device";

/// What applications call, and find errors of OAuth2 at.
const TOKEN: &str = "/oauth/token";
const REVOKE: &str = "/oauth/revoke";
const DEVICE: &str = "/oauth/device/authorize";

/// Whether errors at this path, below the base path of the API, are those of OAuth2.
pub(super) fn is_called_by_applications(path: &str) -> bool {
    [TOKEN, REVOKE, DEVICE].contains(&path)
}

/// The routes, below the base path of the API.
pub(super) fn routes() -> Vec<(&'static str, MethodRouter<App>)> {
    // One count of failures for all: they are ways to guess at the same secrets.
    let failures = Extension(Arc::new(Failures::default()));
    let routes = [
        (AUTHORIZE, get(authorize::show).post(authorize::decide)),
        (TOKEN, post(token::handle)),
        (REVOKE, post(revoke::handle)),
        (DEVICE, post(device::handle)),
        (VERIFY, get(verify::show).post(verify::decide)),
        ("/oauth/me", get(me::handle)),
    ];
    routes.map(|(path, methods)| (path, methods.layer(failures.clone()))).into()
}
