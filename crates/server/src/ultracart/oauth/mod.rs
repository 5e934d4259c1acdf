//! OAuth2 under `/rest/v2/oauth` (docs/spec/ultracart.md#oauth2): pages for people's decisions, and paths
//! for applications.
//!
//! No request here has a session. A person types a credential into each page, so a browser sends nothing by
//! itself that another site could abuse. Forms from other sites' pages are refused all the same.

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
mod unstored;
mod verify;

pub(super) use error::OAuthError;

/// Where a browser is sent to ask a person.
const AUTHORIZE: &str = "/oauth/authorize";

/// The page where a person enters a device's code.
const VERIFY: &str = "/oauth/device";

/// The most remembered failures of an address. A person mistypes a few times; a misconfigured program fails
/// as often as the program is tried.
const FAILURES_MAX: u32 = 20;

/// The time until one failure is forgotten. Four guesses a minute are no danger even to the shortest secret
/// here, a device's code of 34 bits with a life of ten minutes.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15);

/// The most devices begun by an address at once, and the time until the address may begin another device.
/// In the ten minutes of a device's code, one address so begins forty devices at most: a fifth of the two
/// hundred devices that may wait for an application. Other addresses' devices have room beside.
const DEVICES_MAX: u32 = 20;
const DEVICE_EVERY: Duration = Duration::from_secs(30);

/// Begun devices, by address.
#[derive(Debug)]
struct Begun(Failures);

/// Paths called by applications, with OAuth2 errors.
const TOKEN: &str = "/oauth/token";
const REVOKE: &str = "/oauth/revoke";
const DEVICE: &str = "/oauth/device/authorize";

/// Whether errors at this path, below the base path of the API, have the form of OAuth2.
pub(super) fn is_called_by_applications(path: &str) -> bool {
    [TOKEN, REVOKE, DEVICE].contains(&path)
}

/// The routes, below the base path of the API.
pub(super) fn routes() -> Vec<(&'static str, MethodRouter<App>)> {
    // One count of failures for all routes: all routes are ways to guess the same secrets.
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
