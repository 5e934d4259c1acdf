//! Decisions about codes and tokens of OAuth2, alike on both backends.
//!
//! A backend reads the stored records, asks here for the consequence, and writes the consequence in the same
//! transaction.

use hookyard_core::id::{ApplicationId, CredentialId, GrantId};
use hookyard_core::model::{CredentialKind, Grant, GrantVia, Scopes};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::audit::GrantEnd;
use crate::oauth::POLL_INTERVAL_MS;
use crate::{Code, DEVICE_CODES_MAX, Issue, NewCredential, NewTokens, Poll, StoreError};

/// A person's consent. A backend makes a grant from a consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Consent {
    /// The application that the person let in.
    pub(crate) application: ApplicationId,
    /// How the application asked.
    pub(crate) via: GrantVia,
    /// The scopes that the person allowed.
    pub(crate) scopes: Scopes,
    /// The credential by which the person signed in.
    pub(crate) approved_by: CredentialId,
}

/// The action of a backend for a code or token that an application presents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Redemption<T> {
    /// The backend gives out new tokens.
    Granted(T),
    /// The code or token was used before: the backend revokes the grant that came of the first use, for
    /// this reason, and answers [`Issue::Reused`].
    Reused(GrantId, GrantEnd),
    /// The backend changes nothing and gives this answer.
    Refused(Issue),
}

/// An authorization code as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredCode {
    /// The code.
    pub(crate) code: Code,
    /// The grant that came of the code; `None` before the first use.
    pub(crate) grant: Option<GrantId>,
}

impl StoredCode {
    /// Decides about an application's code; `None` when the application has no such code.
    pub(crate) fn redeem(
        found: Option<Self>,
        application: ApplicationId,
        now: Timestamp,
    ) -> Redemption<Consent> {
        let Some(Self { code, grant }) = found else { return Redemption::Refused(Issue::Unknown) };
        if let Some(grant) = grant {
            return Redemption::Reused(grant, GrantEnd::CodeReused);
        }
        if code.expires_at <= now {
            return Redemption::Refused(Issue::Expired);
        }
        let Code { scopes, approved_by, .. } = code;
        Redemption::Granted(Consent { application, via: GrantVia::Code, scopes, approved_by })
    }
}

/// A refresh token as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredRefresh {
    /// The grant that the token belongs to.
    pub(crate) grant: GrantId,
    /// The end of the token's life; `None` for no end.
    pub(crate) expires_at: Option<Timestamp>,
    /// Whether the token was used before.
    pub(crate) used: bool,
}

impl StoredRefresh {
    /// Decides about an application's refresh token; `None` when the application has no such token.
    pub(crate) fn redeem(found: Option<Self>, now: Timestamp) -> Redemption<GrantId> {
        match found {
            None => Redemption::Refused(Issue::Unknown),
            Some(Self { grant, used: true, .. }) => {
                Redemption::Reused(grant, GrantEnd::RefreshTokenReused)
            }
            Some(Self { expires_at: Some(expires), .. }) if expires <= now => {
                Redemption::Refused(Issue::Expired)
            }
            Some(Self { grant, .. }) => Redemption::Granted(grant),
        }
    }
}

/// A device code as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredDevice {
    /// The scopes that the device asks for.
    pub(crate) scopes: Scopes,
    /// The end of the code's life.
    pub(crate) expires_at: Timestamp,
    /// The least time between two questions of the device, in milliseconds.
    pub(crate) interval_ms: i64,
    /// When the device asked last, in milliseconds since 1970.
    pub(crate) asked_ms: Option<i64>,
    /// [`decision`] of the person, once there is a decision.
    pub(crate) decision: Option<String>,
    /// The credential of the person who decided yes.
    pub(crate) approved_by: Option<CredentialId>,
    /// The grant that came of the code.
    pub(crate) grant: Option<GrantId>,
}

/// The action of a backend when a device asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeviceStep {
    /// As for any code.
    Redeem(Redemption<Consent>),
    /// The person said no.
    Denied,
    /// No decision yet: the backend notes the moment of the question and the interval from now on.
    Wait {
        /// The least time to the next question, in milliseconds.
        interval_ms: i64,
        /// The answer to the device.
        answer: Poll,
    },
}

impl StoredDevice {
    /// Decides about an application's device code; `None` when the application has no such code.
    pub(crate) fn poll(
        found: Option<Self>,
        application: ApplicationId,
        now: Timestamp,
    ) -> DeviceStep {
        let refused = |issue| DeviceStep::Redeem(Redemption::Refused(issue));
        let Some(code) = found else { return refused(Issue::Unknown) };
        if let Some(grant) = code.grant {
            return DeviceStep::Redeem(Redemption::Reused(grant, GrantEnd::CodeReused));
        }
        if code.expires_at <= now {
            return refused(Issue::Expired);
        }
        match (code.decision.as_deref(), code.approved_by) {
            (None, _) => code.wait(now.as_millisecond()),
            (Some(APPROVED), Some(approved_by)) => {
                let (via, scopes) = (GrantVia::Device, code.scopes);
                let consent = Consent { application, via, scopes, approved_by };
                DeviceStep::Redeem(Redemption::Granted(consent))
            }
            _ => DeviceStep::Denied,
        }
    }

    fn wait(&self, now_ms: i64) -> DeviceStep {
        let too_soon = self.asked_ms.is_some_and(|asked| now_ms - asked < self.interval_ms);
        let (grows_ms, answer) =
            if too_soon { (POLL_INTERVAL_MS, Poll::TooSoon) } else { (0, Poll::Pending) };
        DeviceStep::Wait { interval_ms: self.interval_ms + grows_ms, answer }
    }
}

const APPROVED: &str = "approved";

/// The stored form of a person's decision about a device.
pub(crate) fn decision(approved: bool) -> &'static str {
    if approved { APPROVED } else { "denied" }
}

/// Checks that one more device of an application may wait for a person.
pub(crate) fn may_wait(waiting: i64) -> Result<(), StoreError> {
    if usize::try_from(waiting).is_ok_and(|waiting| waiting < DEVICE_CODES_MAX) {
        return Ok(());
    }
    let message = format!("{DEVICE_CODES_MAX} devices wait for an answer already");
    Err(StoreError::Conflict(message))
}

/// Two devices drew the same code for their persons to type.
pub(crate) fn user_code_taken() -> StoreError {
    StoreError::Conflict("the user's code is in use".to_owned())
}

/// The action and the detail that the audit log has of a person's decision about an application.
pub(crate) fn about_decision(
    approved: bool,
    via: GrantVia,
    scopes: Scopes,
) -> (&'static str, Value) {
    let action = if approved { "application.approve" } else { "application.deny" };
    (action, json!({ "via": via.as_str(), "scopes": scopes.to_string() }))
}

/// The credential behind a new access token of a grant.
pub(crate) fn access_credential(
    grant: &Grant,
    tokens: &NewTokens,
    now: Timestamp,
) -> NewCredential {
    NewCredential {
        expires_at: Some(tokens.access_expires_at),
        application: Some(grant.application),
        ..NewCredential::new(CredentialKind::Token, grant.scopes, tokens.access, None, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: ApplicationId = ApplicationId(3);
    const GRANT: GrantId = GrantId(5);
    const PERSON: CredentialId = CredentialId(7);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn code(grant: Option<GrantId>) -> StoredCode {
        let code = Code {
            scopes: Scopes::default(),
            approved_by: PERSON,
            redirect_uri: "https://app.example/back".to_owned(),
            challenge: None,
            expires_at: at(100),
        };
        StoredCode { code, grant }
    }

    fn device() -> StoredDevice {
        StoredDevice {
            scopes: Scopes::default(),
            expires_at: at(100),
            interval_ms: POLL_INTERVAL_MS,
            asked_ms: None,
            decision: None,
            approved_by: None,
            grant: None,
        }
    }

    #[test]
    fn a_code_is_good_once_and_until_it_expires() {
        let redeem = |found, second| StoredCode::redeem(found, APP, at(second));
        let Redemption::Granted(consent) = redeem(Some(code(None)), 99) else { panic!() };
        assert_eq!((consent.application, consent.approved_by), (APP, PERSON));
        assert_eq!(redeem(Some(code(None)), 100), Redemption::Refused(Issue::Expired));
        assert_eq!(redeem(None, 0), Redemption::Refused(Issue::Unknown));
        // A second use is noticed for as long as the code is known, expired or not.
        let reused = Redemption::Reused(GRANT, GrantEnd::CodeReused);
        assert_eq!(redeem(Some(code(Some(GRANT))), 99), reused);
        assert_eq!(redeem(Some(code(Some(GRANT))), 101), reused);
    }

    #[test]
    fn a_refresh_token_is_good_once_and_may_have_no_end() {
        let stored = |expires_at, used| Some(StoredRefresh { grant: GRANT, expires_at, used });
        let redeem = |found| StoredRefresh::redeem(found, at(100));
        assert_eq!(redeem(stored(None, false)), Redemption::Granted(GRANT));
        assert_eq!(redeem(stored(Some(at(101)), false)), Redemption::Granted(GRANT));
        assert_eq!(redeem(stored(Some(at(100)), false)), Redemption::Refused(Issue::Expired));
        let reused = Redemption::Reused(GRANT, GrantEnd::RefreshTokenReused);
        assert_eq!(redeem(stored(Some(at(100)), true)), reused);
        assert_eq!(redeem(None), Redemption::Refused(Issue::Unknown));
    }

    #[test]
    fn a_device_that_asks_too_early_waits_longer_from_then_on() {
        let poll = |code| StoredDevice::poll(Some(code), APP, at(10));
        let wait = |interval_ms, answer| DeviceStep::Wait { interval_ms, answer };
        assert_eq!(poll(device()), wait(POLL_INTERVAL_MS, Poll::Pending));
        let early = StoredDevice { asked_ms: Some(5_001), ..device() };
        assert_eq!(poll(early), wait(2 * POLL_INTERVAL_MS, Poll::TooSoon));
        let late = StoredDevice { asked_ms: Some(5_000), ..device() };
        assert_eq!(poll(late), wait(POLL_INTERVAL_MS, Poll::Pending));
    }

    #[test]
    fn a_device_is_told_what_its_person_decided() {
        let poll = |code, second| StoredDevice::poll(code, APP, at(second));
        let decided = |approved: bool| StoredDevice {
            decision: Some(decision(approved).to_owned()),
            approved_by: approved.then_some(PERSON),
            ..device()
        };
        let yes = poll(Some(decided(true)), 10);
        assert!(matches!(yes, DeviceStep::Redeem(Redemption::Granted(_))), "{yes:?}");
        assert_eq!(poll(Some(decided(false)), 10), DeviceStep::Denied);
        let refused = |issue| DeviceStep::Redeem(Redemption::Refused(issue));
        assert_eq!(poll(Some(decided(true)), 100), refused(Issue::Expired));
        assert_eq!(poll(None, 10), refused(Issue::Unknown));
        let used = StoredDevice { grant: Some(GRANT), ..decided(true) };
        let reused = Redemption::Reused(GRANT, GrantEnd::CodeReused);
        assert_eq!(poll(Some(used), 10), DeviceStep::Redeem(reused));
    }

    #[test]
    fn the_devices_that_wait_are_bounded() {
        let most = i64::try_from(DEVICE_CODES_MAX).unwrap();
        assert!(may_wait(most - 1).is_ok());
        assert!(may_wait(most).is_err());
    }
}
