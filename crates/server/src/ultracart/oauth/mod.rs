//! OAuth2 under `/rest/v2/oauth` (docs/spec/ultracart.md#oauth2): the pages that people decide on,
//! and what applications call.
//!
//! No request here has a session behind it. A page is answered with the credential typed into it, so
//! there is nothing that a browser sends by itself and another site could make use of; what comes from
//! another site's page is refused all the same.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::routing::{MethodRouter, get, post};
use hookyard_engine::limits::Failures;

use crate::App;

mod authorize;
mod device;
mod error;
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

/// Where a browser is sent to ask a person.
const AUTHORIZE: &str = "/oauth/authorize";

/// Where a person goes with the code that a device shows.
const VERIFY: &str = "/oauth/device";

/// Failures that an address may have here at once: a person mistypes a few times, a program that is set
/// up wrongly fails as often as it is tried.
const FAILURES_MAX: u32 = 20;

/// How long it takes until one of them is forgotten. Four guesses a minute are no danger even to the
/// shortest secret here, a device's code of 34 bits that is good for ten minutes.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15);

/// Devices that an address may have begun at once, and how long it takes until it may begin a further
/// one. So in the ten minutes that a device's code waits, one address begins forty at most: a fifth of
/// the two hundred that may wait for an application, for whose devices there is room beside it.
const DEVICES_MAX: u32 = 20;
const DEVICE_EVERY: Duration = Duration::from_secs(30);

/// The devices that were begun, by address.
#[derive(Debug)]
struct Begun(Failures);

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
    let failures = Extension(Arc::new(Failures::new(FAILURES_MAX, FORGOTTEN_AFTER)));
    let routes = [
        (AUTHORIZE, get(authorize::show).post(authorize::decide)),
        (TOKEN, post(token::handle)),
        (REVOKE, post(revoke::handle)),
        (DEVICE, post(device::handle)),
        (VERIFY, get(verify::show).post(verify::decide)),
        ("/oauth/me", get(me::handle)),
    ];
    let begun = Extension(Arc::new(Begun(Failures::new(DEVICES_MAX, DEVICE_EVERY))));
    routes.map(|(path, methods)| (path, methods.layer((failures.clone(), begun.clone())))).into()
}
