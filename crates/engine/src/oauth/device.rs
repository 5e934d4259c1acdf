//! Devices without a browser (RFC 8628).

use hookyard_core::id::CredentialId;
use hookyard_core::model::{Application, Scopes};
use hookyard_core::oauth::user_code;
use hookyard_store::{DeviceCode, StoreError};
use jiff::SignedDuration;

use super::{ExchangeError, hash, narrowed, secret};
use crate::{Engine, Error};

/// How long a person has, in seconds.
pub const DEVICE_SECONDS: i32 = 600;

/// The least time between two questions of a device, in seconds.
pub const POLL_SECONDS: i32 = 5;

/// The start of device codes.
const DEVICE_PREFIX: &str = "hyd_";

/// How many user codes are tried before the store counts as faulty: with the most waiting codes,
/// the chance for two taken codes in a row is 1 in a hundred million.
const TRIES_MAX: usize = 4;

/// The start of a device's authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The device's secret code, shown only here.
    pub device_code: String,
    /// The code that the person types.
    pub user_code: String,
}

impl Engine {
    /// Begins an authorization for a device.
    pub async fn begin_device(
        &self,
        application: &Application,
        scope: Option<&str>,
    ) -> Result<Device, ExchangeError> {
        if !application.settings.device_flow {
            return Err(ExchangeError::NotForDevices);
        }
        let scopes = narrowed(application.scopes, scope).ok_or(ExchangeError::Scopes)?;
        let now = self.clock.now();
        let expires_at = now + SignedDuration::from_secs(DEVICE_SECONDS.into());
        let code = DeviceCode { application: application.id, scopes, expires_at };
        let mut full = String::new();
        for _ in 0..TRIES_MAX {
            let device = Device {
                device_code: secret(self.entropy.as_ref(), DEVICE_PREFIX),
                user_code: user_code::new(self.entropy.as_ref()),
            };
            let (hidden, typed) = (hash(&device.device_code), hash(&device.user_code));
            match self.store.add_device_code(hidden, typed, code.clone(), now).await {
                Ok(()) => return Ok(device),
                Err(StoreError::Conflict(reason)) => full = reason,
                Err(error) => return Err(Error::from(error).into()),
            }
        }
        Err(Error::Unavailable(full).into())
    }

    /// The application behind a typed code, and the wanted scopes; `None` when no device waits with
    /// the code. A disabled application's device does not wait.
    pub async fn waiting_device(
        &self,
        typed: &str,
    ) -> Result<Option<(Application, Scopes, String)>, Error> {
        let Some(shown) = user_code::parse(typed) else { return Ok(None) };
        let found = self.store.waiting_device(hash(&shown), self.clock.now()).await?;
        let found = found.filter(|(application, _)| !application.disabled);
        Ok(found.map(|(application, scopes)| (application, scopes, shown)))
    }

    /// Approves for the owner of a credential, or denies for `None`. `false` when the decision
    /// comes too late.
    pub async fn decide_device(
        &self,
        shown: &str,
        person: Option<CredentialId>,
    ) -> Result<bool, Error> {
        Ok(self.store.decide_device(hash(shown), person, self.clock.now()).await?)
    }
}
